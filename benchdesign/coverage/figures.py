"""Counts of concepts by status: the figures that every front end shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchdesign.coverage.gaps import Gaps
from benchdesign.coverage.status import Status

__all__ = ["CoverageFigures"]

_BINS = ((1, 1), (2, 4), (5, 9), (10, 19), (20, 49), (50, None))


@dataclass(frozen=True, slots=True)
class CoverageFigures:
    """The figures of one set of items."""

    n_items: int
    n_concepts: int
    n_in_scope: int
    n_judged: int
    """Concepts that are common enough to be judged."""

    n_covered: int
    """Judged concepts that are neither missing nor under: the numerator of `covered_share`."""

    covered_share: float | None
    """Share of judged concepts that are covered; None if none was judged."""

    n_rare: int
    """In-scope concepts too rare to be judged: `n_judged + n_rare == n_in_scope`."""

    n_rare_over: int
    """Rare concepts that are over-covered nevertheless."""

    n_touched: int
    """In-scope concepts that at least one item shows."""

    n_touched_5: int
    """In-scope concepts that at least five items show."""

    counts: Mapping[Status, int]
    histogram: tuple[tuple[str, int], ...]
    """Number of in-scope concepts by the number of items that show them."""

    @classmethod
    def from_gaps(cls, gaps: Gaps) -> CoverageFigures:
        """Return the figures of judged concepts."""
        in_scope = gaps.in_scope
        count = gaps.count[in_scope]
        n_judged, share = int(gaps.is_judged.sum()), gaps.covered_share
        return cls(
            n_items=gaps.n_items,
            n_concepts=len(gaps),
            n_in_scope=int(in_scope.sum()),
            n_judged=n_judged,
            n_covered=n_judged - int(gaps.is_gap.sum()),
            covered_share=None if np.isnan(share) else share,
            n_rare=gaps.n_rare,
            n_rare_over=gaps.n_rare_over,
            n_touched=int((count >= 1).sum()),
            n_touched_5=int((count >= 5).sum()),
            counts=gaps.counts(),
            histogram=tuple(
                (_bin_name(low, high), int(((count >= low) & (count <= (high or np.inf))).sum()))
                for low, high in _BINS
            ),
        )

    @property
    def n_missing(self) -> int:
        """Number of missing concepts."""
        return self.counts[Status.MISSING]

    @property
    def n_under(self) -> int:
        """Number of under-covered concepts."""
        return self.counts[Status.UNDER]

    @property
    def n_over(self) -> int:
        """Number of over-covered concepts."""
        return self.counts[Status.OVER]

    @property
    def n_kept_out(self) -> int:
        """Number of concepts that are never judged."""
        return self.counts[Status.KEPT_OUT]

    def to_record(self) -> dict[str, int | float | None]:
        """Return the figures as they stand in files and in JSON output."""
        return {
            "n_items": self.n_items,
            "n_concepts": self.n_concepts,
            "n_in_scope": self.n_in_scope,
            "n_tested": self.n_judged,
            "n_missing": self.n_missing,
            "n_under": self.n_under,
            "n_over": self.n_over,
            "covered_share": self.covered_share,
        }


def _bin_name(low: int, high: int | None) -> str:
    if high is None:
        return f"{low}+"
    return f"{low}" if low == high else f"{low}-{high}"
