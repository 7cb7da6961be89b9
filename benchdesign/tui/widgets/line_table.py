"""A table that draws only its visible lines: a million rows open as fast as ten.

Filter and sort order are a view of row numbers; the rows themselves never move. Text reaches the
terminal only through `benchdesign.foundation.text`, as literal segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.actions import SkipAction
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from benchdesign.foundation.text import fit
from benchdesign.tui.keys import TABLE_KEYS, bindings
from benchdesign.tui.marks import Marks
from benchdesign.tui.widgets.table_rows import Column, Rows
from benchdesign.tui.widgets.table_view import TableView

__all__ = ["LineTable"]


class LineTable(ScrollView, can_focus=True):
    """A table with a cursor, marks, a sort order and a filter."""

    STYLES: ClassVar[tuple[str, ...]] = ("muted", "warn", "good", "strong", "head")

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "line-table--header",
        "line-table--cursor",
        "line-table--cursor-blurred",
        "line-table--marked",
        "line-table--warn",
        "line-table--good",
        "line-table--strong",
        "line-table--head",
    }

    DEFAULT_CSS = """
    LineTable {
        height: 1fr;
        background: $background;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
        & > .line-table--header { color: $foreground-muted; text-style: bold; }
        & > .line-table--cursor { background: $primary-muted; text-style: bold; }
        & > .line-table--cursor-blurred { background: $panel; }
        & > .line-table--marked { background: $surface; }
        & > .line-table--warn { color: $text-warning; }
        & > .line-table--good { color: $text-primary; }
        & > .line-table--strong { text-style: bold; }
        & > .line-table--head { color: $text; text-style: bold; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(*TABLE_KEYS)

    cursor: reactive[int] = reactive(0, repaint=False)
    """Position in the view, not the row number."""

    class Highlighted(Message):
        """The cursor moved to another row."""

        def __init__(self, table: LineTable, row_id: str | None) -> None:
            super().__init__()
            self.table = table
            self.row_id = row_id

        @property
        def control(self) -> LineTable:
            """The table that sent the message."""
            return self.table

    class Opened(Message):
        """The row under the cursor was opened."""

        def __init__(self, table: LineTable, row_id: str) -> None:
            super().__init__()
            self.table = table
            self.row_id = row_id

        @property
        def control(self) -> LineTable:
            """The table that sent the message."""
            return self.table

    class ViewChanged(Message):
        """The filter, the order or the marks changed."""

        def __init__(self, table: LineTable) -> None:
            super().__init__()
            self.table = table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty: str = "Nothing here.",
        marks: Marks | None = None,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.empty = empty
        self.marks = marks or Marks()
        self.view = TableView()
        """The visible rows; a change of it takes effect with the next `show`."""

        self.marked: set[str] = set()
        self._narrow = False
        self._notified_id: str | None = None
        self._styles: dict[tuple[str, ...], Style] = {}

    # rows and view

    @property
    def rows(self) -> Rows:
        """All rows, visible or not."""
        return self.view.rows

    def show(self, rows: Rows, *, keep_cursor: bool = True) -> None:
        """Show new rows; cursor and marks stay on the same ids."""
        row_id, row = (self.cursor_id, self.cursor_row) if keep_cursor else (None, None)
        position = self.cursor
        self.view.rows = rows
        self.view.arrange()
        if row is not None and row < len(rows) and rows.row_id(row) == row_id:
            # A row usually keeps its number, and a search by number is much faster.
            is_visible = row in self.view
            if is_visible:
                self.cursor = self.view.index(row)
        else:
            is_visible = row_id is not None and self.move_to(row_id)
        if not is_visible:
            self.cursor = max(min(position if keep_cursor else 0, len(self.view) - 1), 0)
        self._after_change()

    def narrow_to(self, visible: Sequence[bool] | None) -> None:
        """Show only the rows that are True in `visible`; None shows all rows."""
        row = self.cursor_row
        self.view.row_mask = visible
        self.view.arrange()
        self._move_to_row(row)
        self._after_change()

    def sort_by(self, key: str | None, *, reverse: bool = False) -> None:
        """Sort by a column; None restores the original order."""
        row = self.cursor_row
        self.view.sort_key, self.view.reverse = key, reverse
        self.view.arrange()
        self._move_to_row(row)
        self._after_change()

    def sort_next(self) -> None:
        """Sort by the next column; after the last column, restore the original order."""
        self.sort_by(self.view.next_sort_key(self.columns))

    def _after_change(self) -> None:
        self.virtual_size = Size(0, len(self.view) + 1)
        self._scroll_to_cursor()
        self.refresh()
        self._notify_cursor()
        self.post_message(self.ViewChanged(self))

    def _notify_cursor(self) -> None:
        if self.cursor_id != self._notified_id:
            self._notified_id = self.cursor_id
            self.post_message(self.Highlighted(self, self._notified_id))

    # cursor and marks

    @property
    def cursor_row(self) -> int | None:
        """Number of the row under the cursor; None if the view is empty."""
        return self.view[self.cursor] if 0 <= self.cursor < len(self.view) else None

    @property
    def cursor_id(self) -> str | None:
        """Id of the row under the cursor; None if the view is empty."""
        return self.view.row_id(self.cursor)

    @property
    def chosen_ids(self) -> tuple[str, ...]:
        """Ids of the rows an action applies to: the marked rows, else the row at the cursor."""
        if self.marked:
            return self.view.ids_among(self.marked)
        return () if self.cursor_id is None else (self.cursor_id,)

    def move_to(self, row_id: str) -> bool:
        """Move the cursor to a row; False if the row is not in the view."""
        position = self.view.position_of(row_id)
        if position is None:
            return False
        self.cursor = position
        return True

    def _move_to_row(self, row: int | None) -> None:
        try:
            self.cursor = 0 if row is None else self.view.index(row)
        except ValueError:
            self.cursor = 0

    def clear_marks(self) -> None:
        """Clear all marks."""
        self.marked.clear()
        self.refresh()
        self.post_message(self.ViewChanged(self))

    def validate_cursor(self, position: int) -> int:
        """Clamp the cursor to the view."""
        return max(min(position, len(self.view) - 1), 0)

    def watch_cursor(self, old: int, new: int) -> None:
        """Redraw the old and the new line and scroll to the cursor."""
        if not self.is_mounted:
            return
        self._scroll_to_cursor()
        for position in (old, new):
            self.refresh(Region(0, position + 1 - self.scroll_offset.y, self.size.width, 1))
        self._notify_cursor()

    def _scroll_to_cursor(self) -> None:
        height = self.scrollable_content_region.height - 1
        if height <= 0:
            return
        top = int(self.scroll_target_y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True)

    @property
    def _page(self) -> int:
        return max(self.scrollable_content_region.height - 2, 1)

    def action_cursor_up(self) -> None:
        """Move up."""
        self.cursor -= 1

    def action_cursor_down(self) -> None:
        """Move down."""
        self.cursor += 1

    def action_page_up(self) -> None:
        """Move a page up."""
        self.cursor -= self._page

    def action_page_down(self) -> None:
        """Move a page down."""
        self.cursor += self._page

    def action_first(self) -> None:
        """Go to the first row."""
        self.cursor = 0

    def action_last(self) -> None:
        """Go to the last row."""
        self.cursor = len(self.view) - 1

    def action_mark(self) -> None:
        """Mark or unmark the row and move down."""
        self._flip_mark()
        self.cursor += 1

    def action_mark_up(self) -> None:
        """Mark or unmark the row and move up."""
        self._flip_mark()
        self.cursor -= 1

    def action_mark_down(self) -> None:
        """Mark or unmark the row and move down."""
        self._flip_mark()
        self.cursor += 1

    def _flip_mark(self) -> None:
        if self.cursor_id is not None:
            self.marked ^= {self.cursor_id}
            self.refresh()
            self.post_message(self.ViewChanged(self))

    def action_open_row(self) -> None:
        """Open the row under the cursor; in an empty list, leave the key to the screen."""
        if self.cursor_id is None:
            raise SkipAction()
        self.post_message(self.Opened(self, self.cursor_id))

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked row, open it on a double click, or sort by a header."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            self._sort_at(offset.x)
            return
        position = offset.y - 1 + self.scroll_offset.y
        if position < len(self.view):
            self.cursor = position
            if event.chain == 2:
                self.action_open_row()

    def _sort_at(self, x: int) -> None:
        left = 3
        for column, width in self._widths():
            if left <= x < left + width + 1 and column.sortable:
                is_sorted = self.view.sort_key == column.key
                self.sort_by(column.key, reverse=is_sorted and not self.view.reverse)
                return
            left += width + 1

    # drawing

    def on_resize(self) -> None:
        """Fit the columns to the new width and scroll to the cursor."""
        self._narrow = self.app.size.width < 100
        self.virtual_size = Size(0, len(self.view) + 1)
        self._scroll_to_cursor()

    def notify_style_update(self) -> None:
        """Clear the style cache: the theme may have changed."""
        self._styles.clear()
        super().notify_style_update()

    def _widths(self) -> list[tuple[Column, int]]:
        visible = [column for column in self.columns if column.narrow or not self._narrow]
        used = sum(column.width + 1 for column in visible if column.width) + 3
        free = max(self.scrollable_content_region.width - used - 1, 6)
        return [(column, column.width or free) for column in visible]

    def _style(self, *names: str) -> Style:
        if names not in self._styles:
            style = self.rich_style
            for name in names:
                if name == "muted":
                    _, _, below, above = self.colors
                    style += Style(color=below.blend(above, 0.6).rich_color)
                elif name:
                    style += self.get_component_rich_style(f"line-table--{name}", partial=True)
            self._styles[names] = style
        return self._styles[names]

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        width = self.scrollable_content_region.width
        if y == 0:
            return self._header(width)
        position = y - 1 + self.scroll_offset.y
        if position >= len(self.view):
            lines = wrap(self.empty, max(width - 6, 8)) if not self.view and y >= 2 else []
            text = lines[y - 2] if 0 <= y - 2 < len(lines) else ""
            return Strip([Segment(fit(f"   {text}", width), self._style("muted"))], width)
        return self._line(position, width)

    def _header(self, width: int) -> Strip:
        parts = ["   "]
        for column, size in self._widths():
            title = column.title
            if column.key == self.view.sort_key and title:
                title += self.marks.glyph("descending" if self.view.reverse else "ascending")
            parts.append(fit(title, size, align=column.align) + " ")
        return Strip([Segment(fit("".join(parts), width), self._style("header"))], width)

    def _line(self, position: int, width: int) -> Strip:
        row = self.view[position]
        is_cursor = position == self.cursor
        is_marked = bool(self.marked) and self.rows.row_id(row) in self.marked
        over = "marked" if is_marked else ""
        if is_cursor:
            over = "cursor" if self.has_focus else "cursor-blurred"
        front = (self.marks.glyph("cursor") if is_cursor else " ") + (
            self.marks.glyph("marked") if is_marked else " "
        )
        segments = [Segment(f"{front} ", self._style(over))]
        used = 3
        for column, size in self._widths():
            cell = self.rows.cell(row, column.key)
            text = fit(cell.text, size, align=column.align, cut=column.cut)
            segments.append(Segment(text + " ", self._style(cell.style, over)))
            used += size + 1
        if used < width:
            segments.append(Segment(" " * (width - used), self._style(over)))
        return Strip(segments, max(used, width)).crop(0, width)

    def on_focus(self) -> None:
        """Redraw the cursor as focused."""
        self.refresh()

    def on_blur(self) -> None:
        """Redraw the cursor as not focused."""
        self.refresh()
