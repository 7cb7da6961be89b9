"""Load encoders from SAE folders: all architectures and normalisations of sae-lens.

Most are read directly from cfg.json and safetensors, because importing sae-lens takes seconds and
half a gigabyte; sae-lens loads the rest. Scaling and whitening that sae-lens folds into the weights
after training are folded here if the folder has the statistics.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchdesign.concepts.dictionaries.folder import CONFIG, SCALER, WEIGHTS, WHITENING, read_config
from benchdesign.concepts.mapping.sae_encoder import (
    Encoder,
    LensEncoder,
    LightEncoder,
    SequenceEncoder,
)
from benchdesign.errors import DictionaryError

if TYPE_CHECKING:
    import torch

__all__ = ["load_encoder"]


_BLOCK = 1 << 22
"""Numbers in a block of an unused tensor that is checked for NaN and infinity."""


class _Form(NamedTuple):
    """How to compute an architecture."""

    name: str
    vectors: tuple[str, ...]
    """Tensors with one number per concept."""

    is_transcoder: bool = False
    others: tuple[str, ...] = ()
    """Tensors that encoding does not use."""


_FORMS = {
    "standard": _Form("standard", ("b_enc",)),
    "topk": _Form("topk", ("b_enc",)),
    "abstopk": _Form("abstopk", ("b_enc",)),
    "jumprelu": _Form("jumprelu", ("b_enc", "threshold")),
    "gated": _Form("gated", ("b_gate", "b_mag", "r_mag")),
    # The training form of these two; sae-lens exports them as jumprelu.
    "batchtopk": _Form("jumprelu", ("b_enc",)),
    "matryoshka_batchtopk": _Form("jumprelu", ("b_enc",)),
    "transcoder": _Form("standard", ("b_enc",), True),
    "skip_transcoder": _Form("standard", ("b_enc",), True, ("W_skip",)),
    "jumprelu_transcoder": _Form("jumprelu", ("b_enc", "threshold"), True),
    "jumprelu_skip_transcoder": _Form("jumprelu", ("b_enc", "threshold"), True, ("W_skip",)),
}
_BATCH_TOPK = {"batchtopk", "matryoshka_batchtopk"}
_TOPK = {"topk", "abstopk", *_BATCH_TOPK}
_RECONSTRUCTION_ONLY = {"scaling_factor", "finetuning_scaling_factor"}
"""Tensors from before sae-lens 6 that scale the reconstruction and do not affect encoding."""

_STATE_NORMALISATIONS = {"none", "layer_norm", "constant_norm_rescale"}
_FOLDED_NORMALISATIONS = {"expected_average_only_in", "covariance_whitening"}


class _Folding(NamedTuple):
    """Statistics of the training states, to fold into the weights."""

    scale: float = 1.0
    mean: torch.Tensor | None = None
    matrix: torch.Tensor | None = None
    """Whitening matrix: the SAE reads (x - mean) @ matrix."""


def load_encoder(folder: Path, *, device: str | torch.device = "cpu") -> Encoder:
    """Load the encoder of a sae-lens folder; raise if a setting or tensor is not supported."""
    config = _upgrade_config(read_config(folder), folder)
    architecture = str(config.get("architecture"))
    normalise = str(config.get("normalize_activations") or "none")
    path = folder / CONFIG
    if normalise == "constant_scalar_rescale" and architecture == "temporal":
        folding = _Folding()  # the factor is in the config and sae-lens applies it
    elif normalise in _FOLDED_NORMALISATIONS:
        folding = _read_folding(folder, normalise)
    elif normalise in _STATE_NORMALISATIONS:
        folding = _Folding()
    else:
        raise DictionaryError(
            f"{path}: normalize_activations {normalise!r} is not supported for a "
            f"{architecture} SAE."
        )
    if architecture not in _FORMS:
        return _load_with_lens(folder, architecture, folding, device)
    return _load_light(folder, config, normalise, folding, device)


def _upgrade_config(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the settings of a folder; those from before sae-lens 6 in the current format."""
    if isinstance(config.get("metadata"), dict):
        return config
    names = {"hook_point": "hook_name", "hook_point_head_index": "hook_head_index"}
    flat = {names.get(name, name): value for name, value in config.items() if name != "metadata"}
    flat.setdefault("architecture", "standard")
    activation = flat.get("activation_fn_str") or flat.get("activation_fn") or "relu"
    options = flat.get("activation_fn_kwargs")
    if activation == "topk" and isinstance(options, dict) and "k" in options:
        flat |= {"architecture": "topk", "k": options["k"]}
    elif activation not in {"relu", "topk"}:
        raise DictionaryError(
            f"{folder / CONFIG}: sae-lens no longer supports activation {activation!r}."
        )
    if isinstance(flat.get("normalize_activations"), bool):
        scaled = flat["normalize_activations"]
        flat["normalize_activations"] = "expected_average_only_in" if scaled else "none"
    flat.setdefault("prepend_bos", True)
    return flat | {"metadata": flat}


