"""What `revision.json` and `concepts.parquet` say of a revision.

The keys are a contract: tools read them. Adding one is fine; changing one needs a new
schema version.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign import __version__
from benchdesign.highlights import marked_words, marks_of
from benchdesign.records import plain

if TYPE_CHECKING:
    from benchdesign.analysis import Analysis
    from benchdesign.changes import Addition, Removal
    from benchdesign.decisions import Standing
    from benchdesign.duplicates import ContaminationMatch
    from benchdesign.formats import WriteReport
    from benchdesign.items import Benchmark, Finding
    from benchdesign.revision import Revision

__all__ = ["SCHEMA_VERSION", "manifest_of", "write_concepts"]

SCHEMA_VERSION = 1

_MOST_MATCHED = 500
"""Characters of the evidence that an item is on a known list."""

_OVERRIDES = {1: "pinned", -1: "excluded"}


def manifest_of(analysis: Analysis, revision: Revision, written: WriteReport) -> dict[str, Any]:
    """Return what `revision.json` holds for a revision whose benchmark is written."""
    benchmark, pool, dictionary = analysis.benchmark, analysis.pool, analysis.dictionary
    choice = revision.choice
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "program": {"name": "benchdesign", "version": __version__},
        "benchmark": {
            "path": analysis.given_paths.get("benchmark") or str(benchmark.path),
            "sha256": benchmark.sha256,
            "n_items": len(benchmark),
            **_read_as(benchmark),
            "findings": _count(benchmark.findings),
        },
        "pool": None
        if pool is None
        else {
            "path": analysis.given_paths.get("pool") or str(pool.path),
            "sha256": pool.sha256,
            "n_items": len(pool),
            **_read_as(pool),
            "findings": _count(pool.findings),
        },
        "revised": {
            "file": Path(written.path).name,
            "sha256": _sha256(Path(written.path)),
            "n_items": revision.n_items,
            "n_kept": len(revision.kept_rows),
            "empty_fields": dict(revision.empty_fields),
            "dropped_parts": dict(written.dropped_parts),
        },
        "reference_model": dictionary.model
        if analysis.settings.model == "builtin"
        else analysis.settings.model,
        "dictionary": {
            "name": dictionary.name,
            "fingerprint": dictionary.fingerprint,
            "model": dictionary.model,
            "levels": [
                {"name": one.name, "hook_point": one.hook_point, "n_concepts": one.width}
                for one in dictionary.levels
            ],
        },
        "seed": analysis.settings.seed,
        "settings": _settings(analysis),
        "reference": analysis.coverage_before.reference,
        "choice": {
            "made_by": choice.made_by,
            "decisions_sha256": choice.decisions_sha256,
            "concepts_sha256": choice.concepts_sha256,
        },
        "coverage_before": plain(revision.figures_before),
        "covered_share_before_interval": plain(analysis.how_sure),
        "coverage_after": plain(revision.figures_after),
        "gaps": _gap_rows(analysis, revision),
        "kept_out": analysis.gaps.kept_out_counts(),
        "required": list(analysis.required),
        "left_out": dict(sorted(analysis.left_out.items())),
        "model_gaps": _model_gaps(analysis),
        "added": [
            _added_row(analysis, one, revision, len(revision.kept_rows) + place)
            for place, one in enumerate(revision.added)
        ],
        "removed": [_removed_row(analysis, one) for one in revision.removed],
        "contamination": [_contamination_row(analysis, one) for one in analysis.contamination],
        "skipped": [
            {"rows": [row + 1 for row in one.rows], "why": one.message}
            for one in analysis.findings
            if one.kind == "skipped-row"
        ],
        "findings": _count(analysis.findings),
    }
    return manifest


def _settings(analysis: Analysis) -> dict[str, Any]:
    """Say what decided the result, as it was set."""
    settings = analysis.settings
    return {
        "n_add": settings.n_add,
        "n_remove": settings.n_remove,
        "min_items": settings.min_items,
        "gaps": plain(analysis.gaps.settings),
        "constraints": plain(settings.constraints),
        "near_duplicate": analysis.near_duplicate,
        "keep_out": list(settings.keep_out),
        "scope": plain(settings.scope),
        "chat": settings.chat,
        "template": settings.template,
        "pool_template": settings.template_of_pool,
        "split": settings.split,
        "pool_split": settings.pool_split,
        "limit": settings.limit,
        "pool_limit": settings.pool_limit,
    }


def _read_as(one: Benchmark) -> dict[str, Any]:
    """Say how a set was read: its form, the splits left aside, its fields."""
    asides = [found.message for found in one.findings if found.kind == "split"]
    return {"format": one.source.format, "splits": asides, "fields": _fields(one.mapping)}


def _model_gaps(analysis: Analysis) -> dict[str, Any] | None:
    """Say which models' weaknesses decided what was proposed; None where none did."""
    weighting = analysis.weighting
    if weighting is None:
        return None
    return {
        "results": list(weighting.files),
        "models": [plain(one) for one in weighting.models],
        "concepts": list(weighting.strongest(analysis.dictionary)),
    }


