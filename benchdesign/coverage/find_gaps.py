"""Find the gaps of a benchmark against a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.coverage.coverage import Coverage
from benchdesign.coverage.gap_settings import GapSettings
from benchdesign.coverage.gaps import Gaps, round_up_items
from benchdesign.coverage.kept_out import find_kept_out
from benchdesign.coverage.status import STATUSES, Status
from benchdesign.foundation.arrays import Floats
from benchdesign.foundation.statistics import (
    adjust_p_values,
    items_to_show_absence,
    predictive_tails,
)

if TYPE_CHECKING:
    from benchdesign.coverage.relevance import Relevance

__all__ = ["find_gaps", "rejudge", "retarget"]


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
    return _judge_concepts(
        coverage,
        dictionary,
        None if relevance is None else relevance.score,
        None if relevance is None else ~relevance.in_scope,
        settings or GapSettings(),
        wanted=wanted,
        pinned=None if relevance is None else relevance.overridden == 1,
    )


def rejudge(gaps: Gaps, settings: GapSettings) -> Gaps:
    """Judge again under other settings, from the counts alone."""
    return _judge_again(gaps, settings, gaps.wanted)


def retarget(gaps: Gaps, wanted: NDArray[np.int64] | None) -> Gaps:
    """Judge again with other target counts given by hand, from the counts alone."""
    return _judge_again(gaps, gaps.settings, wanted)


def _judge_again(gaps: Gaps, settings: GapSettings, wanted: NDArray[np.int64] | None) -> Gaps:
    return _judge_concepts(
        gaps.coverage,
        gaps.dictionary,
        gaps.relevance,
        gaps.kept_out_by_scope,
        settings,
        wanted=wanted,
        pinned=gaps.pinned,
    )


def _judge_concepts(
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
    codes = _status_codes(
        len(lift),
        (testable, Status.ADEQUATE),
        (judged & excessive, Status.OVER),
        (testable & deficient, Status.UNDER),
        (testable & deficient & (coverage.count == 0), Status.MISSING),
        (reason_codes >= 0, Status.KEPT_OUT),
    )
    deficit = np.where(judged, _standardised_deficit(coverage), 0.0)
    target = np.where(judged, round_up_items(coverage.expected), 0)
    if wanted is not None:
        in_scope = reason_codes < 0
        _apply_targets(coverage, wanted, in_scope, codes=codes, target=target, deficit=deficit)
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


def _status_codes(n: int, *assignments: tuple[NDArray[np.bool_], Status]) -> NDArray[np.int8]:
    """Return the statuses as codes; a later assignment replaces an earlier one."""
    codes = np.full(n, STATUSES.index(Status.UNTESTABLE), dtype=np.int8)
    for mask, status in assignments:
        codes[mask] = STATUSES.index(status)
    return codes


def _apply_targets(
    coverage: Coverage,
    wanted: NDArray[np.int64],
    in_scope: NDArray[np.bool_],
    *,
    codes: NDArray[np.int8],
    target: NDArray[np.int64],
    deficit: Floats,
) -> None:
    """Judge the concepts with a target set by hand by that target, in place."""
    targeted = (wanted >= 0) & in_scope
    short = targeted & (coverage.count < wanted)
    codes[targeted] = STATUSES.index(Status.ADEQUATE)
    codes[short] = STATUSES.index(Status.UNDER)
    codes[short & (coverage.count == 0)] = STATUSES.index(Status.MISSING)
    target[targeted] = wanted[targeted]
    # Standardise as if the target were the expected count.
    spread = np.sqrt(np.maximum(wanted * (1 - wanted / max(coverage.n_items, 1)), 1.0))
    deficit[targeted] = ((wanted - coverage.count) / spread)[targeted]


def _standardised_deficit(coverage: Coverage) -> Floats:
    """Return the number of predictive standard deviations of each count below the expected one."""
    n, pi = coverage.n_items, coverage.floored_rate
    # The last factor adds the sampling error of the reference.
    variance = n * pi * (1 - pi) * (1 + n / max(coverage.n_reference, 1.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (coverage.expected - coverage.count) / np.sqrt(variance)
    return np.nan_to_num(z, nan=0.0, posinf=0.0, neginf=0.0)
