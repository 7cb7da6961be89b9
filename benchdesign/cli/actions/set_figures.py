"""Map sets of items; the areas and the identity of one, ready for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchdesign.cli.interrupt import stop_on_interrupt
from benchdesign.cli.output import Messages
from benchdesign.coverage.area_gaps import find_area_gaps
from benchdesign.pipeline.measure_sets import Measured, measure_sets
from benchdesign.revision.group_record import groups_record
from benchdesign.workspace.settings import Settings

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.coverage.area_gaps import AreaGaps, AreaRow
    from benchdesign.coverage.gaps import Gaps
    from benchdesign.coverage.groups.gap_group import GapGroups

__all__ = ["area_figures", "find_set_area_gaps", "find_set_groups", "map_sets", "set_identity"]


def map_sets(
    paths: Sequence[str], pool: str | None, settings: Settings, messages: Messages
) -> Measured:
    """Read and map benchmarks and a pool, with progress, until Ctrl-C."""
    messages.say("reading items")
    with stop_on_interrupt(messages) as stop:
        return measure_sets(paths, pool, settings, progress=messages.progress, stop=stop)


def find_set_area_gaps(measured: Measured, gaps: Gaps) -> AreaGaps:
    """Find the gaps of areas in the first set."""
    return find_area_gaps(
        measured.areas(), gaps, concept_map=measured.maps[0], reference_map=measured.pool_map
    )


def find_set_groups(measured: Measured, messages: Messages) -> tuple[GapGroups, dict[str, Any]]:
    """Find the gap groups of the first set; also return them ready for JSON."""
    if measured.pool is not None:
        messages.say("finding groups of items that are lacking")
    groups = measured.groups()
    pool_items = () if measured.pool is None else measured.pool.items
    return groups, groups_record(
        groups, benchmark_items=measured.benchmarks[0].items, pool_items=pool_items
    )


def area_figures(row: AreaRow) -> dict[str, Any]:
    """Return the figures of one area, ready for JSON."""
    return {
        "area": row.name,
        "status": row.status,
        "n_gaps": row.n_gaps,
        "n_concepts": row.n_concepts,
        "lift": row.lift,
        "q_value": row.q_value,
    }


def set_identity(benchmark: Benchmark) -> dict[str, Any]:
    """Return what identifies a set, with the findings in its file."""
    return {
        "path": str(benchmark.path),
        "sha256": benchmark.sha256,
        "n_items": len(benchmark),
        "n_findings": len(benchmark.findings),
        "findings": [finding.message for finding in benchmark.findings],
    }
