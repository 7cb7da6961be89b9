"""The built-in model computed by us equals the one that transformers makes of the same weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.reference_model.builtin_model import builtin_model_folder
from benchdesign.concepts.reference_model.model import ReferenceModel
from benchdesign.concepts.reference_model.windows import WindowMaker

TEXTS = ("Which cat is five?", "The sea, the sky: a dog.", "Ω naïve [SEP] " * 90, "a")
POINTS = {
    "blocks.3.hook_resid_pre": ("encoder.layer.3", "in"),
    "blocks.3.hook_attn_out": ("encoder.layer.3.attention", "out"),
    "blocks.3.attn.hook_z": ("encoder.layer.3.attention.output.dense", "in"),
    "blocks.3.hook_mlp_out": ("encoder.layer.3.output.dense", "out"),
    "blocks.4.hook_resid_post": ("encoder.layer.4", "out"),
}


def items() -> list[Item]:
    return [Item(text[:5], 0, text, ((0, len(text)),), text) for text in TEXTS]


def test_states_equal_those_of_transformers() -> None:
    import torch
    from transformers import AutoModel

    model = ReferenceModel.from_spec("builtin", hook_points=tuple(POINTS))
    windows = model.windows(items())
    activations_by_point = model.activations(windows)
    whole = AutoModel.from_pretrained(builtin_model_folder()).eval()
    seen: dict[str, list[np.ndarray]] = {point: [] for point in POINTS}
    for point, (path, side) in POINTS.items():
        module = whole.get_submodule(path)
        if side == "in":
            module.register_forward_pre_hook(lambda _, args, p=point: seen[p].append(args[0][0]))
        else:
            module.register_forward_hook(
                lambda _, __, out, p=point: seen[p].append(
                    (out[0] if isinstance(out, tuple) else out)[0]
                )
            )
    for window in windows:
        with torch.no_grad():
            whole(torch.from_numpy(window.token_ids[None].astype(np.int64)))
    for point, states in seen.items():
        expected = np.concatenate(
            [hidden[window.content] for hidden, window in zip(states, windows, strict=True)]
        )
        np.testing.assert_allclose(activations_by_point[point], expected, atol=2e-5, err_msg=point)


def test_windows_equal_those_of_its_tokenizer_in_transformers() -> None:
    from transformers import AutoTokenizer

    ours = ReferenceModel.from_spec("builtin", hook_points=["blocks.0.hook_resid_post"])
    theirs = WindowMaker.from_transformers(
        AutoTokenizer.from_pretrained(builtin_model_folder()), limit=256
    )
    for left, right in zip(ours.windows(items()), theirs.windows(items()), strict=True):
        assert left.token_ids.tolist() == right.token_ids.tolist()
        assert left.starts.tolist() == right.starts.tolist()


def test_layers_above_the_hook_are_not_loaded() -> None:
    model = ReferenceModel.from_spec("builtin", hook_points=["blocks.1.hook_resid_post"])
    assert (len(model.model.encoder.layer), model.n_layers) == (2, 6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_short_number_types_stay_close(dtype: str) -> None:
    point = "blocks.4.hook_resid_post"
    states = []
    for kind in ("float32", dtype):
        model = ReferenceModel.from_spec("builtin", hook_points=[point], dtype=kind)
        states.append(model.activations(model.windows(items()[:2]))[point].float().numpy())
    exact, rounded = states
    cosine = (exact * rounded).sum(1) / np.linalg.norm(exact, axis=1)
    assert (cosine / np.linalg.norm(rounded, axis=1)).min() > 0.99


@pytest.mark.process
def test_mapping_with_the_built_in_model_imports_no_model_library() -> None:
    code = (
        "import sys; from benchdesign.concepts.mapping.open_mapper import open_mapper; "
        "from benchdesign.benchmarks.items import Item; "
        "open_mapper().map_batch([Item('1', 0, 'a cat', ((0, 5),), 'a cat')]); "
        "print(sorted({'transformers', 'sae_lens', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout == "[]\n"
