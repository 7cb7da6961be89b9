"""Collect the data of the coverage report from an analysis and a revision.

Only what no other part needs is computed here: displayed evidence, and what got worse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchdesign.analysis import Analysis
from benchdesign.areas import AreaGaps, AreaRow, find_area_gaps
from benchdesign.charts import StackedBar, histogram_of_lengths, histogram_of_lifts, stack
from benchdesign.gaps import STATUSES, Gaps, Status
from benchdesign.highlights import cut, marks_of, strongest_rows
from benchdesign.report_data import (
    AddedLine,
    AreaSection,
    ConceptChange,
    Fill,
    GapLine,
    LengthShift,
    ListedLine,
    Noted,
    RemovedLine,
    ReportData,
    SetFacts,
    Snippet,
    Tally,
    WeightingFacts,
    Worse,
)
from benchdesign.report_limits import measure_limits
from benchdesign.text import ellipsis
from benchdesign.weighting import PROBED

if TYPE_CHECKING:
    from benchdesign.candidates import GapFilled
    from benchdesign.changes import Addition, Removal
    from benchdesign.conceptmap import ConceptMap
    from benchdesign.duplicates import ContaminationMatch
    from benchdesign.items import Benchmark, Finding, Item
    from benchdesign.revision import Revision

__all__ = ["collect_report"]

_MOST_UNFOLDED = 15
"""With more areas, only those that are gaps as a whole are expanded."""

_MOST_GAPS_AN_AREA = 6
_MOST_SNIPPETS = 2
_MOST_ADDED = 200
_MOST_FILLS = 4
_MOST_MARKED = 2
"""Maximum number of concepts marked in an added item; more would mark all of its text."""

_MOST_CHANGES = 12
_MOST_REMOVED = 100
_MOST_LISTED = 20
_MOST_NAMED = 10
_MATCHED_CELLS = 160
_MOST_CATEGORIES = 30
_OPENING = 60
"""Characters from the start of a snippet that identify it."""

_MOST_MESSAGES = 5
_NO_AREA = "Not in any area"
_LACKING = (Status.MISSING, Status.UNDER)


def collect_report(analysis: Analysis, revision: Revision) -> ReportData:
    """Collect the report's data from an analysis and its revision."""
    before, after = analysis.gaps, revision.gaps_after
    area_before = _area_gaps(analysis, before, analysis.benchmark_map)
    area_after = _area_gaps(analysis, after, revision.concept_map)
    lengths = analysis.benchmark_map.n_tokens, revision.concept_map.n_tokens
    tested = before.is_judged
    n_under_before, n_under_after = (
        int(_is_gap_code(gaps.status_codes).sum()) for gaps in (area_before, area_after)
    )
    areas = _area_sections(analysis, revision, area_before, area_after)
    first = [area for area in areas if _lacks(area)] if len(areas) > _MOST_UNFOLDED else list(areas)
    manifest = revision.manifest
    revised = manifest.get("revised", {}) if manifest else {}
    return ReportData(
        title=analysis.benchmark.name,
        sets=tuple(_set_facts(analysis)),
        revised_name=revised.get("file"),
        choice=revision.choice.made_by,
        reference=analysis.coverage_before.reference,
        before=revision.figures_before,
        after=revision.figures_after,
        how_sure=analysis.how_sure,
        n_gaps=int(before.is_gap.sum()),
        n_gaps_closed=revision.n_gaps_closed,
        n_gaps_lapsed=revision.n_gaps_lapsed,
        n_untestable=before.n_rare,
        n_over_untestable=before.n_rare_over,
        kept_out=before.kept_out_counts(),
        levels=tuple((level.name, level.width) for level in analysis.dictionary.levels),
        scope="" if analysis.relevance is None else analysis.relevance.scope.in_words(),
        settings=before.settings,
        bars=(_status_bar("Before", before), _status_bar("After", after)),
        lift_chart=histogram_of_lifts(before.lift[tested], after.lift[tested]),
        length_chart=histogram_of_lengths(*lengths),
        areas=(*first, *(area for area in areas if area not in first)),
        n_areas_first=len(first),
        n_areas=len(analysis.areas),
        n_areas_under=n_under_before,
        n_areas_under_after=n_under_after,
        added=_added_lines(analysis, revision),
        n_added=len(revision.added),
        required=analysis.required,
        limits_set=tuple(_limits_set(analysis)),
        near_duplicate=analysis.near_duplicate,
        listed=tuple(
            _listed_line(analysis, match) for match in analysis.contamination[:_MOST_LISTED]
        ),
        n_listed=len({match.item_id for match in analysis.contamination}),
        left_out=dict(Counter(analysis.left_out).most_common()),
        removed=tuple(
            _removed_line(analysis, removal) for removal in revision.removed[:_MOST_REMOVED]
        ),
        n_removed=len(revision.removed),
        n_lost=len({concept_id for removal in revision.removed for concept_id in removal.lost}),
        categories=_categories(analysis, revision),
        empty_fields=revision.empty_fields,
        worse=_worse(analysis, revision),
        limits=measure_limits(analysis),
        findings=_findings(analysis),
        n_duplicates=len(analysis.duplicates),
        provenance=tuple(_provenance(analysis, revision)),
        weighting=_weighting(analysis, revision),
    )


