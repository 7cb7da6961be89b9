"""The contents of `revision.json` and `concepts.parquet`.

Other tools read the keys. A key may be added; changing one needs a new schema version.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.concepts.maps.highlights import find_marks, marked_words
from benchdesign.foundation.serialization import to_json
from benchdesign.revision.group_counts import innermost_group
from benchdesign.revision.group_record import groups_record
from benchdesign.version import __version__

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark, Finding
    from benchdesign.benchmarks.write import WriteReport
    from benchdesign.revision.changes import Addition, Removal
    from benchdesign.revision.plan import Revision
    from benchdesign.selection.contamination import ContaminationMatch
    from benchdesign.workspace.analysis import Analysis
    from benchdesign.workspace.decisions import DecisionState

__all__ = ["SCHEMA_VERSION", "build_manifest"]


SCHEMA_VERSION = 1


_MAX_MATCHED_CHARACTERS = 500
"""Maximum characters of a matched text."""


def build_manifest(analysis: Analysis, revision: Revision, written: WriteReport) -> dict[str, Any]:
    """Return the content of `revision.json` for a revision whose benchmark is written."""
    benchmark, pool, dictionary = analysis.benchmark, analysis.pool, analysis.dictionary
    choice = revision.choice
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "program": {"name": "benchdesign", "version": __version__},
        "benchmark": {
            "path": analysis.typed_paths.get("benchmark") or str(benchmark.path),
            "sha256": benchmark.sha256,
            "n_items": len(benchmark),
            **_input_facts(benchmark),
            "findings": _count_rows_by_kind(benchmark.findings),
        },
        "pool": None
        if pool is None
        else {
            "path": analysis.typed_paths.get("pool") or str(pool.path),
            "sha256": pool.sha256,
            "n_items": len(pool),
            **_input_facts(pool),
            "findings": _count_rows_by_kind(pool.findings),
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
                {"name": level.name, "hook_point": level.hook_point, "n_concepts": level.width}
                for level in dictionary.levels
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
        "coverage_before": revision.figures_before.to_record(),
        "covered_share_before_interval": to_json(analysis.current_share_interval),
        "coverage_after": revision.figures_after.to_record(),
        **groups_record(
            analysis.groups,
            benchmark_items=benchmark.items,
            pool_items=() if pool is None else pool.items,
            counts=revision.group_counts,
        ),
        "gaps": _gap_rows(analysis, revision),
        "kept_out": analysis.gaps.kept_out_counts(),
        "required": list(analysis.required),
        "left_out": dict(sorted(analysis.left_out.items())),
        "model_gaps": _model_gaps(analysis),
        "added": [
            _added_row(analysis, addition, revision, len(revision.kept_rows) + place)
            for place, addition in enumerate(revision.added)
        ],
        "removed": [_removed_row(analysis, removal) for removal in revision.removed],
        "contamination": [_contamination_row(analysis, match) for match in analysis.contamination],
        "skipped": [
            {"rows": [row + 1 for row in finding.rows], "why": finding.message}
            for finding in analysis.findings
            if finding.kind == "skipped-row"
        ],
        "findings": _count_rows_by_kind(analysis.findings),
    }
    return manifest


def _settings(analysis: Analysis) -> dict[str, Any]:
    """Return the settings that determine the result, as the user set them."""
    settings = analysis.settings
    return {
        "n_add": settings.n_add,
        "n_remove": settings.n_remove,
        "min_items": settings.min_items,
        "gaps": to_json(analysis.gaps.settings),
        "constraints": settings.chosen("constraints"),
        "near_duplicate": analysis.near_duplicate,
        "keep_out": list(settings.keep_out),
        "scope": settings.chosen("scope"),
        "chat": settings.chat,
        "template": settings.template,
        "pool_template": settings.template_of_pool,
        "split": settings.split,
        "pool_split": settings.pool_split,
        "limit": settings.limit,
        "pool_limit": settings.pool_limit,
    }


def _input_facts(benchmark: Benchmark) -> dict[str, Any]:
    """Return how a set was read: its format, its skipped splits, its fields."""
    splits = [finding.message for finding in benchmark.findings if finding.kind == "split"]
    return {
        "format": benchmark.source.format,
        "splits": splits,
        "fields": _fields(benchmark.mapping),
    }


def _model_gaps(analysis: Analysis) -> dict[str, Any] | None:
    """Return the models whose weaknesses weighted the proposals; None without weighting."""
    weighting = analysis.weighting
    if weighting is None:
        return None
    return {
        "results": list(weighting.files),
        "models": [to_json(model) for model in weighting.models],
        "concepts": list(weighting.strongest(analysis.dictionary)),
    }


def _count_rows_by_kind(findings: Iterable[Finding]) -> dict[str, int]:
    """Count the rows of findings by kind."""
    counts: Counter[str] = Counter()
    for finding in findings:
        counts[finding.kind] += finding.n_rows
    return dict(sorted(counts.items()))


def _fields(mapping: object) -> dict[str, Any]:
    return {name: value for name, value in to_json(mapping).items() if value}


def _gap_rows(analysis: Analysis, revision: Revision) -> list[dict[str, Any]]:
    rows = []
    areas, after = analysis.areas, revision.gaps_after
    for row in analysis.gaps.rows():
        area = int(areas.area_of[row.concept_id])
        rows.append(
            to_json(
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
                    "relevance_because": _relevance_evidence(analysis, row.concept_id),
                    "count_after": int(after.count[row.concept_id]),
                    "status_after": after.status(row.concept_id),
                }
            )
        )
    return rows


def _relevance_evidence(analysis: Analysis, concept_id: int) -> dict[str, Any] | None:
    """Return the evidence for a concept's relevance, and whether it was set by hand."""
    if analysis.relevance is None:
        return None
    evidence = analysis.relevance.evidence(concept_id, analysis.dictionary)
    return {
        "label_similarity": evidence.label_similarity,
        "item_similarity": evidence.item_similarity,
        "closest": None if evidence.query is None else evidence.query[:_MAX_MATCHED_CHARACTERS],
        "overridden": evidence.overridden,
    }


