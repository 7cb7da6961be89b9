"""Areas and identity of one set of items, as in JSON output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchdesign.coverage.area_gaps import find_area_gaps
from benchdesign.pipeline.measure_sets import Measured

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.coverage.area_gaps import AreaGaps, AreaRow
    from benchdesign.coverage.gaps import Gaps

__all__ = ["area_gap_rows", "area_row", "set_identity"]


def area_gap_rows(measured: Measured, gaps: Gaps) -> AreaGaps:
    """Find the gaps of the areas of the first benchmark."""
    return find_area_gaps(
        measured.areas(), gaps, concept_map=measured.maps[0], reference_map=measured.pool_map
    )


def area_row(area: AreaRow) -> dict[str, Any]:
    """Return an area as it stands in JSON output."""
    return {
        "area": area.name,
        "status": area.status,
        "n_gaps": area.n_gaps,
        "n_concepts": area.n_concepts,
        "lift": area.lift,
        "q_value": area.q_value,
    }


def set_identity(benchmark: Benchmark) -> dict[str, Any]:
    """Return what identifies a benchmark in JSON output."""
    return {
        "path": str(benchmark.path),
        "sha256": benchmark.sha256,
        "n_items": len(benchmark),
        "n_findings": len(benchmark.findings),
        "findings": [one.message for one in benchmark.findings],
    }
