"""The open workspace of the interface: opened and closed, its analysis loaded, its state saved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.worker import get_current_worker

from benchdesign.errors import BenchdesignError, WorkspaceError, WorkspaceLockedError
from benchdesign.tui.keys import SCREENS
from benchdesign.tui.session.pause_garbage_collection import pause_collection
from benchdesign.tui.session.shell import Shell
from benchdesign.tui.session.status_messages import StatusMessages
from benchdesign.tui.session.ui_state import Recent, RecentList, UiState
from benchdesign.workspace.decisions import Verdict
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.tui.session.session import Session
    from benchdesign.tui.session.session_data import Loaded
    from benchdesign.workspace.analysis import Analysis, Summary
    from benchdesign.workspace.decisions import LogStep

__all__ = ["WorkspaceController"]


class WorkspaceController:
    """Opens and closes workspaces, loads the analysis and saves the UI state."""

    def __init__(
        self, shell: Shell, messages: StatusMessages, recents: RecentList, *, who: str
    ) -> None:
        self._shell = shell
        self._messages = messages
        self._who = who
        self.recents = recents
        self.session: Session | None = None
        self.ui = UiState()
        self.is_loading = False
        self.problem = ""
        """Why the analysis of the open workspace cannot be shown."""

        self.version = 0
        """Increases with every change that the screens show."""

    def refresh_screens(self) -> None:
        """Refresh the screens after a change; judge again if merges have changed."""
        self.version += 1
        if self.session is not None and self.session.needs_judging and not self.problem:
            self._judge_again()
        self._shell.draw_screen()

    # opening and closing

    def open(self, folder: Path) -> None:
        """Open a workspace and show it; show an error on the status line."""
        self.close()
        try:
            workspace = Workspace.open(folder, who=self._who)
        except WorkspaceLockedError as problem:
            workspace = Workspace.open(folder, access="read", who=self._who)
            self._messages.say(f"Read-only until it is free: {problem}", is_error=True)
        except BenchdesignError as problem:
            self._messages.say(str(problem), is_error=True)
            return
        self.start_session(workspace)

    def start_session(self, workspace: Workspace) -> None:
        """Show a workspace that was just opened or created."""
        from benchdesign.tui.session.session import Session

        session = self.session = Session(workspace)
        self.ui = UiState.from_workspace(workspace)
        self.problem = ""
        self.refresh_screens()
        mode = str(self.ui.values.get("mode", "overview"))
        modes = {screen.mode for screen in SCREENS if screen.mode != "open"}
        self._shell.go(mode if mode in modes else "overview")
        if "gaps" in session.workspace.stage_runs():
            self._load_analysis()
        elif session.can_write:
            self._shell.start_job()
        else:
            self.problem = "Nothing is computed yet, and the workspace is read-only."

    def try_writing(self) -> None:
        """Reopen a read-only workspace for writing once its lock is free; called on a timer."""
        session = self.session
        if session is None or session.can_write:
            return
        try:
            session.reopen(access="write")
        except BenchdesignError:
            return
        self._messages.say("The workspace is free now: decisions can be made.")
        self.problem = ""
        if "gaps" in session.workspace.stage_runs():
            self._load_analysis()
        self.refresh_screens()

    def reload(self) -> None:
        """Reopen the workspace and load what a job has computed."""
        session = self.session
        if session is None:
            return
        try:
            session.reopen()
        except WorkspaceError as error:
            self._messages.say(str(error), is_error=True)
            return
        if "gaps" in session.workspace.stage_runs() and not self.problem:
            self._load_analysis(is_quiet=True)
        self.refresh_screens()

    def close(self) -> None:
        """Stop the job, save the UI state and release the lock."""
        self._shell.drop_job()
        if self.session is not None:
            self.save_ui()
            self._remember_recent(self.session)
            self.session.workspace.close()
            self.session = None
            self.refresh_screens()

    def save_ui(self) -> None:
        """Save the UI state of the open workspace."""
        if self.session is not None:
            self._shell.save_screens(self.ui)
            self.ui.save(self.session.workspace)

    def _remember_recent(self, session: Session) -> None:
        n_gaps, n_items, n_candidates, n_open = None, 0, 0, 0
        groups = None if session.summary is None else session.summary.groups
        if session.summary is not None:
            n_gaps = len(session.view.gap_ids)
            n_items = session.summary.gaps.n_items
            counts = session.verdict_counts()
            n_candidates, n_open = sum(counts.values()), counts[Verdict.OPEN]
        self.recents.remember(
            Recent(
                folder=str(session.folder.resolve()),
                name=session.title,
                n_items=n_items,
                n_gaps=n_gaps,
                n_groups=None if groups is None else len(groups.gaps),
                could_not_tell=groups is not None and groups.is_blind,
                n_candidates=n_candidates,
                n_reviewed=n_candidates - n_open,
                opened=datetime.now().astimezone().isoformat(timespec="minutes"),
            )
        )

    # the analysis, loaded in a thread

    def _load_analysis(self, *, is_quiet: bool = False) -> None:
        """Load the analysis in a thread; `is_quiet` keeps the status line."""
        if self.session is not None:
            self._shell.run_in_thread(partial(self._load, self.session, is_quiet=is_quiet))

    def _load(self, session: Session, *, is_quiet: bool) -> None:
        from benchdesign.tui.session.session_data import load_session

        worker = get_current_worker()

        def on_summary(summary: Summary) -> None:
            # After a job the screens show the old analysis until the new one is complete.
            if session.loaded is None and not worker.is_cancelled:
                self._shell.call_from_thread(self._show_summary, session, summary, is_quiet)

        self.is_loading = True
        try:
            with pause_collection():
                loaded: Loaded | None = load_session(session.workspace, on_summary=on_summary)
            problem = ""
        except BenchdesignError as error:
            loaded, problem = None, str(error)
        finally:
            self.is_loading = False
        if not worker.is_cancelled:
            self._shell.call_from_thread(self._show_loaded, session, loaded, problem, is_quiet)

    def _show_summary(self, session: Session, summary: Summary, is_quiet: bool) -> None:
        if session is not self.session:
            return
        session.summarise(summary)
        if not is_quiet:
            self._messages.say("Reading the items ...")
        self.refresh_screens()

    def _show_loaded(
        self, session: Session, loaded: Loaded | None, problem: str, is_quiet: bool
    ) -> None:
        if session is not self.session:
            return
        self.problem = problem
        if loaded is None:
            self._messages.say(problem, is_error=True)
        else:
            session.replace(loaded)
            self._remember_recent(session)
            stale = () if is_quiet else session.workspace.stale_stages()
            if stale:
                self._messages.say("Some results are out of date. R recomputes them.")
            elif not is_quiet:
                self._messages.say("Up to date.")
        self.refresh_screens()

    def _judge_again(self) -> None:
        """Count and judge again with the current merges, in a thread."""
        if self.session is not None and self.session.analysis is not None:
            self._shell.run_in_thread(partial(self._judge, self.session, self.session.analysis))

    def _judge(self, session: Session, analysis: Analysis) -> None:
        from benchdesign.tui.session.session_data import judge_session

        worker = get_current_worker()
        try:
            loaded: Loaded | None = judge_session(session.workspace, analysis)
            problem = ""
        except BenchdesignError as error:
            loaded, problem = None, str(error)
        if not worker.is_cancelled:
            self._shell.call_from_thread(self._show_judged, session, loaded, problem)

    def _show_judged(self, session: Session, loaded: Loaded | None, problem: str) -> None:
        if session is not self.session:
            return
        if loaded is None:
            self._messages.say(problem, is_error=True)
        else:
            session.replace(loaded)
            self.refresh_screens()

    # decisions

    def undo(self) -> LogStep | None:
        """Undo the last decision and show which; return None if nothing was undone."""
        return self._step_back("undone", lambda session: session.undo())

    def redo(self) -> LogStep | None:
        """Redo the last undone decision and show which; return None if nothing was redone."""
        return self._step_back("redone", lambda session: session.redo())

    def _step_back(self, done: str, move: Callable[[Session], LogStep | None]) -> LogStep | None:
        session = self.session
        if session is None or not session.can_write:
            self._messages.say("Read-only: decisions cannot be changed.")
            return None
        try:
            step = move(session)
        except WorkspaceError as problem:
            self._messages.say(str(problem), is_error=True)
            return None
        if step is None:
            self._messages.say("Nothing to undo." if done == "undone" else "Nothing to redo.")
            return None
        first = step.decisions[0]
        more = f" and {len(step.decisions) - 1} more" if len(step.decisions) > 1 else ""
        n_left = session.log.n_undoable
        name = session.name_of_subject(first)
        self._messages.say(f"{first.word} of {name}{more} {done}. {n_left} to undo.")
        self.refresh_screens()
        return step
