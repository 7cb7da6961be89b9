"""Rows of the Models screen: scores, and two models side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchdesign.foundation.number_words import percent, points
from benchdesign.foundation.text import display
from benchdesign.model_gaps.scores import MIN_ITEMS_FOR_SHARES, Rating, ScoreRow, Scores
from benchdesign.tui.marks import Marks
from benchdesign.tui.widgets.bars import signed_bar
from benchdesign.tui.widgets.table_rows import Column, ColumnRows, TableCell

if TYPE_CHECKING:
    from benchdesign.model_gaps.compare_models import PairedComparison
    from benchdesign.model_gaps.study import ModelStudy
    from benchdesign.model_gaps.weak_regions import WeakRegion

__all__ = ["PairRows", "ScoreRows", "region_score", "score_text", "style_of"]

MAX_MODEL_COLUMNS = 4
"""Maximum number of models with a column."""

_WEAK = (Rating.VERY_POOR, Rating.POOR)
_STRONG = (Rating.VERY_GOOD, Rating.GOOD)


def style_of(standing: Rating) -> str:
    """Return the table's style for a standing."""
    return "warn" if standing in _WEAK else "good" if standing in _STRONG else ""


def score_text(row: ScoreRow) -> str:
    """Return a score in percent, or as a count if there are few items."""
    if row.n_items < MIN_ITEMS_FOR_SHARES:
        return f"{row.n_passed} of {row.n_items}"
    return percent(row.chi_model, gap=" ")


def region_score(region: WeakRegion) -> str:
    """Return the score of a group of similar items, as a count if there are few."""
    if region.n_items < MIN_ITEMS_FOR_SHARES:
        return f"{region.n_passed} of {region.n_items}"
    return percent(region.score, gap=" ")


