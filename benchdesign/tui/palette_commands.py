"""Commands of the command palette: screens, actions, themes and messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand
from textual.screen import Screen

from benchdesign.tui.dialogs.dialogs import AskChoice
from benchdesign.tui.keys import APP_KEYS, KEYS, SCREEN_KEYS, SCREENS, TABLE_KEYS, key_label

if TYPE_CHECKING:
    from benchdesign.tui.app import BenchdesignApp

__all__ = ["palette_commands"]

_GROUPS = {
    "Move": "go",
    "View": "view",
    "Mark": "view",
    "Review": "review",
    "Decision": "review",
    "File": "file",
    "Job": "workspace",
    "Help": "help",
}


def palette_commands(app: BenchdesignApp, screen: Screen[Any]) -> Iterator[SystemCommand]:
    """Yield `group: verb` commands; actions of the current screen precede general ones."""
    for screen_name in SCREENS:
        yield SystemCommand(
            f"go: {screen_name.title}", screen_name.question, _run(app, f"go('{screen_name.mode}')")
        )
    screen_keys = SCREEN_KEYS.get(app.current_mode, ())
    for key_id in dict.fromkeys((*screen_keys, *TABLE_KEYS, *APP_KEYS)):
        key = KEYS[key_id]
        if key.group == "Screens" or key.id == "palette":
            continue
        name = f"{_GROUPS[key.group]}: {key.word}"
        help_text = f"{key.tooltip}  ({key_label(app.key_of(key_id))})"
        yield SystemCommand(name, help_text, _run(app, key.action))
    for theme in sorted(app.available_themes):
        yield SystemCommand(f"theme: {theme}", "Change the colours.", _theme(app, theme))
    yield SystemCommand("help: messages", "Show earlier messages.", _messages(app))


def _run(app: BenchdesignApp, action: str) -> Callable[[], None]:
    def run() -> None:
        async def perform() -> None:
            perform_on_screen = getattr(app.screen, "perform", None)
            if perform_on_screen is not None:
                await perform_on_screen(action)

        app.call_later(perform)

    return run


def _theme(app: BenchdesignApp, theme: str) -> Callable[[], None]:
    def change() -> None:
        app.theme = theme

    return change


def _messages(app: BenchdesignApp) -> Callable[[], None]:
    def show() -> None:

        messages = [(str(position), text) for position, text in enumerate(app.messages[-40:])]
        app.push_screen(AskChoice("Messages", messages or [("0", "No messages yet.")]))

    return show
