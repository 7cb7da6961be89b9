"""Rows of the Compare screen for several benchmarks: a heat map of areas, and overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from textual.content import Content

from benchdesign.coverage.status import Status
from benchdesign.foundation.number_words import percent, plural
from benchdesign.foundation.text import display, fit
from benchdesign.tui.marks import Marks
from benchdesign.tui.widgets.detail import heading
from benchdesign.tui.widgets.evidence import literal
from benchdesign.tui.widgets.table_rows import Column, ColumnRows, TableCell

if TYPE_CHECKING:
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.coverage.area_gaps import AreaGaps, AreaRow
    from benchdesign.coverage.suite import Suite

__all__ = ["HeatRows", "OverlapRows"]

_GAP_STATUSES = (Status.MISSING, Status.UNDER)
_SHADE_LOG2_WIDTH = 0.8
"""Width of a shade in doublings (log2)."""

_MAX_CONCEPTS_NAMED = 10


class HeatRows(ColumnRows):
    """Areas by benchmark: frequency as a multiple of the reference."""

    def __init__(self, suite: Suite, area_gaps: Sequence[AreaGaps], *, marks: Marks) -> None:
        self.suite = suite
        self._shades = " .:+#" if marks.use_ascii else " ░▒▓█"
        columns = [list(map(gaps.row, range(len(gaps)))) for gaps in area_gaps]
        lines = [tuple(line) for line in zip(*columns, strict=True)]
        measured = [line for line in lines if not all(np.isnan(area.lift) for area in line)]
        self.lines: list[tuple[AreaRow, ...]] = sorted(
            measured,
            key=lambda line: (
                -sum(area.status in _GAP_STATUSES for area in line),
                max(float(np.nan_to_num(area.lift, nan=-9.0)) for area in line),
            ),
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the area column and one column for each benchmark."""
        return (
            Column("name", "AREA", 0),
            *(
                Column(f"set{index}", display(name, width=11), 12, "right")
                for index, name in enumerate(self.suite.names)
            ),
        )

    def __len__(self) -> int:
        return len(self.lines)

    def row_id(self, row: int) -> str:
        """Return the area's number."""
        return str(self.lines[row][0].area)

    def text(self, row: int) -> str:
        """Return the text that the filter searches."""
        return self.lines[row][0].name

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell: shade, ratio, and a mark if the difference is significant."""
        line = self.lines[row]
        if key == "name":
            return TableCell(line[0].name)
        area = line[int(key.removeprefix("set"))]
        if np.isnan(area.lift):
            return TableCell("", "muted")
        # The middle shade means the frequency of the reference.
        shade = self._shades[int(np.clip(round(area.lift / _SHADE_LOG2_WIDTH) + 2, 0, 4))]
        ratio = 2.0**area.lift
        mark = "!" if area.status in _GAP_STATUSES else "+" if area.status == Status.OVER else " "
        style = {"!": "warn", "+": "good"}.get(mark, "")
        return TableCell(f"{shade * 3} {ratio:>4.1f}{mark}", style)

    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort value of a cell."""
        line = self.lines[row]
        if not key.startswith("set"):
            return line[0].name.lower()
        return float(np.nan_to_num(line[int(key.removeprefix("set"))].lift, nan=-99.0))

    def page(self, row_id: str) -> Content:
        """Return the page about an area in every benchmark."""
        line = next((line for line in self.lines if str(line[0].area) == row_id), None)
        if line is None:
            return Content("")
        lines = [literal(line[0].name, "bold"), Content("")]
        for name, area in zip(self.suite.names, line, strict=True):
            lines.append(
                Content(
                    f"  {fit(name, 24)}  {2.0**area.lift:>5.2f} times the reference  "
                    f"{area.status.value.replace('_', ' '):<10}  "
                    f"{plural(area.n_gaps, 'gap')} among {area.n_concepts} concepts"
                )
            )
        shades = self._shades
        lines += [
            Content(""),
            literal(
                f"{shades[1] * 3} rarer   {shades[2] * 3} as often   {shades[4] * 3} more often "
                "than in the reference at the same text lengths; ! lacking, + over-covered.",
                "$foreground-muted",
            ),
        ]
        return Content("\n").join(lines)


