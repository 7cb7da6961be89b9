"""States at every hook point equal TransformerLens' bridge on the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchdesign.items import Item
from benchdesign.mapping.reference import ReferenceModel
from tests.mapping.tiny_models import FAMILIES, make_tiny_decoder

TEXT = "The quick brown fox, and the sea."
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
