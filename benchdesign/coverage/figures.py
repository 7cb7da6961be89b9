"""Counts of concepts by status: the figures that every front end shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchdesign.coverage.gaps import Gaps
from benchdesign.coverage.status import Status

__all__ = ["CoverageFigures"]


@dataclass(frozen=True, slots=True)
class CoverageFigures:
    """Coverage figures of one side of the comparison."""

    n_items: int
    n_concepts: int
    n_in_scope: int
    n_tested: int
    """Concepts that are common enough to be judged."""

    n_missing: int
    n_under: int
    n_over: int
    covered_share: float | None
    """Share of judged concepts that are neither missing nor under; None if none was judged."""

    @classmethod
    def from_gaps(cls, gaps: Gaps) -> CoverageFigures:
        """Return the figures of some gaps."""
        counts = gaps.counts()
        share = gaps.covered_share
        return cls(
            n_items=gaps.n_items,
            n_concepts=len(gaps),
            n_in_scope=int(gaps.in_scope.sum()),
            n_tested=int(gaps.is_judged.sum()),
            n_missing=counts[Status.MISSING],
            n_under=counts[Status.UNDER],
            n_over=counts[Status.OVER],
            covered_share=None if np.isnan(share) else share,
        )
