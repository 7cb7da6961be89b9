"""Encoders of sparse autoencoders: map states to sparse activations.

Most architectures are one matrix product and a rule that selects activations; sae-lens encodes the
others. The dense product exists only for one chunk of bounded size at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from benchdesign.errors import DictionaryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

__all__ = ["Encoder", "Hits", "LensEncoder", "LightEncoder", "SequenceEncoder"]

CHUNK_NUMBERS = 1 << 20
"""Maximum numbers in a dense product on a CPU; a few times the size of its caches."""

CHUNK_NUMBERS_GPU = 1 << 27

MIN_ROWS = 256
"""Minimum number of states in a chunk, even for a wide SAE.

With fewer, reading the weights dominates on a CPU and a state takes twice as long.
"""


class Hits(NamedTuple):
    """Non-zero activations, ordered by state."""

    state: torch.Tensor
    """(n,) int64: index of the state."""

    concept: torch.Tensor
    """(n,) int64: number of the concept within the level."""

    value: torch.Tensor
    """(n,) float32, above zero."""


class Encoder(Protocol):
    """Maps states to the activations of concepts."""

    d_in: int
    d_sae: int
    settings: dict[str, Any]
    """Metadata of the SAE: hook name, prepend_bos, options for loading its model."""

    def encode(self, states: torch.Tensor) -> Hits:
        """Return the sparse activations of (n, d_in) states."""
        ...

    def contributions(self, states: torch.Tensor, concepts: torch.Tensor) -> torch.Tensor | None:
        """Return the share of each state in each concept's pre-activation; see LightEncoder."""
        ...


