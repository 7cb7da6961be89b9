"""Several benchmarks on the Compare screen: areas as a heat map, overlap, what each adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from textual.content import Content

from benchdesign.gaps import Status
from benchdesign.text import display
from benchdesign.tui.marks import Marks
from benchdesign.tui.widgets.detail import heading
from benchdesign.tui.widgets.evidence import literal
from benchdesign.tui.widgets.line_table import Cell, Column

if TYPE_CHECKING:
    from benchdesign.areas import AreaGaps, AreaRow
    from benchdesign.dictionary import Dictionary
    from benchdesign.suites import Suite

__all__ = ["HeatRows", "OverlapRows"]

_LACKING = (Status.MISSING, Status.UNDER)
_STEP = 0.8
"""Doublings that one shade stands for."""

_MOST_NAMED = 10


class HeatRows:
    """Areas against benchmarks: how often, as a multiple of the reference."""

    def __init__(self, suite: Suite, area_gaps: Sequence[AreaGaps], *, marks: Marks) -> None:
        self.suite = suite
        self._shades = " .:+#" if marks.use_ascii else " ░▒▓█"
        rows = [list(map(one.row, range(len(one)))) for one in area_gaps]
        lines = [tuple(column) for column in zip(*rows, strict=True)]
        known = [line for line in lines if any(one.lift == one.lift for one in line)]
        self.lines: list[tuple[AreaRow, ...]] = sorted(
            known,
            key=lambda line: (
                -sum(one.status in _LACKING for one in line),
                max(float(np.nan_to_num(one.lift, nan=-9.0)) for one in line),
            ),
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the area and one column a benchmark."""
        return (
            Column("name", "AREA", 0),
            *(
                Column(f"set{place}", display(name, width=11), 12, "right")
                for place, name in enumerate(self.suite.names)
            ),
        )

    def __len__(self) -> int:
        return len(self.lines)

    def row_id(self, row: int) -> str:
        """Return the area's number."""
        return str(self.lines[row][0].area)

    def text(self, row: int) -> str:
        """Return what the filter searches."""
        return self.lines[row][0].name

    def value(self, row: int, name: str) -> object:
        """Return a field the filter can name."""
        return self.sort_value(row, name)

    def cell(self, row: int, key: str) -> Cell:
        """Return one cell: shade, ratio, and a mark where it is significant."""
        line = self.lines[row]
        if key == "name":
            return Cell(line[0].name)
        one = line[int(key.removeprefix("set"))]
        if np.isnan(one.lift):
            return Cell("", "muted")
        # The middle shade is as often as in the reference.
        shade = self._shades[int(np.clip(round(one.lift / _STEP) + 2, 0, 4))]
        ratio = 2.0**one.lift
        mark = "!" if one.status in _LACKING else "+" if one.status == Status.OVER else " "
        style = {"!": "warn", "+": "good"}.get(mark, "")
        return Cell(f"{shade * 3} {ratio:>4.1f}{mark}", style)

    def sort_value(self, row: int, key: str) -> Any:
        """Return what a column sorts by."""
        line = self.lines[row]
        if not key.startswith("set"):
            return line[0].name.lower()
        return float(np.nan_to_num(line[int(key.removeprefix("set"))].lift, nan=-99.0))

    def page(self, row_id: str) -> Content:
        """Return one area in every benchmark."""
        line = next((one for one in self.lines if str(one[0].area) == row_id), None)
        if line is None:
            return Content("")
        lines = [literal(line[0].name, "bold"), Content("")]
        for name, one in zip(self.suite.names, line, strict=True):
            gaps = "gap" if one.n_gaps == 1 else "gaps"
            lines.append(
                Content(
                    f"  {display(name, width=24):<24}  {2.0**one.lift:>5.2f} times the reference  "
                    f"{one.status.value.replace('_', ' '):<10}  {one.n_gaps} {gaps} among "
                    f"{one.n_concepts} concepts"
                )
            )
        shades = self._shades
        lines += [
            Content(""),
            literal(
                f"{shades[1] * 3} rarer   {shades[2] * 3} as often   {shades[4] * 3} more often "
                "than the reference gives for such lengths; ! lacking, + more than usual.",
                "$foreground-muted",
            ),
        ]
        return Content("\n").join(lines)