def _weighting(analysis: Analysis, revision: Revision) -> WeightingFacts | None:
    weighting = analysis.weighting
    if weighting is None:
        return None
    return WeightingFacts(
        tuple(Path(file).name for file in weighting.files),
        weighting.models,
        weighting.strongest(analysis.dictionary),
        sum(
            any(weighting.weights[fill.concept_id] >= PROBED for fill in addition.fills)
            for addition in revision.added
        ),
    )


def _set_facts(analysis: Analysis) -> Iterator[SetFacts]:
    for role, item_set in (("benchmark", analysis.benchmark), ("pool", analysis.pool)):
        if item_set is not None:
            mapping = item_set.mapping
            names = ("prompt", "context", "choices", "answer", "id", "category", "source")
            fields = tuple(
                (name, path, mapping.origin.get(name, "detected"))
                for name in names
                if (path := getattr(mapping, name))
            )
            # The name only: reports are shared, and folder names are private.
            yield SetFacts(
                role,
                item_set.name,
                item_set.path.name or str(item_set.path),
                item_set.source.format,
                len(item_set),
                item_set.sha256,
                fields,
            )


def _area_gaps(analysis: Analysis, gaps: Gaps, concept_map: ConceptMap) -> AreaGaps:
    return find_area_gaps(
        analysis.areas, gaps, concept_map=concept_map, reference_map=analysis.pool_map
    )


def _is_gap_code(codes: np.ndarray) -> np.ndarray:
    return np.isin(codes, [STATUSES.index(status) for status in _LACKING])


def _status_bar(name: str, gaps: Gaps) -> StackedBar:
    statuses = (Status.MISSING, Status.UNDER, Status.ADEQUATE, Status.OVER)
    counts = {
        status.value: int((gaps.is_status(status) & gaps.is_judged).sum()) for status in statuses
    }
    return stack(name, counts)


def _area_sections(
    analysis: Analysis, revision: Revision, before: AreaGaps, after: AreaGaps
) -> tuple[AreaSection, ...]:
    area_of = analysis.areas.area_of
    ranked = analysis.gaps.ranked()
    gaps_of: dict[int, list[int]] = {}
    for concept_id in ranked.tolist():
        gaps_of.setdefault(int(area_of[concept_id]), []).append(concept_id)
    n_gaps_after = Counter(area_of[revision.gaps_after.is_gap].tolist())
    listed = {area: ids[:_MOST_GAPS_AN_AREA] for area, ids in gaps_of.items()}
    evidence = _evidence(analysis, listed)
    largest = max([*(len(ids) for ids in gaps_of.values()), *n_gaps_after.values()], default=1)
    sections = []
    places = [*(row.area for row in before.rows()), -1]
    for area in places:
        ids = gaps_of.get(area, [])
        row_before: AreaRow | None = before.row(area) if area >= 0 else None
        row_after = after.row(area) if area >= 0 else None
        lacks = any(row is not None and row.status in _LACKING for row in (row_before, row_after))
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
                    for concept_id in ids[:_MOST_GAPS_AN_AREA]
                ),
            )
        )
    return tuple(sections)


def _lacks(area: AreaSection) -> bool:
    """Whether an area is missing or under-covered as a whole, before or after."""
    return area.status in _LACKING or area.status_after in _LACKING


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
    rows_of = strongest_rows(concept_map, concept_ids, n=_MOST_SNIPPETS * 4)
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
            evidence[concept_id] = tuple(snippets[:_MOST_SNIPPETS])
            openings.update(_opening(snippet) for snippet in evidence[concept_id])
    return evidence


def _opening(snippet: Snippet) -> str:
    return "".join(piece.text for piece in snippet.pieces)[:_OPENING]


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
    marks = marks_of(evidence, concept_map, row=row, concept_id=concept_id)
    return Snippet(where, item.id, item.category, cut(item.text, marks, limit=240))


def _added_lines(analysis: Analysis, revision: Revision) -> tuple[AddedLine, ...]:
    n_kept = len(revision.kept_rows)
    return tuple(
        _added_line(analysis, addition, revision.concept_map, n_kept + place)
        for place, addition in enumerate(revision.added[:_MOST_ADDED])
    )


