"""How sure the covered share is: what it would be if the items were drawn again.

A bootstrap over the items of a benchmark. The bar for calling a concept a gap is held where it is,
so that a resample is a count against a bar, and hundreds take a moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.conceptmap import ConceptMap
from benchdesign.gaps import Gaps
from benchdesign.stats import adjust_p_values, predictive_tails

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["ShareInterval", "gap_bars", "measure_interval"]

_TOGETHER = 20
"""Resamples counted at once: 100,000 items by 65,000 concepts stay in tens of megabytes."""


@dataclass(frozen=True, slots=True)
class ShareInterval:
    """Where the covered share lies if the items were drawn again.

    In the manifest and in `run --json` it is `covered_share_before_interval`: of the benchmark as
    it was, not of the revision; null where concepts are judged otherwise since it was measured.
    """

    share: float
    """`Gaps.covered_share`, as it is."""

    low: float
    high: float
    level: float
    """Probability content."""

    n_resamples: int

    def is_of(self, gaps: Gaps) -> bool:
        """Whether concepts are still judged as they were when this was measured."""
        return abs(self.share - gaps.covered_share) < 1e-9


def measure_interval(
    concept_map: ConceptMap,
    gaps: Gaps,
    *,
    rng: np.random.Generator,
    n_resamples: int = 200,
    level: float = 0.95,
) -> ShareInterval | None:
    """Measure how much the covered share moves when items are drawn with replacement.

    The spread over resamples is put around the share itself: resampling adds its own noise to
    every count and so finds more gaps than a new draw would, which moves the centre and not the
    spread. None where no concept was judged or there is a single item.
    """
    from scipy.special import ndtri

    judged = np.flatnonzero(gaps.is_judged)
    n_items = len(concept_map)
    if not len(judged) or n_items < 2:
        return None
    bars = gap_bars(gaps)[judged, None]
    shown = _items_by_concept(concept_map, gaps, judged)
    shares = np.empty(n_resamples)
    for first in range(0, n_resamples, _TOGETHER):
        n = min(_TOGETHER, n_resamples - first)
        drawn = np.empty((n_items, n), dtype=np.float32)
        for one in range(n):
            drawn[:, one] = np.bincount(rng.integers(n_items, size=n_items), minlength=n_items)
        shares[first : first + n] = 1 - ((shown @ drawn) <= bars).mean(axis=0)
    share = gaps.covered_share
    reach = float(ndtri((1 + level) / 2) * shares.std(ddof=1))
    return ShareInterval(
        share, max(share - reach, 0.0), min(share + reach, 1.0), level, n_resamples
    )


def gap_bars(gaps: Gaps) -> NDArray[np.int64]:
    """Return the largest count at which each concept is a gap; -1 where none would be."""
    coverage, settings = gaps.coverage, gaps.settings
    tested = np.flatnonzero(gaps.is_tested)
    bars = np.full(len(gaps), -1, dtype=np.int64)
    if len(tested):
        pi, n = coverage.floored_rate[tested], coverage.n_items
        with np.errstate(invalid="ignore"):
            n_found = int((adjust_p_values(gaps.p_under) <= settings.fdr).sum())
        # Benjamini-Hochberg's line where it was crossed; where nothing was, at its first step.
        line = settings.fdr * max(n_found, 1) / int((~np.isnan(gaps.p_under)).sum())
        few = (2.0**-settings.min_effect * (n + settings.prior) - settings.prior) * pi
        high = np.maximum(np.floor(few + 1e-9).astype(np.int64), -1)
        low = np.full(len(tested), -1, dtype=np.int64)
        exact = np.isinf(coverage.n_reference)
        seen = pi if exact else coverage.base_rate[tested] * coverage.n_reference
        while np.any(open_ := high > low):
            middle = (low + high + 1) // 2
            tails = predictive_tails(middle[open_], n, seen[open_], coverage.n_reference)
            is_low = np.zeros(len(tested), dtype=bool)
            is_low[open_] = tails.lower <= line
            low = np.where(open_ & is_low, middle, low)
            high = np.where(open_ & ~is_low, middle - 1, high)
        bars[tested] = low
    if gaps.wanted is not None:
        asked = gaps.is_judged & (gaps.wanted >= 0)
        bars[asked] = gaps.wanted[asked] - 1
    # A count on the bar to the last digit is judged as it was.
    return np.where(gaps.is_gap, np.maximum(bars, gaps.count), np.minimum(bars, gaps.count - 1))


def _items_by_concept(concept_map: ConceptMap, gaps: Gaps, judged: NDArray[np.int64]) -> csr_array:
    """Return (n_judged, n_items): 1 where an item shows a concept."""
    from scipy.sparse import csr_array

    indices = concept_map.indices
    place = np.full(len(gaps), -1, dtype=np.int32)
    place[judged] = np.arange(len(judged), dtype=np.int32)
    present = place[indices] >= 0
    present &= concept_map.peak >= gaps.coverage.thresholds[indices]
    rows = np.repeat(np.arange(len(concept_map), dtype=np.int32), np.diff(concept_map.indptr))
    ones = np.ones(int(present.sum()), dtype=np.float32)
    where = (place[indices[present]], rows[present])
    return csr_array((ones, where), shape=(len(judged), len(concept_map)))
