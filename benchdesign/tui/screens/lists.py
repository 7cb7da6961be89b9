"""A screen with a long list on the left and a page about one row on the right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input

from benchdesign.decisions import Decision
from benchdesign.text import display
from benchdesign.tui.memory import UiState
from benchdesign.tui.screens.base import ActionLine, BaseScreen, Part
from benchdesign.tui.screens.dialogs import AskChoice
from benchdesign.tui.widgets.detail import Detail, Line
from benchdesign.tui.widgets.filter_bar import Filter, FilterBar, parse_filter
from benchdesign.tui.widgets.line_table import Column, LineTable, Rows

__all__ = ["Facet", "ListScreen"]

Facet = tuple[str, Callable[[int], bool] | None]
"""Name and the test of a row number; None shows all."""

_ZOOMS = ("-zoom-list", "-zoom-detail")

_DETAIL_DELAY = 0.04
"""Seconds the cursor rests before the page is made: holding an arrow key down stays fast."""


class _Asked(NamedTuple):
    """What was asked of some rows last: the facet changes less often than the filter."""

    rows: Rows
    facet: int
    passing: Sequence[bool] | None
    """Rows in the facet; None for all."""

    filter: Filter
    kept: Sequence[bool] | None
    """Of those, the ones that pass the filter."""


class ListScreen(BaseScreen):
    """List, filter, facets, order, detail."""

    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    FIELDS: ClassVar[tuple[str, ...]] = ()
    """Fields the filter can name."""

    ORDER: ClassVar[tuple[str | None, bool]] = (None, False)
    """Column and direction the list starts with; None for as the rows come."""

    EMPTY: ClassVar[str] = "Nothing here."
    SIDE_BY_SIDE: ClassVar[bool] = True

    _timer: Timer | None = None
    _restored_from: UiState | None = None
    _wanted: object = None
    """Row to go back to once the rows are there."""

    _wanted_pane = "table"
    _asked: _Asked | None = None

    _page_of: object = None
    """Row, piece of evidence and version that the page is about."""

    facet = 0
    part = 0
    """Which piece of evidence is shown."""

    def compose_body(self) -> ComposeResult:
        """Lay out list and detail."""
        box = Horizontal if self.SIDE_BY_SIDE else Vertical
        with box(id="panes"):
            with Vertical(id="list-pane"):
                yield ActionLine(id="facets")
                yield FilterBar(
                    placeholder="words, /pattern/"
                    + "".join(f", {one}:" for one in self.FIELDS[:3]),
                    id="filter",
                )
                yield LineTable(self.COLUMNS, empty=self.EMPTY, marks=self.owner.marks, id="table")
                yield Line(id="tally")
            yield Detail(id="detail")

    # for each screen to fill in

    def make_rows(self) -> Rows:
        """Return the rows as they are now."""
        raise NotImplementedError

    def facets(self) -> tuple[Facet, ...]:
        """Return what `f` steps through."""
        return (("all", None),)

    def detail_of(self, row_id: str) -> Content:
        """Return the page about a row."""
        raise NotImplementedError

    def filter_text(self, row: int) -> str:
        """Return what filter words search in a row."""
        rows: Any = self.table.rows
        return str(rows.text(row))

    def filter_value(self, row: int, name: str) -> object:
        """Return a named field of a row."""
        rows: Any = self.table.rows
        return rows.value(row, name)

    # what is common

    @property
    def table(self) -> LineTable:
        """The list."""
        return self.query_one("#table", LineTable)

    @property
    def detail(self) -> Detail:
        """The page."""
        return self.query_one("#detail", Detail)

    @property
    def page_width(self) -> int:
        """Cells a line of the page has; a guess before it is laid out."""
        return self.detail.scrollable_content_region.width or self.app.size.width * 2 // 5

    @property
    def is_short(self) -> bool:
        """Whether lines are scarce."""
        return self.app.size.height < 30

    @property
    def filter_bar(self) -> FilterBar:
        """The filter."""
        return self.query_one("#filter", FilterBar)

    def on_mount(self) -> None:
        """Restore where the person was."""
        self._restore()
        super().on_mount()
        self.set_focus(self.table)

    def _restore(self) -> None:
        self._restored_from = self.owner.ui
        state = self.owner.ui.of_screen(self.MODE)
        facet, zoom = state.get("facet", 0), state.get("zoom")
        self.facet = facet if isinstance(facet, int) and facet >= 0 else 0
        for one in _ZOOMS:
            self.set_class(zoom == one, one)
        self._wanted_pane = "detail" if state.get("pane") == "detail" else "table"
        self.filter_bar.restore(str(state.get("filter", "")))
        key = state.get("sort", self.ORDER[0])
        self.table.sort_key = key if key in {one.key for one in self.COLUMNS} else None
        self.table.reverse = bool(state.get("reverse", self.ORDER[1]))
        self._wanted = state.get("cursor")

    def remember(self) -> None:
        """Keep where the person is; nothing while the application is being taken down."""
        if not self.query("#detail"):
            return
        self.owner.ui.of_screen(self.MODE).update(
            facet=self.facet,
            filter=self.filter_bar.value,
            sort=self.table.sort_key,
            reverse=self.table.reverse,
            cursor=self.table.cursor_id,
            pane="detail" if self.detail.has_focus else "table",
            zoom=next((one for one in _ZOOMS if self.has_class(one)), None),
        )

    def refresh_session(self) -> None:
        """Show the rows as they are now, cursor and filter kept."""
        if self._restored_from is not self.owner.ui:
            self._restore()
        wanted, self._wanted = self._wanted, None
        rows = self.make_rows()
        self.table.rows = rows
        self.table.kept = self._kept(rows)
        self.table.show(rows)
        if wanted is not None and self.table.move_to(str(wanted)):
            self.table.show(rows)
        self._draw_facets()
        self.show_detail()
        if self._wanted_pane == "detail":
            self.set_focus(self.detail)
        self._wanted_pane = "table"

    def _kept(self, rows: Rows) -> Sequence[bool] | None:
        """Return which rows facet and filter show; None for all."""
        facets = self.facets()
        self.facet = self.facet if self.facet < len(facets) else 0
        wanted = parse_filter(self.filter_bar.value, fields=self.FIELDS)
        asked = self._asked
        if asked is None or asked.rows is not rows or asked.facet != self.facet:
            test = facets[self.facet][1]
            passing = None if test is None else [test(row) for row in range(len(rows))]
            asked = _Asked(rows, self.facet, passing, Filter(), passing)
        # With a letter more, only what is shown need be looked at.
        among = asked.kept if wanted.narrows(asked.filter) else asked.passing
        shown: Any = rows
        kept = wanted.keep(
            len(rows),
            getattr(shown, "text", self.filter_text),
            getattr(shown, "value", self.filter_value),
            lowered=getattr(shown, "lowered", None),
            members=getattr(shown, "members", lambda _name, _wanted: None),
            among=among,
        )
        self._asked = asked._replace(filter=wanted, kept=kept)
        return kept

    def reveal(self, row_id: str) -> None:
        """Put the cursor on a row, also where filter or state hide it."""
        if not self.table.move_to(row_id):
            rows = self.table.rows
            row = next((one for one in range(len(rows)) if rows.row_id(one) == row_id), None)
            if row is None:
                self.say("It is not in this list any more.")
                return
            self.filter_bar.restore("")
            tests = (test for _, test in self.facets())
            self.facet = next(
                (place for place, test in enumerate(tests) if test is None or test(row)), 0
            )
            self.refresh_session()
            self.table.move_to(row_id)
        self.set_focus(self.table)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Allow nothing but going back while no workspace is open."""
        return self.session is not None or action == "back"

    def _draw_facets(self) -> None:
        if self.session is None:
            return
        parts = []
        for place, (name, _) in enumerate(self.facets()):
            is_here = place == self.facet
            shown = f"[{name}]" if is_here else f" {name} "
            parts.append(Part(shown, "bold" if is_here else "$foreground-muted", f"facet({place})"))
        line = self.query_one("#tally", Line)
        line.display = not self.is_narrow
        if self.is_narrow:
            parts.append(Part(f"  {self.count_text()}", "$foreground-muted"))
        else:
            line.show(self.tally())
        self.query_one("#facets", ActionLine).set_parts(parts)

    def tally(self) -> Content:
        """Return the line below the list; a narrow screen has the count beside the states."""
        return Content.styled(self.count_text(), "$foreground-muted")

    def count_text(self) -> str:
        """Return how many rows are shown."""
        table = self.table
        text = f"{len(table.view):,} of {len(table.rows):,}"
        if table.marked:
            text += f" · {len(table.marked):,} marked"
        # A narrow screen has no room for the order; the head of its column shows it.
        return f"{text} · {table.order}" if table.order and not self.is_narrow else text

    def on_line_table_highlighted(self, event: LineTable.Highlighted) -> None:
        """Make the page once the cursor rests."""
        self.part = 0
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_DETAIL_DELAY, self._show_resting)

    def _show_resting(self) -> None:
        # After a decision the page was made with the list, before the cursor was seen to move.
        if self._page_of != (self.table.cursor_id, self.part, self.owner.version):
            self.show_detail()

    def on_line_table_view_changed(self) -> None:
        """Count anew."""
        self._draw_facets()

    def on_detail_resized(self) -> None:
        """Lay the page out anew."""
        if self.seen_version >= 0:
            self.show_detail()

    def show_detail(self) -> None:
        """Make the page about the row under the cursor."""
        session = self.session
        if session is None:
            return
        if session.loaded is None:
            self.detail.show(Content.styled("The items are being read ...", "$foreground-muted"))
            return
        row_id = self.table.cursor_id
        self._page_of = (row_id, self.part, self.owner.version)
        self.detail.show(Content("") if row_id is None else self.detail_of(row_id))

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        """Open the row."""
        self.open_row(event.row_id)

    def open_row(self, row_id: str) -> None:
        """Give the page the screen where it has no place beside the list."""
        if self.is_narrow or not self.SIDE_BY_SIDE:
            self.add_class("-detail")
        self.set_focus(self.detail)

    def action_open_row(self) -> None:
        """Open the row that the page is about."""
        if self.table.cursor_id is not None:
            self.open_row(self.table.cursor_id)

    @property
    def shows_page(self) -> bool:
        """Whether the page is on screen beside (or instead of) the list."""
        return self.detail.display

    def show_items_of(self, concept_id: int) -> None:
        """Go to the items that show a concept."""
        self.app.call_later(self._to_items, f"concept:{concept_id:05d}")

    async def _to_items(self, text: str) -> None:
        await self.app.switch_mode("items")
        items = self.app.screen
        if isinstance(items, ListScreen):
            items.facet = 0
            items.filter_bar.restore(text)
            items.set_focus(items.table)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while typing."""
        if event.input is self.filter_bar and self.seen_version >= 0:
            self.table.narrow_to(self._kept(self.table.rows))

    def on_filter_bar_left(self) -> None:
        """Give the keys back to the list."""
        self.set_focus(self.table)

    def action_filter(self) -> None:
        """Type a filter; what it narrows is seen while typing."""
        self.show_list()
        self.filter_bar.open()

    def show_list(self) -> None:
        """Show the list, where the page has its place."""
        self.remove_class("-detail", "-zoom-detail")

    def go_to_decision(self, decision: Decision) -> None:
        """Put the cursor on what a decision is about, if it is in this list."""
        row_id = self.row_of_decision(decision)
        # Looking for a row takes a while in a long list, and as a rule the cursor is on it.
        if row_id != self.table.cursor_id:
            self.table.move_to(row_id)

    def row_of_decision(self, decision: Decision) -> str:
        """Return the row that a decision is about."""
        return decision.subject_id

    def action_facets(self) -> None:
        """Show the next states."""
        self.action_facet((self.facet + 1) % len(self.facets()))

    def action_facet(self, place: int) -> None:
        """Show some states."""
        self.facet = place
        self.table.narrow_to(self._kept(self.table.rows))
        self._draw_facets()

    def action_sort(self) -> None:
        """Order by the next column."""
        self.table.sort_next()

    def action_sort_reverse(self) -> None:
        """Turn the order round."""
        self.table.sort_by(self.table.sort_key, reverse=not self.table.reverse)

    def action_back(self) -> None:
        """Leave the page, the zoom, the marks, the filter: one step each time."""
        if self.has_class("-detail"):
            self.remove_class("-detail")
            self.set_focus(self.table)
        elif any(self.has_class(one) for one in _ZOOMS):
            self.remove_class(*_ZOOMS)
        elif self.detail.has_focus:
            self.set_focus(self.table)
        elif self.table.marked:
            self.table.clear_marks()
        elif self.filter_bar.value:
            self.filter_bar.action_clear_filter()
        else:
            self.go_back()

    def go_back(self) -> None:
        """Do what `esc` does when nothing is left to clear."""

    def action_zoom(self) -> None:
        """Give the focused pane all the room, or give it back."""
        if self.has_class("-zoom-list") or self.has_class("-zoom-detail"):
            self.remove_class(*_ZOOMS)
        elif self.detail.has_focus:
            self.add_class("-zoom-detail")
        else:
            self.add_class("-zoom-list")

    def action_next_part(self) -> None:
        """Show the next piece of evidence."""
        self.part += 1
        self.show_detail()

    def action_previous_part(self) -> None:
        """Show the previous piece of evidence."""
        self.part = max(self.part - 1, 0)
        self.show_detail()

    def action_copy(self) -> None:
        """Copy the id of the row."""
        row_id = self.table.cursor_id
        if row_id is not None:
            text = row_id.partition(":")[2] or row_id
            self.app.copy_to_clipboard(text)
            self.say(f"Copied {display(text, width=60)}.")

    def action_export(self) -> None:
        """Write the list as CSV into the workspace; asks which rows where some are hidden."""
        table = self.table
        every = range(len(table.rows))
        marked = [row for row in every if table.marked and table.rows.row_id(row) in table.marked]
        choices = [("shown", f"the {len(table.view):,} shown", table.view)]
        if len(table.view) < len(every):
            choices.append(("all", f"all {len(every):,}", every))
        if marked:
            choices.insert(0, ("marked", f"the {len(marked):,} marked", marked))
        if len(choices) == 1:
            self._write_rows(table.view)
            return

        def take(choice: str | None) -> None:
            for key, _, rows in choices:
                if key == choice:
                    self._write_rows(rows)

        title = "Which rows are written as CSV?"
        self.app.push_screen(AskChoice(title, [(key, text) for key, text, _ in choices]), take)

    def _write_rows(self, rows: Sequence[int]) -> None:
        session = self.session
        if session is None:
            return
        from benchdesign.tui.tables import write_table

        try:
            path = write_table(session.folder / "exports", self.MODE, self.table, rows)
        except OSError as problem:
            self.say(f"Nothing written: {problem}.", is_error=True)
            return
        self.say(f"Wrote {len(rows):,} rows to {path}.")
