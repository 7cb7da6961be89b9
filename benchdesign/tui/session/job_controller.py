"""The job of the interface: started, watched and stopped; one at a time, in a child process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchdesign.foundation.number_words import duration
from benchdesign.foundation.progress import Progress
from benchdesign.tui.session.shell import Shell
from benchdesign.tui.session.status_messages import StatusMessages
from benchdesign.tui.session.workspace_controller import WorkspaceController

if TYPE_CHECKING:
    from benchdesign.foundation.child_process import Failed, Finished, Stopped
    from benchdesign.pipeline.partial_summary import PartialSummary
    from benchdesign.tui.session.background_jobs import BackgroundJob

__all__ = ["JobController"]

_CONFIRM_STOP_SECONDS = 60.0
"""Seconds after which stopping a job needs a confirmation."""

_POLLS_PER_SUMMARY = 10
"""Number of polls for each reading of the partial results, which change every few seconds."""


class JobController:
    """Starts, watches and stops the job that runs the outdated stages."""

    def __init__(
        self, shell: Shell, messages: StatusMessages, workspaces: WorkspaceController
    ) -> None:
        self._shell = shell
        self._messages = messages
        self._workspaces = workspaces
        self.job: BackgroundJob | None = None
        self.partial_summary: PartialSummary | None = None
        """Partial results of the running job."""

        self._is_stop_asked = self._is_quit_asked = False
        self._n_polls = 0

    def start(self) -> None:
        """Start a job that recomputes outdated stages in a child process."""
        from benchdesign.tui.session.background_jobs import BackgroundJob

        session = self._workspaces.session
        if session is None or self.job is not None:
            return
        if not session.can_write:
            self._messages.say("Read-only workspace: nothing can be computed.", is_error=True)
            return
        self._workspaces.save_ui()
        self._workspaces.problem = ""
        self._is_stop_asked = self._is_quit_asked = False
        self.partial_summary = None
        self.job = BackgroundJob.start(session.folder)
        self._workspaces.refresh_screens()
        self._shell.draw_status()

    def recompute(self) -> None:
        """Start a job if anything is out of date; else show why not."""
        session = self._workspaces.session
        if session is None:
            self._messages.say("Open a workspace first.")
        elif self.job is not None:
            self._messages.say("A job is already running.")
        elif not session.workspace.due_stages() and session.loaded is not None:
            self._messages.say("Everything is up to date.")
        else:
            self.start()

    def watch(self) -> None:
        """Show the progress of the job, and its result once it has ended; called on a timer."""
        if self.job is None:
            return
        outcome = self.job.poll()
        if outcome is None:
            self._shell.draw_status()
            self._read_partial_summary()
            return
        job, self.job = self.job, None
        self._show_outcome(job, outcome)
        self._workspaces.reload()

    def _show_outcome(self, job: BackgroundJob, outcome: Finished | Failed | Stopped) -> None:
        from benchdesign.foundation.child_process import Failed, Stopped

        if isinstance(outcome, Failed):
            log = outcome.log or job.log
            has_log = log.is_file() and log.stat().st_size > 0
            shows_log = has_log and str(log) not in outcome.message
            problem = f"{outcome.message} Log: {log}" if shows_log else outcome.message
            self._workspaces.problem = problem
            self._messages.say(f"{problem} Finished work is saved; R resumes.", is_error=True)
        elif isinstance(outcome, Stopped):
            self._messages.say(_stopped_message(job.progress))
        else:
            self._messages.say(f"Computed in {duration(job.seconds)}.")

    def _read_partial_summary(self) -> None:
        session = self._workspaces.session
        self._n_polls += 1
        if session is None or session.loaded is not None or self._n_polls % _POLLS_PER_SUMMARY:
            return
        from benchdesign.pipeline.partial_summary import read_partial_summary

        partial = read_partial_summary(session.folder)
        if partial is not None and partial != self.partial_summary:
            self.partial_summary = partial
            self._workspaces.refresh_screens()

    def stop(self) -> None:
        """Stop the running job; a long job needs a second call."""
        if self.job is None:
            self._messages.say("No job is running.")
        elif self.job.seconds > _CONFIRM_STOP_SECONDS and not self._is_stop_asked:
            self._is_stop_asked = True
            self._shell.notify(
                "The job has run for over a minute. Press X again to stop it.", markup=False
            )
        else:
            progress = self.job.progress
            self.drop()
            self._messages.say(_stopped_message(progress))
            self._workspaces.reload()

    def drop(self) -> None:
        """Stop the running job without a message; finished work is kept."""
        if self.job is not None:
            self.job.stop()
            self.job = None

    def confirm_quit(self) -> bool:
        """Whether the application may exit; while a job runs, only when asked a second time."""
        if self.job is None or self._is_quit_asked:
            return True
        self._is_quit_asked = True
        self._shell.notify(
            "A job is running. Press q again to stop it and quit; finished work is kept.",
            markup=False,
        )
        return False


def _stopped_message(progress: Progress | None) -> str:
    """Return the message after a job was stopped."""
    position = ""
    if progress is not None and progress.total:
        position = f" at {progress.done:,} of {progress.total:,} ({progress.stage})"
    return f"Stopped{position}. Finished work is saved; R resumes."
