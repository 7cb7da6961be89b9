"""The application's open workspace: opening, loading, saved UI state and status line."""

from __future__ import annotations

import traceback
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work
from textual.app import App
from textual.content import Content
from textual.worker import Worker, WorkerState, get_current_worker

from benchdesign.errors import BenchdesignError, WorkspaceLockedError
from benchdesign.foundation.preferences import Preferences
from benchdesign.tui.keys import SCREENS
from benchdesign.tui.marks import Marks
from benchdesign.tui.session.pause_garbage_collection import pause_collection
from benchdesign.tui.session.ui_state import Recent, RecentList, UiState
from benchdesign.tui.widgets.evidence import literal
from benchdesign.tui.widgets.job_line import JobLine
from benchdesign.workspace.decisions import Verdict
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.pipeline.partial_summary import PartialSummary
    from benchdesign.tui.session.background_jobs import BackgroundJob
    from benchdesign.tui.session.session import Session
    from benchdesign.tui.session.session_data import Loaded
    from benchdesign.workspace.analysis import Summary

__all__ = ["OpenedApp"]


class OpenedApp(App[None]):
    """An application with one open workspace and a status line."""

    def __init__(
        self,
        target: str | None = None,
        *,
        pool: str | None = None,
        chat: bool = False,
        preferences: Preferences | None = None,
        recents: RecentList,
        config: Path | None = None,
        editor: str = "vi",
    ) -> None:
        super().__init__()
        self.preferences = preferences or Preferences()
        self.marks = Marks(
            use_ascii=self.preferences.marks == "ascii", monochrome=bool(self.no_color)
        )
        self.target = target
        self.pool = pool
        self.chat = chat
        """Whether a new workspace reads items through the model's chat template."""

        self.recents = recents
        self.config = config
        """The user's settings file; choices made in the interface are saved there."""

        self.editor = editor
        self.session: Session | None = None
        self.ui = UiState()
        self.job: BackgroundJob | None = None
        self.so_far: PartialSummary | None = None
        """Partial results of the running job."""

        self.is_loading = False
        self.problem = ""
        """Why the analysis of the open workspace cannot be shown."""

        self.status = "Ready."
        self.status_is_error = False
        self.messages: list[str] = []
        self.version = 0

    def action_go(self, mode: str) -> None:
        """Go to a screen."""
        if self.current_mode != mode and len(self.screen_stack) == 1:
            self.switch_mode(mode)

    def start_job(self) -> None:
        """Start a child process that runs the outdated stages."""
        raise NotImplementedError

    # the workspace

    def open_workspace(self, folder: Path) -> None:
        """Open a workspace and show it; show an error on the status line."""
        from benchdesign.tui.session.session import Session

        self.close_workspace()
        who = self.preferences.who
        try:
            workspace = Workspace.open(folder, who=who)
        except WorkspaceLockedError as problem:
            workspace = Workspace.open(folder, access="read", who=who)
            self.say(f"Read-only until it is free: {problem}", is_error=True)
        except BenchdesignError as problem:
            self.say(str(problem), is_error=True)
            return
        self.start_session(Session(workspace))

    def try_writing(self) -> None:
        """Reopen a read-only workspace for writing once its lock is free; called by a timer."""
        session = self.session
        if session is None or session.can_write:
            return
        try:
            session.reopen(access="write")
        except BenchdesignError:
            return
        self.say("The workspace is free now: decisions can be made.")
        self.problem = ""
        if "gaps" in session.workspace.stage_runs():
            self.load_analysis()
        self.touch()

    def start_session(self, session: Session) -> None:
        """Show a workspace that was just opened or created."""
        self.session = session
        self.ui = UiState.from_workspace(session.workspace)
        self.problem = ""
        self.touch()
        mode = str(self.ui.values.get("mode", "overview"))
        modes = {screen.mode for screen in SCREENS if screen.mode != "open"}
        self.action_go(mode if mode in modes else "overview")
        done = session.workspace.stage_runs()
        if "gaps" in done:
            self.load_analysis()
        elif session.can_write:
            self.start_job()
        else:
            self.problem = "Nothing is computed yet, and the workspace is read-only."

    def close_workspace(self) -> None:
        """Save the UI state and release the lock."""
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
        """Save the UI state of the open workspace."""
        if self.session is None:
            return
        for stack in self._screen_stacks.values():
            for screen in stack:
                # A screen that has not shown this workspace yet holds no state of it.
                is_restored = getattr(screen, "_restored_from", None) is self.ui
                if is_restored and hasattr(screen, "remember") and screen.is_mounted:
                    screen.remember()
        if self.current_mode != "open":
            self.ui.values["mode"] = self.current_mode
        self.ui.save(self.session.workspace)

    def _remember_recent(self) -> None:
        session = self.session
        if session is None:
            return
        n_gaps, n_items, n_candidates, n_open = None, 0, 0, 0
        if session.summary is not None:
            n_gaps = len(session.gap_ids())
            n_items = session.summary.gaps.n_items
            counts = session.verdict_counts()
            n_candidates, n_open = sum(counts.values()), counts[Verdict.OPEN]
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
    def load_analysis(self, *, is_quiet: bool = False) -> None:
        """Load the analysis in a thread; `is_quiet` keeps the status line."""
        from benchdesign.tui.session.session_data import load_session

        session = self.session
        if session is None:
            return
        worker = get_current_worker()

        def summarise(summary: Summary) -> None:
            # After a job the screens show the old analysis until the new one is complete.
            if session.loaded is None and not worker.is_cancelled:
                self.call_from_thread(self._summarised, session, summary, is_quiet)

        self.is_loading = True
        try:
            with pause_collection():
                loaded: Loaded | None = load_session(session.workspace, on_summary=summarise)
            problem = ""
        except BenchdesignError as error:
            loaded, problem = None, str(error)
        finally:
            self.is_loading = False
        if not worker.is_cancelled:
            self.call_from_thread(self._loaded, session, loaded, problem, is_quiet)

    def _summarised(self, session: Session, summary: Summary, is_quiet: bool) -> None:
        if session is not self.session:
            return
        session.summarise(summary)
        if not is_quiet:
            self.say("Reading the items ...")
        self.touch()

    def _loaded(
        self, session: Session, loaded: Loaded | None, problem: str, is_quiet: bool
    ) -> None:
        if session is not self.session:
            return
        self.problem = problem
        if loaded is None:
            self.say(problem, is_error=True)
        else:
            session.replace(loaded)
            self._remember_recent()
            stale = () if is_quiet else session.workspace.stale_stages()
            if stale:
                self.say("Some results are out of date. R recomputes them.")
            elif not is_quiet:
                self.say("Up to date.")
        self.touch()

    @work(thread=True, exclusive=True, group="load", exit_on_error=False)
    def judge_again(self) -> None:
        """Count and judge again with the current merges, in a thread."""
        from benchdesign.tui.session.session_data import judge_session

        session = self.session
        if session is None or session.analysis is None:
            return
        worker = get_current_worker()
        try:
            loaded: Loaded | None = judge_session(session.workspace, session.analysis)
            problem = ""
        except BenchdesignError as error:
            loaded, problem = None, str(error)
        if not worker.is_cancelled:
            self.call_from_thread(self._judged, session, loaded, problem)

    def _judged(self, session: Session, loaded: Loaded | None, problem: str) -> None:
        if session is not self.session:
            return
        if loaded is None:
            self.say(problem, is_error=True)
        else:
            session.replace(loaded)
            self.touch()

    def touch(self) -> None:
        """Refresh the screens after a change."""
        self.version += 1
        if self.session is not None and self.session.needs_judging and not self.problem:
            self.judge_again()
        screen = self.screen_stack[0] if self.is_running and self.screen_stack else None
        from benchdesign.tui.screens.base_screen import BaseScreen

        if isinstance(screen, BaseScreen):
            screen.draw_frame()
            screen.catch_up()

    def waiting_text(self) -> Content:
        """Return what to do while there is nothing to show, with the partial results."""
        if self.session is None:
            return Content(
                "No workspace is open.\n\n"
                "Press 1: enter opens one from the list, ^n creates one from a benchmark file."
            )
        if self.problem:
            return literal(f"{self.problem}\n\nR runs the missing stages; 1 lists the workspaces.")
        if self.job is not None:
            explanation = Content(
                "The reference model is reading the items.\n"
                "The line below shows the progress. X stops it; finished work is kept."
            )
            if self.so_far is None:
                return explanation
            from benchdesign.tui.widgets.partial_summary import partial_results_content

            width = min(self.size.width - 14, 96)
            progress = partial_results_content(self.so_far, marks=self.marks, width=width)
            return Content("\n\n").join([explanation, progress])
        if self.is_loading:
            return Content("Loading ...")
        return Content(
            "Not all items are mapped yet.\n\n"
            "R maps the remaining items and finds the gaps; mapped items are kept."
        )

    # the status line

    def say(self, text: str, *, is_error: bool = False) -> None:
        """Show a message on the status line; it stays until the next one."""
        self.status, self.status_is_error = text, is_error
        self.messages.append(text)
        self.draw_jobs()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show an unexpected error of a background thread, and write it to a log."""
        error = event.worker.error
        if event.state is not WorkerState.ERROR or error is None:
            return
        log = self.recents.path.with_name("interface.log")
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write("".join(traceback.format_exception(error)) + "\n")
            details = f" Details: {log}"
        except OSError:
            details = ""
        text = " ".join(str(error).split())
        self.say(
            f"Unexpected {type(error).__name__}: {text}. Decisions are safe; try again.{details}",
            is_error=True,
        )

    def draw_jobs(self) -> None:
        """Draw the status line of the visible screens."""
        for line in self.screen.query(JobLine) if self.is_running else ():
            self.draw_job(line)
        if self.is_running and self.screen_stack:
            for line in self.screen_stack[0].query(JobLine):
                self.draw_job(line)

    def draw_job(self, line: JobLine) -> None:
        """Draw one status line."""
        if self.job is not None:
            job = self.job
            line.busy(
                job.progress,
                note=job.note,
                silent=job.seconds_silent,
                log=job.log,
                marks=self.marks,
            )
        else:
            line.say(self.status, is_error=self.status_is_error)
