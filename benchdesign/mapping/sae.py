"""Encoders of sparse autoencoders: what a state activates, and nothing else.

Standard, topk, jumprelu and gated SAEs are read from cfg.json and safetensors directly (importing
sae-lens costs seconds and half a gigabyte); every other architecture goes through sae-lens.
Activations leave here sparse: the dense product exists for one bounded chunk of states at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from benchdesign.errors import DictionaryError
from benchdesign.mapping.dictionaries import CONFIG, WEIGHTS, read_config

if TYPE_CHECKING:
    import torch

__all__ = ["Encoder", "Hits", "LensEncoder", "LightEncoder", "load_encoder"]

CHUNK_NUMBERS = 1 << 20
"""Largest dense product held at once on a CPU, in numbers; a few times what its caches hold."""

CHUNK_NUMBERS_GPU = 1 << 27

_TENSORS = {
    "standard": ("b_enc",),
    "topk": ("b_enc",),
    "jumprelu": ("b_enc", "threshold"),
    "gated": ("b_gate", "b_mag", "r_mag"),
}
_WHOLE_SEQUENCE = {"temporal"}


class Hits(NamedTuple):
    """Non-zero activations, ordered by state."""

    state: torch.Tensor
    """(n,) int64: which state."""

    concept: torch.Tensor
    """(n,) int64: which concept of the level."""

    value: torch.Tensor
    """(n,) float32, above zero."""


class Encoder(Protocol):
    """Something that says which concepts a state activates."""

    d_in: int
    d_sae: int
    settings: dict[str, Any]
    """The SAE's metadata: hook name, prepend_bos, how its model was loaded."""

    def encode(self, states: torch.Tensor) -> Hits:
        """Return the activations of (n, d_in) states, sparse."""
        ...

    def contributions(self, states: torch.Tensor, concepts: torch.Tensor) -> torch.Tensor | None:
        """Split each concept's pre-activation at the mean of `states`; see LightEncoder."""
        ...


