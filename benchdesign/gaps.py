"""The status of each concept's coverage, and the reason why a concept is kept out.

A concept is a gap only if its deficit against the reference is significant and large enough to
matter. A concept that the set is too small to judge is untestable; the number of items needed is
reported. Dead, dense, structural and out-of-scope concepts are kept out and counted separately.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.conceptmap import ConceptMap
from benchdesign.coverage import Coverage, Reference, measure_coverage
from benchdesign.dictionary import Dictionary
from benchdesign.errors import UsageError
from benchdesign.keptout import FORM, KeptOut, find_kept_out
from benchdesign.stats import adjust_p_values, items_to_show_absence, predictive_tails

if TYPE_CHECKING:
    from benchdesign.scope import Relevance

__all__ = [
    "FORM",
    "STATUSES",
    "GapRow",
    "GapSettings",
    "Gaps",
    "KeptOut",
    "NullRun",
    "Status",
    "find_gaps",
    "find_kept_out",
    "run_null",
]

Floats = NDArray[np.float64]


_ROUNDING = 1e-4
"""Tolerance for published float32 rates: 200 items at 0.1 expect 20.0000003."""


class Status(StrEnum):
    """Status of a concept's coverage."""

    MISSING = "missing"
    """No item shows it, and the deficit is significant."""

    UNDER = "under"
    """Significantly and considerably fewer items than expected from the reference."""

    ADEQUATE = "adequate"
    OVER = "over"
    """Significantly and considerably more items than expected from the reference."""

    UNTESTABLE = "untestable"
    """Too rare for a deficit to be significant in a set of this size."""

    KEPT_OUT = "kept_out"
    """Never judged: dead, dense, structural, form or out of scope."""


STATUSES: tuple[Status, ...] = tuple(Status)
"""The statuses, indexed by `Gaps.status_codes`."""


