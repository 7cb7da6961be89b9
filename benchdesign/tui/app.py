"""The application: screens, keys, the open workspace and the running job; nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen
from textual.worker import get_current_worker

from benchdesign.config import Preferences
from benchdesign.decisions import Step
from benchdesign.errors import BenchdesignError, WorkspaceError, WorkspaceLockedError
from benchdesign.tui.keys import APP_KEYS, KEYS, SCREENS, bindings
from benchdesign.tui.marks import Marks
from benchdesign.tui.memory import Recent, RecentList, UiState
from benchdesign.tui.widgets.job_line import JobLine
from benchdesign.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.tui.jobs import Job
    from benchdesign.tui.model import Loaded, Session

__all__ = ["BenchdesignApp"]

_LONG_JOB = 60.0
"""Seconds after which stopping a job is asked about: `u` cannot bring it back."""


def _factory(mode: str) -> Callable[[], Screen[Any]]:
    def make() -> Screen[Any]:
        from importlib import import_module

        module = import_module(f"benchdesign.tui.screens.{mode}")
        screen: Screen[Any] = getattr(module, f"{mode.capitalize()}Screen")()
        return screen

    return make


class BenchdesignApp(App[None]):
    """benchdesign in the terminal."""

    TITLE = "benchdesign"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(*APP_KEYS)
    MODES: ClassVar[dict[str, Any]] = {one.mode: _factory(one.mode) for one in SCREENS}
    DEFAULT_MODE = "open"
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        target: str | None = None,
        *,
        pool: str | None = None,
        preferences: Preferences | None = None,
        recents: RecentList,
        editor: str = "vi",
    ) -> None:
        super().__init__()
        self.preferences = preferences or Preferences()
        self.marks = Marks(
            use_ascii=self.preferences.marks == "ascii", monochrome=bool(self.no_color)
        )
        self.target = target
        self.pool = pool
        self.recents = recents
        self.editor = editor
        self.session: Session | None = None
        self.ui = UiState()
        self.job: Job | None = None
        self.is_loading = False
        self.problem = ""
        """Why the analysis of the open workspace cannot be shown."""

        self.status = "Ready."
        self.status_is_error = False
        self.messages: list[str] = []
        self.version = 0
        self._stop_asked = False
        self._leave_asked = False

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
        self.set_interval(0.1, self._watch_job)
        if self.target is not None and (Path(self.target) / "workspace.json").is_file():
            self.open_workspace(Path(self.target))

    def key_of(self, binding_id: str) -> str:
        """Return the key that does something now, the person's key map included."""
        keys = self.preferences.keys.get(binding_id, KEYS[binding_id].keys)
        return keys.split(",")[0]

    # the open workspace

    def open_workspace(self, folder: Path) -> None:
        """Open a workspace and show it; an error is shown in place."""
        from benchdesign.tui.model import Session

        self.close_workspace()
        try:
            workspace = Workspace.open(folder, who=self.preferences.who)
        except WorkspaceLockedError as problem:
            workspace = Workspace.open(folder, access="read", who=self.preferences.who)
            self.say(f"Read only: {problem}", is_error=True)
        except BenchdesignError as problem:
            self.say(str(problem), is_error=True)
            return
        self.start_session(Session(workspace))

    def start_session(self, session: Session) -> None:
        """Show a workspace that was just opened or made."""
        self.session = session
        self.ui = UiState.from_workspace(session.workspace)
        self.problem = ""
        self.touch()
        mode = str(self.ui.values.get("mode", "overview"))
        known = {one.mode for one in SCREENS if one.mode != "open"}
        self.action_go(mode if mode in known else "overview")
        done = session.workspace.stage_runs()
        if "gaps" in done:
            self.load_analysis()
        elif session.can_write:
            self.start_job()
        else:
            self.problem = "Nothing is computed yet, and the workspace is read only."

    def close_workspace(self) -> None:
        """Save where the person is and let go of the lock."""
        if self.job is not None:
            self.job.stop()
            self.job = None
        if self.session is not None:
            self.save_ui()
            self._remember_recent()
            self.session.workspace.close()
            self.session = None
            self.touch()

    def save_ui(self) -> None:
        """Keep what is restored next time."""
        if self.session is None:
            return
        for stack in self._screen_stacks.values():
            for screen in stack:
                if hasattr(screen, "remember") and screen.is_mounted:
                    screen.remember()
        if self.current_mode != "open":
            self.ui.values["mode"] = self.current_mode
        self.ui.save(self.session.workspace)

    def _remember_recent(self) -> None:
        session = self.session
        if session is None:
            return
        n_gaps, n_items, n_candidates, n_open = None, 0, 0, 0
        if session.loaded is not None:
            from benchdesign.decisions import Verdict

            n_gaps = len(session.gap_ids())
            n_items = len(session.loaded.analysis.benchmark)
            n_candidates = len(session.loaded.candidates)
            n_open = session.verdict_counts()[Verdict.OPEN]
        self.recents.remember(
            Recent(
                folder=str(session.folder.resolve()),
                name=session.title,
                n_items=n_items,
                n_gaps=n_gaps,
                n_candidates=n_candidates,
                n_reviewed=n_candidates - n_open,
                opened=datetime.now().astimezone().isoformat(timespec="minutes"),
            )
        )

    @work(thread=True, exclusive=True, group="load", exit_on_error=False)
    def load_analysis(self) -> None:
        """Load what was computed, without holding the screen up."""
        from benchdesign.tui.model import load_session

        session = self.session
        if session is None:
            return
        worker = get_current_worker()
        self.is_loading = True
        try:
            loaded: Loaded | None = load_session(session.workspace)
            problem = ""
        except BenchdesignError as error:
            loaded, problem = None, str(error)
        finally:
            self.is_loading = False
        if not worker.is_cancelled:
            self.call_from_thread(self._loaded, session, loaded, problem)

    def _loaded(self, session: Session, loaded: Loaded | None, problem: str) -> None:
        if session is not self.session:
            return
        self.problem = problem
        if loaded is None:
            self.say(problem, is_error=True)
        else:
            session.replace(loaded)
            self._remember_recent()
            stale = session.workspace.stale_stages()
            self.say(f"Out of date: {', '.join(stale)}. R computes it." if stale else "Up to date.")
        self.touch()

    def touch(self) -> None:
        """Let every screen know that something is different."""
        self.version += 1
        screen = self.screen_stack[0] if self.is_running and self.screen_stack else None
        from benchdesign.tui.screens.base import BaseScreen

        if isinstance(screen, BaseScreen):
            screen.draw_frame()
            screen.catch_up()

    def waiting_text(self) -> str:
        """Say what to do where there is nothing to show yet."""
        if self.session is None:
            return (
                "No workspace is open.\n\n"
                "Press 1 and open one, or ^n to make one from a benchmark file."
            )
        if self.problem:
            return f"{self.problem}\n\nR runs what is missing; 1 goes to the workspaces."
        if self.job is not None:
            return (
                "The items are being read through the reference model.\n\n"
                "The line below says how far it is. X stops it; what is done is kept."
            )
        if self.is_loading:
            return "Loading ..."
        return "Nothing is computed yet.\n\nR maps the items and finds the gaps."

    # status line

    def say(self, text: str, *, is_error: bool = False) -> None:
        """Put a sentence on the status line; it stays until the next one."""
        self.status, self.status_is_error = text, is_error
        self.messages.append(text)
        self._draw_jobs()

    def _draw_jobs(self) -> None:
        for line in self.screen.query(JobLine) if self.is_running else ():
            self.draw_job(line)
        if self.is_running and self.screen_stack:
            for line in self.screen_stack[0].query(JobLine):
                self.draw_job(line)

    def draw_job(self, line: JobLine) -> None:
        """Draw the row above the keys."""
        if self.job is not None:
            line.busy(self.job.progress, note=self.job.note, marks=self.marks)
        else:
            line.say(self.status, is_error=self.status_is_error)

    # jobs

    def start_job(self) -> None:
        """Compute what is out of date in a child process."""
        from benchdesign.tui.jobs import Job

        session = self.session
        if session is None or self.job is not None:
            return
        if not session.can_write:
            self.say("Read only: nothing can be computed here.", is_error=True)
            return
        self.save_ui()
        self.problem = ""
        self._stop_asked = False
        self.job = Job.start(session.folder)
        self.touch()
        self._draw_jobs()

    def _watch_job(self) -> None:
        if self.job is None:
            return
        ended = self.job.poll()
        if ended is None:
            self._draw_jobs()
            return
        from benchdesign.tui.jobs import Failed, Stopped

        seconds, self.job = self.job.seconds, None
        if isinstance(ended, Failed):
            where = (
                f" Log: {ended.log}" if ended.log and str(ended.log) not in ended.message else ""
            )
            self.problem = ended.message + where
            self.say(self.problem, is_error=True)
        elif isinstance(ended, Stopped):
            self.say("Stopped. What was done is kept; R goes on.")
        else:
            self.say(f"Computed in {seconds:.0f} s.")
        self._reload()

    def _reload(self) -> None:
        session = self.session
        if session is None:
            return
        try:
            session.reopen()
        except WorkspaceError as problem:
            self.say(str(problem), is_error=True)
            return
        if "gaps" in session.workspace.stage_runs() and not self.problem:
            self.load_analysis()
        self.touch()

    def action_stop(self) -> None:
        """Stop the running job; asks only where that throws much away."""
        if self.job is None:
            self.say("No job is running.")
        elif self.job.seconds > _LONG_JOB and not self._stop_asked:
            self._stop_asked = True
            self.status = "press X again to stop"
            self.notify("Running for over a minute. X again stops it.", markup=False)
        else:
            self.job.stop()
            self.job = None
            self.say("Stopped. What was done is kept; R goes on.")
            self.touch()

    def action_recompute(self) -> None:
        """Compute what is out of date."""
        session = self.session
        if session is None:
            self.say("Open a workspace first.")
        elif self.job is not None:
            self.say("A job is running already.")
        elif not session.workspace.is_stale and session.loaded is not None:
            self.say("Everything is up to date.")
        else:
            self.start_job()

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
        what = first.verdict.value if first.verdict else ("note" if first.note else "edit")
        more = f" and {len(step.decisions) - 1} more" if len(step.decisions) > 1 else ""
        self.say(f"{what} of {first.subject_id}{more} {done}. {session.log.n_undoable} to undo.")
        self.touch()

    # going about

    def action_go(self, mode: str) -> None:
        """Go to a screen."""
        if self.current_mode != mode and len(self.screen_stack) == 1:
            self.switch_mode(mode)

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
