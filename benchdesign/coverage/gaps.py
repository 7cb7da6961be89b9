"""The status of each concept's coverage, and the reason why a concept is kept out.

A concept is a gap only if its deficit against the reference is significant and large enough to
matter. A concept that the set is too small to judge is untestable; the number of items needed is
reported. Dead, dense, structural and out-of-scope concepts are kept out and counted separately.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.coverage.coverage import Coverage
from benchdesign.coverage.gap_settings import GapSettings
from benchdesign.coverage.status import STATUSES, Status
from benchdesign.foundation.arrays import Floats

__all__ = ["GapRow", "Gaps"]


_ROUNDING = 1e-4
"""Tolerance for published float32 rates: 200 items at 0.1 expect 20.0000003."""


@dataclass(frozen=True, slots=True)
class GapRow:
    """One concept, with everything a report shows of it."""

    concept_id: int
    label: str
    label_score: float | None
    """AUC of the label on held-out contexts; None if not measured."""

    level: str
    status: Status
    count: int
    n_items: int
    expected: float
    rate: float
    base_rate: float
    lift: float
    lift_low: float
    lift_high: float
    q_value: float
    deficit: float
    """Number of standard deviations below the expected count."""

    target: int
    items_needed: int | None
    reason: str | None
    """Reason why it is kept out."""

    relevance: float | None

    @property
    def is_gap(self) -> bool:
        """Whether it is missing or under-covered."""
        return self.status in (Status.MISSING, Status.UNDER)


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """Status of every concept; all arrays are (n_concepts,)."""

    status_codes: NDArray[np.int8]
    """Indices into `STATUSES`."""

    count: NDArray[np.int64]
    expected: Floats
    rate: Floats
    base_rate: Floats
    lift: Floats
    lift_low: Floats
    lift_high: Floats
    p_under: Floats
    """p-value of a count this low or lower, drawn from the reference; NaN if not tested."""

    p_over: Floats
    q_value: Floats
    """Benjamini-Hochberg, in the direction of the deviation; NaN if not tested."""

    deficit: Floats
    """z: (expected - count) in predictive standard deviations; 0 if unknown or kept out."""

    target: NDArray[np.int64]
    """Items that should show it at this size: the target set by hand, else the expected count
    rounded up; 0 if kept out."""

    items_needed: Floats
    """Items needed for an absence to be significant; inf or NaN if no number suffices."""

    reason_codes: NDArray[np.int8]
    """Indices into `reasons`; -1 if not kept out."""

    reasons: tuple[str, ...]
    relevance: Floats | None
    """Relevance to the scope in [0, 1]; None without a scope."""

    coverage: Coverage
    settings: GapSettings
    dictionary: Dictionary
    kept_out_by_scope: NDArray[np.bool_] | None
    wanted: NDArray[np.int64] | None = None
    """Target counts set by hand, -1 for the default rule; None if none is set."""

    pinned: NDArray[np.bool_] | None = None
    """Mask of the concepts pinned into the scope by hand; None if none is pinned."""

    def __len__(self) -> int:
        """Count the concepts."""
        return len(self.status_codes)

    @property
    def n_items(self) -> int:
        """Number of items in the judged set."""
        return self.coverage.n_items

    def is_status(self, *statuses: Status) -> NDArray[np.bool_]:
        """Return a mask of the concepts with any of the statuses."""
        return np.isin(self.status_codes, [STATUSES.index(status) for status in statuses])

    def status(self, concept_id: int) -> Status:
        """Return the status of one concept."""
        return STATUSES[int(self.status_codes[concept_id])]

    @property
    def is_gap(self) -> NDArray[np.bool_]:
        """Mask of the missing and under-covered concepts."""
        return self.is_status(Status.MISSING, Status.UNDER)

    @property
    def in_scope(self) -> NDArray[np.bool_]:
        """Mask of the concepts that are not kept out."""
        return ~self.is_status(Status.KEPT_OUT)

    @property
    def is_tested(self) -> NDArray[np.bool_]:
        """Mask of the concepts in which a deficit could be found."""
        return self.in_scope & ~np.isnan(self.p_under)

    @property
    def is_judged(self) -> NDArray[np.bool_]:
        """Mask of the concepts that could be gaps: tested, or with a target set by hand.

        An over-covered concept that is too rare for a deficit is not included.
        """
        if self.wanted is None:
            return self.is_tested
        return self.is_tested | (self.in_scope & (self.wanted >= 0))

    @property
    def n_rare(self) -> int:
        """Number of concepts in scope that are too rare to be judged."""
        return int((self.in_scope & ~self.is_judged).sum())

    @property
    def n_rare_over(self) -> int:
        """Number of rare concepts that are over-covered nevertheless."""
        return int((self.is_status(Status.OVER) & ~self.is_judged).sum())

    def counts(self) -> dict[Status, int]:
        """Count the concepts of each status."""
        counts = np.bincount(self.status_codes, minlength=len(STATUSES))
        return {status: int(n) for status, n in zip(STATUSES, counts, strict=True)}

    def kept_out_counts(self) -> dict[str, int]:
        """Count the concepts kept out for each reason, most frequent first."""
        codes = self.reason_codes[self.reason_codes >= 0]
        return dict(Counter(self.reasons[code] for code in codes).most_common())

    def reason(self, concept_id: int) -> str | None:
        """Return the reason why a concept is kept out; None if it is not."""
        code = int(self.reason_codes[concept_id])
        return None if code < 0 else self.reasons[code]

    @property
    def covered_share(self) -> float:
        """Share of judged concepts that are neither missing nor under; NaN if none was judged."""
        n = int(self.is_judged.sum())
        return 1 - int(self.is_gap.sum()) / n if n else float("nan")

    def ranked(self) -> NDArray[np.int64]:
        """Return the ids of the gaps, largest standardised deficit first."""
        ids = np.flatnonzero(self.is_gap)
        return ids[np.argsort(-self.deficit[ids], kind="stable")]

    def row(self, concept_id: int) -> GapRow:
        """Return one concept as a row of a report."""
        items_needed = self.items_needed[concept_id]
        return GapRow(
            concept_id=int(concept_id),
            label=self.dictionary.label(concept_id),
            label_score=self.dictionary.label_score(concept_id),
            level=self.dictionary.level_of(concept_id).name,
            status=self.status(concept_id),
            count=int(self.count[concept_id]),
            n_items=self.n_items,
            expected=float(self.expected[concept_id]),
            rate=float(self.rate[concept_id]),
            base_rate=float(self.base_rate[concept_id]),
            lift=float(self.lift[concept_id]),
            lift_low=float(self.lift_low[concept_id]),
            lift_high=float(self.lift_high[concept_id]),
            q_value=float(self.q_value[concept_id]),
            deficit=float(self.deficit[concept_id]),
            target=int(self.target[concept_id]),
            items_needed=int(items_needed) if np.isfinite(items_needed) else None,
            reason=self.reason(concept_id),
            relevance=None if self.relevance is None else float(self.relevance[concept_id]),
        )

    def rows(
        self, concept_ids: Sequence[int] | NDArray[np.int64] | None = None
    ) -> Iterator[GapRow]:
        """Yield concepts as rows; by default the gaps, largest deficit first."""
        ids = self.ranked() if concept_ids is None else concept_ids
        return (self.row(int(concept_id)) for concept_id in ids)

    def has_target_by_hand(self, concept_id: int) -> bool:
        """Whether the target of a concept was set by hand."""
        return self.wanted is not None and int(self.wanted[concept_id]) >= 0


def round_up_items(expected: Floats | float) -> NDArray[np.int64]:
    """Return expected numbers of items as displayed: rounded up, 0 if unknown."""
    whole: NDArray[np.int64] = np.ceil(np.nan_to_num(expected) - _ROUNDING).astype(np.int64)
    return whole