def _added_row(
    analysis: Analysis, addition: Addition, revision: Revision, row: int
) -> dict[str, Any]:
    """Return what was added and why; `row` is the item's row in the map of the revision."""
    evidence = analysis.evidence_of(addition.item)

    def words(concept_id: int) -> tuple[str, ...]:
        # The evidence is from before the edit, so its positions no longer hold.
        if addition.is_unread:
            return ()
        marks = find_marks(
            evidence.get(concept_id, ()), revision.concept_map, row=row, concept_id=concept_id
        )
        return marked_words(addition.item.text, marks)

    group = innermost_group(analysis.groups, addition.pool_row)
    row_data = {
        "id": addition.revised_id,
        "group": None if group is None else group.id,
        "pool_id": addition.item.id,
        "pool_row": addition.item.row + 1,
        "rank": addition.rank,
        "gain": addition.gain,
        "concepts": [
            {
                "concept": fill.concept_id,
                "label": analysis.dictionary.label(fill.concept_id),
                "before": fill.before,
                "after": fill.after,
                "target": fill.target,
                "words": words(fill.concept_id),
            }
            for fill in addition.fills
        ],
        "n_concepts": addition.n_fills,
        "closest": addition.nearest_id,
        "similarity": addition.nearest_similarity,
        "failed_checks": addition.failed_checks,
        "category": addition.item.category,
        "source": addition.item.source,
        "licence": addition.licence,
        "is_unread": addition.is_unread,
        **_decision_entry(addition.standing),
    }
    return to_json(row_data)  # type: ignore[no-any-return]


def _contamination_row(analysis: Analysis, match: ContaminationMatch) -> dict[str, Any]:
    pool = analysis.pool
    return {
        "pool_id": match.item_id,
        "pool_row": None if pool is None else pool.items[match.row].row + 1,
        "list": match.list_name,
        "list_row": match.known_row + 1,
        "kind": match.kind,
        "similarity": match.similarity,
        "n_words": match.n_words,
        "text": match.matched_text[:_MAX_MATCHED_CHARACTERS],
    }


def _removed_row(analysis: Analysis, removal: Removal) -> dict[str, Any]:
    row = {
        "id": removal.item.id,
        "row": removal.item.row + 1,
        "rank": removal.rank,
        "closest": removal.duplicate_of,
        "similarity": removal.similarity,
        "category": removal.item.category,
        "lost": [
            {"concept": concept_id, "label": analysis.dictionary.label(concept_id)}
            for concept_id in removal.lost
        ],
        **_decision_entry(removal.standing),
    }
    return to_json(row)  # type: ignore[no-any-return]


def _decision_entry(standing: DecisionState | None) -> dict[str, Any]:
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


def _sha256(path: Path) -> str:
    hasher = hashlib.sha256()
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                hasher.update(chunk)
    return hasher.hexdigest()
