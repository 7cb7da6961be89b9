"""Jump mode: every pane has a letter; pressing it focuses the pane."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

from benchdesign.tui.widgets.detail import Line

__all__ = ["JumpScreen"]

_LETTERS = "asdfghjkl"
_PANE_NAMES = {"table": "list", "detail": "page", "filter": "filter"}


class JumpScreen(ModalScreen[None]):
    """A letter for every widget that can have focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close", show=False, id="jump.close", tooltip="Cancel.")
    ]

    def __init__(self, screen: Screen[object]) -> None:
        super().__init__()
        self._targets: dict[str, Widget] = dict(
            zip(_LETTERS, (widget for widget in screen.focus_chain if widget.display), strict=False)
        )

    def compose(self) -> ComposeResult:
        """Compose the list of panes and their letters."""
        lines = [
            Content.assemble((f"  {letter}  ", "bold reverse"), f"  {_pane_name(widget)}")
            for letter, widget in self._targets.items()
        ]
        with Vertical(classes="dialog"):
            yield Line(Content("Go to"))
            yield Line(Content("\n").join(lines))

    def on_key(self, event: events.Key) -> None:
        """Focus the pane of the letter."""
        target = self._targets.get(event.key)
        if target is not None:
            event.stop()
            self.dismiss(None)
            target.focus()

    def action_close(self) -> None:
        """Close without moving focus."""
        self.dismiss(None)


def _pane_name(widget: Widget) -> str:
    name = widget.id or type(widget).__name__.lower()
    return _PANE_NAMES.get(name, name.replace("-", " "))
