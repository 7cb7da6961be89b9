"""The application's running job: starting, watching and stopping what computes."""

from __future__ import annotations

from benchdesign.errors import WorkspaceError
from benchdesign.progress import Progress
from benchdesign.tui.opened import OpenedApp

__all__ = ["WorkingApp"]

_LONG_JOB = 60.0
"""Seconds after which stopping a job is asked about: `u` cannot bring it back."""


class WorkingApp(OpenedApp):
    """One job at a time, in a child process."""

    _stop_asked = _leave_asked = False
    _n_watched = 0

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
        self._stop_asked = self._leave_asked = False
        self.so_far = None
        self.job = Job.start(session.folder)
        self.touch()
        self.draw_jobs()

    def watch_job(self) -> None:
        """Take in what the job did since; called on a timer."""
        if self.job is None:
            return
        ended = self.job.poll()
        if ended is None:
            self.draw_jobs()
            self._read_so_far()
            return
        from benchdesign.tui.jobs import Failed, Stopped

        seconds, log, progress = self.job.seconds, self.job.log, self.job.progress
        self.job = None
        if isinstance(ended, Failed):
            log = ended.log or log
            is_told = str(log) in ended.message or not (log.is_file() and log.stat().st_size)
            where = "" if is_told else f" Log: {log}"
            self.problem = f"{ended.message}{where}"
            self.say(f"{self.problem} What was done is kept; R goes on.", is_error=True)
        elif isinstance(ended, Stopped):
            self.say(_stopped(progress))
        else:
            self.say(f"Computed in {seconds:.0f} s.")
        self._reload()

    def _read_so_far(self) -> None:
        session = self.session
        # Ten times a second is for the line; what is known changes every few seconds at most.
        self._n_watched += 1
        if session is None or session.loaded is not None or self._n_watched % 10:
            return
        from benchdesign.sofar import read_so_far

        found = read_so_far(session.folder)
        if found is not None and found != self.so_far:
            self.so_far = found
            self.touch()

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
            self.load_analysis(is_quiet=True)
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
            progress = self.job.progress
            self.job.stop()
            self.job = None
            self.say(_stopped(progress))
            self._reload()

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


def _stopped(progress: Progress | None) -> str:
    """Say where a job was stopped."""
    where = ""
    if progress is not None and progress.total:
        where = f" at {progress.done:,} of {progress.total:,} ({progress.stage})"
    return f"Stopped{where}. What was finished is kept; R goes on."
