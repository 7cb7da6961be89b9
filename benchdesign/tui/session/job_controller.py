"""The part of the application that starts, watches and stops the job."""

from __future__ import annotations

from benchdesign.errors import WorkspaceError
from benchdesign.foundation.progress import Progress
from benchdesign.tui.session.workspace_controller import OpenedApp

__all__ = ["WorkingApp"]

_CONFIRM_STOP_SECONDS = 60.0
"""Seconds after which stopping a job needs a confirmation."""


class WorkingApp(OpenedApp):
    """An application that runs one job at a time, in a child process."""

    _stop_asked = _leave_asked = False
    _n_watched = 0

    def start_job(self) -> None:
        """Start a job that recomputes outdated stages in a child process."""
        from benchdesign.tui.session.background_jobs import BackgroundJob

        session = self.session
        if session is None or self.job is not None:
            return
        if not session.can_write:
            self.say("Read-only workspace: nothing can be computed.", is_error=True)
            return
        self.save_ui()
        self.problem = ""
        self._stop_asked = self._leave_asked = False
        self.so_far = None
        self.job = BackgroundJob.start(session.folder)
        self.touch()
        self.draw_jobs()

    def watch_job(self) -> None:
        """Show the progress of the job, and its result once it has ended; called on a timer."""
        if self.job is None:
            return
        ended = self.job.poll()
        if ended is None:
            self.draw_jobs()
            self._read_so_far()
            return
        from benchdesign.foundation.child_process import Failed, Stopped

        seconds, log, progress = self.job.seconds, self.job.log, self.job.progress
        self.job = None
        if isinstance(ended, Failed):
            log = ended.log or log
            has_log = log.is_file() and log.stat().st_size > 0
            show_log = has_log and str(log) not in ended.message
            self.problem = f"{ended.message} Log: {log}" if show_log else ended.message
            self.say(f"{self.problem} Finished work is saved; R resumes.", is_error=True)
        elif isinstance(ended, Stopped):
            self.say(_stopped_message(progress))
        else:
            self.say(f"Computed in {seconds:.0f} s.")
        self._reload()

    def _read_so_far(self) -> None:
        session = self.session
        # The timer runs ten times a second; partial results change every few seconds.
        self._n_watched += 1
        if session is None or session.loaded is not None or self._n_watched % 10:
            return
        from benchdesign.pipeline.partial_summary import read_partial_summary

        partial = read_partial_summary(session.folder)
        if partial is not None and partial != self.so_far:
            self.so_far = partial
            self.touch()

    def _reload(self) -> None:
        session = self.session
        if session is None:
            return
        try:
            session.reopen()
        except WorkspaceError as error:
            self.say(str(error), is_error=True)
            return
        if "gaps" in session.workspace.stage_runs() and not self.problem:
            self.load_analysis(is_quiet=True)
        self.touch()

    def action_stop(self) -> None:
        """Stop the running job; a long job needs a second key press."""
        if self.job is None:
            self.say("No job is running.")
        elif self.job.seconds > _CONFIRM_STOP_SECONDS and not self._stop_asked:
            self._stop_asked = True
            self.status = "press X again to stop"
            self.notify(
                "The job has run for over a minute. Press X again to stop it.", markup=False
            )
        else:
            progress = self.job.progress
            self.job.stop()
            self.job = None
            self.say(_stopped_message(progress))
            self._reload()

    def action_recompute(self) -> None:
        """Recompute outdated stages."""
        session = self.session
        if session is None:
            self.say("Open a workspace first.")
        elif self.job is not None:
            self.say("A job is already running.")
        elif not session.workspace.is_stale and session.loaded is not None:
            self.say("Everything is up to date.")
        else:
            self.start_job()


def _stopped_message(progress: Progress | None) -> str:
    """Return the message after a job was stopped."""
    position = ""
    if progress is not None and progress.total:
        position = f" at {progress.done:,} of {progress.total:,} ({progress.stage})"
    return f"Stopped{position}. Finished work is saved; R resumes."
