"""Rows of the revised benchmark: the original items, then the accepted ones."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

from benchdesign.benchmarks.items import Item
from benchdesign.tui.marks import Marks
from benchdesign.tui.session.items_showing import rows_showing
from benchdesign.tui.session.session import Session
from benchdesign.tui.widgets.table_rows import SearchableRows, TableCell

__all__ = ["BenchmarkItemRows", "ItemRow", "answer_key"]


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One row of the item table."""

    item: Item
    """The item as it would be published."""

    row: int
    in_pool: bool


_TEXT_FIELDS: dict[str, Callable[[Item], str]] = {
    "id": lambda item: item.id,
    "category": lambda item: item.category or "",
    "source": lambda item: item.source or "",
}


class BenchmarkItemRows(SearchableRows):
    """The revised benchmark: the original items, then the accepted ones."""

    FIELDS = (
        "concept",
        "category",
        "tokens",
        "concepts",
        "id",
        "key",
        "source",
        "from",
        "state",
        "row",
    )

    def __init__(self, session: Session, *, marks: Marks) -> None:
        loaded = session.loaded
        assert loaded is not None
        self._loaded = loaded
        self._session = session
        self._marks = marks
        self._analysis = loaded.analysis
        self._items = loaded.analysis.benchmark.items
        self._n_benchmark = len(self._items)
        pool = loaded.analysis.pool
        rows = session.view.accepted_rows if pool is not None else []
        self._added = (
            [ItemRow(session.edited(pool.items[row]), row, in_pool=True) for row in rows]
            if pool
            else []
        )
        self.dropped = set(session.log.dropped)

    def __len__(self) -> int:
        return self._n_benchmark + len(self._added)

    @property
    def has_categories(self) -> bool:
        """Whether any original item has a category."""
        return any(item.category for item in self._analysis.benchmark.items)

    @property
    def has_repeats(self) -> bool:
        """Whether any original item has a near duplicate."""
        return bool(self._loaded.duplicate_of_row)

    def repeats(self, row: int) -> bool:
        """Whether an original item has a near duplicate."""
        return row < self._n_benchmark and row in self._loaded.duplicate_of_row

    def at(self, row: int) -> ItemRow:
        """Return a row."""
        if row < self._n_benchmark:
            return ItemRow(self._analysis.benchmark.items[row], row, in_pool=False)
        return self._added[row - self._n_benchmark]

    def row_id(self, row: int) -> str:
        """Return the row id: origin and id of the item."""
        item_row = self.at(row)
        return f"{'add' if item_row.in_pool else 'item'}:{item_row.item.id}"

    def state(self, row: int) -> str:
        """Return kept, out or new."""
        item_row = self.at(row)
        if item_row.in_pool:
            return "new"
        return "out" if item_row.item.id in self.dropped else "kept"

    def text(self, row: int) -> str:
        """Return the text that the filter searches."""
        item = self.at(row).item
        return f"{item.id} {item.text}"

    @property
    def lowered(self) -> Sequence[str]:
        """The searched text of every row, in lower case."""
        texts = self._loaded.texts
        return texts if not self._added else [*texts, *self._added_texts()]

    def _added_texts(self) -> list[str]:
        return [self.text(row).lower() for row in range(self._n_benchmark, len(self))]

    def members(self, name: str, query: str) -> Container[int] | None:
        """Return the rows that show a concept, named by its id or a part of its label."""
        if name != "concept":
            return None
        dictionary = self._analysis.dictionary
        if query.isascii() and query.isdecimal() and int(query) < dictionary.n_concepts:
            ids = [int(query), *self._session.members(int(query))]
        else:
            every = range(dictionary.n_concepts)
            ids = [
                concept_id
                for concept_id in every
                if query and query in dictionary.bare_label(concept_id).lower()
            ]
        matches = rows_showing(self._session, ids, in_pool=False)
        pooled = rows_showing(self._session, ids, in_pool=True) if self._added else set()
        added = {
            position for position, item_row in enumerate(self._added) if item_row.row in pooled
        }
        return matches | {self._n_benchmark + position for position in added}

    def _n_concepts(self, item_row: ItemRow) -> int:
        occurrences = self._loaded.occurrences(in_pool=item_row.in_pool)
        return 0 if occurrences is None else int(occurrences.n_concepts[item_row.row])

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""
        item_row, state = self.at(row), self.state(row)
        muted = "muted" if state == "out" else ""
        if key == "mark":
            return TableCell(
                self._marks.glyph(state), {"new": "good", "out": "warn"}.get(state, "")
            )
        if key == "state":
            return TableCell(
                self._marks.word(state), {"new": "good", "out": "warn"}.get(state, "muted")
            )
        if key == "question":
            return TableCell(item_row.item.prompt or item_row.item.text, muted)
        if key == "from":
            return TableCell(
                "pool" if item_row.in_pool else "original", "good" if item_row.in_pool else "muted"
            )
        return TableCell(str(self.sort_value(row, key)), muted)

    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort key of a row in a column."""
        return self._value(self.at(row), row, key)

    def sort_values(self, key: str) -> Sequence[Any]:
        """Return the sort keys of all rows in a column."""
        rows = range(self._n_benchmark, len(self))
        added = [self._value(self.at(row), row, key) for row in rows]
        items = self._items
        if key == "concepts":
            return [*self._loaded.item_occurrences.n_concepts.tolist(), *added]
        if key == "tokens":
            return [*self._analysis.benchmark_map.n_tokens.tolist(), *added]
        if key in _TEXT_FIELDS:
            field = _TEXT_FIELDS[key]
            return [field(item) for item in items] + added
        if key == "question":
            return [item.prompt.lower() for item in items] + added
        if key == "key":
            return [answer_key(item) for item in items] + added
        if key == "from":
            return ["original"] * len(items) + added
        if key == "row":
            return [item.row + 1 for item in items] + added
        return ["out" if item.id in self.dropped else "kept" for item in items] + added

    def _value(self, item_row: ItemRow, row: int, key: str) -> Any:
        item = item_row.item
        if key == "row":
            return item.row + 1
        if key == "question":
            return item.prompt.lower()
        if key in _TEXT_FIELDS:
            return _TEXT_FIELDS[key](item)
        if key == "concepts":
            return self._n_concepts(item_row)
        if key == "tokens":
            concept_map = (
                self._analysis.pool_map if item_row.in_pool else self._analysis.benchmark_map
            )
            return int(concept_map.n_tokens[item_row.row]) if concept_map else 0
        if key == "key":
            return answer_key(item)
        if key == "from":
            return "pool" if item_row.in_pool else "original"
        return self.state(row) if key in ("state", "mark") else ""


def answer_key(item: Item) -> str:
    """Return the answer key: a letter if there are choices, else the text."""
    if item.answer_index is not None and item.answer_index < 26:
        return chr(ord("A") + item.answer_index)
    return item.answer or ""
