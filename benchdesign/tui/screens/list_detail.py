"""The detail page of a list screen: drawn for the row under the cursor, zoomed, stepped through."""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content
from textual.timer import Timer

from benchdesign.tui.screens.base_screen import BaseScreen
from benchdesign.tui.widgets.detail import Detail
from benchdesign.tui.widgets.line_table import LineTable

__all__ = ["ZOOM_CLASSES", "ListDetailScreen"]

ZOOM_CLASSES = ("-zoom-list", "-zoom-detail")

_DETAIL_DELAY = 0.04
"""Seconds the cursor must rest before the page is drawn: holding an arrow key stays fast."""


class ListDetailScreen(BaseScreen):
    """A screen with a list and a page about the row under the cursor."""

    SIDE_BY_SIDE: ClassVar[bool] = True
    """Whether the page is beside the list; else it is below it."""

    _timer: Timer | None = None
    _page_key: object = None
    """Row, page of evidence and version that the detail page shows."""

    part = 0
    """Which page of evidence is shown."""

    def detail_of(self, row_id: str) -> Content:
        """Return the page about a row; empty by default."""
        return Content("")

    @property
    def table(self) -> LineTable:
        """The list."""
        return self.query_one("#table", LineTable)

    @property
    def detail(self) -> Detail:
        """The detail page."""
        return self.query_one("#detail", Detail)

    @property
    def page_width(self) -> int:
        """Width of the page in cells; an estimate before it is laid out."""
        return self.detail.scrollable_content_region.width or self.app.size.width * 2 // 5

    @property
    def is_short(self) -> bool:
        """Whether the screen has few lines."""
        return self.app.size.height < 30

    def on_line_table_highlighted(self, event: LineTable.Highlighted) -> None:
        """Draw the page once the cursor rests."""
        self.part = 0
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_DETAIL_DELAY, self._show_resting)

    def _show_resting(self) -> None:
        # After a decision `refresh_session` has drawn the page already.
        if self._page_key != (self.table.cursor_id, self.part, self.workspaces.version):
            self.show_detail()

    def on_detail_resized(self) -> None:
        """Redraw the page for its new width."""
        if self.seen_version >= 0:
            self.show_detail()

    def show_detail(self) -> None:
        """Draw the page about the row under the cursor."""
        session = self.session
        if session is None:
            return
        if session.loaded is None:
            self.detail.show(Content.styled("Reading items ...", "$foreground-muted"))
            return
        row_id = self.table.cursor_id
        self._page_key = (row_id, self.part, self.workspaces.version)
        self.detail.show(Content("") if row_id is None else self.detail_of(row_id))

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        """Open the row."""
        self.open_row(event.row_id)

    def open_row(self, row_id: str) -> None:
        """Focus the page; show it instead of the list if there is no room for both."""
        if self.is_narrow or not self.SIDE_BY_SIDE:
            self.add_class("-detail")
        self.set_focus(self.detail)

    def action_open_row(self) -> None:
        """Open the row under the cursor."""
        if self.table.cursor_id is not None:
            self.open_row(self.table.cursor_id)

    @property
    def shows_page(self) -> bool:
        """Whether the page is visible, beside the list or instead of it."""
        return self.detail.display

    def show_list(self) -> None:
        """Show the list if the page covers it."""
        self.remove_class("-detail", "-zoom-detail")

    def action_zoom(self) -> None:
        """Zoom the focused pane, or restore both panes."""
        if self.has_class("-zoom-list") or self.has_class("-zoom-detail"):
            self.remove_class(*ZOOM_CLASSES)
        elif self.detail.has_focus:
            self.add_class("-zoom-detail")
        else:
            self.add_class("-zoom-list")

    def action_next_part(self) -> None:
        """Show the next page of evidence."""
        self.part += 1
        self.show_detail()

    def action_previous_part(self) -> None:
        """Show the previous page of evidence."""
        self.part = max(self.part - 1, 0)
        self.show_detail()