def _added_line(
    analysis: Analysis, addition: Addition, concept_map: ConceptMap, row: int
) -> AddedLine:
    is_gap = analysis.gaps.is_gap
    label = analysis.dictionary.label
    fills = sorted(addition.fills, key=lambda fill: not is_gap[fill.concept_id])
    # A concept that already had enough items is no reason for an addition.
    fills = [fill for fill in fills if fill.before < fill.target] or fills
    # Several concepts can share a label; list each label once.
    by_label: dict[str, GapFilled] = {}
    for fill in fills:
        by_label.setdefault(analysis.dictionary.bare_label(fill.concept_id), fill)
    displayed = list(by_label.values())[:_MOST_FILLS]
    evidence = analysis.evidence_of(addition.item)
    # The evidence is from before the edit, so its positions no longer hold.
    marks = (
        ()
        if addition.is_unread
        else tuple(
            mark
            for fill in fills[:_MOST_MARKED]
            for mark in marks_of(
                evidence.get(fill.concept_id, ()), concept_map, row=row, concept_id=fill.concept_id
            )
        )
    )
    return AddedLine(
        revised_id=addition.revised_id or addition.item.id,
        pool_id=addition.item.id,
        pool_row=addition.item.row + 1,
        rank=addition.rank,
        gain=addition.gain,
        category=addition.item.category,
        licence=addition.licence,
        pieces=cut(addition.item.text, marks, limit=600),
        answer=addition.item.answer,
        fills=tuple(
            Fill(
                label(fill.concept_id),
                fill.before,
                fill.after,
                fill.target,
                bool(is_gap[fill.concept_id]),
            )
            for fill in displayed
        ),
        n_more_fills=len(fills) - len(displayed) + addition.n_fills - len(addition.fills),
        nearest_id=addition.nearest_id,
        nearest_similarity=addition.nearest_similarity,
        failed_checks=addition.failed_checks,
        edited=tuple(sorted(addition.standing.edits)) if addition.standing else (),
        is_unread=addition.is_unread,
        note=addition.standing.note or None if addition.standing else None,
    )


def _limits_set(analysis: Analysis) -> Iterator[str]:
    """Yield the constraints on candidates and removals, in words."""
    settings, constraints = analysis.settings, analysis.settings.constraints
    low, high = constraints.get("min_tokens"), constraints.get("max_tokens")
    if low or high:
        yield f"{low or 1} to {high} tokens" if high else f"at least {low} tokens"
    for name in ("category", "source"):
        quotas = constraints.get(f"quotas_by_{name}", {})
        for value, quota in sorted(quotas.items(), key=lambda entry: (entry[0] == "*", entry[0])):
            group = f"every other {name}" if value == "*" else f"{name} {value}"
            yield f"at most {quota} of {group}"
    for name, word in (("pinned", "added first"), ("excluded", "never added")):
        if ids := constraints.get(name, ()):
            yield f"{word}: {', '.join(sorted(ids)[:_MOST_NAMED])}" + (
                f" and {len(ids) - _MOST_NAMED} more" if len(ids) > _MOST_NAMED else ""
            )
    if settings.keep_out:
        yield f"nothing on {', '.join(Path(file).name for file in settings.keep_out)}"
    if settings.n_remove and settings.min_items > 1:
        yield f"at least {settings.min_items} of the benchmark’s items stay"


def _listed_line(analysis: Analysis, match: ContaminationMatch) -> ListedLine:
    pool = analysis.pool
    return ListedLine(
        match.item_id,
        match.row + 1 if pool is None else pool.items[match.row].row + 1,
        match.list_name,
        match.known_row + 1,
        match.n_words,
        match.similarity,
        ellipsis(" ".join(match.matched_text.split()), _MATCHED_CELLS),
    )


def _removed_line(analysis: Analysis, removal: Removal) -> RemovedLine:
    return RemovedLine(
        item_id=removal.item.id,
        pieces=cut(removal.item.text, (), limit=300),
        duplicate_of=removal.duplicate_of,
        similarity=removal.similarity,
        note=removal.standing.note or None if removal.standing else None,
        lost=tuple(analysis.dictionary.label(concept_id) for concept_id in removal.lost),
    )


