"""The figures of one set of items, for `coverage` and `check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchdesign.coverage.area_gaps import find_area_gaps
from benchdesign.coverage.figures import CoverageFigures
from benchdesign.foundation.serialization import to_json
from benchdesign.pipeline.measure_sets import Measured

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.coverage.area_gaps import AreaGaps
    from benchdesign.coverage.gaps import Gaps

__all__ = ["figures_of"]


def figures_of(gaps: Gaps) -> dict[str, Any]:
    """Return the counts of the contract for one set."""
    figures: dict[str, Any] = to_json(CoverageFigures.from_gaps(gaps))
    return figures


def area_gap_rows(measured: Measured, gaps: Gaps) -> AreaGaps:

    return find_area_gaps(
        measured.areas(), gaps, concept_map=measured.maps[0], reference_map=measured.pool_map
    )


def area_row(one: Any) -> dict[str, Any]:
    return {
        "area": one.name,
        "status": one.status,
        "n_gaps": one.n_gaps,
        "n_concepts": one.n_concepts,
        "lift": one.lift,
        "q_value": one.q_value,
    }


def set_identity(benchmark: Benchmark) -> dict[str, Any]:
    return {
        "path": str(benchmark.path),
        "sha256": benchmark.sha256,
        "n_items": len(benchmark),
        "n_findings": len(benchmark.findings),
        "findings": [one.message for one in benchmark.findings],
    }
