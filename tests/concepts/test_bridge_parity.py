"""States and concept maps equal those of TransformerLens' bridge and sae-lens, same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.mapping.mapper import SaeMapper
from benchdesign.concepts.reference_model.model import ReferenceModel
from tests.concepts.tiny_models import FAMILIES, make_tiny_decoder
from tests.helpers import make_tiny_bert, make_tiny_sae

TEXT = "The quick brown fox, and the sea."
pytestmark = pytest.mark.slow

POINTS = (
    "hook_embed",
    "blocks.1.hook_resid_pre",
    "blocks.1.hook_resid_mid",
    "blocks.1.hook_resid_post",
    "blocks.1.hook_attn_out",
    "blocks.1.hook_mlp_out",
    "blocks.1.attn.hook_z",
    "blocks.1.mlp.hook_in",
    "blocks.1.ln1.hook_normalized",
    "blocks.1.ln2.hook_normalized",
    "blocks.2.hook_resid_post",
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", FAMILIES)
def test_states_equal_the_bridge(family: str, tmp_path: Path) -> None:
    import torch
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = make_tiny_decoder(tmp_path, family)
    # The layers of GPT-NeoX are parallel: nothing lies between its two parts.
    points = [point for point in POINTS if family != "gpt_neox" or "resid_mid" not in point]
    model = ReferenceModel.from_spec(folder, hook_points=points)
    (window,) = model.windows([Item("1", 0, TEXT, ((4, len(TEXT)),), TEXT)])
    states = model.activations([window])
    bridge = TransformerBridge.boot_transformers(
        str(folder),
        hf_model=AutoModelForCausalLM.from_pretrained(folder),
        tokenizer=AutoTokenizer.from_pretrained(folder),
        device="cpu",
    )
    with torch.no_grad():
        _, cache = bridge.run_with_cache(torch.from_numpy(window.token_ids[None].astype(np.int64)))
    for point in points:
        expected = cache[point][0].reshape(len(window), -1)[torch.from_numpy(window.content)]
        np.testing.assert_allclose(states[point], expected, atol=2e-5, err_msg=point)


def saes_of_family(family: str) -> list[tuple[str, str]]:
    """Hook points with the architecture of the SAE that reads them."""
    chosen = [
        ("blocks.1.hook_resid_post", "jumprelu"),
        ("blocks.2.hook_resid_pre", "standard"),
        ("blocks.1.hook_mlp_out", "topk"),
        ("blocks.1.attn.hook_z", "gated"),
        ("blocks.1.ln1.hook_normalized", "jumprelu"),
    ]
    return chosen if family == "gpt_neox" else [*chosen, ("blocks.1.hook_resid_mid", "standard")]


def acts_of_sae_lens(bridge: Any, ids: Any, sae: Any, point: str) -> Any:
    import torch

    with torch.no_grad():
        if "normalized" in point:
            # It can splice an SAE into the norms of GPT-2 alone: elsewhere its two steps in turn.
            _, cache = bridge.run_with_cache(ids)
            return sae.encode(cache[point])[0]
        _, cache = bridge.run_with_cache_with_saes(ids, saes=[sae])
    return next(acts for name, acts in cache.items() if name.endswith("hook_sae_acts_post"))[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", FAMILIES)
def test_concept_maps_equal_sae_lens_running_the_model_with_saes(
    family: str, tmp_path: Path
) -> None:
    import torch
    from sae_lens import SAE, SAETransformerBridge
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = make_tiny_decoder(tmp_path / "model", family)
    bridge = SAETransformerBridge.boot_transformers(
        str(folder),
        hf_model=AutoModelForCausalLM.from_pretrained(folder),
        tokenizer=AutoTokenizer.from_pretrained(folder),
        device="cpu",
    )
    item = Item("1", 0, TEXT, ((4, 15), (20, len(TEXT))), TEXT)
    for number, (point, architecture) in enumerate(saes_of_family(family)):
        is_z = point.endswith("hook_z")
        sae_folder = make_tiny_sae(
            tmp_path / f"sae{number}",
            architecture=architecture,
            reshape_activations="hook_z" if is_z else "none",
            metadata={"hook_name": point, "model_name": str(folder), "prepend_bos": True},
        )
        mapper = SaeMapper.from_specs(None, sae_folder)
        mapped = mapper.map_batch([item])
        (window,) = mapper.model.windows([item])
        ids = torch.from_numpy(window.token_ids[None].astype(np.int64))
        acts = acts_of_sae_lens(bridge, ids, SAE.load_from_disk(str(sae_folder)), point)
        dense = acts.reshape(len(window), -1)[torch.from_numpy(window.content)].numpy()
        fired = np.flatnonzero((dense > 0).any(0))
        assert len(fired) > 3
        assert mapped.indices.tolist() == fired.tolist(), point
        np.testing.assert_allclose(mapped.saliency, dense.mean(0)[fired], atol=1e-4, err_msg=point)
        np.testing.assert_allclose(mapped.peak, dense.max(0)[fired], atol=1e-4, err_msg=point)


@pytest.mark.filterwarnings("ignore")
def test_states_of_bert_equal_the_bridge(tmp_path: Path) -> None:
    import torch
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoTokenizer, BertForMaskedLM

    folder = make_tiny_bert(tmp_path, n_layers=3)
    points = [
        "blocks.1.hook_resid_pre",
        "blocks.1.hook_resid_post",
        "blocks.1.hook_attn_out",
        "blocks.1.hook_mlp_out",
        "blocks.1.attn.hook_z",
        "blocks.2.hook_resid_post",
    ]
    model = ReferenceModel.from_spec(folder, hook_points=points)
    text = "Which cat is five?"
    (window,) = model.windows([Item("1", 0, text, ((0, len(text)),), text)])
    states = model.activations([window])
    bridge = TransformerBridge.boot_transformers(
        str(folder),
        hf_model=BertForMaskedLM.from_pretrained(folder),
        tokenizer=AutoTokenizer.from_pretrained(folder),
        device="cpu",
    )
    with torch.no_grad():
        _, cache = bridge.run_with_cache(torch.from_numpy(window.token_ids[None].astype(np.int64)))
    for point in points:
        expected = cache[point][0].reshape(len(window), -1)[torch.from_numpy(window.content)]
        np.testing.assert_allclose(states[point], expected, atol=2e-5, err_msg=point)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_centred_states_equal_those_of_a_processed_model(family: str, tmp_path: Path) -> None:
    import torch
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = make_tiny_decoder(tmp_path, family)
    points = ("blocks.1.hook_resid_pre", "blocks.1.hook_mlp_out", "blocks.2.hook_resid_post")
    model = ReferenceModel.from_spec(folder, hook_points=points, center=True)
    (window,) = model.windows([Item("1", 0, TEXT, ((4, len(TEXT)),), TEXT)])
    states = model.activations([window])
    bridge = TransformerBridge.boot_transformers(
        str(folder),
        hf_model=AutoModelForCausalLM.from_pretrained(folder),
        tokenizer=AutoTokenizer.from_pretrained(folder),
        device="cpu",
    )
    bridge.enable_compatibility_mode(disable_warnings=True)
    with torch.no_grad():
        _, cache = bridge.run_with_cache(torch.from_numpy(window.token_ids[None].astype(np.int64)))
    for point in points:
        expected = cache[point][0][torch.from_numpy(window.content)]
        np.testing.assert_allclose(states[point], expected, atol=5e-5, err_msg=point)
        assert (expected.mean(-1).abs().max() < 1e-4) == (family == "gpt2")
