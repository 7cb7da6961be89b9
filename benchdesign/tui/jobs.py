"""The pipeline in a child process: one job at a time, with its progress and its end."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchdesign.config import cache_folder, load_preferences
from benchdesign.errors import ModelError
from benchdesign.mapping.worker import Failed, Finished, Stopped
from benchdesign.mapping.worker import Job as ChildJob
from benchdesign.progress import Progress, ProgressCallback

if TYPE_CHECKING:
    from benchdesign.analysis import Analysis
    from benchdesign.changes import Choice
    from benchdesign.conceptmap import ConceptMap
    from benchdesign.workspace import Workspace

__all__ = ["Failed", "Finished", "Job", "Stopped", "compute", "remap", "rewritten_map"]


def compute(folder: str, *, progress: ProgressCallback, output: str) -> None:
    """Run what is out of date in a workspace; runs in the child.

    What libraries print goes to a file: the child shares the terminal with the interface.
    """
    from benchdesign.pipeline import run_workspace
    from benchdesign.sofar import SoFarWriter, forget_so_far

    _print_to(output)
    place = Path(folder)
    forget_so_far(place)
    try:
        run_workspace(folder, progress=progress, so_far=SoFarWriter(place))
    finally:
        forget_so_far(place)


def remap(folder: str, *, progress: ProgressCallback, output: str) -> None:
    """Map the accepted items that were rewritten, into the cache; runs in the child."""
    from benchdesign.changes import Choice
    from benchdesign.pipeline import map_rewritten
    from benchdesign.workspace import Workspace

    _print_to(output)
    preferences, _ = load_preferences()
    with Workspace.open(Path(folder), access="read") as workspace:
        analysis = workspace.load_analysis()
        choice = Choice.from_decisions(workspace.decisions)
        cache = cache_folder(preferences)
        map_rewritten(workspace, analysis, choice, cache=cache, progress=progress)


def rewritten_map(
    workspace: Workspace, analysis: Analysis, choice: Choice, *, may_wait: bool
) -> ConceptMap | None:
    """Return the map of the items to be added that were rewritten; None where there are none.

    Where they were not mapped yet, that is done now in a child process, or nothing is returned.
    """
    from benchdesign.edits import rewritten_items
    from benchdesign.pipeline import reader_of

    items = rewritten_items(analysis, choice)
    if not items:
        return None
    preferences, _ = load_preferences()
    reader = reader_of(workspace, cache=cache_folder(preferences))
    found = reader.recall(items)
    if found is None and may_wait:
        for event in _start(remap, workspace.folder).events():
            if isinstance(event, Failed):
                raise ModelError(event.message)
        found = reader.recall(items)
    return found


def _print_to(output: str) -> None:
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _start(function: Callable[..., None], folder: Path) -> ChildJob:
    log = folder / "job.log"
    # The interface's stderr has no descriptor, and starting a process needs one.
    with contextlib.redirect_stderr(sys.__stderr__):
        return ChildJob.start(function, str(folder), log=log, options={"output": str(log)})


class Job:
    """One running computation as the interface sees it."""

    def __init__(
        self, child: ChildJob, *, log: Path, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._child = child
        self._clock = clock
        self.log = log
        self.started = self._heard = clock()
        self.progress: Progress | None = None

    @classmethod
    def start(cls, folder: Path) -> Job:
        """Compute what is out of date in a workspace."""
        return cls(_start(compute, folder), log=folder / "job.log")

    @property
    def note(self) -> str:
        """What to say before the first progress."""
        return "starting: loading libraries, a few seconds"

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return self._clock() - self.started

    @property
    def seconds_silent(self) -> float:
        """How long nothing was heard of it."""
        return self._clock() - self._heard

    def poll(self) -> Finished | Failed | Stopped | None:
        """Take in all progress there is; returns how it ended, once it has."""
        while (event := self._child.poll()) is not None:
            if not isinstance(event, Progress):
                return event
            self.progress = event
            self._heard = self._clock()
        return None

    def stop(self) -> None:
        """End it now; what was mapped stays and the next job goes on from there."""
        self._child.stop()
