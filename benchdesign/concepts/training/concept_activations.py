"""SAE activations of a level over a whole bank, one block of concepts at a time.

If a concept depends on its own weights alone, a block is computed on demand. If concepts compete
for a state (top-k) or need more than one matrix product, the encoder runs once over the bank and
its nonzero activations are cached; the cache grows with their number, not with the dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from benchdesign.concepts.training.activation_bank import ActivationBank
from benchdesign.concepts.training.train_sae import encode
from benchdesign.errors import Interrupted
from benchdesign.foundation.progress import ProgressCallback, StopCheck, Ticker

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from benchdesign.concepts.mapping.sae_encoder import Encoder

__all__ = ["ActiveBlock", "ActiveConcepts", "CachedActivations", "ComputedActivations"]

_ROWS = 8192
_BUCKET = 512
"""Number of consecutive concepts whose nonzero activations are stored together."""


class ActiveBlock(Protocol):
    """Activations of a block of concepts."""

    def between(self, low: int, high: int) -> torch.Tensor:
        """Return the activations of rows `low` to `high`: (high - low, n_concepts), float32."""
        ...

    def at(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the activations of distinct rows: (n_rows, n_concepts), float32."""
        ...

    def only(self, place: int) -> ActiveBlock:
        """Return a block of one concept; `place` is its position in this block."""
        ...


class ActiveConcepts(Protocol):
    """Activations of every concept of a level on every row of a bank."""

    @property
    def bank(self) -> ActivationBank:
        """States that the SAE encodes."""
        ...

    @property
    def width(self) -> int:
        """Number of concepts."""
        ...

    @property
    def device(self) -> torch.device:
        """Device of the returned activations."""
        ...

    def of(self, concepts: slice | NDArray[np.int64]) -> ActiveBlock:
        """Return the block of these concepts."""
        ...


