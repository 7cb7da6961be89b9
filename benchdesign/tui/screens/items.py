"""The Items screen (key 6): what exactly is in the benchmark?"""

from __future__ import annotations

import re
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from benchdesign.tui.dialogs.dialogs import AskChoice, AskMultiple, AskText
from benchdesign.tui.keys import SCREEN_KEYS, bindings
from benchdesign.tui.pages.item_page import item_page
from benchdesign.tui.rows.item_rows import BenchmarkItemRows
from benchdesign.tui.screens.list_screen import Facet, ListScreen
from benchdesign.tui.widgets.table_rows import Column, SearchableRows
from benchdesign.workspace.decisions import Decision, Subject, Verdict

__all__ = ["ItemsScreen"]

_SAVE_FILTER = "save this filter"
_HIDDEN_BY_DEFAULT = {"source", "row"}
"""Columns that are hidden by default."""


class ItemsScreen(ListScreen):
    """Every item of the benchmark in its current state."""

    MODE = "items"
    BINDINGS: ClassVar[list[BindingType]] = bindings(*SCREEN_KEYS["items"])
    SIDE_BY_SIDE = False
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("mark", "", 2),
        Column("id", "ID", 16, narrow=False, cut="start"),
        Column("category", "CATEGORY", 16, narrow=False),
        Column("question", "QUESTION", 0),
        Column("tokens", "TOKENS", 7, "right", narrow=False),
        Column("concepts", "CONCEPTS", 8, "right", narrow=False),
        Column("key", "KEY", 6),
        Column("from", "FROM", 9, narrow=False),
        Column("source", "SOURCE", 14, narrow=False),
        Column("row", "ROW", 7, "right", narrow=False),
        Column("state", "STATE", 7),
    )
    FIELDS = BenchmarkItemRows.FIELDS
    EMPTY = "No item matches. esc clears the filter, f shows other states."

    _rows: BenchmarkItemRows

    def make_rows(self) -> SearchableRows:
        """Return the benchmark's items, then the accepted candidates."""
        assert self.session is not None
        self._rows = BenchmarkItemRows(self.session, marks=self.marks)
        visible = self._visible_columns()
        self.table.columns = tuple(
            column for column in self.COLUMNS if not column.title or column.key in visible
        )
        return self._rows

    def _visible_columns(self) -> set[str]:
        """Return the keys of the chosen columns; by default, of the columns that have values."""
        saved = self.workspaces.ui.screen_state(self.MODE).get("columns")
        if isinstance(saved, list):
            return {key for key in saved if isinstance(key, str)}
        # An empty column would take width from the questions.
        empty = set() if self._rows.has_categories else {"category"}
        return {column.key for column in self.COLUMNS} - empty - _HIDDEN_BY_DEFAULT

    def action_choose(self) -> None:
        """Choose the columns."""
        if self.session is None:
            return
        visible = self._visible_columns()
        choices = [
            (column.key, column.title.capitalize(), column.key in visible)
            for column in self.COLUMNS
            if column.title and column.width
        ]

        def on_answer(chosen_keys: tuple[str, ...] | None) -> None:
            if chosen_keys is None:
                return
            fixed = [column.key for column in self.COLUMNS if column.title and not column.width]
            keys = [*chosen_keys, *fixed]
            self.workspaces.ui.screen_state(self.MODE)["columns"] = keys
            self.workspaces.save_ui()
            if self.table.view.sort_key not in keys:
                self.table.view.sort_key = None
            self.refresh_session()

        self.app.push_screen(AskMultiple("Columns besides the question", choices), on_answer)

    def facets(self) -> tuple[Facet, ...]:
        """Return the filters by state, and near-duplicates if there are any."""
        rows = self._rows
        repeats: tuple[Facet, ...] = ()
        if rows.has_repeats:
            repeats = (("repeats", lambda row: rows.repeats(row)),)
        return (
            ("all", None),
            ("exported", lambda row: rows.state(row) != "out"),
            ("new", lambda row: rows.state(row) == "new"),
            ("out", lambda row: rows.state(row) == "out"),
            *repeats,
        )

    def _row_of(self, row_id: str) -> int | None:
        row = self.table.cursor_row
        if row is not None and self._rows.row_id(row) == row_id:
            return row
        rows = range(len(self._rows))
        return next((row for row in rows if self._rows.row_id(row) == row_id), None)

    def detail_of(self, row_id: str) -> Content:
        """Return the page about an item."""
        row = self._row_of(row_id)
        if row is None or self.session is None:
            return Content("")
        item = self._rows.at(row)
        concept = re.search(r"\bconcept:(\d{1,9})\b", self.filter_bar.value)
        return item_page(
            self.session,
            item,
            part=self.part,
            marks=self.marks,
            width=self.page_width,
            first=int(concept.group(1)) if concept else None,
        )

    def row_of_decision(self, decision: Decision) -> str:
        """Return the id of the row that a decision is about."""
        return f"{'add' if decision.subject is Subject.ADD else 'item'}:{decision.subject_id}"

    def action_drop(self) -> None:
        """Drop the chosen items from the revision, or restore them."""
        session = self.session
        if session is None or not self.table.chosen_ids:
            return
        decisions = []
        for row_id in self.table.chosen_ids:
            kind, _, item_id = row_id.partition(":")
            if kind == "add":
                decisions.append(Decision(Subject.ADD, item_id, Verdict.OPEN))
            else:
                is_out = item_id in self._rows.dropped
                verdict = Verdict.OPEN if is_out else Verdict.ACCEPT
                decisions.append(Decision(Subject.REMOVE, item_id, verdict))
        if self.record(decisions):
            is_restored = all(decision.verdict is Verdict.OPEN for decision in decisions)
            subject = decisions[0].subject_id if len(decisions) == 1 else f"{len(decisions)} items"
            change = "restored" if is_restored else "dropped from the revision"
            self.say(f"{subject} {change}. u undoes.")

    def action_note(self) -> None:
        """Write a note about the item."""
        session, row_id = self.session, self.table.cursor_id
        if session is None or row_id is None:
            return
        kind, _, item_id = row_id.partition(":")
        subject = Subject.ADD if kind == "add" else Subject.REMOVE
        decision = session.log.standing(subject, item_id)
        note = decision.note if decision else ""

        def on_answer(text: str | None) -> None:
            if text is not None and self.record([Decision(subject, item_id, note=text)]):
                self.say("Note saved.")

        self.app.push_screen(AskText(f"Note on {item_id}", value=note), on_answer)

    def action_edit(self) -> None:
        """Show a hint: only candidates can be edited."""
        self.say("Benchmark items cannot be edited. E edits candidates on screen 5.")

    def action_save_view(self) -> None:
        """Save the filter, or apply a saved one."""
        views: list[str] = self.workspaces.ui.screen_state("items").setdefault("views", [])
        current = self.filter_bar.value
        choices = [(view, view) for view in views]
        if current and current not in views:
            choices.insert(0, (_SAVE_FILTER, f"{_SAVE_FILTER}: {current}"))
        if not choices:
            self.say("Press / and type a filter first; then v saves it.")
            return

        def on_answer(choice: str | None) -> None:
            if choice == _SAVE_FILTER:
                views.append(current)
                self.workspaces.save_ui()
                self.say("Filter saved. v lists the saved filters.")
            elif choice is not None:
                self.filter_bar.restore(choice)

        self.app.push_screen(AskChoice("Saved filters", choices), on_answer)
