"""Encoders equal sae-lens' own, and damaged folders are refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchdesign.errors import DictionaryError
from benchdesign.mapping.sae import LensEncoder, LightEncoder, load_encoder
from tests.helpers import make_tiny_sae

ARCHITECTURES = ("standard", "topk", "jumprelu", "gated")


def densely(encoder: Any, states: Any) -> Any:
    import torch

    hits = encoder.encode(states)
    dense = torch.zeros(len(states), encoder.d_sae)
    dense[hits.state, hits.concept] = hits.value
    assert len(hits.value) == int((dense != 0).sum())
    return dense


def some_states(n: int = 50) -> Any:
    import torch

    return torch.randn(n, 16, generator=torch.Generator().manual_seed(5)) * 2 + 0.3


@pytest.mark.parametrize("normalise", ["none", "layer_norm", "constant_norm_rescale"])
@pytest.mark.parametrize("shifted", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_light_encoder_equals_sae_lens(
    architecture: str, shifted: bool, normalise: str, tmp_path: Path
) -> None:
    from sae_lens import SAE

    folder = make_tiny_sae(
        tmp_path,
        architecture=architecture,
        apply_b_dec_to_input=shifted,
        normalize_activations=normalise,
    )
    encoder = load_encoder(folder)
    assert isinstance(encoder, LightEncoder)
    expected = SAE.load_from_disk(str(folder)).encode(some_states()).detach()
    np.testing.assert_allclose(densely(encoder, some_states()), expected, atol=1e-5)


def test_topk_rescaled_by_decoder_norms_equals_sae_lens(tmp_path: Path) -> None:
    from sae_lens import SAE

    folder = make_tiny_sae(tmp_path, architecture="topk", rescale_acts_by_decoder_norm=True)
    expected = SAE.load_from_disk(str(folder)).encode(some_states()).detach()
    np.testing.assert_allclose(densely(load_encoder(folder), some_states()), expected, atol=1e-5)


def test_other_architectures_go_through_sae_lens(tmp_path: Path) -> None:
    import torch
    from sae_lens import SAE
    from sae_lens.saes.matching_pursuit_sae import MatchingPursuitSAE, MatchingPursuitSAEConfig

    torch.manual_seed(0)
    MatchingPursuitSAE(MatchingPursuitSAEConfig(d_in=16, d_sae=24)).save_model(str(tmp_path))
    encoder = load_encoder(tmp_path)
    assert isinstance(encoder, LensEncoder)
    expected = SAE.load_from_disk(str(tmp_path)).encode(some_states(7)).detach().abs()
    np.testing.assert_allclose(densely(encoder, some_states(7)), expected, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_chunks_do_not_change_the_result(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(make_tiny_sae(tmp_path, architecture=architecture))
    whole = densely(encoder, some_states(200))
    monkeypatch.setattr("benchdesign.mapping.sae.CHUNK_NUMBERS", 1)
    np.testing.assert_allclose(densely(encoder, some_states(200)), whole, atol=1e-6)


def test_no_states_have_no_activations(tmp_path: Path) -> None:
    hits = load_encoder(make_tiny_sae(tmp_path)).encode(some_states(0))
    assert len(hits.value) == 0


def damage(folder: Path, **changes: Any) -> None:
    """Change tensors: an array replaces one, None drops it."""
    from safetensors.numpy import load_file, save_file

    path = folder / "sae_weights.safetensors"
    tensors = load_file(path) | changes
    save_file({name: one for name, one in tensors.items() if one is not None}, path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"b_enc": None}, "lacks b_enc"),
        ({"W_skip": np.zeros(3, np.float32)}, "holds W_skip"),
        ({"W_enc": np.zeros((16, 8), np.float32)}, r"W_enc is \(16, 8\), cfg.json says \(16, 24\)"),
        ({"W_enc": np.full((16, 24), np.nan, np.float32)}, "W_enc holds NaN"),
    ],
)
def test_damaged_weights_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    folder = make_tiny_sae(tmp_path)
    damage(folder, **changes)
    with pytest.raises(DictionaryError, match=message) as caught:
        load_encoder(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"normalize_activations": "expected_average_only_in"}, "whose scale is not in the folder"),
        ({"normalize_activations": "guess"}, "is not known"),
        ({"architecture": "no-such"}, "cannot load architecture 'no-such'"),
        ({"architecture": "temporal"}, "read whole sequences"),
        ({"d_in": 0}, "d_in must be a positive whole number"),
    ],
)
def test_settings_that_cannot_be_honoured_are_refused(
    settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = make_tiny_sae(tmp_path)
    config = json.loads((folder / "cfg.json").read_text("utf-8"))
    (folder / "cfg.json").write_text(json.dumps(config | settings), "utf-8")
    with pytest.raises(DictionaryError, match=message):
        load_encoder(folder)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = make_tiny_sae(tmp_path)
    (folder / "sae_weights.safetensors").rename(folder / "ae.pt")
    with pytest.raises(DictionaryError, match=r"ae\.pt: pickled weights can run code"):
        load_encoder(folder)


def test_garbage_in_place_of_weights_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_sae(tmp_path)
    (folder / "sae_weights.safetensors").write_bytes(b"not a safetensors file")
    with pytest.raises(DictionaryError, match="cannot be read"):
        load_encoder(folder)