def _count(findings: Iterable[Finding]) -> dict[str, int]:
    """Count the rows of findings by kind."""
    counts: Counter[str] = Counter()
    for one in findings:
        counts[one.kind] += one.n_rows
    return dict(sorted(counts.items()))


def _fields(mapping: object) -> dict[str, Any]:
    return {name: value for name, value in plain(mapping).items() if value}


def _gap_rows(analysis: Analysis, revision: Revision) -> list[dict[str, Any]]:
    rows = []
    areas, after = analysis.areas, revision.gaps_after
    for row in analysis.gaps.rows():
        area = int(areas.area_of[row.concept_id])
        rows.append(
            plain(
                {
                    "concept": row.concept_id,
                    "label": row.label,
                    "label_score": row.label_score,
                    "area": None if area < 0 else areas.names[area],
                    "level": row.level,
                    "status": row.status,
                    "count": row.count,
                    "expected": row.expected,
                    "rate": row.rate,
                    "base_rate": row.base_rate,
                    "lift": row.lift,
                    "lift_low": row.lift_low,
                    "lift_high": row.lift_high,
                    "q_value": row.q_value,
                    "relevance": row.relevance,
                    "relevance_because": _because(analysis, row.concept_id),
                    "count_after": int(after.count[row.concept_id]),
                    "status_after": after.status(row.concept_id),
                }
            )
        )
    return rows


def _because(analysis: Analysis, concept_id: int) -> dict[str, Any] | None:
    """Return what a concept's relevance rests on, and whether it was set by hand."""
    if analysis.relevance is None:
        return None
    found = analysis.relevance.evidence(concept_id, analysis.dictionary)
    return {
        "label_similarity": found.label_similarity,
        "item_similarity": found.item_similarity,
        "closest": None if found.query is None else found.query[:_MOST_MATCHED],
        "overridden": found.overridden,
    }


def _added_row(analysis: Analysis, one: Addition, revision: Revision, row: int) -> dict[str, Any]:
    """Say what was added and why; `row` is its place in the map of the revision."""
    found = analysis.evidence_of(one.item)

    def words(concept_id: int) -> tuple[str, ...]:
        # Where words were before an item was rewritten says nothing of where they are.
        if one.is_unread:
            return ()
        evidence = found.get(concept_id, ())
        marks = marks_of(evidence, revision.concept_map, row=row, concept_id=concept_id)
        return marked_words(one.item.text, marks)

    said = {
        "id": one.revised_id,
        "pool_id": one.item.id,
        "pool_row": one.item.row + 1,
        "rank": one.rank,
        "gain": one.gain,
        "concepts": [
            {
                "concept": fill.concept_id,
                "label": analysis.dictionary.label(fill.concept_id),
                "before": fill.before,
                "after": fill.after,
                "target": fill.target,
                "words": words(fill.concept_id),
            }
            for fill in one.fills
        ],
        "n_concepts": one.n_fills,
        "closest": one.nearest_id,
        "similarity": one.nearest_similarity,
        "failed_checks": one.failed_checks,
        "category": one.item.category,
        "source": one.item.source,
        "licence": one.licence,
        "is_unread": one.is_unread,
        **_said(one.standing),
    }
    return plain(said)  # type: ignore[no-any-return]


