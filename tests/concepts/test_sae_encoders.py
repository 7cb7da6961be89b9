"""Relatives of BERT, which TransformerLens has not: hook points against their own formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.mapping.mapper import SaeMapper
from benchdesign.concepts.reference_model.model import ReferenceModel
from tests.helpers import make_tiny_bert, make_tiny_sae

TEXT = "Which cat is five?"
PARTS = {
    "bert": ("output.LayerNorm", "attention.output.dense", "attention.output.LayerNorm"),
    "mpnet": ("output.LayerNorm", "attention.attn.o", "attention.LayerNorm"),
    "distilbert": ("output_layer_norm", "attention.out_lin", "sa_layer_norm"),
}
"""Per kind of layer: norm after the MLP, projection of attention, norm after attention."""

FAMILIES = {
    "bert": "bert",
    "roberta": "bert",
    "xlm-roberta": "bert",
    "camembert": "bert",
    "electra": "bert",
    "mpnet": "mpnet",
    "distilbert": "distilbert",
}
POINTS = ("hook_resid_pre", "attn.hook_z", "hook_attn_out", "hook_mlp_out", "hook_resid_post")


def make_encoder(folder: Path, family: str) -> Path:
    special: dict[str, object] = {"pad_token_id": 0 if family == "bert" else 1}
    if family == "distilbert":
        special |= {"hidden_dim": 32}
    if family == "modernbert":
        special |= {"bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3}
    if family == "electra":
        special |= {"embedding_size": 8}
    return make_tiny_bert(folder, n_layers=3, limit=34, family=family, **special)


def states_of(folder: Path) -> tuple[dict[str, Any], list[Any], Any]:
    """Our states by hook name in block 1, transformers' hidden states, and its block 1."""
    import torch
    from transformers import AutoModel

    names = {point: f"blocks.1.{point}" for point in POINTS}
    model = ReferenceModel.from_spec(folder, hook_points=tuple(names.values()))
    model.keep_all_tokens = True
    (window,) = model.windows([Item("1", 0, TEXT, ((0, len(TEXT)),), TEXT)])
    ours = model.activations([window])
    whole = AutoModel.from_pretrained(folder).eval().requires_grad_(False)
    with torch.no_grad():
        ids = torch.from_numpy(window.token_ids[None].astype(np.int64))
        hidden = whole(ids, output_hidden_states=True).hidden_states
    layers = next(module for module in whole.modules() if isinstance(module, torch.nn.ModuleList))
    return (
        {point: ours[name] for point, name in names.items()},
        [states[0] for states in hidden],
        layers[1],
    )


def assert_equal(states: Any, expected: Any) -> None:
    np.testing.assert_allclose(states.detach(), expected.detach(), atol=2e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_states_of_encoders_follow_their_formulas(family: str, tmp_path: Path) -> None:
    states, hidden, layer = states_of(make_encoder(tmp_path, family))
    last_norm, projection, first_norm = map(layer.get_submodule, PARTS[FAMILIES[family]])
    before, z, attention, mlp, after = (states[point] for point in POINTS)
    assert_equal(before, hidden[1])
    assert_equal(after, hidden[2])
    assert_equal(first_norm(projection(z) + before), attention)
    assert_equal(last_norm(mlp + attention), after)


def test_states_of_modernbert_follow_its_formulas(tmp_path: Path) -> None:
    states, hidden, layer = states_of(make_encoder(tmp_path, "modernbert"))
    before, z, attention, mlp, after = (states[point] for point in POINTS)
    assert_equal(before, hidden[1])
    assert_equal(after, hidden[2])
    assert_equal(layer.attn.Wo(z), attention)
    assert_equal(before + attention + mlp, after)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", [*FAMILIES, "modernbert"])
def test_concept_maps_of_encoders_equal_sae_lens_encoding_the_same_states(
    family: str, tmp_path: Path
) -> None:
    import torch
    from sae_lens import SAE
    from transformers import AutoModel

    folder = make_encoder(tmp_path / "model", family)
    sae_folder = make_tiny_sae(
        tmp_path / "sae",
        metadata={"hook_name": "blocks.1.hook_resid_post", "model_name": str(folder)},
    )
    mapper = SaeMapper.from_specs(None, sae_folder)
    item = Item("1", 0, TEXT, ((0, len(TEXT)),), TEXT)
    mapped = mapper.map_batch([item])
    (window,) = mapper.model.windows([item])
    with torch.no_grad():
        ids = torch.from_numpy(window.token_ids[None].astype(np.int64))
        hidden = AutoModel.from_pretrained(folder).eval()(ids, output_hidden_states=True)
        dense = SAE.load_from_disk(str(sae_folder)).encode(hidden.hidden_states[2])[0]
    counted = dense[torch.from_numpy(window.content)].numpy()
    fired = np.flatnonzero((counted > 0).any(0))
    assert len(fired) > 3
    assert mapped.indices.tolist() == fired.tolist()
    np.testing.assert_allclose(mapped.saliency, counted.mean(0)[fired], atol=1e-4)
