"""Rows and columns of a table, as the table and the filter above it ask for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Column", "ColumnRows", "ListRows", "Rows", "SearchableRows", "TableCell"]


class TableCell(NamedTuple):
    """The text and style of a cell."""

    text: str
    style: str = ""
    """A name in `LineTable.STYLES`; empty for plain text."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table."""

    key: str
    title: str
    width: int
    """In cells; 0 fills the remaining width (at most one such column in a table)."""

    align: str = "left"
    narrow: bool = True
    """Whether the column is shown on a narrow terminal."""

    sortable: bool = True
    cut: str = "end"
    """The end at which a long text is cut; `start` for ids, which differ at their end."""


class Rows(ABC):
    """The data source of a table; row numbers must not change while it is shown."""

    @abstractmethod
    def __len__(self) -> int:
        """Count the rows."""

    @abstractmethod
    def row_id(self, row: int) -> str:
        """Return the id that identifies the row after the list is rebuilt."""

    @abstractmethod
    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""

    @abstractmethod
    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort value of a cell."""

    def sort_values(self, key: str) -> Sequence[Any] | None:
        """Return the sort values of a column; None if `sort_value` must be called for each row."""
        return None


class SearchableRows(Rows):
    """Rows that the filter above the table can search."""

    @abstractmethod
    def text(self, row: int) -> str:
        """Return the text that the words of the filter search."""

    @property
    def lowered(self) -> Sequence[str] | None:
        """The searched text of every row, in lower case; None if it is not cached."""
        return None

    def value(self, row: int, name: str) -> object:
        """Return a field that the filter can name."""
        return self.sort_value(row, name)

    def members(self, name: str, query: str) -> Container[int] | None:
        """Return the rows that match a field and its value; None to test each row."""
        return None


class ColumnRows(SearchableRows):
    """Rows with columns of their own."""

    @property
    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """Return the columns."""


@dataclass
class ListRows(SearchableRows):
    """Rows of a short list; each row maps column keys to cells."""

    ids: Sequence[str]
    cells: Sequence[dict[str, TableCell]]

    def __len__(self) -> int:
        return len(self.ids)

    def row_id(self, row: int) -> str:
        """Return the row's id."""
        return self.ids[row]

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell; empty if the row has no such cell."""
        return self.cells[row].get(key, TableCell(""))

    def sort_value(self, row: int, key: str) -> Any:
        """Return the cell's text."""
        return self.cell(row, key).text

    def text(self, row: int) -> str:
        """Return the text of all cells."""
        return " ".join(cell.text for cell in self.cells[row].values())
