"""Encoders of sparse autoencoders: what a state activates, and nothing else.

One product and a rule for what is kept is all that most architectures are; the others are encoded
by sae-lens. Activations leave here sparse: the dense product exists for one bounded chunk of states
at a time.
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
"""Largest dense product held at once on a CPU, in numbers; a few times what its caches hold."""

CHUNK_NUMBERS_GPU = 1 << 27

LEAST_ROWS = 256
"""Fewest states encoded at once, of a wide SAE too: with fewer, a CPU reads the weights for too
little work, and a state takes twice as long."""


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
    """Architectures of one product, computed from their weights."""

    architecture: str
    """Its form: standard, topk, abstopk, jumprelu or gated; others are one of these."""

    d_in: int
    d_sae: int
    settings: dict[str, Any]
    normalise: str
    """What is done to each state: none, layer_norm or constant_norm_rescale."""

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

        rows = _rows_at_once(self.d_sae, self.weight.device)
        # Chunks of one size, so that no small rest pays for reading the weights once more.
        rows = -(-len(states) // max(len(states) // rows, 1)) or 1
        buffer = torch.empty((rows, self.d_sae), device=self.weight.device)
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

        if self.architecture in {"topk", "abstopk"}:
            # Activations that can be negative count by magnitude.
            dense = dense.abs_() if self.architecture == "abstopk" else dense
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
    scale: float = 1.0
    """States are multiplied by it first."""

    def encode(self, states: torch.Tensor) -> Hits:
        """Return the activations of (n, d_in) states by magnitude, sparse."""
        import torch

        device = torch.device(self.sae.device)
        rows = _rows_at_once(self.d_sae, device)
        parts: list[Hits] = []
        with torch.inference_mode():
            for low in range(0, len(states), rows):
                inputs = states[low : low + rows].to(device) * self.scale
                dense = self.sae.encode(inputs).float().abs()
                parts.append(_nonzero(dense, dense > 0, low))
        return _joined(parts, device)

    def contributions(self, states: torch.Tensor, concepts: torch.Tensor) -> None:
        """Return None: these encoders are not linear, so there is nothing exact to say."""
        return


@dataclass(eq=False)
class SequenceEncoder(LensEncoder):
    """Temporal SAEs: what a token activates depends on the tokens before it.

    They are given whole windows with their special and boilerplate tokens, as the model reads them.
    """

    def encode(self, states: torch.Tensor) -> Hits:
        """Refuse loose states."""
        raise DictionaryError(
            "Temporal SAEs read whole sequences, so loose states cannot be encoded. "
            "Use another SAE for this."
        )

    def encode_windows(self, states: torch.Tensor, content: Sequence[torch.Tensor]) -> Hits:
        """Return the activations of windows whose states follow each other in `states`.

        `content` has a mask per window; activations are numbered by content token, as elsewhere.
        """
        import torch

        device = torch.device(self.sae.device)
        lengths = [len(mask) for mask in content]
        windows = torch.split(states.to(device) * self.scale, lengths)
        # Attention, its products and the codes are all as wide as the dictionary.
        at_once = max(_rows_at_once(self.d_sae, device) // max(lengths, default=1), 1)
        parts: list[Hits] = []
        n_tokens = 0
        with torch.inference_mode():
            for low in range(0, len(windows), at_once):
                group = windows[low : low + at_once]
                # Attention is causal: padding at the end changes nothing before it.
                padded = torch.nn.utils.rnn.pad_sequence(list(group), batch_first=True)
                codes = self.sae.encode(padded).float()
                for one, mask in zip(codes, content[low:], strict=False):
                    dense = one[: len(mask)][mask.to(device)]
                    parts.append(_nonzero(dense, dense > 0, n_tokens))
                    n_tokens += len(dense)
        return _joined(parts, device)


def _rows_at_once(width: int, device: torch.device) -> int:
    """Return how many states are encoded at once."""
    numbers = CHUNK_NUMBERS if device.type == "cpu" else CHUNK_NUMBERS_GPU
    return max(numbers // width, LEAST_ROWS)


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