@dataclass(eq=False)
class LightEncoder:
    """Encoder of an architecture with one matrix product, computed from the weights."""

    architecture: str
    """standard, topk, abstopk, jumprelu or gated; other architectures reduce to these."""

    d_in: int
    d_sae: int
    settings: dict[str, Any]
    normalise: str
    """Normalisation of each state: none, layer_norm or constant_norm_rescale."""

    weight: torch.Tensor
    """(d_in, d_sae)"""

    bias: torch.Tensor
    shift: torch.Tensor | None
    """b_dec if it is subtracted from the input."""

    threshold: torch.Tensor | None = None
    """jumprelu: lower limit of activations (exclusive); never below zero."""

    magnitude: torch.Tensor | None = None
    """gated: exp(r_mag); `bias` is then the bias of the gate."""

    magnitude_bias: torch.Tensor | None = None
    k: int = 0

    def encode(self, states: torch.Tensor) -> Hits:
        """Return the sparse activations of (n, d_in) states."""
        import torch

        rows = _chunk_rows(self.d_sae, self.weight.device)
        # Equal chunks avoid a small last chunk, for which the weights would be read once more.
        rows = -(-len(states) // max(len(states) // rows, 1)) or 1
        buffer = torch.empty((rows, self.d_sae), device=self.weight.device)
        parts: list[Hits] = []
        for low in range(0, len(states), rows):
            inputs = self.prepare(states[low : low + rows])
            dense = torch.addmm(self.bias, inputs, self.weight, out=buffer[: len(inputs)])
            parts.append(self._sparse(dense, low))
        return _join_hits(parts, self.weight.device)

    def prepare(self, states: torch.Tensor) -> torch.Tensor:
        """Normalise and shift states as in the training of the SAE."""
        inputs = states.to(self.weight.device, self.weight.dtype)
        if self.normalise == "layer_norm":
            inputs = inputs - inputs.mean(-1, keepdim=True)
            inputs = inputs / (inputs.std(-1, keepdim=True) + 1e-5)
        elif self.normalise == "constant_norm_rescale":
            inputs = inputs * (math.sqrt(self.d_in) / inputs.norm(dim=-1, keepdim=True))
        return inputs if self.shift is None else inputs - self.shift

    def contributions(self, states: torch.Tensor, concepts: torch.Tensor) -> torch.Tensor:
        """Split each concept's pre-activation at the unit-length mean of `states` over the states.

        Returns (n_states, n_concepts); its sum over states is the pre-activation. The split is
        exact: the encoder is linear once the norms of the mean are fixed. Constants are split
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
        """Return the activations of one chunk; `dense` may be overwritten."""
        import torch

        if self.architecture in {"topk", "abstopk"}:
            # abstopk ranks activations by magnitude.
            dense = dense.abs_() if self.architecture == "abstopk" else dense
            values, concepts = torch.topk(dense, min(self.k, self.d_sae), dim=-1, sorted=False)
            # Sort by concept, as for the other architectures.
            concepts, order = concepts.sort(dim=-1)
            values = values.gather(-1, order)
            active = values > 0
            rows = active.nonzero()[:, 0]
            return Hits(rows + first_row, concepts[active], values[active])
        threshold: torch.Tensor | float = 0.0 if self.threshold is None else self.threshold
        hits = _active_hits(dense, dense > threshold, first_row)
        if self.magnitude is None or self.magnitude_bias is None:
            return hits
        # Gate and magnitude share one product; compute the magnitude per hit.
        concept = hits.concept
        value = (hits.value - self.bias[concept]) * self.magnitude[concept]
        value += self.magnitude_bias[concept]
        active = value > 0
        return Hits(hits.state[active], concept[active], value[active])


@dataclass(eq=False)
class LensEncoder:
    """Encoder of any other architecture; sae-lens encodes chunks of states."""

    sae: Any
    d_in: int
    d_sae: int
    settings: dict[str, Any]
    scale: float = 1.0
    """Factor applied to the states."""

    def encode(self, states: torch.Tensor) -> Hits:
        """Return the sparse activations of (n, d_in) states by magnitude."""
        import torch

        device = torch.device(self.sae.device)
        rows = _chunk_rows(self.d_sae, device)
        parts: list[Hits] = []
        with torch.inference_mode():
            for low in range(0, len(states), rows):
                inputs = states[low : low + rows].to(device) * self.scale
                dense = self.sae.encode(inputs).float().abs()
                parts.append(_active_hits(dense, dense > 0, low))
        return _join_hits(parts, device)

    def contributions(self, states: torch.Tensor, concepts: torch.Tensor) -> None:
        """Return None: these encoders are not linear, so there is no exact split."""
        return


@dataclass(eq=False)
class SequenceEncoder(LensEncoder):
    """Encoder of temporal SAEs: the activations of a token depend on the tokens before it.

    They need whole windows with special and boilerplate tokens, as the model reads them.
    """

    def encode(self, states: torch.Tensor) -> Hits:
        """Raise: states cannot be encoded without their windows."""
        raise DictionaryError(
            "Temporal SAEs read whole sequences and cannot encode single states. Use another SAE."
        )

    def encode_windows(self, states: torch.Tensor, content: Sequence[torch.Tensor]) -> Hits:
        """Return the activations of windows; `states` has the states of all windows in order.

        `content` has a mask per window. Hits are numbered by content token.
        """
        import torch

        device = torch.device(self.sae.device)
        lengths = [len(mask) for mask in content]
        windows = torch.split(states.to(device) * self.scale, lengths)
        # Attention and the codes are as wide as the dictionary.
        at_once = max(_chunk_rows(self.d_sae, device) // max(lengths, default=1), 1)
        parts: list[Hits] = []
        n_tokens = 0
        with torch.inference_mode():
            for low in range(0, len(windows), at_once):
                group = windows[low : low + at_once]
                # Attention is causal, so padding at the end has no effect.
                padded = torch.nn.utils.rnn.pad_sequence(list(group), batch_first=True)
                codes = self.sae.encode(padded).float()
                for window_codes, mask in zip(codes, content[low:], strict=False):
                    dense = window_codes[: len(mask)][mask.to(device)]
                    parts.append(_active_hits(dense, dense > 0, n_tokens))
                    n_tokens += len(dense)
        return _join_hits(parts, device)


def _chunk_rows(width: int, device: torch.device) -> int:
    """Return the number of states in a chunk."""
    numbers = CHUNK_NUMBERS if device.type == "cpu" else CHUNK_NUMBERS_GPU
    return max(numbers // width, MIN_ROWS)


def _active_hits(dense: torch.Tensor, active: torch.Tensor, first_row: int) -> Hits:
    """Return the active entries of a dense chunk."""
    import numpy as np
    import torch

    width = dense.shape[1]
    if active.device.type == "cpu":
        # On a CPU, NumPy's flatnonzero is several times faster than torch's nonzero.
        flat = torch.from_numpy(np.flatnonzero(active.numpy()))
    else:
        flat = active.flatten().nonzero()[:, 0]
    rows = flat.div(width, rounding_mode="floor")
    return Hits(rows + first_row, flat - rows * width, dense.flatten()[flat])


def _join_hits(parts: list[Hits], device: torch.device) -> Hits:
    import torch

    if not parts:
        empty = torch.zeros(0, dtype=torch.int64, device=device)
        return Hits(empty, empty, empty.float())
    if len(parts) == 1:
        return parts[0]
    return Hits(*(torch.cat(column) for column in zip(*parts, strict=True)))
