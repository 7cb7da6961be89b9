"""Rows of the Models screen: items with the models' results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchdesign.foundation.number_words import signed
from benchdesign.tui.widgets.table_rows import Column, ColumnRows, TableCell

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Item
    from benchdesign.model_gaps.study import ModelStudy


__all__ = ["ModelItemRows"]


class ModelItemRows(ColumnRows):
    """Items with the models' results; suspect keys come first."""

    columns = (
        Column("question", "QUESTION", 0),
        Column("id", "ID", 16, narrow=False, cut="start"),
        Column("solved", "SOLVED BY", 10, "right"),
        Column("discrimination", "DISCRIMINATION", 14, "right", narrow=False),
        Column("notes", "NOTE", 12),
    )
    _WORDS = {"all-miss": "all miss it", "all-pass": "all solve it", "check-key": "check key"}  # noqa: RUF012

    def __init__(self, study: ModelStudy, items: tuple[Item, ...]) -> None:
        assert study.items is not None
        self.study, self.analysis, self._items = study, study.items, items
        tested = np.flatnonzero(self.analysis.n_models > 0)
        first = [suspect.row for suspect in self.analysis.suspects()]
        difficulty = np.nan_to_num(self.analysis.difficulty)
        rest = np.setdiff1d(tested, first)
        rest = rest[np.argsort(-difficulty[rest], kind="stable")]
        self.order = [*first, *rest.tolist()]

    def __len__(self) -> int:
        return len(self.order)

    def row_id(self, row: int) -> str:
        """Return the item's id."""
        return str(self._items[self.order[row]].id)

    def text(self, row: int) -> str:
        """Return the text that the filter searches."""
        item = self._items[self.order[row]]
        return f"{item.id} {item.prompt} {self.cell(row, 'notes').text}"

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""
        item_row = self.order[row]
        result = self.analysis.row(item_row)
        if key == "question":
            return TableCell(self._items[item_row].prompt)
        if key == "id":
            return TableCell(self._items[item_row].id, "muted")
        if key == "solved":
            return TableCell(f"{result.n_passed} of {result.n_models}")
        if key == "discrimination":
            value = result.discrimination
            return TableCell(
                "" if np.isnan(value) else signed(value, 2), "warn" if value < 0 else ""
            )
        notes = [
            note for note in result.notes if note != "all-miss" or "check-key" not in result.notes
        ]
        style = "warn" if "check-key" in notes else "muted"
        return TableCell(", ".join(self._WORDS[note] for note in notes), style)

    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort key of a row in a column."""
        item_row = self.order[row]
        if key == "solved":
            return -float(np.nan_to_num(self.analysis.difficulty[item_row]))
        if key == "discrimination":
            return float(np.nan_to_num(self.analysis.discrimination[item_row], nan=9.0))
        return self.cell(row, key).text.lower()
