"""What the coverage report says of areas and their gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from benchdesign.concepts.maps.highlights import cut, find_marks, strongest_rows
from benchdesign.coverage.area_gaps import AreaGaps, AreaRow
from benchdesign.coverage.status import Status
from benchdesign.report.coverage_data import AreaSection, GapLine
from benchdesign.report.item_lines import Snippet
from benchdesign.workspace.analysis import Analysis

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.concepts.maps.concept_map import ConceptMap
    from benchdesign.revision.plan import Revision

__all__ = ["area_sections", "is_area_gap"]


_MAX_GAPS_PER_AREA = 6


_MAX_SNIPPETS = 2


_OPENING_LENGTH = 60
"""Characters from the start of a snippet that identify it."""


_NO_AREA = "Not in any area"


GAP_STATUSES = (Status.MISSING, Status.UNDER)


def area_sections(
    analysis: Analysis, revision: Revision, before: AreaGaps, after: AreaGaps
) -> tuple[AreaSection, ...]:
    """Return the areas with their gaps, before and after, in the order of the report."""
    area_of = analysis.areas.area_of
    ranked = analysis.gaps.ranked()
    gaps_of: dict[int, list[int]] = {}
    for concept_id in ranked.tolist():
        gaps_of.setdefault(int(area_of[concept_id]), []).append(concept_id)
    n_gaps_after = Counter(area_of[revision.gaps_after.is_gap].tolist())
    listed = {area: ids[:_MAX_GAPS_PER_AREA] for area, ids in gaps_of.items()}
    evidence = _evidence(analysis, listed)
    largest = max([*(len(ids) for ids in gaps_of.values()), *n_gaps_after.values()], default=1)
    sections = []
    places = [*(row.area for row in before.rows()), -1]
    for area in places:
        ids = gaps_of.get(area, [])
        row_before: AreaRow | None = before.row(area) if area >= 0 else None
        row_after = after.row(area) if area >= 0 else None
        lacks = any(
            row is not None and row.status in GAP_STATUSES for row in (row_before, row_after)
        )
        if not ids and not n_gaps_after[area] and not lacks:
            continue
        sections.append(
            AreaSection(
                name=row_before.name if row_before else _NO_AREA,
                status=row_before.status if row_before else None,
                status_after=row_after.status if row_after else None,
                ratio=2.0**row_before.lift if row_before else float("nan"),
                ratio_after=2.0**row_after.lift if row_after else float("nan"),
                n_concepts=row_before.n_concepts if row_before else int((area_of < 0).sum()),
                n_gaps=len(ids),
                n_gaps_after=n_gaps_after[area],
                bar=round(100 * len(ids) / largest, 1),
                bar_after=round(100 * n_gaps_after[area] / largest, 1),
                gaps=tuple(
                    _gap_line(analysis, revision, concept_id, evidence[concept_id])
                    for concept_id in ids[:_MAX_GAPS_PER_AREA]
                ),
            )
        )
    return tuple(sections)


def is_area_gap(area: AreaSection) -> bool:
    """Whether an area is missing or under-covered as a whole, before or after."""
    return area.status in GAP_STATUSES or area.status_after in GAP_STATUSES


def _gap_line(
    analysis: Analysis, revision: Revision, concept_id: int, evidence: tuple[Snippet, ...]
) -> GapLine:
    row, after = analysis.gaps.row(concept_id), revision.gaps_after
    table = analysis.dictionary.table
    return GapLine(
        concept_id=concept_id,
        label=row.label,
        label_source=table.label_source[concept_id],
        label_score=row.label_score,
        level=row.level,
        status=row.status,
        status_after=after.status(concept_id),
        count=row.count,
        count_after=int(after.count[concept_id]),
        expected=row.expected,
        expected_after=float(after.expected[concept_id]),
        ratio=2.0**row.lift,
        ratio_low=2.0**row.lift_low,
        ratio_high=2.0**row.lift_high,
        q_value=row.q_value,
        relevance=row.relevance,
        evidence=evidence,
    )


def _evidence(
    analysis: Analysis, listed: Mapping[int, Sequence[int]]
) -> dict[int, tuple[Snippet, ...]]:
    """Return snippets of items that show each concept, from the pool or else the benchmark."""
    where, items, concept_map = "benchmark", analysis.benchmark, analysis.benchmark_map
    if analysis.pool is not None and analysis.pool_map is not None:
        where, items, concept_map = "pool", analysis.pool, analysis.pool_map
    concept_ids = [concept_id for ids in listed.values() for concept_id in ids]
    rows_of = strongest_rows(concept_map, concept_ids, n=_MAX_SNIPPETS * 4)
    evidence = {}
    for ids in listed.values():
        openings: set[str] = set()
        for concept_id in ids:
            candidates = [
                _snippet(analysis, items, concept_map, where, row, concept_id)
                for row in rows_of[concept_id]
            ]
            # Concepts of an area often share their best items, and templated sets repeat openings.
            # Prefer snippets that are not in the list yet.
            unique = {_opening(snippet): snippet for snippet in reversed(candidates)}
            snippets = list(unique.values())[::-1]
            snippets.sort(key=lambda snippet: _opening(snippet) in openings)
            evidence[concept_id] = tuple(snippets[:_MAX_SNIPPETS])
            openings.update(_opening(snippet) for snippet in evidence[concept_id])
    return evidence


def _opening(snippet: Snippet) -> str:
    return "".join(piece.text for piece in snippet.pieces)[:_OPENING_LENGTH]


def _snippet(
    analysis: Analysis,
    items: Benchmark,
    concept_map: ConceptMap,
    where: str,
    row: int,
    concept_id: int,
) -> Snippet:
    item = items.items[row]
    evidence = analysis.evidence_of(item).get(concept_id, ())
    marks = find_marks(evidence, concept_map, row=row, concept_id=concept_id)
    return Snippet(where, item.id, item.category, cut(item.text, marks, limit=240))
