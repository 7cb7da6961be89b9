"""The report on several benchmarks: what each covers, where they overlap, what each adds.

Collects plain values; how they look is the templates' business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchdesign import __version__
from benchdesign.gaps import GapRow, Status
from benchdesign.records import json_text
from benchdesign.report import render_page, render_text
from benchdesign.report_files import refuse_existing, write_together
from benchdesign.suites import Suite, SuiteRow

if TYPE_CHECKING:
    from benchdesign.areas import AreaGaps
    from benchdesign.coverage import Reference
    from benchdesign.dictionary import Dictionary
    from benchdesign.items import Benchmark

__all__ = ["SUITE_FILES", "SuiteReport", "collect_suite", "write_suite_report"]

SUITE_FILES = ("suite.html", "suite.md", "suite.json")

_MOST_AREAS = 60
_MOST_NAMED = 12
_MOST_PAIRS = 20
_MOST_GAPS = 20
_STEPS = 4
"""Strengths of colour on either side of the middle."""

_STEP = 0.75
"""Doublings that one strength of colour stands for."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One area in one benchmark."""

    ratio: float
    """What its concepts show over what the reference gives; NaN where nothing is known."""

    shade: str
    """low4 .. low1, even, high1 .. high4, or none."""

    status: Status


@dataclass(frozen=True, slots=True)
class AreaLine:
    """One area in every benchmark."""

    name: str
    cells: tuple[Cell, ...]
    lacking: int
    """Benchmarks that lack it."""


@dataclass(frozen=True, slots=True)
class Member:
    """One benchmark and what it adds to the rest."""

    row: SuiteRow
    path: str
    closed: tuple[str, ...]
    """Gaps of the rest that it closes, by name."""

    only_here: tuple[str, ...]
    """Concepts that only it shows, those of most items first."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two benchmarks."""

    value: float
    shade: str
    n_near_duplicates: int | None


@dataclass(frozen=True, slots=True)
class PairLine:
    """Two almost equal items."""

    name_a: str
    id_a: str
    text_a: str
    name_b: str
    id_b: str
    text_b: str
    similarity: float


@dataclass(frozen=True, slots=True)
class SuiteReport:
    """Everything the page says."""

    names: tuple[str, ...]
    members: tuple[Member, ...]
    overlap: tuple[tuple[Overlap, ...], ...]
    areas: tuple[AreaLine, ...]
    n_items: int
    n_judged: int
    n_missing: int
    n_under: int
    pairs: tuple[PairLine, ...]
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
    """Collect what the report says."""
    counts = suite.joint.counts()
    gaps = list(suite.joint.rows())
    return SuiteReport(
        names=suite.names,
        members=tuple(_members(suite, benchmarks, dictionary)),
        overlap=tuple(
            tuple(_overlap(suite, a, b) for b in range(len(suite))) for a in range(len(suite))
        ),
        areas=tuple(_area_lines(area_gaps)[:_MOST_AREAS]),
        n_items=suite.joint.n_items,
        n_judged=int(suite.joint.in_scope.sum()),
        n_missing=counts[Status.MISSING],
        n_under=counts[Status.UNDER],
        pairs=tuple(_pairs(suite, benchmarks)),
        n_pairs=len(suite.pairs),
        gaps=tuple(gaps[:_MOST_GAPS]),
        n_gaps=len(gaps),
        reference=reference.kind,
        dictionary=dictionary.name,
        version=__version__,
        fdr=suite.joint.settings.fdr,
    )


def write_suite_report(
    folder: Path, report: SuiteReport, figures: Mapping[str, Any], *, force: bool = False
) -> tuple[Path, ...]:
    """Write the page, the Markdown and the JSON into a folder; returns their paths."""
    refuse_existing(folder, SUITE_FILES, force=force)
    styles = ("report.css", "models.css")
    texts = (
        render_page("suite.html.j2", styles=styles, report=report),
        render_text("suite.md.j2", report=report),
        json_text(dict(figures)),
    )
    return write_together(folder, dict(zip(SUITE_FILES, texts, strict=True)))


def shade_of(lift: float) -> str:
    """Name the colour of a log2 ratio: low4 .. low1, even, high1 .. high4, or none."""
    if np.isnan(lift):
        return "none"
    step = min(int(abs(lift) / _STEP + 0.5), _STEPS)
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
                tuple(dictionary.label(int(one)) for one in closed[:_MOST_NAMED]),
                tuple(
                    f"{dictionary.label(int(one))} ({int(count[one])})"
                    for one in only[:_MOST_NAMED]
                ),
            )
        )
    return members


def _overlap(suite: Suite, a: int, b: int) -> Overlap:
    value = float(suite.overlap[a, b])
    known = suite.near_duplicates is not None and a != b
    repeats = int(suite.near_duplicates[a, b]) if known else None  # type: ignore[index]
    shade = "none" if np.isnan(value) or a == b else f"high{min(int(value * 5), _STEPS)}"
    return Overlap(value, "even" if shade == "high0" else shade, repeats)


def _area_lines(area_gaps: Sequence[AreaGaps]) -> list[AreaLine]:
    """Return the areas, those that most benchmarks lack first."""
    lines = []
    gap = (Status.MISSING, Status.UNDER)
    for area, name in enumerate(area_gaps[0].areas.names):
        rows = [one.row(area) for one in area_gaps]
        if all(row.status == Status.KEPT_OUT or np.isnan(row.lift) for row in rows):
            continue
        cells = tuple(Cell(2.0**row.lift, shade_of(row.lift), row.status) for row in rows)
        lines.append(AreaLine(name, cells, sum(row.status in gap for row in rows)))
    most = {line.name: max(np.nan_to_num(cell.ratio) for cell in line.cells) for line in lines}
    return sorted(lines, key=lambda line: (-line.lacking, most[line.name], line.name))


def _pairs(suite: Suite, benchmarks: Sequence[Benchmark]) -> list[PairLine]:
    lines = []
    for pair in suite.pairs[:_MOST_PAIRS]:
        a = benchmarks[pair.benchmark_a].items[pair.row_a]
        b = benchmarks[pair.benchmark_b].items[pair.row_b]
        names = suite.names[pair.benchmark_a], suite.names[pair.benchmark_b]
        lines.append(PairLine(names[0], a.id, a.prompt, names[1], b.id, b.prompt, pair.similarity))
    return lines
