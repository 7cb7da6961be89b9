"""The pipeline in a child process: one job at a time, with its progress and its end."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

from benchdesign.mapping.worker import Failed, Finished, Stopped
from benchdesign.mapping.worker import Job as ChildJob
from benchdesign.progress import Progress, ProgressCallback

__all__ = ["Failed", "Finished", "Job", "Stopped", "compute"]


def compute(folder: str, *, progress: ProgressCallback, output: str) -> None:
    """Run what is out of date in a workspace; runs in the child.

    What libraries print goes to a file: the child shares the terminal with the interface.
    """
    from benchdesign.pipeline import run_workspace

    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    run_workspace(folder, progress=progress)


class Job:
    """One running computation as the interface sees it."""

    def __init__(self, child: ChildJob, *, log: Path) -> None:
        self._child = child
        self.log = log
        self.started = time.monotonic()
        self.progress: Progress | None = None

    @classmethod
    def start(cls, folder: Path) -> Job:
        """Compute what is out of date in a workspace."""
        log = folder / "job.log"
        # The interface's stderr has no descriptor, and starting a process needs one.
        with contextlib.redirect_stderr(sys.__stderr__):
            child = ChildJob.start(compute, str(folder), log=log, options={"output": str(log)})
        return cls(child, log=log)

    @property
    def note(self) -> str:
        """What to say before the first progress."""
        return "starting: loading libraries, a few seconds"

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self.started

    def poll(self) -> Finished | Failed | Stopped | None:
        """Take in all progress there is; returns how it ended, once it has."""
        while (event := self._child.poll()) is not None:
            if not isinstance(event, Progress):
                return event
            self.progress = event
        return None

    def stop(self) -> None:
        """End it now; what was mapped stays and the next job goes on from there."""
        self._child.stop()