@dataclass(frozen=True, eq=False)
class ComputedActivations:
    """Concepts with one matrix product and a threshold each, computed on demand; also a block."""

    bank: ActivationBank
    weights: dict[str, torch.Tensor]
    """W_enc (d, width), b_enc and threshold (width,); other tensors are ignored."""

    prepare: Callable[[torch.Tensor], torch.Tensor] | None = None
    """Preprocessing of states before the encoder, if any."""

    @property
    def width(self) -> int:
        """Number of concepts."""
        return int(self.weights["W_enc"].shape[1])

    @property
    def device(self) -> torch.device:
        """Device of the returned activations."""
        return self.weights["W_enc"].device

    def of(self, concepts: slice | NDArray[np.int64]) -> ComputedActivations:
        """Return the block of these concepts."""
        import torch

        index = concepts if isinstance(concepts, slice) else torch.from_numpy(concepts)
        names = ("W_enc", "b_enc", "threshold")
        weights = {name: self.weights[name][..., index] for name in names}
        return ComputedActivations(self.bank, weights, self.prepare)

    def only(self, place: int) -> ComputedActivations:
        """Return a block of one concept."""
        return self.of(slice(place, place + 1))

    def between(self, low: int, high: int) -> torch.Tensor:
        """Return the activations of rows `low` to `high`."""
        return self._encode(self.bank.rows[low:high])

    def at(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the activations of these rows."""
        return self._encode(self.bank.rows[rows.to(self.bank.rows.device)])

    def _encode(self, states: torch.Tensor) -> torch.Tensor:
        states = states.to(self.device)
        return encode(self.weights, states if self.prepare is None else self.prepare(states))


@dataclass(frozen=True, eq=False)
class CachedActivations:
    """Nonzero activations of an encoder on every row of a bank, cached."""

    bank: ActivationBank
    width: int
    device: torch.device
    buckets: Sequence[Sequence[tuple[torch.Tensor, ...]]]
    """Per `_BUCKET` concepts and chunk of rows: row, concept and value of every nonzero activation,
    rows ascending; always in RAM."""

    @classmethod
    def by(
        cls,
        encoder: Encoder,
        bank: ActivationBank,
        *,
        progress: ProgressCallback | None = None,
        stop: StopCheck | None = None,
    ) -> CachedActivations:
        """Run an encoder over a bank."""
        import torch

        ticker = Ticker("encoding the corpus", len(bank), progress=progress)
        n_buckets = -(-encoder.d_sae // _BUCKET)
        buckets: list[list[tuple[torch.Tensor, ...]]] = [[] for _ in range(n_buckets)]
        device = bank.rows.device
        for low in range(0, len(bank), _ROWS):
            if stop is not None and stop():
                raise Interrupted("Stopped while encoding the corpus; nothing was written.")
            hits = encoder.encode(bank.rows[low : low + _ROWS].float())
            device = hits.value.device
            bucket, order = (hits.concept // _BUCKET).sort(stable=True)
            sizes = torch.bincount(bucket, minlength=n_buckets).tolist()
            # int32 halves the memory: a corpus has hundreds of millions of nonzero activations.
            columns = ((hits.state + low).int(), hits.concept.int(), hits.value)
            split = [torch.split(column[order].cpu(), sizes) for column in columns]
            for chunks, *parts in zip(buckets, *split, strict=True):
                chunks.append(tuple(parts))
            ticker.advance(min(_ROWS, len(bank) - low))
        return cls(bank, encoder.d_sae, device, buckets)

    def of(self, concepts: slice | NDArray[np.int64]) -> _CachedBlock:
        """Return the block of these concepts."""
        import numpy as np
        import torch

        chosen = np.arange(self.width)[concepts]
        place_of = torch.full((self.width,), -1, dtype=torch.int64)
        place_of[torch.from_numpy(chosen)] = torch.arange(len(chosen))
        bucket_ids = np.unique(chosen // _BUCKET)
        parts = [part for bucket in bucket_ids for part in self.buckets[bucket]]
        row, concept, value = (torch.cat(column) for column in zip(*parts, strict=True))
        place = place_of[concept.long()]
        is_chosen = place >= 0
        row, place, value = row[is_chosen], place[is_chosen], value[is_chosen]
        if len(bucket_ids) > 1:
            row, order = row.sort(stable=True)
            place, value = place[order], value[order]
        return _CachedBlock(row, place, value, len(chosen), self.device)


@dataclass(frozen=True, eq=False)
class _CachedBlock:
    """Nonzero activations of a block of concepts."""

    row: torch.Tensor
    """(n,): row of the bank, ascending."""

    place: torch.Tensor
    """(n,): position of the concept in the block."""

    value: torch.Tensor
    n_concepts: int
    device: torch.device

    def between(self, low: int, high: int) -> torch.Tensor:
        """Return the activations of rows `low` to `high`."""
        import torch

        first, last = torch.searchsorted(self.row, torch.tensor([low, high], dtype=torch.int32))
        part = slice(int(first), int(last))
        dense = torch.zeros((high - low, self.n_concepts), device=self.device)
        index = (self.row[part].long() - low, self.place[part])
        dense[tuple(axis.to(self.device) for axis in index)] = self.value[part].to(self.device)
        return dense

    def at(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the activations of these rows."""
        import torch

        ascending, order = rows.cpu().long().sort()
        rank = torch.searchsorted(ascending, self.row.long()).clamp(max=len(rows) - 1)
        is_requested = ascending[rank] == self.row
        dense = torch.zeros((len(rows), self.n_concepts))
        dense[order[rank[is_requested]], self.place[is_requested]] = self.value[is_requested]
        return dense.to(self.device)

    def only(self, place: int) -> _CachedBlock:
        """Return a block of one concept."""
        first, last = (int(bound) for bound in self._bounds[place : place + 2])
        hits = self._by_concept[first:last]
        row, value = self.row[hits], self.value[hits]
        return _CachedBlock(row, row.long() * 0, value, 1, self.device)

    @cached_property
    def _by_concept(self) -> torch.Tensor:
        return self.place.argsort(stable=True)

    @cached_property
    def _bounds(self) -> torch.Tensor:
        import torch

        counts = torch.bincount(self.place, minlength=self.n_concepts)
        return torch.cat([counts.new_zeros(1), counts.cumsum(0)])
