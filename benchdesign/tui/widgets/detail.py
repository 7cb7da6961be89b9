"""The pane beside or below a list: one scrollable page of text."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from benchdesign.tui.keys import bindings

__all__ = ["Detail", "Line", "heading"]


class Line(Static):
    """One line (or more) of literal content; plain strings are never markup."""

    def __init__(
        self,
        text: Content | str = "",
        *,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(_content(text), id=id, classes=classes, markup=False)

    def show(self, text: Content | str) -> None:
        """Show other text."""
        self.update(_content(text))


class Detail(VerticalScroll, can_focus=True):
    """A page about the row under the cursor."""

    DEFAULT_CSS = """
    Detail { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    Detail > Static { height: auto; width: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "move.up", "move.down", "move.page_up", "move.page_down", "move.first", "move.last"
    )

    class Resized(Message):
        """Lines have another length now."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._width = 0
        self.text = ""
        """What is shown, without styles."""

    def compose(self) -> ComposeResult:
        """Hold one page."""
        yield Line(classes="detail--page")

    def on_resize(self) -> None:
        """Say so where lines have another length."""
        width = self.scrollable_content_region.width
        if width != self._width:
            self._width = width
            self.post_message(self.Resized())

    def show(self, content: Content | str) -> None:
        """Show another page from its beginning."""
        content = _content(content)
        self.text = content.plain
        if self.is_mounted:
            self.query_one(Line).show(content)
            self.scroll_home(animate=False)

    def scroll_to_line(self, start: str) -> None:
        """Scroll to the first line that begins with a text, however the lines before it wrap."""
        before, found, _ = f"\n{self.text}".partition(f"\n{start}")
        width = self.scrollable_content_region.width
        # A page that was never laid out has no lines to count.
        if found and width:
            n_above = len(Content(before.removeprefix("\n")).wrap(width))
            # After the page is laid out: until then it is as long as the one before.
            self.call_after_refresh(self.scroll_to, y=n_above, animate=False)

    def action_cursor_up(self) -> None:
        """Scroll up."""
        self.scroll_up(animate=False)

    def action_cursor_down(self) -> None:
        """Scroll down."""
        self.scroll_down(animate=False)

    def action_page_up(self) -> None:
        """Scroll a page up."""
        self.scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        """Scroll a page down."""
        self.scroll_page_down(animate=False)

    def action_first(self) -> None:
        """Go to the beginning."""
        self.scroll_home(animate=False)

    def action_last(self) -> None:
        """Go to the end."""
        self.scroll_end(animate=False)


def heading(text: str) -> Content:
    """Return a section's title."""
    return Content.styled(text, "bold $text-accent")


def _content(text: Content | str) -> Content:
    return text if isinstance(text, Content) else Content(text)
