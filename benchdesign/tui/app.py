"""The application: screens, keys, the open workspace and the running job."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App, ScreenStackError, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen
from textual.theme import Theme
from textual.widget import Widget

from benchdesign.errors import WorkspaceError
from benchdesign.foundation.paths import path_exists
from benchdesign.tui.dialogs.help import HelpScreen
from benchdesign.tui.dialogs.jump import JumpScreen
from benchdesign.tui.keys import APP_KEYS, KEYS, SCREENS, bindings
from benchdesign.tui.palette_commands import palette_commands
from benchdesign.tui.session.job_controller import WorkingApp
from benchdesign.tui.session.ui_state import save_preference

if TYPE_CHECKING:
    from textual.command import Provider

    from benchdesign.tui.session.session import Session
    from benchdesign.workspace.decisions import LogStep

__all__ = ["BenchdesignApp"]


_KEY_RETRY_SECONDS = 0.01
"""Seconds between retries of keys typed before the first screen exists."""


def _factory(mode: str) -> Callable[[], Screen[Any]]:
    def make() -> Screen[Any]:
        from importlib import import_module

        module = import_module(f"benchdesign.tui.screens.{mode}")
        screen: Screen[Any] = getattr(module, f"{mode.capitalize()}Screen")()
        return screen

    return make


def _finder() -> type[Provider]:
    from benchdesign.tui.palette_search import WorkspaceFinder

    return WorkspaceFinder


class BenchdesignApp(WorkingApp):
    """The terminal application."""

    TITLE = "benchdesign"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(*APP_KEYS)
    MODES: ClassVar[dict[str, Any]] = {screen.mode: _factory(screen.mode) for screen in SCREENS}
    DEFAULT_MODE = "open"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS = App.COMMANDS | {_finder}

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._typed_into: deque[tuple[events.Key, Widget]] = deque(maxlen=256)
        """The latest keys, each with the widget that had focus when it was typed."""

        self._queued_keys: list[events.Key] = []

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Return a palette command for every action, screen and theme."""
        return palette_commands(self, screen)

    def on_mount(self) -> None:
        """Apply the preferences and open the target workspace."""
        theme = self.preferences.theme
        # Textual 8.2 draws the ansi themes black on black if colours are off.
        if theme in self.available_themes and not (self.no_color and theme.startswith("ansi")):
            self.theme = theme
        if self.preferences.keys:
            self.set_keymap(dict(self.preferences.keys))
        self.theme_changed_signal.subscribe(self, self._keep_theme)
        self.set_interval(0.1, self.watch_job)
        self.set_interval(1.0, self.try_writing)
        # Decisions are saved at once; a killed terminal loses at most this much UI state.
        self.set_interval(2.0, self.save_ui)
        if self.target is not None and path_exists(Path(self.target) / "workspace.json"):
            self.open_workspace(Path(self.target))

    def _keep_theme(self, theme: Theme) -> None:
        if self.config is not None and theme.name != self.preferences.theme:
            self.preferences = replace(self.preferences, theme=theme.name)
            problem = save_preference(self.config, "theme", theme.name)
            self.say(problem or f"Theme {theme.name} saved as default.", is_error=bool(problem))

    async def on_event(self, event: events.Event) -> None:
        """Record the focused widget for each key; queue keys typed before the first screen."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            if self._queued_keys or not self._has_screen:
                self._queue_key(event)
                return
            self._typed_into.append((event, self.focused or self.screen))
        await super().on_event(event)

    @property
    def _has_screen(self) -> bool:
        """Whether the screen of the mode exists; Textual creates it after the start."""
        try:
            return self.screen is not None
        except ScreenStackError:
            return False

    def _queue_key(self, key: events.Key) -> None:
        self._queued_keys.append(key)
        if len(self._queued_keys) == 1:
            self.set_timer(_KEY_RETRY_SECONDS, self._post_queued_keys)

    def _post_queued_keys(self) -> None:
        if not self._has_screen:
            self.set_timer(_KEY_RETRY_SECONDS, self._post_queued_keys)
            return
        keys, self._queued_keys = self._queued_keys, []
        for key in keys:
            self.post_message(key)

    async def on_key(self, event: events.Key) -> None:
        """Forward an unhandled key to the widget with focus, if focus moved after it was typed.

        Otherwise keys typed quickly after `/`, `e` or a screen number would still be commands of
        the list that had focus: `/arithmetic` would accept and reject candidates.
        """
        forwarded = events.Key(event.key, event.character)
        if not self._has_screen:
            event.prevent_default()
            self._queue_key(forwarded)
            return
        typed_into = next((widget for key, widget in self._typed_into if key is event), None)
        focus = self.focused or self.screen
        if typed_into is not None and typed_into is not focus:
            event.prevent_default()
            self._typed_into.append((forwarded, focus))
            focus._forward_event(forwarded)

    def key_of(self, binding_id: str) -> str:
        """Return the key bound to an action, according to the user's key map."""
        keys = self.preferences.keys.get(binding_id, KEYS[binding_id].keys)
        return keys.split(",")[0]

    # decisions

    def action_undo(self) -> None:
        """Undo the last decision."""
        self._step_back("undone", lambda session: session.undo())

    def action_redo(self) -> None:
        """Redo the last undone decision."""
        self._step_back("redone", lambda session: session.redo())

    def _step_back(self, done: str, move: Callable[[Session], LogStep | None]) -> None:
        session = self.session
        if session is None or not session.can_write:
            self.say("Read-only: decisions cannot be changed.")
            return
        try:
            step = move(session)
        except WorkspaceError as problem:
            self.say(str(problem), is_error=True)
            return
        if step is None:
            self.say("Nothing to undo." if done == "undone" else "Nothing to redo.")
            return
        first = step.decisions[0]
        more = f" and {len(step.decisions) - 1} more" if len(step.decisions) > 1 else ""
        left = session.log.n_undoable
        self.say(f"{first.word} of {first.subject_id}{more} {done}. {left} to undo.")
        self.touch()
        # The next action usually concerns the same row.
        go_to = getattr(self.screen, "go_to_decision", None)
        if go_to is not None:
            go_to(first)

    # navigation

    def action_step_screen(self, step: int) -> None:
        """Go to the next or previous screen."""
        position = [screen.mode for screen in SCREENS].index(self.current_mode)
        self.action_go(SCREENS[(position + step) % len(SCREENS)].mode)

    def action_help(self) -> None:
        """Show what this screen does, and its keys."""
        if len(self.screen_stack) == 1:
            self.push_screen(HelpScreen(self.current_mode))

    def action_jump(self) -> None:
        """Show a letter on every pane; typing it moves focus there."""
        if len(self.screen_stack) == 1:
            self.push_screen(JumpScreen(self.screen))

    async def action_quit(self) -> None:
        """Exit; ask for confirmation once while a job runs."""
        if self.job is not None and not self._leave_asked:
            self._leave_asked = True
            self.notify(
                "A job is running. Press q again to stop it and quit; finished work is kept.",
                markup=False,
            )
            return
        self.close_workspace()
        self.exit()

    async def on_unmount(self) -> None:
        """Save the UI state, however the application ends."""
        self.close_workspace()
