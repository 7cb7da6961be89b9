"""The report on several benchmarks: what each covers, where they overlap, what each adds.

This module collects the data; the templates decide how it looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchdesign.coverage.gaps import GapRow
from benchdesign.coverage.status import Status
from benchdesign.coverage.suite import Suite, SuiteRow
from benchdesign.foundation.serialization import json_text
from benchdesign.report.render import render_page, render_text
from benchdesign.report.report_files import check_report_folder, write_report_files
from benchdesign.version import __version__

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.coverage.area_gaps import AreaGaps
    from benchdesign.coverage.reference import Reference

__all__ = ["SUITE_FILES", "SuiteReport", "collect_suite", "write_suite_report"]

SUITE_FILES = ("suite.html", "suite.md", "suite.json")

_MAX_SUITE_AREAS = 60
_MAX_NAMED_CONCEPTS = 12
_MAX_LISTED_PAIRS = 20
_MAX_LISTED_GAPS = 20
_N_SHADES = 4
"""Number of colour steps on either side of the middle."""

_SHADE_WIDTH = 0.75
"""Width of one colour step, as a log2 ratio."""


@dataclass(frozen=True, slots=True)
class SuiteCell:
    """One area in one benchmark."""

    ratio: float
    """Observed over expected counts of the area's concepts; NaN if unknown."""

    shade: str
    """low4 to low1, even, high1 to high4, or none."""

    status: Status


@dataclass(frozen=True, slots=True)
class SuiteAreaLine:
    """One area across all benchmarks."""

    name: str
    cells: tuple[SuiteCell, ...]
    lacking: int
    """Number of benchmarks in which the area is missing or under-covered."""


@dataclass(frozen=True, slots=True)
class Member:
    """One benchmark, with what it adds to the others."""

    row: SuiteRow
    path: str
    closed: tuple[str, ...]
    """Labels of the gaps of the others that it closes."""

    only_here: tuple[str, ...]
    """Labels of the concepts that only it shows, most items first."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Overlap of two benchmarks."""

    value: float
    shade: str
    n_near_duplicates: int | None


@dataclass(frozen=True, slots=True)
class SuitePairLine:
    """Two near-duplicate items."""

    name_a: str
    id_a: str
    text_a: str
    name_b: str
    id_b: str
    text_b: str
    similarity: float


@dataclass(frozen=True, slots=True)
class SuiteReport:
    """Complete data of the report."""

    names: tuple[str, ...]
    members: tuple[Member, ...]
    overlap: tuple[tuple[Overlap, ...], ...]
    areas: tuple[SuiteAreaLine, ...]
    n_items: int
    n_judged: int
    n_missing: int
    n_under: int
    pairs: tuple[SuitePairLine, ...]
    n_pairs: int
    gaps: tuple[GapRow, ...]
    n_gaps: int
    reference: str
    dictionary: str
    version: str
    fdr: float


def collect_suite(
    suite: Suite,
    area_gaps: Sequence[AreaGaps],
    benchmarks: Sequence[Benchmark],
    dictionary: Dictionary,
    reference: Reference,
) -> SuiteReport:
    """Collect the data of the report."""
    counts = suite.joint.counts()
    gaps = list(suite.joint.rows())
    return SuiteReport(
        names=suite.names,
        members=tuple(_members(suite, benchmarks, dictionary)),
        overlap=tuple(
            tuple(_overlap(suite, a, b) for b in range(len(suite))) for a in range(len(suite))
        ),
        areas=tuple(_area_lines(area_gaps)[:_MAX_SUITE_AREAS]),
        n_items=suite.joint.n_items,
        n_judged=int(suite.joint.in_scope.sum()),
        n_missing=counts[Status.MISSING],
        n_under=counts[Status.UNDER],
        pairs=tuple(_pairs(suite, benchmarks)),
        n_pairs=len(suite.pairs),
        gaps=tuple(gaps[:_MAX_LISTED_GAPS]),
        n_gaps=len(gaps),
        reference=reference.kind,
        dictionary=dictionary.name,
        version=__version__,
        fdr=suite.joint.settings.fdr,
    )


