"""Base class of screens with a list and a detail page about the row under the cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input

from benchdesign.errors import WorkspaceError
from benchdesign.foundation.text import display
from benchdesign.tui.dialogs.dialogs import AskChoice
from benchdesign.tui.rows.csv_export import write_table
from benchdesign.tui.screens.base_screen import ActionLine, LinePart
from benchdesign.tui.screens.list_detail import ZOOM_CLASSES, ListDetailScreen
from benchdesign.tui.widgets.detail import Detail, Line
from benchdesign.tui.widgets.filter_bar import FilterBar, RowFilter, parse_filter
from benchdesign.tui.widgets.line_table import LineTable
from benchdesign.tui.widgets.table_rows import Column, ColumnRows, ListRows, SearchableRows
from benchdesign.workspace.decisions import Decision

__all__ = ["Facet", "ListScreen"]

Facet = tuple[str, Callable[[int], bool] | None]
"""Name, and the predicate of a row number; None shows all rows."""


class _FilterCache(NamedTuple):
    """The last filter result: the facet changes less often than the filter, so both are cached."""

    rows: SearchableRows
    facet: int
    in_facet: Sequence[bool] | None
    """Whether each row is in the facet; None for all rows."""

    filter: RowFilter
    visible: Sequence[bool] | None
    """Whether each row is in the facet and passes the filter; None for all rows."""


class ListScreen(ListDetailScreen):
    """A list with filter, facets, sort order and a detail page."""

    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    FIELDS: ClassVar[tuple[str, ...]] = ()
    """Fields that the filter can name."""

    ORDER: ClassVar[tuple[str | None, bool]] = (None, False)
    """Initial sort column and direction; None for the order of the rows."""

    EMPTY: ClassVar[str] = "Nothing here."

    _saved_cursor: object = None
    """Id of the row to restore the cursor to, once the rows exist."""

    _saved_pane = "table"
    _filter_cache: _FilterCache | None = None

    rows: SearchableRows = ListRows((), ())
    """All rows of the list, visible or not."""

    facet = 0

    def compose_body(self) -> ComposeResult:
        """Compose the list and the detail page."""
        box = Horizontal if self.SIDE_BY_SIDE else Vertical
        with box(id="panes"):
            with Vertical(id="list-pane"):
                yield ActionLine(id="facets")
                yield FilterBar(
                    placeholder="words, /pattern/"
                    + "".join(f", {field}:" for field in self.FIELDS[:3]),
                    id="filter",
                )
                yield LineTable(self.COLUMNS, empty=self.EMPTY, marks=self.marks, id="table")
                yield Line(id="tally")
            yield Detail(id="detail")

    # to implement in each screen

    def make_rows(self) -> SearchableRows:
        """Return the current rows; none by default."""
        return ListRows((), ())

    def facets(self) -> tuple[Facet, ...]:
        """Return the facets that `f` steps through."""
        return (("all", None),)

    @property
    def filter_bar(self) -> FilterBar:
        """The filter."""
        return self.query_one("#filter", FilterBar)

    def on_mount(self) -> None:
        """Restore the saved state of the screen."""
        self._restore()
        super().on_mount()
        self.set_focus(self.table)

    def _restore(self) -> None:
        self.restored_from = self.workspaces.ui
        state = self.workspaces.ui.screen_state(self.MODE)
        facet, zoom = state.get("facet", 0), state.get("zoom")
        self.facet = facet if isinstance(facet, int) and facet >= 0 else 0
        for css_class in ZOOM_CLASSES:
            self.set_class(zoom == css_class, css_class)
        self._saved_pane = "detail" if state.get("pane") == "detail" else "table"
        self.filter_bar.restore(str(state.get("filter", "")))
        key = state.get("sort", self.ORDER[0])
        self.table.view.sort_key = key if key in {column.key for column in self.COLUMNS} else None
        self.table.view.reverse = bool(state.get("reverse", self.ORDER[1]))
        self._saved_cursor = state.get("cursor")

    def remember(self) -> None:
        """Save the state of the screen; do nothing while the application shuts down."""
        if len(self.query("#table, #filter, #detail")) < 3:
            return
        self.workspaces.ui.screen_state(self.MODE).update(
            facet=self.facet,
            filter=self.filter_bar.value,
            sort=self.table.view.sort_key,
            reverse=self.table.view.reverse,
            cursor=self.table.cursor_id,
            pane="detail" if self.detail.has_focus else "table",
            zoom=next((css_class for css_class in ZOOM_CLASSES if self.has_class(css_class)), None),
        )

    def refresh_session(self) -> None:
        """Show the current rows; the cursor and the filter stay."""
        if self.restored_from is not self.workspaces.ui:
            self._restore()
        row_id, self._saved_cursor = self._saved_cursor, None
        rows = self.rows = self.make_rows()
        self.table.view.rows = rows
        self.table.view.row_mask = self._visible_rows()
        self.table.show(rows)
        if row_id is not None and self.table.move_to(str(row_id)):
            self.table.show(rows)
        self._draw_facets()
        self.show_detail()
        if self._saved_pane == "detail":
            self.set_focus(self.detail)
        self._saved_pane = "table"

    def _visible_rows(self) -> Sequence[bool] | None:
        """Return whether facet and filter show each row; None for all rows."""
        rows, facets = self.rows, self.facets()
        self.facet = self.facet if self.facet < len(facets) else 0
        new_filter = parse_filter(self.filter_bar.value, fields=self.FIELDS)
        cache = self._filter_cache
        if cache is None or cache.rows is not rows or cache.facet != self.facet:
            test = facets[self.facet][1]
            in_facet = None if test is None else [test(row) for row in range(len(rows))]
            cache = _FilterCache(rows, self.facet, in_facet, RowFilter(), in_facet)
        # A filter that only narrows the last one needs to test visible rows only.
        among = cache.visible if new_filter.narrows(cache.filter) else cache.in_facet
        visible = new_filter.keep(
            len(rows),
            rows.text,
            rows.value,
            # Making the texts of all rows takes long; only words need them.
            lowered=rows.lowered if new_filter.words else None,
            members=rows.members,
            among=among,
        )
        self._filter_cache = cache._replace(filter=new_filter, visible=visible)
        return visible

    def show_columns_of(self, rows: SearchableRows) -> None:
        """Show the columns that rows bring; drop the sort order if its column is not among them."""
        self.table.columns = rows.columns if isinstance(rows, ColumnRows) else self.COLUMNS
        if self.table.view.sort_key not in {column.key for column in self.table.columns}:
            self.table.view.sort_key = None

    def reveal(self, row_id: str) -> None:
        """Move the cursor to a row; clear the filter or change the facet if they hide it."""
        if not self.table.move_to(row_id):
            rows = self.table.rows
            row = next(
                (number for number in range(len(rows)) if rows.row_id(number) == row_id), None
            )
            if row is None:
                self.say("The row is no longer in this list.")
                return
            self.filter_bar.restore("")
            tests = (test for _, test in self.facets())
            self.facet = next(
                (index for index, test in enumerate(tests) if test is None or test(row)), 0
            )
            self.refresh_session()
            self.table.move_to(row_id)
        self.set_focus(self.table)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Allow only `back` while no workspace is open."""
        return self.session is not None or action == "back"

    def _draw_facets(self) -> None:
        if self.session is None:
            return
        parts = []
        for index, (name, _) in enumerate(self.facets()):
            is_active = index == self.facet
            text = f"[{name}]" if is_active else f" {name} "
            style = "bold" if is_active else "$foreground-muted"
            parts.append(LinePart(text, style, f"facet({index})"))
        line = self.query_one("#tally", Line)
        line.display = not self.is_narrow
        if self.is_narrow:
            parts.append(LinePart(f"  {self.count_text()}", "$foreground-muted"))
        else:
            line.show(self.tally())
        self.query_one("#facets", ActionLine).set_parts(parts)

    def tally(self) -> Content:
        """Return the line below the list; a narrow screen shows the count beside the facets."""
        return Content.styled(self.count_text(), "$foreground-muted")

    def count_text(self) -> str:
        """Return the number of visible rows, of marked rows, and the sort order."""
        table = self.table
        text = f"{len(table.view):,} of {len(table.rows):,}"
        if table.marked:
            text += f" · {len(table.marked):,} marked"
        # A narrow screen has no room for the order; the column header shows it.
        order = table.view.order_text(table.columns)
        return f"{text} · {order}" if order and not self.is_narrow else text

    def on_line_table_view_changed(self) -> None:
        """Redraw the facets and the count."""
        self._draw_facets()

    def show_items_of(self, concept_id: int) -> None:
        """Go to the Items screen, filtered by a concept."""
        self.show_filtered("items", f"concept:{concept_id:05d}")

    def show_filtered(self, mode: str, text: str) -> None:
        """Go to a list and filter it."""
        self.app.call_later(self._to_list, mode, text)

    async def _to_list(self, mode: str, text: str) -> None:
        await self.app.switch_mode(mode)
        screen = self.app.screen
        if isinstance(screen, ListScreen):
            screen.facet = 0
            screen.filter_bar.restore(text)
            screen.set_focus(screen.table)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while typing."""
        if event.input is self.filter_bar and self.seen_version >= 0:
            self.table.narrow_to(self._visible_rows())

    def on_filter_bar_left(self) -> None:
        """Move focus to the list."""
        self.set_focus(self.table)

    def action_filter(self) -> None:
        """Open the filter; the list narrows while the user types."""
        self.show_list()
        self.filter_bar.open()

    def record(self, decisions: Sequence[Decision]) -> bool:
        """Record decisions as one step and redraw; False if they could not be written."""
        session = self.session
        if session is None or not session.can_write:
            self.say("Read-only workspace: decisions cannot be saved.", is_error=True)
            return False
        try:
            session.record(*decisions)
        except WorkspaceError as error:
            self.say(str(error), is_error=True)
            return False
        self.table.marked.clear()
        self.workspaces.refresh_screens()
        return True

    def go_to_decision(self, decision: Decision) -> None:
        """Move the cursor to the row that a decision is about, if it is in this list."""
        row_id = self.row_of_decision(decision)
        # Searching a long list is slow, and the cursor is usually on the row already.
        if row_id != self.table.cursor_id:
            self.table.move_to(row_id)

    def row_of_decision(self, decision: Decision) -> str:
        """Return the id of the row that a decision is about."""
        return decision.subject_id

    def action_facets(self) -> None:
        """Show the next facet."""
        self.action_facet((self.facet + 1) % len(self.facets()))

    def action_facet(self, index: int) -> None:
        """Show a facet."""
        self.facet = index
        self.table.narrow_to(self._visible_rows())
        self._draw_facets()

    def action_sort(self) -> None:
        """Sort by the next column."""
        self.table.sort_next()

    def action_sort_reverse(self) -> None:
        """Reverse the sort order."""
        self.table.sort_by(self.table.view.sort_key, reverse=not self.table.view.reverse)

    def action_back(self) -> None:
        """Undo one step: leave the page, then the zoom, then clear the marks, then the filter."""
        if self.has_class("-detail"):
            self.remove_class("-detail")
            self.set_focus(self.table)
        elif any(self.has_class(css_class) for css_class in ZOOM_CLASSES):
            self.remove_class(*ZOOM_CLASSES)
        elif self.detail.has_focus:
            self.set_focus(self.table)
        elif self.table.marked:
            self.table.clear_marks()
        elif self.filter_bar.value:
            self.filter_bar.action_clear_filter()
        else:
            self.go_back()

    def go_back(self) -> None:
        """Handle `esc` when there is nothing left to clear."""

    def action_copy(self) -> None:
        """Copy the id of the row to the clipboard."""
        row_id = self.table.cursor_id
        if row_id is not None:
            text = row_id.partition(":")[2] or row_id
            self.app.copy_to_clipboard(text)
            self.say(f"Copied {display(text, width=60)}.")

    def action_export(self) -> None:
        """Write the list as CSV into the workspace; ask which rows if some are hidden or marked."""
        table = self.table
        all_rows = range(len(table.rows))
        marked = [
            row for row in all_rows if table.marked and table.rows.row_id(row) in table.marked
        ]
        choices: list[tuple[str, str, Sequence[int]]] = [
            ("shown", f"the {len(table.view):,} visible rows", table.view)
        ]
        if len(table.view) < len(all_rows):
            choices.append(("all", f"all {len(all_rows):,} rows", all_rows))
        if marked:
            choices.insert(0, ("marked", f"the {len(marked):,} marked rows", marked))
        if len(choices) == 1:
            self._write_rows(table.view)
            return

        def on_answer(choice: str | None) -> None:
            for key, _, rows in choices:
                if key == choice:
                    self._write_rows(rows)

        title = "Which rows should be written as CSV?"
        self.app.push_screen(AskChoice(title, [(key, text) for key, text, _ in choices]), on_answer)

    def _write_rows(self, rows: Sequence[int]) -> None:
        session = self.session
        if session is None:
            return

        try:
            path = write_table(session.folder / "exports", self.MODE, self.table, rows)
        except OSError as error:
            self.say(f"Nothing written: {error}.", is_error=True)
            return
        self.say(f"Wrote {len(rows):,} rows to {path}.")
