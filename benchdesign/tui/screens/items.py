"""Items, key 6: what exactly is in the benchmark?"""

from __future__ import annotations

import re
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from benchdesign.decisions import Decision, Subject, Verdict
from benchdesign.errors import WorkspaceError
from benchdesign.tui.item_pages import item_page
from benchdesign.tui.item_rows import ItemRows
from benchdesign.tui.keys import SCREEN_KEYS, bindings
from benchdesign.tui.screens.dialogs import AskChoice, AskSome, AskText
from benchdesign.tui.screens.lists import Facet, ListScreen
from benchdesign.tui.widgets.line_table import Column, Rows

__all__ = ["ItemsScreen"]

_KEEP = "keep this filter"
_ON_DEMAND = {"source", "row"}
"""Columns shown where they are asked for."""


class ItemsScreen(ListScreen):
    """Every item of the benchmark as it stands."""

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
    FIELDS = ItemRows.FIELDS
    EMPTY = "No item passes. esc clears the filter, f shows other states."

    _rows: ItemRows

    def make_rows(self) -> Rows:
        """Return the items, then what was accepted."""
        assert self.session is not None
        self._rows = ItemRows(self.session, marks=self.owner.marks)
        shown = self._shown_columns()
        self.table.columns = tuple(one for one in self.COLUMNS if not one.title or one.key in shown)
        return self._rows

    def _shown_columns(self) -> set[str]:
        """Return the columns chosen; unless told, those that have something in them."""
        chosen = self.owner.ui.of_screen(self.MODE).get("columns")
        if isinstance(chosen, list):
            return {one for one in chosen if isinstance(one, str)}
        # A column with nothing in it takes room from the questions.
        empty = set() if self._rows.has_categories else {"category"}
        return {one.key for one in self.COLUMNS} - empty - _ON_DEMAND

    def action_choose(self) -> None:
        """Choose the columns."""
        if self.session is None:
            return
        shown = self._shown_columns()
        offered = [
            (one.key, one.title.capitalize(), one.key in shown)
            for one in self.COLUMNS
            if one.title and one.width
        ]

        def take(chosen: tuple[str, ...] | None) -> None:
            if chosen is None:
                return
            always = [one.key for one in self.COLUMNS if one.title and not one.width]
            kept = [*chosen, *always]
            self.owner.ui.of_screen(self.MODE)["columns"] = kept
            self.owner.save_ui()
            if self.table.sort_key not in kept:
                self.table.sort_key = None
            self.refresh_session()

        self.app.push_screen(AskSome("Columns beside the question", offered), take)

    def facets(self) -> tuple[Facet, ...]:
        """Return all, kept, new, out, and what repeats another item."""
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
        every = range(len(self._rows))
        return next((one for one in every if self._rows.row_id(one) == row_id), None)

    def detail_of(self, row_id: str) -> Content:
        """Return the item in full."""
        row = self._row_of(row_id)
        if row is None or self.session is None:
            return Content("")
        shown = self._rows.at(row)
        asked = re.search(r"\bconcept:(\d{1,9})\b", self.filter_bar.value)
        return item_page(
            self.session,
            shown,
            part=self.part,
            marks=self.owner.marks,
            width=self.page_width,
            first=int(asked.group(1)) if asked else None,
        )

    def row_of_decision(self, decision: Decision) -> str:
        """Return the row that a decision is about."""
        return f"{'add' if decision.subject is Subject.ADD else 'item'}:{decision.subject_id}"

    def action_drop(self) -> None:
        """Leave the chosen items out of the revision, or bring them back."""
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
        if self._record(decisions):
            back = all(one.verdict is Verdict.OPEN for one in decisions)
            what = decisions[0].subject_id if len(decisions) == 1 else f"{len(decisions)} items"
            done = "as it was before" if back else "left out of the revision"
            self.say(f"{what} {done}. u undoes.")

    def _record(self, decisions: list[Decision]) -> bool:
        session = self.session
        if session is None or not session.can_write:
            self.say("Read only: nothing can be decided here.", is_error=True)
            return False
        try:
            session.record(*decisions)
        except WorkspaceError as problem:
            self.say(str(problem), is_error=True)
            return False
        self.table.marked.clear()
        self.owner.touch()
        return True

    def action_note(self) -> None:
        """Write a note about the item."""
        session, row_id = self.session, self.table.cursor_id
        if session is None or row_id is None:
            return
        kind, _, item_id = row_id.partition(":")
        subject = Subject.ADD if kind == "add" else Subject.REMOVE
        said = session.log.standing(subject, item_id)

        def take(text: str | None) -> None:
            if text is not None and self._record([Decision(subject, item_id, note=text)]):
                self.say("Note kept.")

        self.app.push_screen(AskText(f"Note on {item_id}", value=said.note if said else ""), take)

    def action_edit(self) -> None:
        """Say where items are edited."""
        self.say("Benchmark items stay as they are; E edits candidates on screen 5.")

    def action_save_view(self) -> None:
        """Keep this filter, or go to a kept one."""
        views: list[str] = self.owner.ui.of_screen("items").setdefault("views", [])
        now = self.filter_bar.value
        choices = [(one, one) for one in views]
        if now and now not in views:
            choices.insert(0, (_KEEP, f"{_KEEP}: {now}"))
        if not choices:
            self.say("Type a filter with / first; v keeps it.")
            return

        def take(choice: str | None) -> None:
            if choice == _KEEP:
                views.append(now)
                self.owner.save_ui()
                self.say("Filter kept; v goes back to it.")
            elif choice is not None:
                self.filter_bar.restore(choice)

        self.app.push_screen(AskChoice("Saved views", choices), take)