def write_suite_report(
    folder: Path, report: SuiteReport, figures: Mapping[str, Any], *, force: bool = False
) -> tuple[Path, ...]:
    """Write the HTML, Markdown and JSON files into a folder and return their paths."""
    check_report_folder(folder, SUITE_FILES, force=force)
    styles = ("report.css", "models.css")
    texts = (
        render_page("suite.html.j2", styles=styles, report=report),
        render_text("suite.md.j2", report=report),
        json_text(dict(figures)),
    )
    return write_report_files(folder, dict(zip(SUITE_FILES, texts, strict=True)))


def shade_name(lift: float) -> str:
    """Return the colour class of a log2 ratio: low4 to low1, even, high1 to high4, or none."""
    if np.isnan(lift):
        return "none"
    step = min(int(abs(lift) / _SHADE_WIDTH + 0.5), _N_SHADES)
    return "even" if not step else f"{'low' if lift < 0 else 'high'}{step}"


def _members(suite: Suite, benchmarks: Sequence[Benchmark], dictionary: Dictionary) -> list[Member]:
    members = []
    for place, row in enumerate(suite.rows()):
        count = suite.gaps[place].count
        only = np.flatnonzero(suite.only_here[place])
        only = only[np.argsort(-count[only], kind="stable")]
        closed = np.flatnonzero(suite.closed[place])
        members.append(
            Member(
                row,
                str(benchmarks[place].path),
                tuple(
                    dictionary.label(int(concept_id)) for concept_id in closed[:_MAX_NAMED_CONCEPTS]
                ),
                tuple(
                    f"{dictionary.label(int(concept_id))} ({int(count[concept_id])})"
                    for concept_id in only[:_MAX_NAMED_CONCEPTS]
                ),
            )
        )
    return members


def _overlap(suite: Suite, a: int, b: int) -> Overlap:
    value = float(suite.overlap[a, b])
    is_measured = suite.near_duplicates is not None and a != b
    n_near_duplicates = int(suite.near_duplicates[a, b]) if is_measured else None  # type: ignore[index]
    shade = "none" if np.isnan(value) or a == b else f"high{min(int(value * 5), _N_SHADES)}"
    return Overlap(value, "even" if shade == "high0" else shade, n_near_duplicates)


def _area_lines(area_gaps: Sequence[AreaGaps]) -> list[SuiteAreaLine]:
    """Return the areas, those with a gap in the most benchmarks first."""
    lines = []
    gap_statuses = (Status.MISSING, Status.UNDER)
    for area, name in enumerate(area_gaps[0].areas.names):
        rows = [gaps.row(area) for gaps in area_gaps]
        if all(row.status == Status.KEPT_OUT or np.isnan(row.lift) for row in rows):
            continue
        cells = tuple(SuiteCell(2.0**row.lift, shade_name(row.lift), row.status) for row in rows)
        lines.append(SuiteAreaLine(name, cells, sum(row.status in gap_statuses for row in rows)))
    highest_ratio = {
        line.name: max(np.nan_to_num(cell.ratio) for cell in line.cells) for line in lines
    }
    return sorted(lines, key=lambda line: (-line.lacking, highest_ratio[line.name], line.name))


def _pairs(suite: Suite, benchmarks: Sequence[Benchmark]) -> list[SuitePairLine]:
    lines = []
    for pair in suite.pairs[:_MAX_LISTED_PAIRS]:
        a = benchmarks[pair.benchmark_a].items[pair.row_a]
        b = benchmarks[pair.benchmark_b].items[pair.row_b]
        names = suite.names[pair.benchmark_a], suite.names[pair.benchmark_b]
        lines.append(
            SuitePairLine(names[0], a.id, a.prompt, names[1], b.id, b.prompt, pair.similarity)
        )
    return lines
