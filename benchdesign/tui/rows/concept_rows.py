"""Rows of the Concepts screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchdesign.tui.marks import Marks
from benchdesign.tui.rows.concept_states import concept_label, state_style
from benchdesign.tui.session.session import Session
from benchdesign.tui.widgets.table_rows import SearchableRows, TableCell

__all__ = ["ConceptRows"]


_RANK = {"missing": 0, "under": 1, "over": 2, "adequate": 3, "untestable": 4, "kept_out": 5}


class ConceptRows(SearchableRows):
    """Every concept of the dictionary, by id."""

    FIELDS = ("id", "items", "want", "state", "level", "area")

    def __init__(self, session: Session, *, marks: Marks) -> None:
        summary = session.summary
        assert summary is not None
        self._session = session
        self._marks = marks
        self._gaps = summary.gaps
        self._dictionary = summary.dictionary
        self._areas = summary.areas
        self._texts = session.concept_texts()
        self.states = session.view.concept_states

    def __len__(self) -> int:
        return len(self._gaps)

    def row_id(self, row: int) -> str:
        """Return the concept id."""
        return str(row)

    def text(self, row: int) -> str:
        """Return the text that the filter searches."""
        return f"{row:05d} {self._dictionary.bare_label(row)}"

    @property
    def lowered(self) -> Sequence[str]:
        """The searched text of every row, in lower case."""
        return self._texts

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""
        state = self.states[row]
        style = state_style(state)
        if key == "mark":
            return TableCell(self._marks.glyph(state), style)
        if key == "state":
            return TableCell(self._marks.word(state), style)
        if key == "concept":
            label = concept_label(self._session, row)
            return TableCell(label, "muted" if style == "muted" else "")
        if key == "want" and self._gaps.has_target_by_hand(row):
            return TableCell(f"{self._gaps.target[row]:,}", "head")
        value = self.sort_value(row, key)
        text = f"{value:05d}" if key == "id" else f"{value:,}" if key == "items" else str(value)
        return TableCell(text, "muted" if style == "muted" else "")

    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort key of a row in a column."""
        if key == "id":
            return row
        if key == "items":
            return int(self._gaps.count[row])
        if key == "want":
            return self._session.target(row)
        if key == "level":
            return self._dictionary.level_of(row).name
        if key == "area":
            return self._areas.name_of(row) or ""
        if key in ("state", "mark"):
            return self.states[row] if key == "state" else _RANK.get(self.states[row], 9)
        return self._dictionary.label(row).lower()

    def sort_values(self, key: str) -> Sequence[Any] | None:
        """Return the sort keys of all rows; None if `sort_value` must be called for each."""
        if key == "concept":
            return [text.partition(" ")[2] for text in self._texts]
        numbers = {"items": self._gaps.count, "want": self._gaps.target}.get(key)
        return None if numbers is None else numbers.tolist()
