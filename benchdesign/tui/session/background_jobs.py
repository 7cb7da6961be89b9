"""Run the pipeline in a child process: one job at a time, with progress and outcome."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchdesign.errors import ModelError
from benchdesign.foundation.child_process import ChildProcess as ChildJob
from benchdesign.foundation.child_process import Failed, Finished, Stopped
from benchdesign.foundation.preferences import cache_folder, load_preferences
from benchdesign.foundation.progress import Progress, ProgressCallback
from benchdesign.pipeline.load_analysis import load_analysis
from benchdesign.pipeline.partial_summary import PartialSummaryWriter, delete_partial_summary
from benchdesign.pipeline.run import run_workspace
from benchdesign.revision.choice import Choice
from benchdesign.revision.edited_items import edited_items
from benchdesign.revision.map_edited import map_edited_items
from benchdesign.workspace.open_item_mapper import open_item_mapper
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.concepts.maps.concept_map import ConceptMap
    from benchdesign.workspace.analysis import Analysis

__all__ = [
    "BackgroundJob",
    "Failed",
    "Finished",
    "Stopped",
    "compute",
    "compute_edited_items",
    "edited_items_map",
]


def compute(folder: str, *, progress: ProgressCallback, output: str) -> None:
    """Run the outdated stages of a workspace, in the child process.

    Library output goes to a file, because the child shares the terminal with the interface.
    """
    _print_to(output)
    path = Path(folder)
    delete_partial_summary(path)
    try:
        run_workspace(folder, progress=progress, so_far=PartialSummaryWriter(path))
    finally:
        delete_partial_summary(path)


def compute_edited_items(folder: str, *, progress: ProgressCallback, output: str) -> None:
    """Map the accepted items that were edited into the cache, in the child process."""
    _print_to(output)
    preferences, _ = load_preferences()
    with Workspace.open(Path(folder), access="read") as workspace:
        analysis = load_analysis(workspace)
        choice = Choice.from_decisions(workspace.decisions)
        cache = cache_folder(preferences)
        map_edited_items(workspace, analysis, choice, cache=cache, progress=progress)


def edited_items_map(
    workspace: Workspace, analysis: Analysis, choice: Choice, *, may_wait: bool
) -> ConceptMap | None:
    """Return the concept map of the accepted items that were edited; None if there are none.

    If they are not mapped yet, map them in a child process if `may_wait`, else return None.
    """
    items = edited_items(analysis, choice)
    if not items:
        return None
    preferences, _ = load_preferences()
    mapper = open_item_mapper(workspace, cache=cache_folder(preferences))
    concept_map = mapper.recall(items)
    if concept_map is None and may_wait:
        for event in _start(compute_edited_items, workspace.folder).events():
            if isinstance(event, Failed):
                raise ModelError(event.message)
        concept_map = mapper.recall(items)
    return concept_map


def _print_to(output: str) -> None:
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _start(function: Callable[..., None], folder: Path) -> ChildJob:
    log = folder / "job.log"
    # Textual's stderr has no file descriptor, but starting a process needs one.
    with contextlib.redirect_stderr(sys.__stderr__):
        return ChildJob.start(function, str(folder), log=log, options={"output": str(log)})


class BackgroundJob:
    """A running job, with its progress."""

    def __init__(
        self, child: ChildJob, *, log: Path, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._child = child
        self._clock = clock
        self.log = log
        self.started = self._heard = clock()
        self.progress: Progress | None = None

    @classmethod
    def start(cls, folder: Path) -> BackgroundJob:
        """Start a job that runs the outdated stages of a workspace."""
        return cls(_start(compute, folder), log=folder / "job.log")

    @property
    def note(self) -> str:
        """The text shown before the first progress."""
        return "starting: loading libraries, a few seconds"

    @property
    def seconds(self) -> float:
        """Seconds since the job started."""
        return self._clock() - self.started

    @property
    def seconds_silent(self) -> float:
        """Seconds since the last progress."""
        return self._clock() - self._heard

    def poll(self) -> Finished | Failed | Stopped | None:
        """Read all pending progress; return the outcome if the job has ended."""
        while (event := self._child.poll()) is not None:
            if not isinstance(event, Progress):
                return event
            self.progress = event
            self._heard = self._clock()
        return None

    def stop(self) -> None:
        """Stop the job; mapped items are kept and the next job resumes from them."""
        self._child.stop()