class OverlapRows:
    """Benchmarks against benchmarks: overlap, and what each adds to the rest."""

    def __init__(self, suite: Suite, dictionary: Dictionary) -> None:
        self.suite, self._dictionary = suite, dictionary
        self._found = list(suite.rows())

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return name, size, one column a benchmark, and the counts."""
        return (
            Column("name", "BENCHMARK", 0),
            Column("items", "ITEMS", 7, "right"),
            *(
                Column(f"set{place}", display(name, width=9), 10, "right")
                for place, name in enumerate(self.suite.names)
            ),
            Column("lacking", "LACKING", 8, "right"),
            Column("only", "ONLY HERE", 10, "right", narrow=False),
            Column("closes", "CLOSES", 7, "right", narrow=False),
            Column("repeats", "REPEATS", 8, "right", narrow=False),
        )

    def __len__(self) -> int:
        return len(self._found)

    def row_id(self, row: int) -> str:
        """Return the benchmark's place."""
        return str(row)

    def text(self, row: int) -> str:
        """Return what the filter searches."""
        return self._found[row].name

    def value(self, row: int, name: str) -> object:
        """Return a field the filter can name."""
        return self.sort_value(row, name)

    def cell(self, row: int, key: str) -> Cell:
        """Return one cell."""
        one = self._found[row]
        if key == "name":
            return Cell(one.name)
        if key == "lacking":
            known = one.share_missing == one.share_missing
            return Cell(f"{one.share_missing:.0%}" if known else "")
        if key.startswith("set"):
            other = int(key.removeprefix("set"))
            value = float(self.suite.overlap[row, other])
            return Cell("" if other == row or value != value else f"{value:.2f}")
        n = self.sort_value(row, key)
        return Cell("" if n is None else f"{n:,}")

    def sort_value(self, row: int, key: str) -> Any:
        """Return what a column sorts by."""
        one = self._found[row]
        if key.startswith("set"):
            return float(np.nan_to_num(self.suite.overlap[row, int(key.removeprefix("set"))]))
        values: dict[str, Any] = {
            "name": one.name.lower(),
            "items": one.n_items,
            "lacking": float(np.nan_to_num(one.share_missing)),
            "only": one.n_only_here,
            "closes": one.n_closed,
            "repeats": one.n_near_duplicates,
        }
        return values.get(key, 0)

    def page(self, row_id: str) -> Content:
        """Return what one benchmark adds to the rest."""
        place = int(row_id)
        one, suite = self._found[place], self.suite
        count = suite.gaps[place].count
        only = np.flatnonzero(suite.only_here[place])
        only = only[np.argsort(-count[only], kind="stable")]
        lines = [literal(one.name, "bold"), Content("")]
        for title, ids in (
            (
                f"Gaps of the others together that it closes: {one.n_closed:,}",
                np.flatnonzero(suite.closed[place]),
            ),
            (f"Concepts that only it shows: {one.n_only_here:,}", only),
        ):
            lines.append(heading(title))
            names = [self._dictionary.label(int(each)) for each in ids[:_MOST_NAMED]]
            if names:
                lines.append(literal("  " + "; ".join(display(name, width=40) for name in names)))
            lines.append(Content(""))
        if suite.near_duplicates is not None:
            others = [
                f"{display(name, width=20)} {int(suite.near_duplicates[place, at]):,}"
                for at, name in enumerate(suite.names)
                if at != place
            ]
            lines.append(heading("Items almost equal to one of"))
            lines.append(Content("  " + "   ".join(others)))
            lines.append(Content(""))
        lines.append(
            literal(
                "The numbers between benchmarks are the share of the concepts that either shows "
                "which both show. Lacking: of what could be tested at its lengths and size.",
                "$foreground-muted",
            )
        )
        return Content("\n").join(lines)