@dataclass(frozen=True, slots=True)
class GapSettings:
    """Thresholds; changing them does not require mapping again."""

    fdr: float = 0.05
    """Expected share of false findings among missing and under (and among over) concepts."""

    gap_share: float = 0.10
    """Share of gaps among tested concepts at which a complete absence must be significant for a
    concept to be tested; rarer concepts would add tests but no findings."""

    min_effect: float = 0.585
    """Smallest relevant lift in either direction: log2(1.5), a third fewer or 50% more."""

    prior: float = 10.0
    """Prior items at the base rate, added to every concept's count."""

    level: float = 0.90
    """Probability of the credible intervals."""

    max_density: float = 0.10
    """A concept that fires on a larger share of tokens is dense and kept out."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("fdr", 0.0, 1.0),
            ("gap_share", 0.0, 1.0),
            ("min_effect", 0.0, np.inf),
            ("prior", 0.0, np.inf),
            ("level", 0.0, 1.0),
            ("max_density", 0.0, np.inf),
        ):
            value = getattr(self, name)
            inside = low < value < high if name != "min_effect" else low <= value < high
            if not inside:
                raise UsageError(f"{name} is {value}; it must be between {low:g} and {high:g}.")


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

    def rethreshold(self, settings: GapSettings) -> Gaps:
        """Return the gaps under other settings, from the same counts."""
        return _judge(
            self.coverage,
            self.dictionary,
            self.relevance,
            self.kept_out_by_scope,
            settings,
            wanted=self.wanted,
            pinned=self.pinned,
        )

    def with_wanted(self, wanted: NDArray[np.int64] | None) -> Gaps:
        """Return the gaps with other target counts set by hand, from the same counts."""
        return replace(self, wanted=wanted).rethreshold(self.settings)

    def is_wanted(self, concept_id: int) -> bool:
        """Whether the target of a concept was set by hand."""
        return self.wanted is not None and int(self.wanted[concept_id]) >= 0


def whole_items(expected: Floats | float) -> NDArray[np.int64]:
    """Return expected numbers of items as displayed: rounded up, 0 if unknown."""
    whole: NDArray[np.int64] = np.ceil(np.nan_to_num(expected) - _ROUNDING).astype(np.int64)
    return whole


def find_gaps(
    coverage: Coverage,
    dictionary: Dictionary,
    *,
    relevance: Relevance | None = None,
    settings: GapSettings | None = None,
    wanted: NDArray[np.int64] | None = None,
) -> Gaps:
    """Find the status of every concept; `relevance` keeps concepts out of scope out.

    A concept with a target set by hand (`wanted`, else -1) is a gap if fewer items show it.
    """
    return _judge(
        coverage,
        dictionary,
        None if relevance is None else relevance.score,
        None if relevance is None else ~relevance.in_scope,
        settings or GapSettings(),
        wanted=wanted,
        pinned=None if relevance is None else relevance.overridden == 1,
    )


def _judge(
    coverage: Coverage,
    dictionary: Dictionary,
    relevance: Floats | None,
    out_of_scope: NDArray[np.bool_] | None,
    settings: GapSettings,
    *,
    wanted: NDArray[np.int64] | None = None,
    pinned: NDArray[np.bool_] | None = None,
) -> Gaps:
    has_target = None if wanted is None else wanted >= 0
    pins = [mask for mask in (pinned, has_target) if mask is not None]
    reason_codes, reasons = find_kept_out(
        dictionary,
        max_density=settings.max_density,
        out_of_scope=out_of_scope,
        pinned=np.logical_or.reduce(pins) if pins else None,
    )
    judged = (reason_codes < 0) & ~np.isnan(coverage.base_rate) & (coverage.n_items > 0)
    exact = np.isinf(coverage.n_reference)
    seen = coverage.floored_rate if exact else coverage.base_rate * coverage.n_reference
    seen = np.where(judged, seen, np.nan)
    tails = predictive_tails(coverage.count, coverage.n_items, seen, coverage.n_reference)
    items_needed = items_to_show_absence(
        seen, coverage.n_reference, alpha=settings.fdr * settings.gap_share
    )
    # Skip the test if even an absence would not be significant. This depends on the reference and
    # not on the benchmark's counts, so it does not bias the remaining tests.
    testable = judged & (items_needed <= coverage.n_items)
    p_under = np.where(testable, tails.lower, np.nan)
    q_under, q_over = adjust_p_values(p_under), adjust_p_values(tails.upper)

    lift = coverage.lift(prior=settings.prior)
    lift_low, lift_high = coverage.lift_interval(prior=settings.prior, level=settings.level)
    with np.errstate(invalid="ignore"):
        deficient = (q_under <= settings.fdr) & (lift <= -settings.min_effect)
        excessive = (q_over <= settings.fdr) & (lift >= settings.min_effect)
        above = coverage.count > coverage.expected
    codes = np.full(len(lift), STATUSES.index(Status.UNTESTABLE), dtype=np.int8)
    for mask, status in (
        (testable, Status.ADEQUATE),
        (judged & excessive, Status.OVER),
        (testable & deficient, Status.UNDER),
        (testable & deficient & (coverage.count == 0), Status.MISSING),
        (reason_codes >= 0, Status.KEPT_OUT),
    ):
        codes[mask] = STATUSES.index(status)
    deficit = np.where(judged, _standardised_deficit(coverage), 0.0)
    target = np.where(judged, whole_items(coverage.expected), 0)
    if wanted is not None:
        targeted = (wanted >= 0) & (reason_codes < 0)
        short = targeted & (coverage.count < wanted)
        codes[targeted] = STATUSES.index(Status.ADEQUATE)
        codes[short] = STATUSES.index(Status.UNDER)
        codes[short & (coverage.count == 0)] = STATUSES.index(Status.MISSING)
        target[targeted] = wanted[targeted]
        # Standardise as if the target were the expected count.
        spread = np.sqrt(np.maximum(wanted * (1 - wanted / max(coverage.n_items, 1)), 1.0))
        deficit[targeted] = ((wanted - coverage.count) / spread)[targeted]
    return Gaps(
        status_codes=codes,
        count=coverage.count,
        expected=coverage.expected,
        rate=coverage.rate,
        base_rate=coverage.base_rate,
        lift=lift,
        lift_low=lift_low,
        lift_high=lift_high,
        p_under=p_under,
        p_over=tails.upper,
        q_value=np.where(above, q_over, q_under),
        deficit=deficit,
        target=target,
        items_needed=items_needed,
        reason_codes=reason_codes,
        reasons=reasons,
        relevance=relevance,
        coverage=coverage,
        settings=settings,
        dictionary=dictionary,
        kept_out_by_scope=out_of_scope,
        wanted=wanted,
        pinned=pinned,
    )


def _standardised_deficit(coverage: Coverage) -> Floats:
    """Return the number of predictive standard deviations of each count below the expected one."""
    n, pi = coverage.n_items, coverage.floored_rate
    # The last factor adds the sampling error of the reference.
    variance = n * pi * (1 - pi) * (1 + n / max(coverage.n_reference, 1.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (coverage.expected - coverage.count) / np.sqrt(variance)
    return np.nan_to_num(z, nan=0.0, posinf=0.0, neginf=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class NullRun:
    """Findings on random splits, where every finding is false; one entry per split."""

    n_items: int
    """Items in the part that stands for the benchmark."""

    n_tested: NDArray[np.int64]
    """Concepts in which a deficit could be found."""

    n_gaps: NDArray[np.int64]
    """Concepts found missing or under-covered."""

    n_over: NDArray[np.int64]

    @property
    def share(self) -> float:
        """Share of gaps among the tested concepts of all splits; 0.0 if none was tested."""
        tested = int(self.n_tested.sum())
        return int(self.n_gaps.sum()) / tested if tested else 0.0

    @property
    def largest_share(self) -> float:
        """Largest share of gaps in any single split; 0.0 if none was tested."""
        return float(np.max(self.n_gaps / np.maximum(self.n_tested, 1), initial=0.0))


def run_null(
    concept_map: ConceptMap,
    dictionary: Dictionary,
    *,
    rng: np.random.Generator,
    n_items: int | None = None,
    n_splits: int = 10,
    settings: GapSettings | None = None,
) -> NullRun:
    """Find the gaps of random subsets of `n_items` (half by default) against the rest of the set.

    Every such gap is false, so the result is the number of gaps that these settings and this size
    produce by chance.
    """
    total = len(concept_map)
    size = total // 2 if n_items is None else min(n_items, total // 2)
    if size < 1:
        raise UsageError(f"A null run needs at least 2 items; the set has {total}.")
    counts = np.zeros((3, n_splits), dtype=np.int64)
    for split in range(n_splits):
        order = rng.permutation(total)
        reference = Reference.from_map(
            concept_map.take(np.sort(order[size:])), dictionary, kind="sample"
        )
        half = concept_map.take(np.sort(order[:size]))
        gaps = find_gaps(
            measure_coverage(half, dictionary, reference=reference), dictionary, settings=settings
        )
        counts[:, split] = (
            gaps.is_tested.sum(),
            gaps.is_gap.sum(),
            gaps.is_status(Status.OVER).sum(),
        )
    return NullRun(size, counts[0], counts[1], counts[2])