class ScoreRows(ColumnRows):
    """Areas or concepts with one score per model; lowest score of any model first."""

    def __init__(
        self, study: ModelStudy, *, use_areas: bool, is_relative: bool, marks: Marks, narrow: bool
    ) -> None:
        self.study = study
        self.use_areas = use_areas
        self.tables: list[Scores] = [
            result.areas if use_areas and result.areas is not None else result.concepts
            for result in study.models
        ]
        self._marks, self._is_relative, self._narrow = marks, is_relative, narrow
        self.support: NDArray[np.int64] = np.max([table.n_items for table in self.tables], axis=0)
        tested = np.stack([~np.isnan(table.p_value) for table in self.tables])
        gaps = np.stack([np.nan_to_num(table.gap) for table in self.tables])
        worst = np.where(tested, gaps, 9.0).min(axis=0)
        units = np.flatnonzero(self.support > 0)
        self.units = units[np.lexsort((-self.support[units], worst[units]))]
        self.names = self.tables[0].names

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns: name, support, one per model, spread."""
        names = [
            display(result.model, width=12) for result in self.study.models[:MAX_MODEL_COLUMNS]
        ]
        return (
            Column("name", "AREA" if self.use_areas else "CONCEPT", 0),
            Column("n", "N", 6, "right"),
            *(
                Column(f"model{position}", name, 8 if self._narrow else 13, "right")
                for position, name in enumerate(names)
            ),
            Column("spread", "SPREAD", 7, "right", narrow=False),
        )

    def __len__(self) -> int:
        return len(self.units)

    def row_id(self, row: int) -> str:
        """Return the unit's number."""
        return str(int(self.units[row]))

    def text(self, row: int) -> str:
        """Return the text that the filter searches."""
        return self.names[int(self.units[row])]

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""
        unit = int(self.units[row])
        if key == "name":
            return TableCell(self.names[unit])
        if key == "n":
            return TableCell(f"{int(self.support[unit]):,}")
        if key == "spread":
            spread = self.sort_value(row, key)
            return TableCell("" if spread < 0 else f"{100 * spread:.0f} pt")
        position = int(key.removeprefix("model"))
        score_row = self.tables[position].row(unit)
        if not score_row.n_items:
            return TableCell("", "muted")
        if score_row.n_items < MIN_ITEMS_FOR_SHARES:
            return TableCell(score_text(score_row), "muted")
        style = style_of(score_row.standing)
        if self._is_relative:
            return TableCell(f"{points(score_row.gap)} pt", style)
        mark = "!" if score_row.standing in _WEAK else "+" if score_row.standing in _STRONG else " "
        bar = "" if self._narrow else f"{self._marks.bar(score_row.chi_model, 5)} "
        return TableCell(f"{bar}{100 * score_row.chi_model:>3.0f} %{mark}", style)

    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort key of a row in a column."""
        unit = int(self.units[row])
        if key == "name":
            return self.names[unit].lower()
        if key == "n":
            return int(self.support[unit])
        if key == "spread":
            values = [
                float(table.chi_model[unit])
                for table in self.tables
                if table.n_items[unit] >= MIN_ITEMS_FOR_SHARES
            ]
            return max(values) - min(values) if len(values) > 1 else -1.0
        position = int(key.removeprefix("model")) if key.startswith("model") else 0
        value = (
            float(self.tables[position].chi_model[unit]) if position < len(self.tables) else -1.0
        )
        return -1.0 if np.isnan(value) else value


class PairRows(ColumnRows):
    """Two models side by side: areas first, largest difference first."""

    def __init__(self, study: ModelStudy, pair: PairedComparison, *, marks: Marks) -> None:
        self.study, self.pair, self._marks = study, pair, marks
        self.rows: list[tuple[str, ScoreRow]] = []
        for kind, table in (("area", pair.areas), ("concept", pair.concepts)):
            if table is not None:
                tested = list(table.rows())
                # There are many concepts: list only the significant ones.
                listed = (
                    score_row
                    for score_row in tested
                    if kind == "area" or style_of(score_row.standing)
                )
                self.rows += [(kind, score_row) for score_row in listed]
        self.rows.sort(key=lambda entry: (entry[0] != "area", -abs(entry[1].gap)))
        self._top = max((abs(score_row.chi_model) for _, score_row in self.rows), default=0.0)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns: name, support, a bar and the numbers."""
        names = [display(model, width=11) for model in (self.pair.model_b, self.pair.model_a)]
        return (
            Column("name", "AREA / CONCEPT", 0),
            Column("n", "N", 6, "right"),
            Column("bar", f"{names[0]} | {names[1]}", 25, narrow=False, sortable=False),
            Column("points", "POINTS", 7, "right"),
            Column("against", "VS OVERALL", 11, "right"),
            Column("q", "Q", 8, "right"),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def row_id(self, row: int) -> str:
        """Return kind and unit."""
        kind, score_row = self.rows[row]
        return f"{kind[0]}{score_row.unit}"

    def row_of(self, row_id: str) -> tuple[str, ScoreRow] | None:
        """Return the kind and row with a row id; None if there is none."""
        return next(
            (
                self.rows[position]
                for position in range(len(self))
                if self.row_id(position) == row_id
            ),
            None,
        )

    def text(self, row: int) -> str:
        """Return the text that the filter searches."""
        return self.rows[row][1].name

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""
        kind, score_row = self.rows[row]
        style = style_of(score_row.standing)
        if key == "name":
            return TableCell(score_row.name + ("" if kind == "area" else "  (concept)"))
        if key == "n":
            return TableCell(f"{score_row.n_items:,}")
        if key == "bar":
            return TableCell(signed_bar(score_row.chi_model, self._top, marks=self._marks), style)
        if key == "points":
            return TableCell(points(score_row.chi_model), style)
        if key == "against":
            return TableCell(points(score_row.gap), style)
        return TableCell(f"{score_row.q_value:.2g}", style)

    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort key of a row in a column."""
        score_row = self.rows[row][1]
        values: dict[str, Any] = {
            "name": score_row.name.lower(),
            "n": score_row.n_items,
            "points": score_row.chi_model,
            "against": score_row.gap,
            "q": score_row.q_value,
        }
        return values.get(key, 0)
