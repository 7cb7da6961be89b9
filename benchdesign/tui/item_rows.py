"""Rows of the items as they stand: the benchmark's own, then what was accepted."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

from benchdesign.items import Item
from benchdesign.tui.marks import Marks
from benchdesign.tui.model import Session
from benchdesign.tui.widgets.line_table import Cell

__all__ = ["ItemRow", "ItemRows", "answer_key"]


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One line of the item table."""

    item: Item
    """As it would be published."""

    row: int
    in_pool: bool


class ItemRows:
    """The revised benchmark: the original items, then what was accepted."""

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
        rows = session.accepted_rows() if pool is not None else []
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
        return any(one.category for one in self._analysis.benchmark.items)

    @property
    def has_repeats(self) -> bool:
        """Whether any original item says what another one says."""
        return bool(self._loaded.repeats)

    def repeats(self, row: int) -> bool:
        """Whether an item says what another original one says."""
        return row < self._n_benchmark and row in self._loaded.repeats

    def at(self, row: int) -> ItemRow:
        """Return a line."""
        if row < self._n_benchmark:
            return ItemRow(self._analysis.benchmark.items[row], row, in_pool=False)
        return self._added[row - self._n_benchmark]

    def row_id(self, row: int) -> str:
        """Return where the item comes from, and its id."""
        one = self.at(row)
        return f"{'add' if one.in_pool else 'item'}:{one.item.id}"

    def state(self, row: int) -> str:
        """Return kept, out or new."""
        one = self.at(row)
        if one.in_pool:
            return "new"
        return "out" if one.item.id in self.dropped else "kept"

    def text(self, row: int) -> str:
        """Return what the filter searches."""
        item = self.at(row).item
        return f"{item.id} {item.text}"

    @property
    def lowered(self) -> Sequence[str]:
        """The same of every row, in lower case."""
        texts = self._loaded.texts
        return texts if not self._added else [*texts, *self._added_texts()]

    def _added_texts(self) -> list[str]:
        return [self.text(row).lower() for row in range(self._n_benchmark, len(self))]

    def value(self, row: int, name: str) -> object:
        """Return a field the filter can name."""
        return self.sort_value(row, name)

    def members(self, name: str, wanted: str) -> Container[int] | None:
        """Return the lines that show a concept, given by its number or a word of its label."""
        from benchdesign.tui.nearby import rows_showing

        if name != "concept":
            return None
        dictionary = self._analysis.dictionary
        if wanted.isascii() and wanted.isdecimal() and int(wanted) < dictionary.n_concepts:
            ids = [int(wanted), *self._session.members(int(wanted))]
        else:
            every = range(dictionary.n_concepts)
            ids = [one for one in every if wanted and wanted in dictionary.bare_label(one).lower()]
        found = rows_showing(self._session, ids, in_pool=False)
        pooled = rows_showing(self._session, ids, in_pool=True) if self._added else set()
        added = {place for place, one in enumerate(self._added) if one.row in pooled}
        return found | {self._n_benchmark + place for place in added}

    def _n_concepts(self, one: ItemRow) -> int:
        shown = self._loaded.pool_shown if one.in_pool else self._loaded.shown
        return 0 if shown is None else int(shown.n_concepts[one.row])

    def cell(self, row: int, key: str) -> Cell:
        """Return one cell."""
        one, state = self.at(row), self.state(row)
        muted = "muted" if state == "out" else ""
        if key == "mark":
            return Cell(self._marks.glyph(state), {"new": "good", "out": "warn"}.get(state, ""))
        if key == "state":
            return Cell(self._marks.word(state), {"new": "good", "out": "warn"}.get(state, "muted"))
        if key == "question":
            return Cell(one.item.prompt or one.item.text, muted)
        if key == "from":
            return Cell("pool" if one.in_pool else "original", "good" if one.in_pool else "muted")
        return Cell(str(self.sort_value(row, key)), muted)

    def sort_value(self, row: int, key: str) -> Any:
        """Return what a column sorts by."""
        return self._value(self.at(row), row, key)

    def sort_values(self, key: str) -> Sequence[Any]:
        """Return what a column sorts by, for all rows."""
        rows = range(self._n_benchmark, len(self))
        added = [self._value(self.at(row), row, key) for row in rows]
        items = self._items
        if key == "concepts":
            return [*self._loaded.shown.n_concepts.tolist(), *added]
        if key == "tokens":
            return [*self._analysis.benchmark_map.n_tokens.tolist(), *added]
        if key in ("id", "category", "source"):
            return [getattr(one, key) or "" for one in items] + added
        if key == "question":
            return [one.prompt.lower() for one in items] + added
        if key == "key":
            return [answer_key(one) for one in items] + added
        if key == "from":
            return ["original"] * len(items) + added
        if key == "row":
            return [one.row + 1 for one in items] + added
        return ["out" if one.id in self.dropped else "kept" for one in items] + added

    def _value(self, one: ItemRow, row: int, key: str) -> Any:
        item = one.item
        if key == "row":
            return item.row + 1
        if key == "question":
            return item.prompt.lower()
        if key in ("id", "category", "source"):
            return getattr(item, key) or ""
        if key == "concepts":
            return self._n_concepts(one)
        if key == "tokens":
            concept_map = self._analysis.pool_map if one.in_pool else self._analysis.benchmark_map
            return int(concept_map.n_tokens[one.row]) if concept_map else 0
        if key == "key":
            return answer_key(item)
        if key == "from":
            return "pool" if one.in_pool else "original"
        return self.state(row) if key in ("state", "mark") else ""


def answer_key(item: Item) -> str:
    """Return the key as a letter where there are choices, else as text."""
    if item.answer_index is not None and item.answer_index < 26:
        return chr(ord("A") + item.answer_index)
    return item.answer or ""