def _contamination_row(analysis: Analysis, one: ContaminationMatch) -> dict[str, Any]:
    pool = analysis.pool
    return {
        "pool_id": one.item_id,
        "pool_row": None if pool is None else pool.items[one.row].row + 1,
        "list": one.list_name,
        "list_row": one.known_row + 1,
        "kind": one.kind,
        "similarity": one.similarity,
        "n_words": one.n_words,
        "text": one.matched_text[:_MOST_MATCHED],
    }


def _removed_row(analysis: Analysis, one: Removal) -> dict[str, Any]:
    row = {
        "id": one.item.id,
        "row": one.item.row + 1,
        "rank": one.rank,
        "closest": one.duplicate_of,
        "similarity": one.similarity,
        "category": one.item.category,
        "lost": [
            {"concept": concept_id, "label": analysis.dictionary.label(concept_id)}
            for concept_id in one.lost
        ],
        **_said(one.standing),
    }
    return plain(row)  # type: ignore[no-any-return]


def _said(standing: Standing | None) -> dict[str, Any]:
    if standing is None:
        return {}
    return {
        "decision": {
            "who": standing.who,
            "when": standing.when,
            "note": standing.note,
            "reason": standing.reason,
            "edited": sorted(standing.edits),
        }
    }


def write_concepts(analysis: Analysis, revision: Revision, path: Path) -> None:
    """Write every concept before and after as Parquet, one row each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    before, after, dictionary = analysis.gaps, revision.gaps_after, analysis.dictionary
    table = dictionary.table
    area_of, names = analysis.areas.area_of, analysis.areas.names
    n = len(before)
    columns: dict[str, Any] = {
        "concept": pa.array(range(n), pa.int32()),
        "label": pa.array([dictionary.label(one) for one in range(n)], pa.string()),
        "label_source": pa.array(table.label_source, pa.string()),
        "label_score": pa.array(table.label_score),
        "level": pa.array([dictionary.levels[one].name for one in table.level], pa.string()),
        "area": pa.array([names[one] if one >= 0 else None for one in area_of], pa.string()),
        "kept_out": pa.array([before.reason(one) for one in range(n)], pa.string()),
        "relevance": pa.array(
            [None] * n if before.relevance is None else before.relevance, pa.float64()
        ),
        "base_rate": pa.array(before.base_rate, from_pandas=True),
    }
    if (relevance := analysis.relevance) is not None:
        said = [_OVERRIDES.get(one) for one in relevance.overridden.tolist()]
        columns |= {
            "overridden": pa.array(said, pa.string()),
            "label_similarity": pa.array(relevance.label_similarity, from_pandas=True),
            "item_similarity": pa.array(relevance.item_similarity, from_pandas=True),
        }
    for side, gaps in (("before", before), ("after", after)):
        columns |= {
            f"status_{side}": pa.array([gaps.status(one).value for one in range(n)], pa.string()),
            f"count_{side}": pa.array(gaps.count),
            f"chi_bench_{side}": pa.array(gaps.coverage.chi_bench),
        }
        for name in ("expected", "rate", "lift", "lift_low", "lift_high", "q_value"):
            columns[f"{name}_{side}"] = pa.array(getattr(gaps, name), from_pandas=True)
    pq.write_table(pa.table(columns), path, compression="zstd")


def _sha256(path: Path) -> str:
    hasher = hashlib.sha256()
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    for one in files:
        with one.open("rb") as handle:
            while chunk := handle.read(1 << 20):
                hasher.update(chunk)
    return hasher.hexdigest()
