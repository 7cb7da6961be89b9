"""The help dialog: what a screen is for, and its keys."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input

from benchdesign.tui.keys import APP_KEYS, KEYS, SCREEN_KEYS, SCREENS, TABLE_KEYS, key_label
from benchdesign.tui.widgets.detail import Line, heading

__all__ = ["HelpScreen", "help_content"]

_SCREEN_TEXTS = {
    "open": "Recent workspaces, and a form for a new one. Nothing is written until you choose "
    "Create.",
    "overview": "Coverage, the worst gaps, over-covered concepts, progress of the review, and "
    "the scope. enter performs the next step; c edits the scope.",
    "concepts": "Every concept of the dictionary with the number of items that show it. The "
    "page on the right explains the verdict and lists the items that show the concept most "
    "strongly.",
    "gaps": "Groups of similar items that are lacking, worst first, then suspicions, groups with "
    "too many items, and groups out of scope. + says that a group is meant, - that it is not; R "
    "searches again with it. enter reviews the candidates in the group, right shows more of its "
    "items. f shows gaps by area, or as one list of concepts: right opens an area, + and - put "
    "concepts or areas in and out of scope. The filter accepts words, state:suspected, "
    "expected>10 and relevance<0.5.",
    "candidates": "One proposal at a time. a accepts, r rejects, d defers, and the next open "
    "one follows; c chooses a reason; u undoes. Decisions are saved at once. f switches between "
    "states and to removals. B hides the answers until you have answered. The filter accepts "
    "words, /patterns/, concept:, group:, reason:, note: and tokens>200.",
    "items": "The revised benchmark in its current state. The filter accepts words, "
    "/patterns/, field:value and tokens>200. x drops or restores an item.",
    "models": "Per-concept results of models, read from their result files. f shows areas, "
    "concepts, weak spots, two models compared, and items. ! and + mark scores significantly "
    "below or above the model's other scores; with fewer than ten items, counts are shown.",
    "compare": "How often concepts occur here and in another set of items, both mapped with "
    "the same dictionary. c chooses the other set.",
    "export": "The files that will be written, and checks. ^e writes the files; existing "
    "files are not overwritten without asking.",
}


def help_content(mode: str, *, search: str = "") -> Content:
    """Return the help of a screen; with `search`, only the keys that match it."""
    screen = next(screen for screen in SCREENS if screen.mode == mode)
    parts: list[Content] = []
    if not search:
        parts += [heading(screen.question), Content(f"{_SCREEN_TEXTS[mode]}\n")]
    groups = (
        ("On this screen", SCREEN_KEYS[mode]),
        ("In lists", tuple(key_id for key_id in TABLE_KEYS if key_id not in SCREEN_KEYS[mode])),
        ("Everywhere", APP_KEYS),
    )
    for title, ids in groups:
        lines = []
        for key_id in ids:
            key = KEYS[key_id]
            labels = " ".join(key_label(part) for part in key.keys.split(","))
            if search.lower() in f"{labels} {key.word} {key.tooltip}".lower():
                lines.append(
                    Content.assemble((f"  {labels:<14}", "bold $text-accent"), key.tooltip)
                )
        if lines:
            parts += [heading(title), *lines, Content("")]
    return Content("\n").join(parts) if parts else Content("No key matches.")


class HelpScreen(ModalScreen[None]):
    """The help of a screen, as a dialog over it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1", "close", "close", show=False, id="help.close", tooltip="Close help."),
        Binding("down", "scroll(3)", "down", show=False, id="help.down", tooltip="Scroll down."),
        Binding("up", "scroll(-3)", "up", show=False, id="help.up", tooltip="Scroll up."),
    ]

    def __init__(self, mode: str) -> None:
        super().__init__()
        self._mode = mode

    def compose(self) -> ComposeResult:
        """Compose the search input and the text."""
        with Vertical(classes="dialog"):
            yield Input(placeholder="type to search the keys; esc closes", id="search")
            with VerticalScroll(can_focus=False):
                yield Line(help_content(self._mode), id="help-text")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show the keys that match the search."""
        self.query_one("#help-text", Line).show(help_content(self._mode, search=event.value))

    def action_close(self) -> None:
        """Close the help."""
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """Scroll the text."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