def _read_folding(folder: Path, normalise: str) -> _Folding:
    """Read the statistics that a training run saved beside its weights."""
    scaler = folder / SCALER
    try:
        stored = json.loads(scaler.read_text("utf-8")) if scaler.is_file() else {}
        if normalise == "expected_average_only_in":
            scale = stored.get("scaling_factor")
            if isinstance(scale, int | float) and scale > 0:
                return _Folding(scale=float(scale))
        elif (folder / WHITENING).is_file():
            d_in = int(read_config(folder)["d_in"])
            shapes = {"mean": (d_in,), "matrix": (d_in, d_in), "inverse_matrix": (d_in, d_in)}
            tensors = _read_tensors(folder / WHITENING, shapes, ["mean", "matrix"])
            return _Folding(mean=tensors["mean"], matrix=tensors["matrix"])
    except (OSError, ValueError, AttributeError, RecursionError) as problem:
        raise DictionaryError(f"{scaler}: cannot be read ({problem}).") from None
    missing_file = SCALER if normalise == "expected_average_only_in" else WHITENING
    raise DictionaryError(
        f"{folder / CONFIG}: normalize_activations is {normalise!r}, but the folder has no "
        f"{missing_file}. Fold the normalisation into the weights with sae-lens and save again."
    )


def _load_light(
    folder: Path,
    config: Mapping[str, Any],
    normalise: str,
    folding: _Folding,
    device: str | torch.device,
) -> LightEncoder:
    import torch

    architecture = str(config["architecture"])
    form = _FORMS[architecture]
    d_in, d_sae = int(config["d_in"]), int(config["d_sae"])
    d_out = config.get("d_out", d_in) if form.is_transcoder else d_in
    if not isinstance(d_out, int):
        raise DictionaryError(f"{folder / CONFIG}: d_out must be a whole number.")
    shapes: dict[str, tuple[int, ...]] = {"W_enc": (d_in, d_sae), "W_dec": (d_sae, d_out)}
    shapes |= {"b_dec": (d_out,)} | dict.fromkeys(form.vectors, (d_sae,))
    if architecture in _BATCH_TOPK:
        shapes["topk_threshold"] = ()
    shapes |= dict.fromkeys(form.others, (d_out, d_in))
    rescale = architecture in _TOPK and bool(config.get("rescale_acts_by_decoder_norm"))
    shift = not form.is_transcoder and bool(config.get("apply_b_dec_to_input", True))
    unused = {*form.others, *([] if rescale else ["W_dec"]), *([] if shift else ["b_dec"])}
    tensors = _read_tensors(
        folder / WEIGHTS, shapes, [name for name in shapes if name not in unused]
    )
    k = config.get("k", 0)
    if form.name in {"topk", "abstopk"} and not (isinstance(k, int | float) and 1 <= k < 1e9):
        raise DictionaryError(f"{folder / CONFIG}: a {form.name} SAE needs k, at least 1.")
    if architecture in _BATCH_TOPK:
        tensors["threshold"] = tensors.pop("topk_threshold").expand(d_sae).contiguous()
    if rescale:
        norms = tensors.pop("W_dec").norm(dim=-1)
        # Folding the scale divides the decoder, and so its norms, by the scale.
        norms = norms / folding.scale
        tensors["W_enc"], tensors["b_enc"] = tensors["W_enc"] * norms, tensors["b_enc"] * norms
        if "threshold" in tensors:
            tensors["threshold"] = tensors["threshold"] / folding.scale
    _fold_statistics(tensors, folding)
    tensors = {name: tensor.to(device) for name, tensor in tensors.items()}
    gated = form.name == "gated"
    threshold = tensors.get("threshold")
    return LightEncoder(
        architecture=form.name,
        d_in=d_in,
        d_sae=d_sae,
        settings=dict(config["metadata"]),
        normalise=normalise if normalise in _STATE_NORMALISATIONS else "none",
        weight=tensors["W_enc"].contiguous(),
        bias=tensors["b_gate" if gated else "b_enc"],
        shift=tensors.get("b_dec"),
        threshold=None if threshold is None else torch.clamp(threshold, min=0),
        magnitude=tensors["r_mag"].exp() if gated else None,
        magnitude_bias=tensors.get("b_mag"),
        k=int(k) if form.name in {"topk", "abstopk"} else 0,
    )