def _worse(analysis: Analysis, revision: Revision) -> Worse:
    before, after = analysis.gaps, revision.gaps_after
    diluted = np.flatnonzero(after.is_gap & ~before.is_gap & before.in_scope)
    diluted = diluted[np.argsort(-after.deficit[diluted], kind="stable")]
    over = np.flatnonzero(after.is_status(Status.OVER) & ~before.is_status(Status.OVER))
    over = over[np.argsort(-after.lift[over], kind="stable")]

    def changes(ids: np.ndarray) -> tuple[ConceptChange, ...]:
        return tuple(
            ConceptChange(
                int(concept_id),
                analysis.dictionary.label(int(concept_id)),
                before.status(int(concept_id)),
                after.status(int(concept_id)),
                int(before.count[concept_id]),
                int(after.count[concept_id]),
                float(after.expected[concept_id]),
            )
            for concept_id in ids[:_MOST_CHANGES]
        )

    n_kept = len(revision.kept_rows)
    n_tokens = revision.concept_map.n_tokens
    quartiles = [
        tuple(float(value) for value in np.quantile(part, (0.25, 0.5, 0.75))) if len(part) else None
        for part in (analysis.benchmark_map.n_tokens, n_tokens, n_tokens[n_kept:])
    ]
    length = None
    if quartiles[0] is not None and quartiles[1] is not None:
        length = LengthShift(quartiles[0], quartiles[1], quartiles[2])  # type: ignore[arg-type]
    return Worse(
        diluted=changes(diluted),
        n_diluted=len(diluted),
        over=changes(over),
        n_over=len(over),
        length=length,
        # In these formats the answer key is not among the choices, so it has no position.
        keys=()
        if analysis.benchmark.mapping.choices_kind in ("distractors", "targets")
        else _keys(analysis.benchmark.items, _revised_items(analysis, revision)),
    )


def _revised_items(analysis: Analysis, revision: Revision) -> list[Item]:
    items = analysis.benchmark.items
    return [
        *(items[row] for row in revision.kept_rows),
        *(addition.item for addition in revision.added),
    ]


def _keys(before: Sequence[Item], after: Sequence[Item]) -> tuple[Tally, ...]:
    """Count items by position of the answer key; empty for sets of free answers."""
    counts = [
        Counter(item.answer_index for item in items if item.answer_index is not None)
        for items in (before, after)
    ]
    if not counts[0]:
        return ()
    positions = range(max([*counts[0], *counts[1]]) + 1)
    names = {place: chr(ord("A") + place) if place < 26 else str(place + 1) for place in positions}
    return _tally(
        {names[place]: counts[0][place] for place in positions},
        {names[place]: counts[1][place] for place in positions},
    )


def _categories(analysis: Analysis, revision: Revision) -> tuple[Tally, ...]:
    """Count items by category, largest increase first; empty if there are no categories."""
    counts = [
        Counter(item.category for item in items if item.category is not None)
        for items in (analysis.benchmark.items, _revised_items(analysis, revision))
    ]
    names = sorted(
        {*counts[0], *counts[1]}, key=lambda name: (counts[0][name] - counts[1][name], name)
    )
    tallies = _tally(
        {name: counts[0][name] for name in names}, {name: counts[1][name] for name in names}
    )
    return tallies[:_MOST_CATEGORIES]


def _tally(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[Tally, ...]:
    totals = max(sum(before.values()), 1), max(sum(after.values()), 1)
    return tuple(
        Tally(name, before[name], after[name], before[name] / totals[0], after[name] / totals[1])
        for name in before
    )


def _findings(analysis: Analysis) -> tuple[Noted, ...]:
    """Collect the findings in the files by kind, without the names of private folders."""
    folders = {f"{analysis.benchmark.path.parent}/"}
    if analysis.pool is not None:
        folders.add(f"{analysis.pool.path.parent}/")
    by_kind: dict[str, list[Finding]] = {}
    for finding in analysis.findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    rows = []
    for kind, findings in by_kind.items():
        messages = [finding.message for finding in findings[:_MOST_MESSAGES]]
        for folder in folders - {"./"}:
            messages = [message.replace(folder, "") for message in messages]
        rows.append(
            Noted(
                kind.replace("-", " "),
                sum(finding.n_rows for finding in findings),
                tuple(messages),
                max(len(findings) - _MOST_MESSAGES, 0),
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.n_rows, row.kind)))


def _provenance(analysis: Analysis, revision: Revision) -> Iterator[tuple[str, str]]:
    from benchdesign import __version__

    dictionary, manifest = analysis.dictionary, revision.manifest
    yield "Program", f"benchdesign {__version__}"
    for facts in _set_facts(analysis):
        yield f"{facts.role.capitalize()} SHA-256", facts.sha256
    if sha256 := manifest.get("revised", {}).get("sha256"):
        yield "Revised benchmark SHA-256", str(sha256)
    yield "Reference model", analysis.settings.model
    yield "Dictionary", f"{dictionary.name}, built for {dictionary.model}"
    yield "Dictionary fingerprint", dictionary.fingerprint
    for level in dictionary.levels:
        yield (
            f"Level {level.name}",
            f"{level.width:,} concepts, measured per {level.unit} at {level.hook_point}",
        )
    yield "Item template", "custom" if analysis.settings.template else "default"
    yield "Seed", str(analysis.settings.seed)
    yield "Chosen by", revision.choice.made_by
    if revision.choice.decisions_sha256:
        yield "Decisions SHA-256", revision.choice.decisions_sha256
