"""Rows of the Compare screen for two sets of items: concepts by difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchdesign.foundation.number_words import percent, signed
from benchdesign.tui.marks import Marks
from benchdesign.tui.session.session import Session
from benchdesign.tui.widgets.bars import signed_bar
from benchdesign.tui.widgets.table_rows import SearchableRows, TableCell

__all__ = ["CompareRows", "ComparedSet"]


@dataclass(frozen=True, eq=False)
class ComparedSet:
    """One of two compared sets of items."""

    name: str
    n_items: int
    count: NDArray[np.int64]
    """Items that show each concept."""


class CompareRows(SearchableRows):
    """Concepts by difference in share of items."""

    def __init__(self, session: Session, a: ComparedSet, b: ComparedSet, *, marks: Marks) -> None:
        assert session.analysis is not None
        self._dictionary = session.analysis.dictionary
        self._marks = marks
        self.rate_a = a.count / max(a.n_items, 1)
        self.rate_b = b.count / max(b.n_items, 1)
        self.difference = 100 * (self.rate_b - self.rate_a)
        judged = session.analysis.gaps.in_scope & ((a.count > 0) | (b.count > 0))
        ids = np.flatnonzero(judged)
        self.ids = ids[np.argsort(-np.abs(self.difference[ids]), kind="stable")]
        self._top = float(np.abs(self.difference[ids]).max(initial=0.0))

    def __len__(self) -> int:
        return len(self.ids)

    def row_id(self, row: int) -> str:
        """Return the concept id."""
        return str(int(self.ids[row]))

    def text(self, row: int) -> str:
        """Return the text that the filter searches."""
        return f"{int(self.ids[row]):05d} {self._dictionary.bare_label(int(self.ids[row]))}"

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""
        concept_id = int(self.ids[row])
        if key == "concept":
            return TableCell(self._dictionary.label(concept_id))
        difference = float(self.difference[concept_id])
        style = "good" if difference > 0 else "warn"
        if key == "bar":
            return TableCell(signed_bar(difference, self._top, marks=self._marks), style)
        if key == "difference":
            return TableCell(signed(difference), style)
        return TableCell(percent(self.sort_value(row, key), 1, gap=" "))

    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort key of a row in a column."""
        concept_id = int(self.ids[row])
        if key == "concept":
            return self._dictionary.label(concept_id).lower()
        if key in ("a", "b"):
            return float((self.rate_a if key == "a" else self.rate_b)[concept_id])
        return abs(float(self.difference[concept_id]))
