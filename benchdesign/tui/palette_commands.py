"""Commands of the command palette: screens, actions, themes and messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from textual.app import App, SystemCommand

from benchdesign.tui.dialogs.dialogs import AskChoice
from benchdesign.tui.keys import (
    APP_KEYS,
    KEYS,
    SCREEN_KEYS,
    SCREENS,
    TABLE_KEYS,
    bound_key,
    key_label,
)
from benchdesign.tui.screens.base_screen import BaseScreen
from benchdesign.tui.session.controllers import Controllers

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


def palette_commands(app: App[Any], controllers: Controllers) -> Iterator[SystemCommand]:
    """Yield `group: verb` commands; actions of the current screen precede general ones."""
    for screen_name in SCREENS:
        yield SystemCommand(
            f"go: {screen_name.title}", screen_name.question, _run(app, f"go('{screen_name.mode}')")
        )
    key_map = controllers.launch.preferences.keys
    screen_keys = SCREEN_KEYS.get(app.current_mode, ())
    for key_id in dict.fromkeys((*screen_keys, *TABLE_KEYS, *APP_KEYS)):
        key = KEYS[key_id]
        if key.group == "Screens" or key.id == "palette":
            continue
        name = f"{_GROUPS[key.group]}: {key.word}"
        help_text = f"{key.tooltip}  ({key_label(bound_key(key_id, key_map))})"
        yield SystemCommand(name, help_text, _run(app, key.action))
    for theme in sorted(app.available_themes):
        yield SystemCommand(f"theme: {theme}", "Change the colours.", _theme(app, theme))
    history = controllers.messages.history
    yield SystemCommand("help: messages", "Show earlier messages.", _messages(app, history))


def _run(app: App[Any], action: str) -> Callable[[], None]:
    async def perform() -> None:
        if isinstance(app.screen, BaseScreen):
            await app.screen.perform(action)

    def run() -> None:
        app.call_later(perform)

    return run


def _theme(app: App[Any], theme: str) -> Callable[[], None]:
    def change() -> None:
        app.theme = theme

    return change


def _messages(app: App[Any], history: Sequence[str]) -> Callable[[], None]:
    def show() -> None:
        messages = [(str(position), text) for position, text in enumerate(history[-40:])]
        app.push_screen(AskChoice("Messages", messages or [("0", "No messages yet.")]))

    return show
