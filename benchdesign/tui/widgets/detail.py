"""The detail pane beside or below a list: a scrollable page of text."""

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
    """A line (or more) of literal text; plain strings are never parsed as markup."""

    def __init__(
        self,
        text: Content | str = "",
        *,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(_content(text), id=id, classes=classes, markup=False)

    def show(self, text: Content | str) -> None:
        """Replace the text."""
        self.update(_content(text))


class Detail(VerticalScroll, can_focus=True):
    """A scrollable page about the row under the cursor."""

    DEFAULT_CSS = """
    Detail { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    Detail > Static { height: auto; width: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "move.up", "move.down", "move.page_up", "move.page_down", "move.first", "move.last"
    )

    class Resized(Message):
        """The width of the page changed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._width = 0
        self.text = ""
        """The text of the page, without styles."""

    def compose(self) -> ComposeResult:
        """Compose the page."""
        yield Line(classes="detail--page")

    def on_resize(self) -> None:
        """Post `Resized` if the width of the page changed."""
        width = self.scrollable_content_region.width
        if width != self._width:
            self._width = width
            self.post_message(self.Resized())

    def show(self, content: Content | str) -> None:
        """Replace the page and scroll to its start."""
        content = _content(content)
        self.text = content.plain
        if self.is_mounted:
            self.query_one(Line).show(content)
            self.scroll_home(animate=False)

    def scroll_to_line(self, start: str) -> None:
        """Scroll to the first line that starts with `start`; wrapped lines count as displayed."""
        before, separator, _ = f"\n{self.text}".partition(f"\n{start}")
        width = self.scrollable_content_region.width
        # Before the first layout the page has no width to wrap at.
        if separator and width:
            n_above = len(Content(before.removeprefix("\n")).wrap(width))
            # Scroll after the layout: until then the page has its old height.
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
        """Scroll to the start."""
        self.scroll_home(animate=False)

    def action_last(self) -> None:
        """Scroll to the end."""
        self.scroll_end(animate=False)


def heading(text: str) -> Content:
    """Return the styled title of a section."""
    return Content.styled(text, "bold $text-accent")


def _content(text: Content | str) -> Content:
    return text if isinstance(text, Content) else Content(text)
