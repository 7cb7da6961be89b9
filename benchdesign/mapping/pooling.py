"""Token activations to item scores: sums, peaks and where the peaks are, always sparse.

All of it happens where the states are: what a GPU found leaves it once, pooled per item.
"""

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
    """One row per (window, concept) that fires, on the device that found it."""

    window: torch.Tensor
    """int64: number of the window."""

    concept: torch.Tensor
    """int64"""

    total: torch.Tensor
    """float32: sum of the activations."""

    peak: torch.Tensor
    """float32"""

    start: torch.Tensor
    """int32: first character of the peak."""

    end: torch.Tensor

    def in_memory(self) -> Entries:
        """Return them off the GPU."""
        return Entries(*(column.cpu() for column in self))


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
) -> Entries:
    """Pool the hits of one batch; the first of equal peaks counts.

    `owners` (the window of each), `starts` and `ends` are per state. `offset` is added to concepts,
    of which there are `width`.
    """
    import torch

    device = hits.value.device
    window, start, end = (torch.from_numpy(one).to(device) for one in (owners, starts, ends))
    key, order = torch.sort(window[hits.state] * width + hits.concept, stable=True)
    value = hits.value[order]
    key, counts = torch.unique_consecutive(key, return_counts=True)
    peak, place = _peaks(value, counts)
    state = hits.state[order[place]]
    return Entries(
        window=key // width,
        concept=key % width + offset,
        total=_reduce(value, "sum", counts),
        peak=peak,
        start=start[state],
        end=end[state],
    )


def merge_windows(
    parts: Sequence[Entries], item_of: NDArray[np.int64], *, n_items: int, n_concepts: int
) -> ItemEntries:
    """Turn the entries of windows into rows of items; windows of one item are pooled.

    `item_of` is the item of each window; windows ascend within an item's text.
    """
    import torch

    if not parts:
        whole, number = np.zeros(0, np.int32), np.zeros(0, np.float32)
        return ItemEntries(np.zeros(n_items + 1, np.int64), whole, number, number, whole, whole)
    window, concept, total, peak, start, end = map(torch.cat, zip(*parts, strict=True))
    key = torch.from_numpy(item_of).to(window.device)[window] * n_concepts + concept
    # By window last, so that the first of equal peaks is the earliest in the text.
    order = torch.argsort(key * max(len(item_of), 1) + window)
    key, counts = torch.unique_consecutive(key[order], return_counts=True)
    total, peak = total[order], peak[order]
    if len(key) < len(order):
        total = _reduce(total, "sum", counts)
        peak, place = _peaks(peak, counts)
        order = order[place]
    firsts = torch.arange(n_items + 1, device=key.device) * n_concepts
    return ItemEntries(
        indptr=torch.searchsorted(key, firsts).cpu().numpy(),
        concept=(key % n_concepts).int().cpu().numpy(),
        total=total.cpu().numpy(),
        peak=peak.cpu().numpy(),
        start=start[order].cpu().numpy(),
        end=end[order].cpu().numpy(),
    )


def _peaks(values: torch.Tensor, counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the largest value of each group of `counts` consecutive ones and its first place."""
    import torch

    peak = _reduce(values, "max", counts)
    at_peak = (values == peak.repeat_interleave(counts)).nonzero()[:, 0]
    # Places ascend, so the first place at or after a group's beginning is that group's.
    begins = counts.cumsum(0) - counts
    return peak, at_peak[torch.searchsorted(at_peak, begins)]


def _reduce(values: torch.Tensor, how: str, counts: torch.Tensor) -> torch.Tensor:
    import torch

    reduced: torch.Tensor = torch.segment_reduce(values, how, lengths=counts, unsafe=True)
    return reduced
