"""Encoders equal sae-lens' own, and damaged folders are refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchdesign.concepts.mapping.sae_encoder import LightEncoder, SequenceEncoder
from benchdesign.concepts.mapping.sae_folder import load_encoder
from benchdesign.errors import DictionaryError
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


EXTRA: dict[str, dict[str, Any]] = {
    "topk": {"k": 4},
    "abstopk": {"k": 4, "rescale_acts_by_decoder_norm": True},
    "matching_pursuit": {"max_iterations": 5},
    "temporal": {"n_heads": 2, "bottleneck_factor": 4, "kval_topk": 6},
}


def save_random(sae: Any, folder: Path, seed: int = 3) -> Any:
    """Give an SAE of sae-lens weights that hide nothing, and save it."""
    import torch

    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sae.named_parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.4)
            if name == "threshold":
                parameter.abs_()
    sae.cfg.metadata.sae_lens_version = "6.54.12"
    sae.save_model(str(folder))
    return sae.eval()


def architectures_of_sae_lens() -> list[str]:
    import sae_lens.registry

    return sorted(sae_lens.registry.SAE_CLASS_REGISTRY)


def make_architecture(architecture: str, folder: Path, **settings: Any) -> Any:
    import sae_lens.registry

    sae_class, config_class = sae_lens.registry.SAE_CLASS_REGISTRY[architecture]
    settings = {"d_in": 16, "d_sae": 24} | EXTRA.get(architecture, {}) | settings
    if "transcoder" in architecture:
        settings |= {"d_out": 8, "apply_b_dec_to_input": False}
    return save_random(sae_class(config_class(**settings)), folder)


@pytest.mark.filterwarnings("ignore")
def test_every_architecture_that_sae_lens_has_is_encoded_as_it_encodes_it(tmp_path: Path) -> None:
    import torch

    for architecture in architectures_of_sae_lens():
        folder = tmp_path / architecture
        sae = make_architecture(architecture, folder)
        encoder = load_encoder(folder)
        states = some_states(9)
        if isinstance(encoder, SequenceEncoder):
            expected = sae.encode(states[None])[0].detach()
            hits = encoder.encode_windows(states, [torch.ones(9, dtype=torch.bool)])
            activations = torch.zeros(9, 24)
            activations[hits.state, hits.concept] = hits.value
        else:
            expected = sae.encode(states).detach().abs()
            activations = densely(encoder, states)
        assert (expected > 0).sum() > 5, architecture
        np.testing.assert_allclose(activations, expected, atol=1e-5, err_msg=architecture)
        is_own = architecture not in {"matching_pursuit", "temporal"}
        assert isinstance(encoder, LightEncoder) == is_own, architecture


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("normalise", ["none", "constant_scalar_rescale", "layer_norm"])
def test_temporal_sae_sees_whole_windows_and_counts_content(
    normalise: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    sae = make_architecture(
        "temporal",
        tmp_path,
        normalize_activations=normalise,
        activation_normalization_factor=0.3,
        tied_weights=False,
    )
    encoder = load_encoder(tmp_path)
    assert isinstance(encoder, SequenceEncoder)
    states = some_states(12)
    masks = [torch.tensor([False, True, True, False, True]), torch.arange(7) > 2]
    rows = [sae.encode(part[None])[0].detach() for part in states.split([5, 7])]
    expected = torch.cat([row[mask] for row, mask in zip(rows, masks, strict=True)])
    for numbers in (1, 1 << 20):
        monkeypatch.setattr("benchdesign.concepts.mapping.sae_encoder.CHUNK_NUMBERS", numbers)
        monkeypatch.setattr("benchdesign.concepts.mapping.sae_encoder.MIN_ROWS", 1)
        hits = encoder.encode_windows(states, masks)
        activations = torch.zeros(len(expected), 24)
        activations[hits.state, hits.concept] = hits.value
        np.testing.assert_allclose(activations, expected, atol=1e-5)
    with pytest.raises(DictionaryError, match="cannot encode single states"):
        encoder.encode(states)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["batchtopk", "matryoshka_batchtopk"])
@pytest.mark.parametrize("rescale", [True, False])
def test_batch_topk_in_training_is_read_as_sae_lens_exports_it(
    kind: str, rescale: bool, tmp_path: Path
) -> None:
    import sae_lens
    import sae_lens.registry
    import torch

    sae_class, config_class = sae_lens.registry.SAE_TRAINING_CLASS_REGISTRY[kind]
    extra = {"matryoshka_widths": [8, 24]} if kind != "batchtopk" else {}
    config = config_class(d_in=16, d_sae=24, k=4, rescale_acts_by_decoder_norm=rescale, **extra)
    training: Any = sae_class(config)
    training.topk_threshold = torch.tensor(0.7, dtype=torch.float64)
    save_random(training, tmp_path / "training")
    training.save_inference_model(str(tmp_path / "exported"))
    expected = sae_lens.SAE.load_from_disk(str(tmp_path / "exported")).encode(some_states())
    for folder in ("training", "exported"):
        activations = densely(load_encoder(tmp_path / folder), some_states())
        np.testing.assert_allclose(activations, expected.detach(), atol=1e-5, err_msg=folder)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shifted", [True, False])
@pytest.mark.parametrize("kind", ["standard", "topk", "gated", "jumprelu", "batchtopk"])
@pytest.mark.parametrize("normalise", ["expected_average_only_in", "covariance_whitening"])
def test_statistics_of_a_training_run_are_folded_as_sae_lens_folds_them(
    normalise: str, kind: str, shifted: bool, tmp_path: Path
) -> None:
    import sae_lens
    import sae_lens.registry
    import torch
    from sae_lens.training.activation_scaler import ActivationScaler, ActivationWhitening

    sae_class, config_class = sae_lens.registry.SAE_TRAINING_CLASS_REGISTRY[kind]
    training: Any = sae_class(
        config_class(
            d_in=16,
            d_sae=24,
            normalize_activations=normalise,
            apply_b_dec_to_input=shifted,
            **({"k": 4, "rescale_acts_by_decoder_norm": True} if "topk" in kind else {}),
        )
    )
    if kind == "batchtopk":
        training.topk_threshold = torch.tensor(0.7, dtype=torch.float64)
    save_random(training, tmp_path / "run")
    scaler = ActivationScaler()
    if normalise == "expected_average_only_in":
        scaler.scaling_factor = 0.37
        training.fold_activation_norm_scaling_factor(0.37)
    else:
        matrix = torch.randn(16, 16) * 0.3 + torch.eye(16)
        white = ActivationWhitening(torch.randn(16), matrix, matrix.inverse())
        scaler.whitening = white
        training.fold_activation_whitening(white.mean, white.matrix, white.inverse_matrix)
    scaler.save(str(tmp_path / "run" / "activation_scaler.json"))
    training.save_inference_model(str(tmp_path / "folded"))
    expected = sae_lens.SAE.load_from_disk(str(tmp_path / "folded")).encode(some_states())
    assert (expected > 0).any()
    activations = densely(load_encoder(tmp_path / "run"), some_states())
    np.testing.assert_allclose(activations, expected.detach(), atol=2e-4)


def test_scale_is_applied_where_sae_lens_encodes(tmp_path: Path) -> None:
    sae = make_architecture(
        "matching_pursuit", tmp_path, normalize_activations="expected_average_only_in"
    )
    (tmp_path / "activation_scaler.json").write_text('{"scaling_factor": 0.5}', "utf-8")
    expected = sae.encode(some_states(7) * 0.5).detach().abs()
    np.testing.assert_allclose(densely(load_encoder(tmp_path), some_states(7)), expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("settings", "tensors"),
    [
        ({}, {}),
        ({"normalize_activations": False, "hook_point": "blocks.1.hook_resid_pre"}, {}),
        ({"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 3}}, {}),
        ({"architecture": "standard", "apply_b_dec_to_input": False}, {}),
        ({"finetuning_scaling_factor": True}, {"scaling_factor": 1.3}),
    ],
)
def test_folder_from_before_sae_lens_6_is_read_as_sae_lens_reads_it(
    settings: dict[str, Any], tensors: dict[str, float], tmp_path: Path
) -> None:
    from sae_lens import SAE

    folder = make_tiny_sae(tmp_path, architecture="standard")
    flat = {"d_in": 16, "d_sae": 24, "dtype": "float32", "device": "cpu", "hook_name": "x"}
    (folder / "cfg.json").write_text(json.dumps(flat | settings), "utf-8")
    expected = SAE.load_from_disk(str(folder)).encode(some_states()).detach()
    # Scaling of what is decoded: sae-lens 6 no longer reads such a folder at all.
    damage(folder, **{name: np.full(24, value, np.float32) for name, value in tensors.items()})
    encoder = load_encoder(folder)
    assert isinstance(encoder, LightEncoder)
    assert encoder.settings["prepend_bos"] is True
    np.testing.assert_allclose(densely(encoder, some_states()), expected, atol=1e-5)


def test_a_decoder_is_looked_at_to_its_last_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_tiny_sae(tmp_path, apply_b_dec_to_input=False)
    decoder, bias = np.ones((24, 16), np.float32), np.ones(16, np.float32)
    monkeypatch.setattr("benchdesign.concepts.mapping.sae_folder._BLOCK", 5 * 16)
    damage(folder, W_dec=decoder, b_dec=bias)
    load_encoder(folder)
    decoder[-1, -1] = np.inf
    damage(folder, W_dec=decoder)
    with pytest.raises(DictionaryError, match="W_dec holds NaN or infinity"):
        load_encoder(folder)
    damage(folder, W_dec=np.ones((24, 16), np.float32), b_dec=bias * np.nan)
    with pytest.raises(DictionaryError, match="b_dec holds NaN or infinity"):
        load_encoder(folder)


def test_threshold_saved_as_a_logarithm_is_read(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    folder = make_tiny_sae(tmp_path)
    expected = densely(load_encoder(folder), some_states())
    threshold = load_file(folder / "sae_weights.safetensors")["threshold"]
    damage(folder, threshold=None, log_threshold=np.log(threshold))
    np.testing.assert_allclose(densely(load_encoder(folder), some_states()), expected, atol=1e-6)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_chunks_do_not_change_the_result(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(make_tiny_sae(tmp_path, architecture=architecture))
    whole = densely(encoder, some_states(200))
    monkeypatch.setattr("benchdesign.concepts.mapping.sae_encoder.CHUNK_NUMBERS", 24 * 30)
    monkeypatch.setattr("benchdesign.concepts.mapping.sae_encoder.MIN_ROWS", 1)
    np.testing.assert_allclose(densely(encoder, some_states(200)), whole, atol=1e-6)


def test_no_states_have_no_activations(tmp_path: Path) -> None:
    hits = load_encoder(make_tiny_sae(tmp_path)).encode(some_states(0))
    assert len(hits.value) == 0


def damage(folder: Path, **changes: Any) -> None:
    """Change tensors: an array replaces one, None drops it."""
    from safetensors.numpy import load_file, save_file

    path = folder / "sae_weights.safetensors"
    tensors = load_file(path) | changes
    save_file({name: tensor for name, tensor in tensors.items() if tensor is not None}, path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"b_enc": None}, "lacks b_enc"),
        ({"W_skip": np.zeros(3, np.float32)}, "cfg.json does not use: W_skip"),
        ({"W_enc": np.zeros((16, 8), np.float32)}, r"W_enc is \(16, 8\), cfg.json says \(16, 24\)"),
        ({"W_enc": np.full((16, 24), np.nan, np.float32)}, "W_enc holds NaN"),
        ({"W_dec": np.full((24, 16), np.nan, np.float32)}, "W_dec holds NaN"),
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
        (
            {"normalize_activations": "expected_average_only_in"},
            r"the folder has no activation_scaler\.json",
        ),
        (
            {"normalize_activations": "covariance_whitening"},
            r"the folder has no activation_whitening\.safetensors",
        ),
        ({"normalize_activations": "guess"}, "'guess' is not supported"),
        ({"normalize_activations": "constant_scalar_rescale"}, "not supported for a jumprelu SAE"),
        ({"architecture": "no-such"}, "cannot load architecture 'no-such'"),
        ({"architecture": "temporal"}, "cannot load architecture 'temporal'"),
        ({"architecture": "transcoder", "d_out": "wide"}, "d_out must be a whole number"),
        (
            {"metadata": None, "activation_fn_str": "tanh-relu"},
            "no longer supports activation 'tanh-relu'",
        ),
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
    with pytest.raises(DictionaryError, match=r"ae\.pt: loading pickled weights can run code"):
        load_encoder(folder)


def test_garbage_in_place_of_weights_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_sae(tmp_path)
    (folder / "sae_weights.safetensors").write_bytes(b"not a safetensors file" * 1000)
    with pytest.raises(DictionaryError, match="cannot be read"):
        load_encoder(folder)
