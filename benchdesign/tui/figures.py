"""Compute the figures of the overview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchdesign.coverage.gaps import Gaps
from benchdesign.coverage.status import Status

__all__ = ["Figures", "figures_of"]

_BINS = ((1, 1), (2, 4), (5, 9), (10, 19), (20, 49), (50, None))


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of the overview."""

    n_items: int
    n_concepts: int
    n_in_scope: int
    n_kept_out: int
    n_judged: int
    n_covered: int
    """Judged concepts that are not gaps: the numerator of `Gaps.covered_share`."""

    n_rare: int
    """In-scope concepts too rare to be judged: `n_judged + n_rare == n_in_scope`."""

    n_rare_over: int
    """Rare concepts that are over-covered nevertheless."""

    n_touched: int
    """In-scope concepts that at least one item shows."""

    n_touched_5: int
    counts: Mapping[Status, int]
    histogram: tuple[tuple[str, int], ...]


def figures_of(gaps: Gaps) -> Figures:
    """Return the figures of judged concepts."""
    in_scope = gaps.in_scope
    count = gaps.count[in_scope]
    counts = gaps.counts()
    n_judged = int(gaps.is_judged.sum())
    bins = []
    for low, high in _BINS:
        in_bin = (count >= low) & (count <= (high or np.iinfo(np.int64).max))
        name = f"{low}+" if high is None else (f"{low}" if low == high else f"{low}-{high}")
        bins.append((name, int(in_bin.sum())))
    return Figures(
        n_items=gaps.n_items,
        n_concepts=len(gaps),
        n_in_scope=int(in_scope.sum()),
        n_kept_out=counts[Status.KEPT_OUT],
        n_judged=n_judged,
        n_covered=n_judged - int(gaps.is_gap.sum()),
        n_rare=gaps.n_rare,
        n_rare_over=gaps.n_rare_over,
        n_touched=int((count >= 1).sum()),
        n_touched_5=int((count >= 5).sum()),
        counts=counts,
        histogram=tuple(bins),
    )
