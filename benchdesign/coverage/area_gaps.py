"""Areas that a benchmark lacks, tested as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.sampling import sample_items
from benchdesign.coverage.areas import MAX_SAMPLED_ITEMS, Areas, membership_matrix
from benchdesign.coverage.gaps import Gaps
from benchdesign.coverage.status import STATUSES, Status
from benchdesign.foundation.arrays import Floats
from benchdesign.foundation.statistics import adjust_p_values, poisson_tails

__all__ = ["AreaGaps", "AreaRow", "find_area_gaps"]


_EFFECT_SHARE = 0.5
"""Share of `min_effect` that an area must reach: general concepts dilute every area."""


@dataclass(frozen=True, slots=True)
class AreaRow:
    """One area, with everything a report shows of it."""

    area: int
    name: str
    status: Status
    n_concepts: int
    """Concepts that are not kept out."""

    n_by_status: dict[Status, int]
    lift: float
    """log2 of the observed over the expected weighted count; rare concepts weigh more."""

    q_value: float
    deficit: float

    @property
    def n_gaps(self) -> int:
        """Number of its concepts that are missing or under-covered."""
        return self.n_by_status[Status.MISSING] + self.n_by_status[Status.UNDER]


@dataclass(frozen=True, slots=True, eq=False)
class AreaGaps:
    """Status of every area; arrays are (n_areas,)."""

    areas: Areas
    status_codes: NDArray[np.int8]
    """Positions in `status.STATUSES`."""

    by_status: NDArray[np.int64]
    """(n_areas, n_statuses): concepts of each status."""

    lift: Floats
    q_value: Floats
    deficit: Floats
    """Standardised, corrected for the dependence between an area's concepts."""

    def __len__(self) -> int:
        """Count the areas."""
        return len(self.areas)

    def row(self, area: int) -> AreaRow:
        """Return one area as a row of a report."""
        counts = {status: int(self.by_status[area, code]) for code, status in enumerate(STATUSES)}
        return AreaRow(
            area,
            self.areas.names[area],
            STATUSES[int(self.status_codes[area])],
            sum(counts.values()) - counts[Status.KEPT_OUT],
            counts,
            float(self.lift[area]),
            float(self.q_value[area]),
            float(self.deficit[area]),
        )

    def rows(self) -> Iterator[AreaRow]:
        """Yield every area as a row, largest deficit first, excluded areas last."""
        kept_out = self.status_codes == STATUSES.index(Status.KEPT_OUT)
        return (self.row(int(area)) for area in np.lexsort((-self.deficit, kept_out)))


def find_area_gaps(
    areas: Areas,
    gaps: Gaps,
    *,
    concept_map: ConceptMap,
    reference_map: ConceptMap | None = None,
) -> AreaGaps:
    """Compute the status of every area from all its concepts together.

    The concepts of an area occur in the same items, so their counts overstate the number of
    independent observations. The overdispersion is measured on the reference's items, else on the
    benchmark's.
    """
    n_areas, n = len(areas), gaps.n_items
    judged = gaps.in_scope & (areas.area_of >= 0) & (gaps.expected > 0)
    ids = np.flatnonzero(judged)
    area = areas.area_of[ids]
    # Weight 1/sqrt(E) makes concepts equally informative; the floor limits the rarest concepts.
    weight = 1 / np.sqrt(np.maximum(gaps.expected[ids], 1.0))
    seen = np.bincount(area, weights=weight * gaps.count[ids], minlength=n_areas)
    expected = np.bincount(area, weights=weight * gaps.expected[ids], minlength=n_areas)
    spread = _dispersion(
        ids, area, weight, n_areas, reference_map or concept_map, gaps.coverage.thresholds
    )
    counts, expected_counts = seen / spread, expected / spread
    tails = poisson_tails(counts, expected_counts, exposure=n / max(gaps.coverage.n_reference, 1.0))
    has_expected = expected > 0
    floor = poisson_tails(
        np.zeros(n_areas), expected_counts, exposure=n / max(gaps.coverage.n_reference, 1.0)
    ).lower
    settings = gaps.settings
    testable = has_expected & (floor <= settings.fdr)
    q_under = adjust_p_values(np.where(testable, tails.lower, np.nan))
    q_over = adjust_p_values(np.where(has_expected, tails.upper, np.nan))
    with np.errstate(divide="ignore", invalid="ignore"):
        lift = np.log2((counts + 0.5) / (expected_counts + 0.5))
        deficit = (expected_counts - counts) / np.sqrt(
            expected_counts * (1 + n / max(gaps.coverage.n_reference, 1.0))
        )
        lacking = (q_under <= settings.fdr) & (lift <= -_EFFECT_SHARE * settings.min_effect)
        excessive = (q_over <= settings.fdr) & (lift >= _EFFECT_SHARE * settings.min_effect)
    codes = np.full(n_areas, STATUSES.index(Status.UNTESTABLE), dtype=np.int8)
    members = areas.area_of >= 0
    by_status = np.zeros((n_areas, len(STATUSES)), dtype=np.int64)
    np.add.at(by_status, (areas.area_of[members], gaps.status_codes[members]), 1)
    excluded = by_status[:, STATUSES.index(Status.KEPT_OUT)] == by_status.sum(axis=1)
    for mask, status in (
        (testable, Status.ADEQUATE),
        (has_expected & excessive, Status.OVER),
        (testable & lacking, Status.UNDER),
        (testable & lacking & (seen == 0), Status.MISSING),
        (excluded, Status.KEPT_OUT),
    ):
        codes[mask] = STATUSES.index(status)
    return AreaGaps(
        areas=areas,
        status_codes=codes,
        by_status=by_status,
        lift=np.where(has_expected, lift, np.nan),
        q_value=np.where(counts > expected_counts, q_over, q_under),
        deficit=np.where(has_expected, deficit, 0.0),
    )


def _dispersion(
    ids: NDArray[np.int64],
    area: NDArray[np.int32],
    weight: Floats,
    n_areas: int,
    concept_map: ConceptMap,
    thresholds: NDArray[np.float32],
) -> Floats:
    """Return variance over mean of weighted item counts per area, at least the mean weight."""
    membership = membership_matrix(ids, area, weight, concept_map.n_concepts, n_areas)
    concept_map = sample_items([concept_map], MAX_SAMPLED_ITEMS)
    scores = concept_map.presence(thresholds) @ membership
    n = max(len(concept_map), 1)
    mean = np.asarray(scores.sum(axis=0)).ravel() / n
    square = np.asarray(scores.power(2).sum(axis=0)).ravel() / n
    mean_weight = np.bincount(area, weights=weight, minlength=n_areas) / np.maximum(
        np.bincount(area, minlength=n_areas), 1
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(mean > 0, (square - mean**2) / mean, 0.0)
    spread: Floats = np.maximum(ratio, np.where(mean_weight > 0, mean_weight, 1.0))
    return spread
