"""Rows and columns of a table, as the line table asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

__all__ = ["Column", "ListRows", "Rows", "TableCell"]


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


class Rows(Protocol):
    """The data source of a table; row numbers must not change while it is shown."""

    def __len__(self) -> int:
        """Count the rows."""
        ...

    def row_id(self, row: int) -> str:
        """Return the id that identifies the row after the list is rebuilt."""
        ...

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""
        ...

    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort value of a cell."""
        ...


@dataclass
class ListRows:
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
