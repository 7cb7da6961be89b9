"""What a screen does, and its keys."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input

from benchdesign.tui.keys import (
    APP_KEYS,
    KEYS,
    SCREEN_KEYS,
    SCREENS,
    TABLE_KEYS,
    key_label,
)
from benchdesign.tui.widgets.detail import Line, heading

__all__ = ["HelpScreen", "help_content"]

_TEXTS = {
    "open": "Recent workspaces, and a form to make a new one. Nothing is written before Create.",
    "overview": "Coverage, the worst gaps, what is over-covered, how far the work is, and the "
    "scope. enter does what the Next line says; c writes the scope.",
    "concepts": "Every concept of the dictionary with how many items show it. The page on the "
    "right says what to think of it and shows the items that show it most.",
    "gaps": "Gaps by area, worst first. right opens an area, enter reviews the candidates that "
    "would fill the gap. + and - put concepts or areas in and out of scope.",
    "candidates": "One proposal at a time. a, r, d decide and go to the next open one; c says "
    "why; u undoes. Everything is on disk at once. f switches between states, and to removals. "
    "B hides the answers until you have found your own. The filter takes words, /patterns/, "
    "concept:, reason:, note: and tokens>200.",
    "items": "The revised benchmark as it stands. The filter takes words, /patterns/, "
    "field:value and tokens>200. x drops an item or brings it back.",
    "models": "Per-concept results of models, read from their result files.",
    "compare": "How often concepts occur here and in another set of items, both mapped with the "
    "same dictionary. c chooses the other set.",
    "export": "What will be written, checked. ^e writes it; nothing is overwritten unasked.",
}


def help_content(mode: str, *, search: str = "") -> Content:
    """Return the help of a screen, narrowed to what contains `search`."""
    screen = next(one for one in SCREENS if one.mode == mode)
    parts: list[Content] = []
    if not search:
        parts += [heading(screen.question), Content(f"{_TEXTS[mode]}\n")]
    groups = (
        ("On this screen", SCREEN_KEYS[mode]),
        ("In lists", tuple(one for one in TABLE_KEYS if one not in SCREEN_KEYS[mode])),
        ("Everywhere", APP_KEYS),
    )
    for title, ids in groups:
        lines = []
        for one in ids:
            key = KEYS[one]
            shown = " ".join(key_label(part) for part in key.keys.split(","))
            if search.lower() in f"{shown} {key.word} {key.tooltip}".lower():
                lines.append(Content.assemble((f"  {shown:<14}", "bold $text-accent"), key.tooltip))
        if lines:
            parts += [heading(title), *lines, Content("")]
    return Content("\n").join(parts) if parts else Content("No key does that.")


class HelpScreen(ModalScreen[None]):
    """Help over the screen it is about."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1", "close", "close", show=False, id="help.close", tooltip="Close help."),
        Binding("down", "scroll(3)", "down", show=False, id="help.down", tooltip="Scroll down."),
        Binding("up", "scroll(-3)", "up", show=False, id="help.up", tooltip="Scroll up."),
    ]

    def __init__(self, mode: str) -> None:
        super().__init__()
        self._mode = mode

    def compose(self) -> ComposeResult:
        """Lay out search and text."""
        with Vertical(classes="dialog"):
            yield Input(placeholder="type to search the keys; esc closes", id="search")
            with VerticalScroll(can_focus=False):
                yield Line(help_content(self._mode), id="help-text")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow to what was typed."""
        self.query_one("#help-text", Line).show(help_content(self._mode, search=event.value))

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """Move the text."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
