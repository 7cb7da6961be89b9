"""The table of every concept before and after a revision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchdesign.revision.plan import Revision
    from benchdesign.workspace.analysis import Analysis

__all__ = ["write_concepts"]


_OVERRIDES = {1: "pinned", -1: "excluded"}


def write_concepts(analysis: Analysis, revision: Revision, path: Path) -> None:
    """Write all concepts, before and after the revision, as Parquet with one row per concept."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    before, after, dictionary = analysis.gaps, revision.gaps_after, analysis.dictionary
    table = dictionary.table
    area_of, names = analysis.areas.area_of, analysis.areas.names
    n = len(before)
    columns: dict[str, Any] = {
        "concept": pa.array(range(n), pa.int32()),
        "label": pa.array([dictionary.label(concept_id) for concept_id in range(n)], pa.string()),
        "label_source": pa.array(table.label_source, pa.string()),
        "label_score": pa.array(table.label_score),
        "level": pa.array([dictionary.levels[level].name for level in table.level], pa.string()),
        "area": pa.array([names[area] if area >= 0 else None for area in area_of], pa.string()),
        "kept_out": pa.array([before.reason(concept_id) for concept_id in range(n)], pa.string()),
        "relevance": pa.array(
            [None] * n if before.relevance is None else before.relevance, pa.float64()
        ),
        "base_rate": pa.array(before.base_rate, from_pandas=True),
    }
    if (relevance := analysis.relevance) is not None:
        overridden = [_OVERRIDES.get(code) for code in relevance.overridden.tolist()]
        columns |= {
            "overridden": pa.array(overridden, pa.string()),
            "label_similarity": pa.array(relevance.label_similarity, from_pandas=True),
            "item_similarity": pa.array(relevance.item_similarity, from_pandas=True),
        }
    for side, gaps in (("before", before), ("after", after)):
        columns |= {
            f"status_{side}": pa.array(
                [gaps.status(concept_id).value for concept_id in range(n)], pa.string()
            ),
            f"count_{side}": pa.array(gaps.count),
            f"chi_bench_{side}": pa.array(gaps.coverage.chi_bench),
        }
        for name in ("expected", "rate", "lift", "lift_low", "lift_high", "q_value"):
            columns[f"{name}_{side}"] = pa.array(getattr(gaps, name), from_pandas=True)
    pq.write_table(pa.table(columns), path, compression="zstd")
