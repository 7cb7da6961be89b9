"""The visible rows of a table, filtered and sorted; the rows themselves never move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any, overload

from benchdesign.tui.widgets.table_rows import Column, ListRows, Rows

__all__ = ["TableView"]


class TableView(Sequence[int]):
    """The numbers of the visible rows, in the order in which they are drawn."""

    def __init__(self) -> None:
        self.rows: Rows = ListRows((), ())
        self.row_mask: Sequence[bool] | None = None
        """Whether each row is visible; None for all rows."""

        self.sort_key: str | None = None
        """Key of the column to sort by; None for the order of the rows."""

        self.reverse = False
        self._numbers: Sequence[int] = ()
        self._order: tuple[object, bool, list[int]] | None = None
        """Cached order of all rows with its key and direction; a new filter reuses it."""

    @overload
    def __getitem__(self, position: int) -> int: ...

    @overload
    def __getitem__(self, position: slice) -> Sequence[int]: ...

    def __getitem__(self, position: int | slice) -> int | Sequence[int]:
        return self._numbers[position]

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __contains__(self, row: object) -> bool:
        return row in self._numbers

    def index(self, row: Any, start: int = 0, stop: int | None = None) -> int:
        """Return the position of a row; raise ValueError if it is not visible."""
        # Without filter and order the numbers are a range, which needs no search.
        return self._numbers.index(row)

    def arrange(self) -> None:
        """Filter and sort the rows again."""
        order: Sequence[int] = range(len(self.rows))
        if self.sort_key is not None:
            order = self._sorted(self.sort_key)
        elif self.reverse:
            order = order[::-1]
        visible = self.row_mask
        if visible is not None:
            is_same_order = order == range(len(visible))
            in_order = visible if is_same_order else map(visible.__getitem__, order)
            order = list(compress(order, in_order))
        self._numbers = order

    def _sorted(self, key: str) -> list[int]:
        rows = self.rows
        if self._order is not None and self._order[:2] == ((rows, key), self.reverse):
            return self._order[2]
        column = rows.sort_values(key)
        if column is None:
            column = [rows.sort_value(row, key) for row in range(len(rows))]
        order = sorted(range(len(rows)), key=column.__getitem__, reverse=self.reverse)
        self._order = ((rows, key), self.reverse, order)
        return order

    def next_sort_key(self, columns: Sequence[Column]) -> str | None:
        """Return the key of the next column to sort by; None after the last one."""
        keys = [None, *(column.key for column in columns if column.sortable)]
        index = keys.index(self.sort_key) if self.sort_key in keys else 0
        return keys[(index + 1) % len(keys)]

    def order_text(self, columns: Sequence[Column]) -> str:
        """Return the sort order in words; empty for the order of the rows."""
        column = next((column for column in columns if column.key == self.sort_key), None)
        if column is None:
            return "reversed" if self.reverse else ""
        name = column.title.lower() or column.key
        return f"by {name}, {'descending' if self.reverse else 'ascending'}"

    def row_id(self, position: int) -> str | None:
        """Return the id of the row at a position; None if there is none."""
        if not 0 <= position < len(self._numbers):
            return None
        row = self._numbers[position]
        return None if row >= len(self.rows) else self.rows.row_id(row)

    def position_of(self, row_id: str) -> int | None:
        """Return the position of a row; None if it is not visible."""
        ids = (self.rows.row_id(row) for row in self._numbers)
        return next((position for position, other in enumerate(ids) if other == row_id), None)

    def ids_among(self, row_ids: set[str]) -> tuple[str, ...]:
        """Return the given ids in the order of the view; all of them if none is visible."""
        visible = tuple(
            row_id for row in self._numbers if (row_id := self.rows.row_id(row)) in row_ids
        )
        return visible or tuple(row_ids)
