"""Load what the stages of a workspace have produced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from benchdesign.pipeline.workspace_results import WorkspaceResults
from benchdesign.workspace.analysis import Analysis, Summary
from benchdesign.workspace.open_item_mapper import open_item_mapper
from benchdesign.workspace.workspace import Workspace

__all__ = ["judged_again", "load_analysis"]


def load_analysis(
    workspace: Workspace, *, on_summary: Callable[[Summary], None] | None = None
) -> Analysis:
    """Load all results; requires the gaps stage and includes proposals if there are any.

    `on_summary` receives the summary as soon as it is loaded, before items and maps are read.
    """
    workspace.refresh()
    results = WorkspaceResults(workspace, open_item_mapper(workspace))
    results.trust_dictionary()
    summary = results.summary()
    if on_summary is not None:
        on_summary(summary)
    return results.analysis(summary)


def judged_again(workspace: Workspace, analysis: Analysis) -> Analysis:
    """Return an analysis with its gaps recomputed from the current decisions; proposals stay."""
    results = WorkspaceResults(workspace, open_item_mapper(workspace))
    results.benchmark, results.pool = analysis.benchmark, analysis.pool
    results.trust_dictionary()
    current = results.analysis(with_proposals=False)
    return replace(
        analysis,
        dictionary=current.dictionary,
        benchmark_map=current.benchmark_map,
        pool_map=current.pool_map,
        coverage_before=current.coverage_before,
        gaps=current.gaps,
        share_interval=current.share_interval,
    )
