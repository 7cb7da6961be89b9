"""Confidence interval of the covered share, by a bootstrap over the items of a benchmark.

The count threshold below which a concept is a gap stays fixed. A resample then only compares counts
with thresholds, so hundreds of resamples are fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.gaps import Gaps
from benchdesign.foundation.statistics import adjust_p_values, predictive_tails

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["ShareInterval", "gap_thresholds", "measure_interval"]

_RESAMPLES_PER_BATCH = 20
"""Resamples per batch: 100,000 items and 65,000 concepts need tens of megabytes."""


@dataclass(frozen=True, slots=True)
class ShareInterval:
    """Confidence interval of the covered share.

    The manifest and `run --json` call it `covered_share_before_interval`. It describes the original
    benchmark, not the revision; it is null if the judgement of concepts changed afterwards.
    """

    share: float
    """`Gaps.covered_share` of the benchmark itself."""

    low: float
    high: float
    level: float
    """Confidence level."""

    n_resamples: int

    def matches_gaps(self, gaps: Gaps) -> bool:
        """Whether the interval was measured on the present judgement of concepts."""
        return abs(self.share - gaps.covered_share) < 1e-9


def measure_interval(
    concept_map: ConceptMap,
    gaps: Gaps,
    *,
    rng: np.random.Generator,
    n_resamples: int = 200,
    level: float = 0.95,
) -> ShareInterval | None:
    """Measure how much the covered share varies when items are resampled with replacement.

    The interval is centred on the share itself. Resampling adds noise to every count and so finds
    more gaps than a new sample would; this shifts the centre but not the spread. Returns None if no
    concept was judged or there are fewer than two items.
    """
    from scipy.special import ndtri

    judged = np.flatnonzero(gaps.is_judged)
    n_items = len(concept_map)
    if not len(judged) or n_items < 2:
        return None
    thresholds = gap_thresholds(gaps)[judged, None]
    presence = _items_by_concept(concept_map, gaps, judged)
    shares = np.empty(n_resamples)
    for first in range(0, n_resamples, _RESAMPLES_PER_BATCH):
        size = min(_RESAMPLES_PER_BATCH, n_resamples - first)
        multiplicity = np.empty((n_items, size), dtype=np.float32)
        for column in range(size):
            multiplicity[:, column] = np.bincount(
                rng.integers(n_items, size=n_items), minlength=n_items
            )
        shares[first : first + size] = 1 - ((presence @ multiplicity) <= thresholds).mean(axis=0)
    share = gaps.covered_share
    half_width = float(ndtri((1 + level) / 2) * shares.std(ddof=1))
    return ShareInterval(
        share, max(share - half_width, 0.0), min(share + half_width, 1.0), level, n_resamples
    )


def gap_thresholds(gaps: Gaps) -> NDArray[np.int64]:
    """Return the largest count at which each concept is a gap; -1 if no count is."""
    coverage, settings = gaps.coverage, gaps.settings
    tested = np.flatnonzero(gaps.is_tested)
    thresholds = np.full(len(gaps), -1, dtype=np.int64)
    if len(tested):
        pi, n = coverage.floored_rate[tested], coverage.n_items
        with np.errstate(invalid="ignore"):
            n_significant = int((adjust_p_values(gaps.p_under) <= settings.fdr).sum())
        # The p-value threshold of Benjamini-Hochberg; without a finding, that of its first step.
        p_limit = settings.fdr * max(n_significant, 1) / int((~np.isnan(gaps.p_under)).sum())
        effect_limit = (2.0**-settings.min_effect * (n + settings.prior) - settings.prior) * pi
        high = np.maximum(np.floor(effect_limit + 1e-9).astype(np.int64), -1)
        low = np.full(len(tested), -1, dtype=np.int64)
        is_exact = np.isinf(coverage.n_reference)
        reference_count = pi if is_exact else coverage.base_rate[tested] * coverage.n_reference
        while np.any(open_ := high > low):
            middle = (low + high + 1) // 2
            tails = predictive_tails(middle[open_], n, reference_count[open_], coverage.n_reference)
            is_low = np.zeros(len(tested), dtype=bool)
            is_low[open_] = tails.lower <= p_limit
            low = np.where(open_ & is_low, middle, low)
            high = np.where(open_ & ~is_low, middle - 1, high)
        thresholds[tested] = low
    if gaps.wanted is not None:
        has_target = gaps.is_judged & (gaps.wanted >= 0)
        thresholds[has_target] = gaps.wanted[has_target] - 1
    # At the threshold the result depends on rounding; keep the original judgement.
    return np.where(
        gaps.is_gap, np.maximum(thresholds, gaps.count), np.minimum(thresholds, gaps.count - 1)
    )


def _items_by_concept(concept_map: ConceptMap, gaps: Gaps, judged: NDArray[np.int64]) -> csr_array:
    """Return a matrix (n_judged, n_items) that is 1 where an item shows a concept."""
    from scipy.sparse import csr_array

    indices = concept_map.indices
    row_of_concept = np.full(len(gaps), -1, dtype=np.int32)
    row_of_concept[judged] = np.arange(len(judged), dtype=np.int32)
    present = row_of_concept[indices] >= 0
    present &= concept_map.peak >= gaps.coverage.thresholds[indices]
    item_rows = np.repeat(np.arange(len(concept_map), dtype=np.int32), np.diff(concept_map.indptr))
    ones = np.ones(int(present.sum()), dtype=np.float32)
    coordinates = (row_of_concept[indices[present]], item_rows[present])
    return csr_array((ones, coordinates), shape=(len(judged), len(concept_map)))
