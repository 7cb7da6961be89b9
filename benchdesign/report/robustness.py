"""Reliability of the list of gaps: sensitivity to thresholds, and the rate of false findings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps, rejudge
from benchdesign.coverage.gaps import Gaps
from benchdesign.coverage.null_run import run_null
from benchdesign.coverage.reference import Reference
from benchdesign.coverage.status import Status
from benchdesign.foundation.number_words import percent
from benchdesign.workspace.analysis import Analysis

if TYPE_CHECKING:
    from benchdesign.concepts.maps.concept_map import ConceptMap

__all__ = ["NullFigures", "Robustness", "SensitivityRow", "measure_reliability"]

_MAX_NULL_ITEMS = 4_000
"""Pool items used in the null run: enough to estimate a rate quickly."""

_NULL_SPLITS = 4
_MIN_NULL_ITEMS = 40
_MAX_RECOUNTED_ENTRIES = 50_000_000
"""Larger maps are not recounted at other presence thresholds."""


class SensitivityRow(NamedTuple):
    """The gaps found with one threshold changed."""

    what: str
    n_missing: int
    n_under: int
    n_over: int
    n_kept: int
    """How many of the reported gaps are gaps with these settings too."""

    is_reported: bool


class NullFigures(NamedTuple):
    """False findings: gaps reported between samples of the same pool."""

    n_items: int
    n_splits: int
    n_tested: int
    """Concepts tested, over all splits."""

    n_found: int
    share: float


@dataclass(frozen=True, slots=True)
class Robustness:
    """What to know before trusting the list of gaps."""

    sensitivity: tuple[SensitivityRow, ...]
    null: NullFigures | None
    """None unless the pool has a few dozen items."""

    n_reference: float
    """Effective reference items behind the base rates; infinite if the rates count as exact."""

    n_unlabelled: int
    """Concepts in scope without a label."""


def measure_reliability(analysis: Analysis) -> Robustness:
    """Measure sensitivity to the settings and run the null; both are reproducible."""
    labels, in_scope = analysis.dictionary.table.label, analysis.gaps.in_scope
    return Robustness(
        sensitivity=_sensitivity(analysis),
        null=_null(analysis),
        n_reference=analysis.coverage_before.n_reference,
        n_unlabelled=sum(
            label is None and bool(scoped) for label, scoped in zip(labels, in_scope, strict=True)
        ),
    )


def _sensitivity(analysis: Analysis) -> tuple[SensitivityRow, ...]:
    gaps = analysis.gaps
    settings = gaps.settings
    rows = [_row("as reported", gaps, gaps, is_reported=True)]
    for fdr in (0.01, 0.10):
        if fdr != settings.fdr:
            other = rejudge(gaps, replace(settings, fdr=fdr))
            rows.append(_row(f"share of false findings at most {percent(fdr)}", other, gaps))
    for times in (1.25, 2.0):
        effect = float(np.log2(times))
        if abs(effect - settings.min_effect) > 0.01:
            other = rejudge(gaps, replace(settings, min_effect=effect))
            rows.append(_row(f"rates that differ by at least {times:g}×", other, gaps))
    for factor, word in ((0.8, "lower"), (1.25, "higher")):
        if (recounted := _recount(analysis, factor)) is not None:
            change = abs(factor - 1)
            rows.append(_row(f"presence thresholds {percent(change)} {word}", recounted, gaps))
    return tuple(rows)


def _row(what: str, gaps: Gaps, reported: Gaps, *, is_reported: bool = False) -> SensitivityRow:
    counts = gaps.counts()
    return SensitivityRow(
        what,
        counts[Status.MISSING],
        counts[Status.UNDER],
        counts[Status.OVER],
        int((gaps.is_gap & reported.is_gap).sum()),
        is_reported,
    )


def _recount(analysis: Analysis, factor: float) -> Gaps | None:
    """Recount benchmark and pool with scaled presence thresholds; None without a pool."""
    pool_map = analysis.pool_map
    if pool_map is None or not len(pool_map) or len(pool_map.indices) > _MAX_RECOUNTED_ENTRIES:
        return None
    thresholds = (analysis.coverage_before.thresholds * np.float32(factor)).astype(np.float32)
    reference = Reference.from_map(pool_map, analysis.dictionary, thresholds=thresholds)
    coverage = measure_coverage(
        analysis.benchmark_map, analysis.dictionary, reference=reference, thresholds=thresholds
    )
    return find_gaps(
        coverage,
        analysis.dictionary,
        relevance=analysis.relevance,
        settings=analysis.gaps.settings,
        wanted=analysis.gaps.wanted,
    )


def _null(analysis: Analysis) -> NullFigures | None:
    pool_map = analysis.pool_map
    if pool_map is None or len(pool_map) < _MIN_NULL_ITEMS:
        return None
    rng = np.random.default_rng(analysis.settings.seed)
    null_run = run_null(
        _sample(pool_map, rng),
        analysis.dictionary,
        rng=rng,
        n_items=len(analysis.benchmark_map),
        n_splits=_NULL_SPLITS,
        settings=analysis.gaps.settings,
    )
    return NullFigures(
        null_run.n_items,
        _NULL_SPLITS,
        int(null_run.n_tested.sum()),
        int(null_run.n_gaps.sum()),
        null_run.share,
    )


def _sample(concept_map: ConceptMap, rng: np.random.Generator) -> ConceptMap:
    if len(concept_map) <= _MAX_NULL_ITEMS:
        return concept_map
    rows = rng.choice(len(concept_map), size=_MAX_NULL_ITEMS, replace=False)
    return concept_map.take(np.sort(rows))
