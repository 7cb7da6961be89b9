"""The stages of a run, in order; the result of each is saved when it finishes.

    read       read and validate benchmark and pool
    map        map items to concepts (resumes from shards)
    gaps       measure coverage, areas, relevance to the scope and statuses
    propose    propose additions and removals, find duplicates
    evidence   find the characters that show the concepts, in items that will be displayed

A stage runs only if it is out of date. Progress goes to a callback. `stop` is called often, and
finished work is kept. Commands run the stages in their own process, the interface in a child.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.errors import UsageError
from benchdesign.foundation.preferences import cache_folder, load_preferences
from benchdesign.foundation.progress import ProgressCallback, StopCheck
from benchdesign.pipeline.stages import StageRunner
from benchdesign.workspace.analysis import Analysis
from benchdesign.workspace.stage_record import STAGES
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.pipeline.partial_summary import PartialSummaryWriter

__all__ = ["run_pipeline", "run_workspace"]


def run_workspace(
    folder: str,
    *,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
    so_far: PartialSummaryWriter | None = None,
) -> None:
    """Run the stages that are out of date; the parent process holds the workspace's lock."""
    preferences, _ = load_preferences()
    cache = cache_folder(preferences)
    with Workspace.open(Path(folder), access="child") as workspace:
        run_pipeline(workspace, cache=cache, progress=progress, stop=stop, so_far=so_far)


def run_pipeline(
    workspace: Workspace,
    *,
    until: str = "evidence",
    cache: Path | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
    so_far: PartialSummaryWriter | None = None,
) -> Analysis | None:
    """Run every stage that is out of date, up to and including `until`; return the analysis.

    `cache` is the folder that all workspaces share for the model's output; None caches in this
    workspace. Returns None if `until` is before the gaps stage. Raises Interrupted if `stop`
    returns True. `so_far` receives finished parts of maps while the rest is being mapped.
    """
    if until not in STAGES:
        raise UsageError(f"Unknown stage {until!r}; the stages are {', '.join(STAGES)}.")
    run = StageRunner(workspace, progress, stop, cache=cache, so_far=so_far)
    steps: dict[str, Callable[[], dict[str, Any]]] = {
        "read": run.read,
        "map": run.map,
        "gaps": run.find_gaps,
        "propose": run.propose,
        "evidence": run.show_evidence,
    }
    last = STAGES.index(until)
    due = workspace.due_stages()
    for stage in STAGES[: last + 1]:
        # A stage can make later ones stale: reading records that a file has changed.
        if stage in due or stage in workspace.stale_stages():
            run.check_stop()
            workspace.record_stage(stage, figures=steps[stage]())
    return run.results.analysis() if last >= STAGES.index("gaps") else None
