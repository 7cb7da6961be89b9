"""The application: screens, keys and navigation."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen
from textual.theme import Theme
from textual.worker import Worker, WorkerState

from benchdesign.foundation.paths import path_exists
from benchdesign.tui.dialogs.help import HelpScreen
from benchdesign.tui.dialogs.jump import JumpScreen
from benchdesign.tui.keys import APP_KEYS, SCREENS, bindings
from benchdesign.tui.marks import Marks
from benchdesign.tui.palette_commands import palette_commands
from benchdesign.tui.screens.base_screen import BaseScreen
from benchdesign.tui.session.controllers import Controllers, LaunchOptions
from benchdesign.tui.session.job_controller import JobController
from benchdesign.tui.session.status_messages import StatusMessages
from benchdesign.tui.session.ui_state import RecentList, UiState, save_preference
from benchdesign.tui.session.workspace_controller import WorkspaceController
from benchdesign.tui.widgets.typed_keys import TypedKeys

if TYPE_CHECKING:
    from textual.command import Provider

    from benchdesign.tui.session.session import Session
    from benchdesign.workspace.decisions import LogStep

__all__ = ["BenchdesignApp"]


def _finder() -> type[Provider]:
    from benchdesign.tui.palette_search import WorkspaceFinder

    return WorkspaceFinder


class BenchdesignApp(App[None]):
    """The terminal application."""

    TITLE = "benchdesign"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(*APP_KEYS)
    DEFAULT_MODE = "open"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS = App.COMMANDS | {_finder}

    def __init__(
        self, launch: LaunchOptions, *, recents: RecentList, config: Path | None = None
    ) -> None:
        super().__init__()
        self.launch = launch
        self.config = config
        """The user's settings file; a theme chosen in the interface is saved there."""

        self.marks = Marks(
            use_ascii=launch.preferences.marks == "ascii", monochrome=bool(self.no_color)
        )
        self.messages = StatusMessages(self.draw_status)
        self.workspaces = WorkspaceController(
            self, self.messages, recents, who=launch.preferences.who
        )
        self.jobs = JobController(self, self.messages, self.workspaces)
        for screen in SCREENS:
            self.add_mode(screen.mode, partial(self._make_screen, screen.mode))
        self._saved_theme = launch.preferences.theme
        self._typed_keys = TypedKeys(self)

    @property
    def session(self) -> Session | None:
        """The session of the open workspace."""
        return self.workspaces.session

    @property
    def controllers(self) -> Controllers:
        """What every screen is given."""
        return Controllers(self, self.messages, self.workspaces, self.jobs, self.launch, self.marks)

    def _make_screen(self, mode: str) -> BaseScreen:
        # Screens import numpy, so that each is imported when it is first shown.
        module = import_module(f"benchdesign.tui.screens.{mode}")
        screen: BaseScreen = getattr(module, f"{mode.capitalize()}Screen")(self.controllers)
        return screen

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Return a palette command for every action, screen and theme."""
        return palette_commands(self, self.controllers)

    def on_mount(self) -> None:
        """Apply the preferences and open the target workspace."""
        theme = self.launch.preferences.theme
        # Textual 8.2 draws the ansi themes black on black if colours are off.
        if theme in self.available_themes and not (self.no_color and theme.startswith("ansi")):
            self.theme = theme
        if self.launch.preferences.keys:
            self.set_keymap(dict(self.launch.preferences.keys))
        self.theme_changed_signal.subscribe(self, self._keep_theme)
        self.set_interval(0.1, self.jobs.watch)
        self.set_interval(1.0, self.workspaces.try_writing)
        # Decisions are saved at once; a killed terminal loses at most this much UI state.
        self.set_interval(2.0, self.workspaces.save_ui)
        target = self.launch.target
        if target is not None and path_exists(Path(target) / "workspace.json"):
            self.workspaces.open(Path(target))

    def _keep_theme(self, theme: Theme) -> None:
        if self.config is not None and theme.name != self._saved_theme:
            self._saved_theme = theme.name
            problem = save_preference(self.config, "theme", theme.name)
            self.messages.say(
                problem or f"Theme {theme.name} saved as default.", is_error=bool(problem)
            )

    async def on_event(self, event: events.Event) -> None:
        """Record the focused widget for each key; queue keys typed before the first screen."""
        if (
            not isinstance(event, events.Key)
            or event.is_forwarded
            or self._typed_keys.record(event)
        ):
            await super().on_event(event)

    async def on_key(self, event: events.Key) -> None:
        """Forward an unhandled key to the widget with focus, if focus moved after it was typed."""
        if self._typed_keys.forward(event):
            event.prevent_default()

    # what the controllers ask for

    def go(self, mode: str) -> None:
        """Show a screen, unless a dialog is open."""
        if self.current_mode != mode and len(self.screen_stack) == 1:
            self.switch_mode(mode)

    def draw_screen(self) -> None:
        """Draw the current screen after a change."""
        for screen in self._visible_screens():
            screen.draw_frame()
            screen.catch_up()

    def draw_status(self) -> None:
        """Draw the status line of the current screen."""
        for screen in self._visible_screens():
            screen.draw_status()

    def _visible_screens(self) -> list[BaseScreen]:
        """Return the current screen, also if a dialog is open over it."""
        stack = self.screen_stack if self.is_running else ()
        return [screen for screen in stack if isinstance(screen, BaseScreen)]

    def save_screens(self, ui: UiState) -> None:
        """Save in `ui` which screen is current, and the state of every screen that shows it."""
        for stack in self._screen_stacks.values():
            for screen in stack:
                # A screen that has not shown this workspace yet holds no state of it.
                if isinstance(screen, BaseScreen) and screen.restored_from is ui:
                    screen.remember()
        if self.current_mode != "open":
            ui.values["mode"] = self.current_mode

    def start_job(self) -> None:
        """Start a job that runs the outdated stages of the open workspace."""
        self.jobs.start()

    def drop_job(self) -> None:
        """Stop the running job without a message."""
        self.jobs.drop()

    def run_in_thread(self, function: Callable[[], None]) -> None:
        """Start a function in a thread; cancel the one that was started before."""
        self.run_worker(function, thread=True, exclusive=True, group="load", exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show an unexpected error of a background thread, and write it to a log."""
        error = event.worker.error
        if event.state is not WorkerState.ERROR or error is None:
            return
        log = self.workspaces.recents.path.with_name("interface.log")
        details = f" Details: {log}" if _log_error(error, log) else ""
        text = " ".join(str(error).split())
        self.messages.say(
            f"Unexpected {type(error).__name__}: {text}. Decisions are safe; try again.{details}",
            is_error=True,
        )

    # actions

    def action_undo(self) -> None:
        """Undo the last decision."""
        self._go_to_step(self.workspaces.undo())

    def action_redo(self) -> None:
        """Redo the last undone decision."""
        self._go_to_step(self.workspaces.redo())

    def _go_to_step(self, step: LogStep | None) -> None:
        # The next action usually concerns the same row.
        if step is not None and isinstance(self.screen, BaseScreen):
            self.screen.go_to_decision(step.decisions[0])

    def action_stop(self) -> None:
        """Stop the running job; a long job needs a second key press."""
        self.jobs.stop()

    def action_recompute(self) -> None:
        """Recompute outdated stages."""
        self.jobs.recompute()

    def action_go(self, mode: str) -> None:
        """Go to a screen."""
        self.go(mode)

    def action_step_screen(self, step: int) -> None:
        """Go to the next or previous screen."""
        position = [screen.mode for screen in SCREENS].index(self.current_mode)
        self.go(SCREENS[(position + step) % len(SCREENS)].mode)

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
        if self.jobs.confirm_quit():
            self.workspaces.close()
            self.exit()

    async def on_unmount(self) -> None:
        """Save the UI state, however the application ends."""
        self.workspaces.close()


def _log_error(error: BaseException, log: Path) -> bool:
    """Write the traceback of an error to a log; return whether it could be written."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write("".join(traceback.format_exception(error)) + "\n")
    except OSError:
        return False
    return True
