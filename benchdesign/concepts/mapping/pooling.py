"""Pool sparse token activations per item: sums, peaks and positions of peaks.

Pooling runs on the device of the states, so that only pooled rows are copied from a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from benchdesign.concepts.mapping.sae_encoder import Hits

__all__ = ["ItemEntries", "PooledEntries", "merge_windows", "pool_hits"]


class PooledEntries(NamedTuple):
    """One row per window and concept that fires in it, on the device of the states."""

    window: torch.Tensor
    """int64: index of the window."""

    concept: torch.Tensor
    """int64"""

    total: torch.Tensor
    """float32: sum of the activations."""

    peak: torch.Tensor
    """float32"""

    start: torch.Tensor
    """int32: first character of the peak."""

    end: torch.Tensor

    def to_cpu(self) -> PooledEntries:
        """Return a copy in CPU memory."""
        return PooledEntries(*(column.cpu() for column in self))


@dataclass(frozen=True, slots=True, eq=False)
class ItemEntries:
    """Entries per item as compressed rows; concepts ascend within a row."""

    indptr: NDArray[np.int64]
    """(n_items + 1,)"""

    concept: NDArray[np.int32]
    total: NDArray[np.float32]
    peak: NDArray[np.float32]
    start: NDArray[np.int32]
    end: NDArray[np.int32]


def pool_hits(
    hits: Hits,
    owners: NDArray[np.int64],
    *,
    width: int,
    offset: int = 0,
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
) -> PooledEntries:
    """Pool the hits of one batch per window; of equal peaks the first counts.

    `owners` (the index of the window), `starts` and `ends` are per state. The level has `width`
    concepts; `offset` is added to their numbers.
    """
    import torch

    device = hits.value.device
    window, start, end = (torch.from_numpy(column).to(device) for column in (owners, starts, ends))
    key, order = torch.sort(window[hits.state] * width + hits.concept, stable=True)
    value = hits.value[order]
    key, counts = torch.unique_consecutive(key, return_counts=True)
    peak, first = _peaks(value, counts)
    state = hits.state[order[first]]
    return PooledEntries(
        window=key // width,
        concept=key % width + offset,
        total=_reduce(value, "sum", counts),
        peak=peak,
        start=start[state],
        end=end[state],
    )


def merge_windows(
    parts: Sequence[PooledEntries], item_of: NDArray[np.int64], *, n_items: int, n_concepts: int
) -> ItemEntries:
    """Pool the entries of windows into rows of items.

    `item_of` is the item of each window; the windows of an item are in text order.
    """
    import torch

    if not parts:
        no_ints, no_floats = np.zeros(0, np.int32), np.zeros(0, np.float32)
        indptr = np.zeros(n_items + 1, np.int64)
        return ItemEntries(indptr, no_ints, no_floats, no_floats, no_ints, no_ints)
    window, concept, total, peak, start, end = map(torch.cat, zip(*parts, strict=True))
    key = torch.from_numpy(item_of).to(window.device)[window] * n_concepts + concept
    # The window is the last sort key, so the first of equal peaks is the earliest in the text.
    order = torch.argsort(key * max(len(item_of), 1) + window)
    key, counts = torch.unique_consecutive(key[order], return_counts=True)
    total, peak = total[order], peak[order]
    if len(key) < len(order):
        total = _reduce(total, "sum", counts)
        peak, first = _peaks(peak, counts)
        order = order[first]
    first_keys = torch.arange(n_items + 1, device=key.device) * n_concepts
    return ItemEntries(
        indptr=torch.searchsorted(key, first_keys).cpu().numpy(),
        concept=(key % n_concepts).int().cpu().numpy(),
        total=total.cpu().numpy(),
        peak=peak.cpu().numpy(),
        start=start[order].cpu().numpy(),
        end=end[order].cpu().numpy(),
    )


def _peaks(values: torch.Tensor, counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the maximum of each group of consecutive values and the index of its first one."""
    import torch

    peak = _reduce(values, "max", counts)
    at_peak = (values == peak.repeat_interleave(counts)).nonzero()[:, 0]
    # `at_peak` ascends: its first index at or after a group's start belongs to that group.
    group_starts = counts.cumsum(0) - counts
    return peak, at_peak[torch.searchsorted(at_peak, group_starts)]


def _reduce(values: torch.Tensor, reduction: str, counts: torch.Tensor) -> torch.Tensor:
    import torch

    reduced: torch.Tensor = torch.segment_reduce(values, reduction, lengths=counts, unsafe=True)
    return reduced
