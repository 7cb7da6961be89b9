"""The page of a screen that has nothing to show yet."""

from __future__ import annotations

from textual.content import Content

from benchdesign.tui.marks import Marks
from benchdesign.tui.session.job_controller import JobController
from benchdesign.tui.session.workspace_controller import WorkspaceController
from benchdesign.tui.widgets.evidence import literal

__all__ = ["waiting_page"]


def waiting_page(
    workspaces: WorkspaceController, jobs: JobController, *, marks: Marks, width: int
) -> Content:
    """Return what to do while there is nothing to show, with the partial results of the job."""
    if workspaces.session is None:
        return Content(
            "No workspace is open.\n\n"
            "Press 1: enter opens one from the list, ^n creates one from a benchmark file."
        )
    if workspaces.problem:
        return literal(
            f"{workspaces.problem}\n\nR runs the missing stages; 1 lists the workspaces."
        )
    if jobs.job is not None:
        return _job_page(jobs, marks=marks, width=width)
    if workspaces.is_loading:
        return Content("Loading ...")
    return Content(
        "Not all items are mapped yet.\n\n"
        "R maps the remaining items and finds the gaps; mapped items are kept."
    )


def _job_page(jobs: JobController, *, marks: Marks, width: int) -> Content:
    explanation = Content(
        "The reference model is reading the items.\n"
        "The line below shows the progress. X stops it; finished work is kept."
    )
    if jobs.partial_summary is None:
        return explanation
    from benchdesign.tui.widgets.partial_summary import partial_results_content

    progress = partial_results_content(jobs.partial_summary, marks=marks, width=width)
    return Content("\n\n").join([explanation, progress])
