"""The application: screens, keys, the open workspace and the running job; nothing else."""

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
from benchdesign.regular import is_there
from benchdesign.tui.keys import APP_KEYS, KEYS, SCREENS, bindings
from benchdesign.tui.memory import keep_preference
from benchdesign.tui.working import WorkingApp

if TYPE_CHECKING:
    from textual.command import Provider

    from benchdesign.decisions import Step
    from benchdesign.tui.model import Session

__all__ = ["BenchdesignApp"]


_EARLY = 0.01
"""Seconds until keys typed before there was a screen are tried again."""


def _factory(mode: str) -> Callable[[], Screen[Any]]:
    def make() -> Screen[Any]:
        from importlib import import_module

        module = import_module(f"benchdesign.tui.screens.{mode}")
        screen: Screen[Any] = getattr(module, f"{mode.capitalize()}Screen")()
        return screen

    return make


def _finder() -> type[Provider]:
    from benchdesign.tui.finder import WorkspaceFinder

    return WorkspaceFinder


class BenchdesignApp(WorkingApp):
    """benchdesign in the terminal."""

    TITLE = "benchdesign"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(*APP_KEYS)
    MODES: ClassVar[dict[str, Any]] = {one.mode: _factory(one.mode) for one in SCREENS}
    DEFAULT_MODE = "open"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS = App.COMMANDS | {_finder}

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._typed_at: deque[tuple[events.Key, Widget]] = deque(maxlen=256)
        """The last keys and what had the keys when each was typed."""

        self._typed_early: list[events.Key] = []

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Offer every action, every screen and every theme by name."""
        from benchdesign.tui.commands import palette_commands

        return palette_commands(self, screen)

    def on_mount(self) -> None:
        """Apply the preferences and open what was asked for."""
        theme = self.preferences.theme
        # The ansi themes are black on black without colours (Textual 8.2).
        if theme in self.available_themes and not (self.no_color and theme.startswith("ansi")):
            self.theme = theme
        if self.preferences.keys:
            self.set_keymap(dict(self.preferences.keys))
        self.theme_changed_signal.subscribe(self, self._keep_theme)
        self.set_interval(0.1, self.watch_job)
        self.set_interval(1.0, self.try_writing)
        # A killed terminal loses no decision; nor should it lose the place by more than this.
        self.set_interval(2.0, self.save_ui)
        if self.target is not None and is_there(Path(self.target) / "workspace.json"):
            self.open_workspace(Path(self.target))

    def _keep_theme(self, theme: Theme) -> None:
        if self.config is not None and theme.name != self.preferences.theme:
            self.preferences = replace(self.preferences, theme=theme.name)
            problem = keep_preference(self.config, "theme", theme.name)
            self.say(problem or f"Theme {theme.name}, next time too.", is_error=bool(problem))

    async def on_event(self, event: events.Event) -> None:
        """Remember what had the keys when one was typed; keep those typed before there is any."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            if self._typed_early or not self._has_screen:
                self._type_later(event)
                return
            self._typed_at.append((event, self.focused or self.screen))
        await super().on_event(event)

    @property
    def _has_screen(self) -> bool:
        """Whether the screen of the mode is there: the first time it takes a moment."""
        try:
            return self.screen is not None
        except ScreenStackError:
            return False

    def _type_later(self, key: events.Key) -> None:
        self._typed_early.append(key)
        if len(self._typed_early) == 1:
            self.set_timer(_EARLY, self._type_again)

    def _type_again(self) -> None:
        if not self._has_screen:
            self.set_timer(_EARLY, self._type_again)
            return
        keys, self._typed_early = self._typed_early, []
        for key in keys:
            self.post_message(key)

    async def on_key(self, event: events.Key) -> None:
        """Give a key that nobody took to whoever has the keys by now, if that is another.

        After `/`, `e` or a screen's number, keys typed in one go would still be commands of the
        list that had them: `/arithmetic` would accept and reject candidates.
        """
        again = events.Key(event.key, event.character)
        if not self._has_screen:
            event.prevent_default()
            self._type_later(again)
            return
        typed_at = next((widget for one, widget in self._typed_at if one is event), None)
        now = self.focused or self.screen
        if typed_at is not None and typed_at is not now:
            event.prevent_default()
            self._typed_at.append((again, now))
            now._forward_event(again)

    def key_of(self, binding_id: str) -> str:
        """Return the key that does something now, the person's key map included."""
        keys = self.preferences.keys.get(binding_id, KEYS[binding_id].keys)
        return keys.split(",")[0]

    # decisions

    def action_undo(self) -> None:
        """Take the last decision back."""
        self._step_back("undone", lambda session: session.undo())

    def action_redo(self) -> None:
        """Bring the last undone decision back."""
        self._step_back("done again", lambda session: session.redo())

    def _step_back(self, done: str, move: Callable[[Session], Step | None]) -> None:
        session = self.session
        if session is None or not session.can_write:
            self.say("Nothing can be changed here.")
            return
        try:
            step = move(session)
        except WorkspaceError as problem:
            self.say(str(problem), is_error=True)
            return
        if step is None:
            self.say("Nothing left to undo." if done == "undone" else "Nothing to redo.")
            return
        first = step.decisions[0]
        more = f" and {len(step.decisions) - 1} more" if len(step.decisions) > 1 else ""
        left = session.log.n_undoable
        self.say(f"{first.word} of {first.subject_id}{more} {done}. {left} to undo.")
        self.touch()
        # What comes next is about what was undone, as a rule.
        go_to = getattr(self.screen, "go_to_decision", None)
        if go_to is not None:
            go_to(first)

    # going about

    def action_step_screen(self, step: int) -> None:
        """Go to the next or previous screen."""
        place = [one.mode for one in SCREENS].index(self.current_mode)
        self.action_go(SCREENS[(place + step) % len(SCREENS)].mode)

    def action_help(self) -> None:
        """Show what this screen does, and its keys."""
        from benchdesign.tui.screens.help import HelpScreen

        if len(self.screen_stack) == 1:
            self.push_screen(HelpScreen(self.current_mode))

    def action_jump(self) -> None:
        """Show a letter on every pane and go there."""
        from benchdesign.tui.screens.jump import JumpScreen

        if len(self.screen_stack) == 1:
            self.push_screen(JumpScreen(self.screen))

    async def action_quit(self) -> None:
        """Leave; asks once while a job runs."""
        if self.job is not None and not self._leave_asked:
            self._leave_asked = True
            self.notify(
                "A job is running; what is done is kept. q again leaves and stops it.",
                markup=False,
            )
            return
        self.close_workspace()
        self.exit()

    async def on_unmount(self) -> None:
        """Save where the person was, however the application ends."""
        self.close_workspace()