@dataclass(eq=False)
class LightEncoder:
    """The four common architectures, computed from their weights."""

    architecture: str
    d_in: int
    d_sae: int
    settings: dict[str, Any]
    normalise: str
    weight: torch.Tensor
    """(d_in, d_sae)"""

    bias: torch.Tensor
    shift: torch.Tensor | None
    """b_dec, where it is taken from the input."""

    threshold: torch.Tensor | None = None
    """jumprelu: activations must be larger; never below zero."""

    magnitude: torch.Tensor | None = None
    """gated: exp(r_mag); `bias` is then the gate's."""

    magnitude_bias: torch.Tensor | None = None
    k: int = 0

    def encode(self, states: torch.Tensor) -> Hits:
        """Return the activations of (n, d_in) states, sparse."""
        import torch

        on_cpu = self.weight.device.type == "cpu"
        rows = max((CHUNK_NUMBERS if on_cpu else CHUNK_NUMBERS_GPU) // self.d_sae, 64)
        buffer = torch.empty((min(rows, len(states)), self.d_sae), device=self.weight.device)
        parts: list[Hits] = []
        for low in range(0, len(states), rows):
            inputs = self.prepare(states[low : low + rows])
            dense = torch.addmm(self.bias, inputs, self.weight, out=buffer[: len(inputs)])
            parts.append(self._sparse(dense, low))
        return _joined(parts, self.weight.device)

    def prepare(self, states: torch.Tensor) -> torch.Tensor:
        """Normalise and shift states as the SAE was trained to see them."""
        inputs = states.to(self.weight.device, self.weight.dtype)
        if self.normalise == "layer_norm":
            inputs = inputs - inputs.mean(-1, keepdim=True)
            inputs = inputs / (inputs.std(-1, keepdim=True) + 1e-5)
        elif self.normalise == "constant_norm_rescale":
            inputs = inputs * (math.sqrt(self.d_in) / inputs.norm(dim=-1, keepdim=True))
        return inputs if self.shift is None else inputs - self.shift

    def contributions(self, states: torch.Tensor, concepts: torch.Tensor) -> torch.Tensor:
        """Split each concept's pre-activation at the unit-length mean of `states` over the states.

        Returns (n_states, n_concepts); its sum over states is the pre-activation. The encoder is
        linear once the mean's own norms are fixed, so the split is exact; constants are spread
        evenly.
        """
        exact = states.to(self.weight.device, self.weight.dtype)
        total = exact.sum(0)
        length = total.norm().clamp(min=1e-12)
        mean = total / length
        scale, offset = mean.new_ones(()), mean.new_zeros(())
        if self.normalise == "layer_norm":
            offset, scale = mean.mean(), 1 / (mean.std() + 1e-5)
        elif self.normalise == "constant_norm_rescale":
            scale = math.sqrt(self.d_in) / mean.norm()
        weight = self.weight[:, concepts]
        bias = self.bias[concepts]
        if self.magnitude is not None and self.magnitude_bias is not None:
            weight, bias = weight * self.magnitude[concepts], self.magnitude_bias[concepts]
        constant = bias - (offset * scale) * weight.sum(0)
        if self.shift is not None:
            constant = constant - self.shift @ weight
        split: torch.Tensor = (exact / length * scale) @ weight + constant / len(exact)
        return split

    def _sparse(self, dense: torch.Tensor, first_row: int) -> Hits:
        """Keep what is active in one chunk; `dense` may be overwritten."""
        import torch

        if self.architecture == "topk":
            values, concepts = torch.topk(dense, min(self.k, self.d_sae), dim=-1, sorted=False)
            # In concept order, as the other architectures give them.
            concepts, order = concepts.sort(dim=-1)
            values = values.gather(-1, order)
            kept = values > 0
            rows = kept.nonzero()[:, 0]
            return Hits(rows + first_row, concepts[kept], values[kept])
        bar: torch.Tensor | float = 0.0 if self.threshold is None else self.threshold
        hits = _nonzero(dense, dense > bar, first_row)
        if self.magnitude is None or self.magnitude_bias is None:
            return hits
        # One product serves the gate and the magnitude; the latter is finished per hit.
        concept = hits.concept
        value = (hits.value - self.bias[concept]) * self.magnitude[concept]
        value += self.magnitude_bias[concept]
        kept = value > 0
        return Hits(hits.state[kept], concept[kept], value[kept])


@dataclass(eq=False)
class LensEncoder:
    """Any other architecture, encoded by sae-lens itself in chunks."""

    sae: Any
    d_in: int
    d_sae: int
    settings: dict[str, Any]

    def encode(self, states: torch.Tensor) -> Hits:
        """Return the activations of (n, d_in) states by magnitude, sparse."""
        import torch

        rows = max(CHUNK_NUMBERS // self.d_sae, 64)
        parts: list[Hits] = []
        with torch.inference_mode():
            for low in range(0, len(states), rows):
                inputs = states[low : low + rows].to(self.sae.device)
                dense = self.sae.encode(inputs).float().abs()
                parts.append(_nonzero(dense, dense > 0, low))
        return _joined(parts, torch.device(self.sae.device))

    def contributions(self, states: torch.Tensor, concepts: torch.Tensor) -> None:
        """Return None: these encoders are not linear, so there is nothing exact to say."""
        return


def load_encoder(folder: Path, *, device: str | torch.device = "cpu") -> Encoder:
    """Read the encoder of a sae-lens folder; anything odd about it is an error, never a guess."""
    config = read_config(folder)
    place = folder / CONFIG
    normalise = str(config.get("normalize_activations") or "none")
    if normalise in {"expected_average_only_in", "covariance_whitening"}:
        raise DictionaryError(
            f"{place}: normalize_activations is {normalise!r}, whose scale is not in the folder. "
            "Fold it into the weights with sae-lens and save again."
        )
    if normalise not in {"none", "layer_norm", "constant_norm_rescale"}:
        raise DictionaryError(f"{place}: normalize_activations {normalise!r} is not known.")
    architecture = config.get("architecture")
    if architecture not in _TENSORS or "metadata" not in config:
        return _load_with_lens(folder, architecture, device)
    return _load_light(folder, config, str(architecture), normalise, device)


def _load_light(
    folder: Path,
    config: dict[str, Any],
    architecture: str,
    normalise: str,
    device: str | torch.device,
) -> LightEncoder:
    d_in, d_sae = int(config["d_in"]), int(config["d_sae"])
    shapes: dict[str, tuple[int, ...]] = {"W_enc": (d_in, d_sae), "W_dec": (d_sae, d_in)}
    shapes |= {"b_dec": (d_in,)} | dict.fromkeys(_TENSORS[architecture], (d_sae,))
    rescale = bool(config.get("rescale_acts_by_decoder_norm")) and architecture == "topk"
    wanted = [name for name in shapes if name != "W_dec" or rescale]
    tensors = _read_tensors(folder / WEIGHTS, shapes, wanted)
    tensors = {name: tensor.to(device) for name, tensor in tensors.items()}
    k = config.get("k", 0)
    if architecture == "topk" and not (isinstance(k, int | float) and k >= 1):
        raise DictionaryError(f"{folder / CONFIG}: a topk SAE needs k, at least 1.")
    gated = architecture == "gated"
    weight, bias = tensors["W_enc"], tensors["b_gate" if gated else "b_enc"]
    if rescale:
        norms = tensors["W_dec"].norm(dim=-1)
        weight, bias = weight * norms, bias * norms
    threshold = tensors.get("threshold")
    return LightEncoder(
        architecture=architecture,
        d_in=d_in,
        d_sae=d_sae,
        settings=dict(config.get("metadata") or {}),
        normalise=normalise,
        weight=weight.contiguous(),
        bias=bias,
        shift=tensors["b_dec"] if config.get("apply_b_dec_to_input", True) else None,
        threshold=None if threshold is None else threshold.clamp(min=0),
        magnitude=tensors["r_mag"].exp() if gated else None,
        magnitude_bias=tensors.get("b_mag"),
        k=int(k),
    )


def _read_tensors(
    path: Path, shapes: dict[str, tuple[int, ...]], wanted: list[str]
) -> dict[str, torch.Tensor]:
    """Read tensors as float32 after checking names, shapes and values."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as stored:
            names = set(stored.keys())
            if missing := sorted(set(shapes) - names):
                raise DictionaryError(f"{path}: lacks {', '.join(missing)}.")
            if extra := sorted(names - set(shapes)):
                raise DictionaryError(
                    f"{path}: holds {', '.join(extra)}, which {CONFIG} does not account for."
                )
            for name, shape in shapes.items():
                found = tuple(stored.get_slice(name).get_shape())
                if found != shape:
                    raise DictionaryError(f"{path}: {name} is {found}, {CONFIG} says {shape}.")
            tensors = {name: stored.get_tensor(name).float() for name in wanted}
    except (SafetensorError, OSError) as problem:
        raise DictionaryError(f"{path}: cannot be read ({problem}).") from None
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise DictionaryError(f"{path}: {name} holds NaN or infinity; get the file again.")
    return tensors


def _load_with_lens(folder: Path, architecture: object, device: str | torch.device) -> LensEncoder:
    """Load an architecture we do not compute ourselves."""
    if architecture in _WHOLE_SEQUENCE:
        raise DictionaryError(
            f"{folder}: {architecture} SAEs read whole sequences, so single states cannot be "
            "encoded. Use another SAE for this model."
        )
    import warnings

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
    if sae.cfg.normalize_activations == "expected_average_only_in":
        raise DictionaryError(f"{folder}: its activation scale is not in the folder.")
    sae.turn_off_forward_pass_hook_z_reshaping()
    for parameter in sae.parameters():
        if not parameter.isfinite().all():
            raise DictionaryError(f"{folder / WEIGHTS}: holds NaN or infinity; get it again.")
    return LensEncoder(sae.eval(), sae.cfg.d_in, sae.cfg.d_sae, sae.cfg.metadata.to_dict())


def _nonzero(dense: torch.Tensor, active: torch.Tensor, first_row: int) -> Hits:
    """List the active entries of a dense chunk."""
    import numpy as np
    import torch

    width = dense.shape[1]
    if active.device.type == "cpu":
        # NumPy counts and lists set bytes several times faster than torch does.
        flat = torch.from_numpy(np.flatnonzero(active.numpy()))
    else:
        flat = active.flatten().nonzero()[:, 0]
    rows = flat.div(width, rounding_mode="floor")
    return Hits(rows + first_row, flat - rows * width, dense.flatten()[flat])


def _joined(parts: list[Hits], device: torch.device) -> Hits:
    import torch

    if not parts:
        nothing = torch.zeros(0, dtype=torch.int64, device=device)
        return Hits(nothing, nothing, nothing.float())
    if len(parts) == 1:
        return parts[0]
    return Hits(*(torch.cat(column) for column in zip(*parts, strict=True)))
