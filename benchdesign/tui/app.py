"""The application: screens, keys, the open workspace and the running job; nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen
from textual.theme import Theme

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