class OverlapRows(ColumnRows):
    """Benchmarks by benchmark: overlap, and what each adds to the others."""

    def __init__(self, suite: Suite, dictionary: Dictionary) -> None:
        self.suite, self._dictionary = suite, dictionary
        self._suite_rows = list(suite.rows())

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return name, size, one column for each benchmark, and the counts."""
        return (
            Column("name", "BENCHMARK", 0),
            Column("items", "ITEMS", 7, "right"),
            *(
                Column(f"set{index}", display(name, width=9), 10, "right")
                for index, name in enumerate(self.suite.names)
            ),
            Column("lacking", "LACKING", 8, "right"),
            Column("only", "ONLY HERE", 10, "right", narrow=False),
            Column("closes", "CLOSES", 7, "right", narrow=False),
            Column("repeats", "REPEATS", 8, "right", narrow=False),
        )

    def __len__(self) -> int:
        return len(self._suite_rows)

    def row_id(self, row: int) -> str:
        """Return the benchmark's index."""
        return str(row)

    def text(self, row: int) -> str:
        """Return the text that the filter searches."""
        return self._suite_rows[row].name

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""
        benchmark = self._suite_rows[row]
        if key == "name":
            return TableCell(benchmark.name)
        if key == "lacking":
            share = benchmark.share_missing
            return TableCell(percent(share, unknown="", gap=" "))
        if key.startswith("set"):
            other = int(key.removeprefix("set"))
            value = float(self.suite.overlap[row, other])
            return TableCell("" if other == row or np.isnan(value) else f"{value:.2f}")
        n = self.sort_value(row, key)
        return TableCell("" if n is None else f"{n:,}")

    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort value of a cell."""
        benchmark = self._suite_rows[row]
        if key.startswith("set"):
            return float(np.nan_to_num(self.suite.overlap[row, int(key.removeprefix("set"))]))
        values: dict[str, Any] = {
            "name": benchmark.name.lower(),
            "items": benchmark.n_items,
            "lacking": float(np.nan_to_num(benchmark.share_missing)),
            "only": benchmark.n_only_here,
            "closes": benchmark.n_closed,
            "repeats": benchmark.n_near_duplicates,
        }
        return values.get(key, 0)

    def page(self, row_id: str) -> Content:
        """Return the page about what a benchmark adds to the others."""
        index = int(row_id)
        benchmark, suite = self._suite_rows[index], self.suite
        count = suite.gaps[index].count
        only = np.flatnonzero(suite.only_here[index])
        only = only[np.argsort(-count[only], kind="stable")]
        lines = [literal(benchmark.name, "bold"), Content("")]
        for title, ids in (
            (
                f"Gaps of the others combined that it closes: {benchmark.n_closed:,}",
                np.flatnonzero(suite.closed[index]),
            ),
            (f"Concepts that only it shows: {benchmark.n_only_here:,}", only),
        ):
            lines.append(heading(title))
            names = [
                self._dictionary.label(int(concept_id)) for concept_id in ids[:_MAX_CONCEPTS_NAMED]
            ]
            if names:
                lines.append(literal("  " + "; ".join(display(name, width=40) for name in names)))
            lines.append(Content(""))
        if suite.near_duplicates is not None:
            others = [
                f"{display(name, width=20)} {int(suite.near_duplicates[index, other]):,}"
                for other, name in enumerate(suite.names)
                if other != index
            ]
            lines.append(heading("Near-duplicates of items in"))
            lines.append(Content("  " + "   ".join(others)))
            lines.append(Content(""))
        lines.append(
            literal(
                "Overlap between two benchmarks: the share of concepts that both show, among those "
                "that at least one shows. Lacking: share of the concepts that its size and text "
                "lengths allow it to test.",
                "$foreground-muted",
            )
        )
        return Content("\n").join(lines)
