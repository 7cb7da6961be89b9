"""What the concepts of a level activate over a whole bank, a block of concepts at a time.

Where each concept is computed from its own weights, a block is computed when it is asked for. Where
concepts compete for a state (topk) or take more than one product, the encoder runs once over the
bank and what it found active is kept; that grows with what is active, not with the dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from benchdesign.errors import Interrupted
from benchdesign.mapping.activations import ActivationBank
from benchdesign.mapping.train import encode
from benchdesign.progress import ProgressCallback, StopCheck, Ticker

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from benchdesign.mapping.sae import Encoder

__all__ = ["ActiveBlock", "ActiveConcepts", "FoundActive", "FromWeights"]

_ROWS = 8192
_BUCKET = 512
"""Concepts whose hits are kept together."""


class ActiveBlock(Protocol):
    """Activations of some concepts."""

    def between(self, low: int, high: int) -> torch.Tensor:
        """Return the activations of rows `low` to `high`: (high - low, n_concepts), float32."""
        ...

    def at(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the activations of rows, none of them twice: (n_rows, n_concepts), float32."""
        ...

    def only(self, place: int) -> ActiveBlock:
        """Return one concept of the block."""
        ...


class ActiveConcepts(Protocol):
    """Activations of every concept of a level on every row of a bank."""

    @property
    def bank(self) -> ActivationBank:
        """The states."""
        ...

    @property
    def width(self) -> int:
        """Number of concepts."""
        ...

    @property
    def device(self) -> torch.device:
        """Where activations are given."""
        ...

    def of(self, concepts: slice | NDArray[np.int64]) -> ActiveBlock:
        """Return some of the concepts."""
        ...


@dataclass(frozen=True, eq=False)
class FromWeights:
    """Concepts of one product and a threshold each, computed when asked for; a block as well."""

    bank: ActivationBank
    weights: dict[str, torch.Tensor]
    """W_enc (d, width), b_enc and threshold (width,); others are ignored."""

    prepare: Callable[[torch.Tensor], torch.Tensor] | None = None
    """What is done to states first, where something is."""

    @property
    def width(self) -> int:
        """Number of concepts."""
        return int(self.weights["W_enc"].shape[1])

    @property
    def device(self) -> torch.device:
        """Where activations are given."""
        return self.weights["W_enc"].device

    def of(self, concepts: slice | NDArray[np.int64]) -> FromWeights:
        """Return some of the concepts."""
        import torch

        pick = concepts if isinstance(concepts, slice) else torch.from_numpy(concepts)
        names = ("W_enc", "b_enc", "threshold")
        weights = {name: self.weights[name][..., pick] for name in names}
        return FromWeights(self.bank, weights, self.prepare)

    def only(self, place: int) -> FromWeights:
        """Return one concept."""
        return self.of(slice(place, place + 1))

    def between(self, low: int, high: int) -> torch.Tensor:
        """Return the activations of a range of rows."""
        return self._encode(self.bank.rows[low:high])

    def at(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the activations of some rows."""
        return self._encode(self.bank.rows[rows.to(self.bank.rows.device)])

    def _encode(self, states: torch.Tensor) -> torch.Tensor:
        states = states.to(self.device)
        return encode(self.weights, states if self.prepare is None else self.prepare(states))


@dataclass(frozen=True, eq=False)
class FoundActive:
    """What an encoder found active on every row of a bank."""

    bank: ActivationBank
    width: int
    device: torch.device
    buckets: Sequence[Sequence[tuple[torch.Tensor, ...]]]
    """Per `_BUCKET` concepts and chunk: row, concept and value of every hit, rows ascending; in
    memory, whatever the device."""

    @classmethod
    def by(
        cls,
        encoder: Encoder,
        bank: ActivationBank,
        *,
        progress: ProgressCallback | None = None,
        stop: StopCheck | None = None,
    ) -> FoundActive:
        """Run an encoder over a bank once."""
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
            # Half the size of what an encoder gives: a corpus has hundreds of millions of hits.
            columns = ((hits.state + low).int(), hits.concept.int(), hits.value)
            split = [torch.split(column[order].cpu(), sizes) for column in columns]
            for found, *parts in zip(buckets, *split, strict=True):
                found.append(tuple(parts))
            ticker.advance(min(_ROWS, len(bank) - low))
        return cls(bank, encoder.d_sae, device, buckets)

    def of(self, concepts: slice | NDArray[np.int64]) -> _FoundBlock:
        """Return some of the concepts."""
        import numpy as np
        import torch

        chosen = np.arange(self.width)[concepts]
        place_of = torch.full((self.width,), -1, dtype=torch.int64)
        place_of[torch.from_numpy(chosen)] = torch.arange(len(chosen))
        touched = np.unique(chosen // _BUCKET)
        parts = [part for bucket in touched for part in self.buckets[bucket]]
        row, concept, value = (torch.cat(column) for column in zip(*parts, strict=True))
        place = place_of[concept.long()]
        kept = place >= 0
        row, place, value = row[kept], place[kept], value[kept]
        if len(touched) > 1:
            row, order = row.sort(stable=True)
            place, value = place[order], value[order]
        return _FoundBlock(row, place, value, len(chosen), self.device)


@dataclass(frozen=True, eq=False)
class _FoundBlock:
    """Hits of some concepts."""

    row: torch.Tensor
    """(n,): ascends."""

    place: torch.Tensor
    """(n,): which concept of the block."""

    value: torch.Tensor
    n_concepts: int
    device: torch.device

    def between(self, low: int, high: int) -> torch.Tensor:
        """Return the activations of a range of rows."""
        import torch

        first, last = torch.searchsorted(self.row, torch.tensor([low, high], dtype=torch.int32))
        part = slice(int(first), int(last))
        dense = torch.zeros((high - low, self.n_concepts), device=self.device)
        where = (self.row[part].long() - low, self.place[part])
        dense[tuple(one.to(self.device) for one in where)] = self.value[part].to(self.device)
        return dense

    def at(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the activations of some rows."""
        import torch

        ascending, order = rows.cpu().long().sort()
        slot = torch.searchsorted(ascending, self.row.long()).clamp(max=len(rows) - 1)
        kept = ascending[slot] == self.row
        dense = torch.zeros((len(rows), self.n_concepts))
        dense[order[slot[kept]], self.place[kept]] = self.value[kept]
        return dense.to(self.device)

    def only(self, place: int) -> _FoundBlock:
        """Return one concept."""
        first, last = (int(one) for one in self._bounds[place : place + 2])
        found = self._by_concept[first:last]
        row, value = self.row[found], self.value[found]
        return _FoundBlock(row, row.long() * 0, value, 1, self.device)

    @cached_property
    def _by_concept(self) -> torch.Tensor:
        return self.place.argsort(stable=True)

    @cached_property
    def _bounds(self) -> torch.Tensor:
        import torch

        counts = torch.bincount(self.place, minlength=self.n_concepts)
        return torch.cat([counts.new_zeros(1), counts.cumsum(0)])