def _fold_statistics(tensors: dict[str, torch.Tensor], folding: _Folding) -> None:
    """Convert weights for scaled or whitened states to weights for raw states, in place."""
    if folding.scale != 1.0:
        tensors["W_enc"] = tensors["W_enc"] * folding.scale
        if "b_dec" in tensors:
            tensors["b_dec"] = tensors["b_dec"] / folding.scale
    if folding.mean is None or folding.matrix is None:
        return
    # ((x - mean) M - b_dec) W + b: terms without x go to the biases.
    unfolded = tensors["W_enc"]
    tensors["W_enc"] = folding.matrix @ unfolded
    constant = folding.mean @ tensors["W_enc"]
    if "b_dec" in tensors:
        constant = constant + tensors.pop("b_dec") @ unfolded
    for name in ("b_enc", "b_gate"):
        if name in tensors:
            tensors[name] = tensors[name] - constant
    if "b_mag" in tensors:
        tensors["b_mag"] = tensors["b_mag"] - constant * tensors["r_mag"].exp()


def _read_tensors(
    path: Path, shapes: dict[str, tuple[int, ...]], names: list[str]
) -> dict[str, torch.Tensor]:
    """Read the tensors `names` as float32 after checking names, shapes and values of all."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as stored:
            stored_names = set(stored.keys()) - _RECONSTRUCTION_ONLY
            key_of = {name: name for name in shapes}
            if "threshold" in shapes and "log_threshold" in stored_names:
                # Older versions of sae-lens train and save the logarithm.
                key_of["threshold"] = "log_threshold"
            if missing := sorted(set(key_of.values()) - stored_names):
                raise DictionaryError(f"{path}: lacks {', '.join(missing)}.")
            if extra := sorted(stored_names - set(key_of.values())):
                raise DictionaryError(
                    f"{path}: has tensors that the architecture in {CONFIG} does not use: "
                    f"{', '.join(extra)}."
                )
            for name, shape in shapes.items():
                stored_shape = tuple(stored.get_slice(key_of[name]).get_shape())
                if stored_shape != shape:
                    raise DictionaryError(
                        f"{path}: {name} is {stored_shape}, {CONFIG} says {shape}."
                    )
            tensors = {name: stored.get_tensor(key_of[name]).float() for name in names}
            # Check unused tensors too: damage there means that the file is damaged.
            for name in set(stored.keys()) - {key_of[name] for name in names}:
                if not all(bool(block.isfinite().all()) for block in _blocks(stored, name)):
                    raise _not_finite(path, name)
    except (SafetensorError, OSError) as problem:
        raise DictionaryError(f"{path}: cannot be read ({problem}).") from None
    if key_of.get("threshold") == "log_threshold":
        tensors["threshold"] = tensors["threshold"].exp()
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise _not_finite(path, name)
    return tensors


def _blocks(stored: Any, name: str) -> Iterator[torch.Tensor]:
    """Yield a stored tensor in blocks of rows: a whole decoder may not fit in memory."""
    tensor = stored.get_slice(name)
    shape = tensor.get_shape()
    if not shape:
        yield stored.get_tensor(name).float()
        return
    step = max(1, _BLOCK // max(1, math.prod(shape[1:])))
    for low in range(0, shape[0], step):
        yield tensor[low : low + step].float()


def _not_finite(path: Path, name: str) -> DictionaryError:
    return DictionaryError(f"{path}: {name} holds NaN or infinity; download the file again.")


def _load_with_lens(
    folder: Path, architecture: str, folding: _Folding, device: str | torch.device
) -> LensEncoder:
    """Load an architecture that only sae-lens can encode."""
    if folding.matrix is not None:
        raise DictionaryError(
            f"{folder / CONFIG}: covariance_whitening cannot be folded into a {architecture} SAE."
        )
    from sae_lens import SAE

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            sae: Any = SAE.load_from_disk(str(folder), device=str(device), dtype="float32")
        except (KeyError, ValueError, RuntimeError, TypeError, OSError, AssertionError) as problem:
            message = " ".join(str(problem).split())[:200]
            raise DictionaryError(
                f"{folder}: sae-lens cannot load architecture {architecture!r} ({message})."
            ) from None
    sae.turn_off_forward_pass_hook_z_reshaping()
    for parameter in sae.parameters():
        if not parameter.isfinite().all():
            raise DictionaryError(f"{folder / WEIGHTS}: holds NaN or infinity; download it again.")
    kind = SequenceEncoder if architecture == "temporal" else LensEncoder
    return kind(sae.eval(), sae.cfg.d_in, sae.cfg.d_sae, sae.cfg.metadata.to_dict(), folding.scale)
