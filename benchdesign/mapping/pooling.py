"""Token activations to item scores: sums, peaks and where the peaks are, always sparse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from benchdesign.mapping.sae import Hits

__all__ = ["Entries", "ItemEntries", "merge_windows", "pool_hits"]


class Entries(NamedTuple):
    """One row per (owner, concept) that fires, sorted by owner and then by concept."""

    owner: NDArray[np.int64]
    """Window (or item) the states belong to."""

    concept: NDArray[np.int32]
    total: NDArray[np.float32]
    """Sum of the activations."""

    peak: NDArray[np.float32]
    start: NDArray[np.int32]
    """First character of the peak."""

    end: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class ItemEntries:
    """Entries per item as compressed rows."""

    indptr: NDArray[np.int64]
    entries: Entries


def pool_hits(
    hits: Hits,
    owners: NDArray[np.int64],
    *,
    width: int,
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
) -> Entries:
    """Pool the hits of one batch on the device they are on; the first of equal peaks counts.

    `owners`, `starts` and `ends` are per state; owners ascend.
    """
    import torch

    device = hits.value.device
    if not len(hits.value):
        return _no_entries()
    owner = torch.from_numpy(owners).to(device)[hits.state]
    key, order = torch.sort(owner * width + hits.concept, stable=True)
    value = hits.value[order]
    key, counts = torch.unique_consecutive(key, return_counts=True)
    total = _reduce(value, "sum", counts)
    peak = _reduce(value, "max", counts)
    at_peak = (value == peak.repeat_interleave(counts)).nonzero()[:, 0]
    # Places ascend, so the first place at or after a group's beginning is that group's.
    begins = counts.cumsum(0) - counts
    place = at_peak[torch.searchsorted(at_peak, begins)]
    state = hits.state[order[place]].cpu().numpy()
    keys = key.cpu().numpy()
    return Entries(
        owner=keys // width,
        concept=(keys % width).astype(np.int32),
        total=total.cpu().numpy(),
        peak=peak.cpu().numpy(),
        start=starts[state],
        end=ends[state],
    )


def merge_windows(
    parts: Sequence[Entries], item_of: NDArray[np.int64], *, n_items: int, n_concepts: int
) -> ItemEntries:
    """Turn the entries of windows into rows of items; windows of one item are pooled."""
    joined = _concatenate(parts)
    key = item_of[joined.owner] * n_concepts + joined.concept
    # Windows ascend within an item, so that the first of equal peaks is the earliest in the text.
    order = np.lexsort((joined.owner, key))
    key = key[order]
    joined = _take(joined, order)
    first = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else key
    if len(first) < len(key):
        peak = np.maximum.reduceat(joined.peak, first)
        counts = np.diff(np.append(first, len(key)))
        at_peak = np.flatnonzero(joined.peak == np.repeat(peak, counts))
        place = at_peak[np.searchsorted(at_peak, first)]
        joined = Entries(
            owner=joined.owner[first],
            concept=joined.concept[first],
            total=np.add.reduceat(joined.total, first),
            peak=peak,
            start=joined.start[place],
            end=joined.end[place],
        )
        key = key[first]
    items = key // n_concepts
    indptr = np.zeros(n_items + 1, dtype=np.int64)
    np.cumsum(np.bincount(items, minlength=n_items), out=indptr[1:])
    return ItemEntries(indptr, joined._replace(owner=items))


def _concatenate(parts: Sequence[Entries]) -> Entries:
    parts = parts or [_no_entries()]
    return Entries(
        owner=np.concatenate([part.owner for part in parts]),
        concept=np.concatenate([part.concept for part in parts]),
        total=np.concatenate([part.total for part in parts]),
        peak=np.concatenate([part.peak for part in parts]),
        start=np.concatenate([part.start for part in parts]),
        end=np.concatenate([part.end for part in parts]),
    )


def _take(entries: Entries, order: NDArray[np.int64]) -> Entries:
    return Entries(
        owner=entries.owner[order],
        concept=entries.concept[order],
        total=entries.total[order],
        peak=entries.peak[order],
        start=entries.start[order],
        end=entries.end[order],
    )


def _reduce(values: torch.Tensor, how: str, counts: torch.Tensor) -> torch.Tensor:
    import torch

    reduced: torch.Tensor = torch.segment_reduce(values, how, lengths=counts, unsafe=True)
    return reduced


def _no_entries() -> Entries:
    number, whole = np.zeros(0, np.float32), np.zeros(0, np.int32)
    return Entries(np.zeros(0, np.int64), whole, number, number, whole, whole)
