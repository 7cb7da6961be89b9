"""Gather what the coverage report says from an analysis and a revision that were computed before.

The only things worked out here are what the report alone needs: evidence to show, and what got
worse.
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
"""More areas than these are folded to those that lack something as a whole."""

_MOST_GAPS_AN_AREA = 6
_MOST_SNIPPETS = 2
_MOST_ADDED = 200
_MOST_FILLS = 4
_MOST_MARKED = 2
"""Concepts marked in an added item; with more, everything would be marked."""

_MOST_CHANGES = 12
_MOST_REMOVED = 100
_MOST_LISTED = 20
_MOST_NAMED = 10
_MATCHED_CELLS = 160
_MOST_CATEGORIES = 30
_OPENING = 60
"""Characters by which two pieces of evidence are told apart."""

_MOST_MESSAGES = 5
_NO_AREA = "Not in any area"
_LACKING = (Status.MISSING, Status.UNDER)


def collect_report(analysis: Analysis, revision: Revision) -> ReportData:
    """Gather what the report says of an analysis and the revision made from it."""
    before, after = analysis.gaps, revision.gaps_after
    area_before = _area_gaps(analysis, before, analysis.benchmark_map)
    area_after = _area_gaps(analysis, after, revision.concept_map)
    lengths = analysis.benchmark_map.n_tokens, revision.concept_map.n_tokens
    tested = before.is_judged
    found = [area.status_codes for area in (area_before, area_after)]
    lacking = [int(_is_gap_code(codes).sum()) for codes in found]
    areas = _area_sections(analysis, revision, area_before, area_after)
    first = [one for one in areas if _lacks(one)] if len(areas) > _MOST_UNFOLDED else list(areas)
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
        levels=tuple((one.name, one.width) for one in analysis.dictionary.levels),
        scope="" if analysis.relevance is None else analysis.relevance.scope.in_words(),
        settings=before.settings,
        bars=(_status_bar("Before", before), _status_bar("After", after)),
        lift_chart=histogram_of_lifts(before.lift[tested], after.lift[tested]),
        length_chart=histogram_of_lengths(*lengths),
        areas=(*first, *(one for one in areas if one not in first)),
        n_areas_first=len(first),
        n_areas=len(analysis.areas),
        n_areas_under=lacking[0],
        n_areas_under_after=lacking[1],
        added=_added_lines(analysis, revision),
        n_added=len(revision.added),
        required=analysis.required,
        limits_set=tuple(_limits_set(analysis)),
        near_duplicate=analysis.near_duplicate,
        listed=tuple(_listed_line(analysis, one) for one in analysis.contamination[:_MOST_LISTED]),
        n_listed=len({one.item_id for one in analysis.contamination}),
        left_out=dict(Counter(analysis.left_out).most_common()),
        removed=tuple(_removed_line(analysis, one) for one in revision.removed[:_MOST_REMOVED]),
        n_removed=len(revision.removed),
        n_lost=len({concept_id for one in revision.removed for concept_id in one.lost}),
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
        tuple(Path(one).name for one in weighting.files),
        weighting.models,
        weighting.strongest(analysis.dictionary),
        sum(
            any(weighting.weights[fill.concept_id] >= PROBED for fill in one.fills)
            for one in revision.added
        ),
    )


def _set_facts(analysis: Analysis) -> Iterator[SetFacts]:
    for role, one in (("benchmark", analysis.benchmark), ("pool", analysis.pool)):
        if one is not None:
            mapping = one.mapping
            names = ("prompt", "context", "choices", "answer", "id", "category", "source")
            fields = tuple(
                (name, path, mapping.origin.get(name, "detected"))
                for name in names
                if (path := getattr(mapping, name))
            )
            # The file's name and not its folder: reports are passed on, folders are private.
            yield SetFacts(
                role,
                one.name,
                one.path.name or str(one.path),
                one.source.format,
                len(one),
                one.sha256,
                fields,
            )


def _area_gaps(analysis: Analysis, gaps: Gaps, concept_map: ConceptMap) -> AreaGaps:
    return find_area_gaps(
        analysis.areas, gaps, concept_map=concept_map, reference_map=analysis.pool_map
    )


def _is_gap_code(codes: np.ndarray) -> np.ndarray:
    return np.isin(codes, [STATUSES.index(one) for one in _LACKING])


def _status_bar(name: str, gaps: Gaps) -> StackedBar:
    shown = (Status.MISSING, Status.UNDER, Status.ADEQUATE, Status.OVER)
    counts = {one.value: int((gaps.is_status(one) & gaps.is_judged).sum()) for one in shown}
    return stack(name, counts)


def _area_sections(
    analysis: Analysis, revision: Revision, before: AreaGaps, after: AreaGaps
) -> tuple[AreaSection, ...]:
    area_of = analysis.areas.area_of
    ranked = analysis.gaps.ranked()
    gaps_of: dict[int, list[int]] = {}
    for concept_id in ranked.tolist():
        gaps_of.setdefault(int(area_of[concept_id]), []).append(concept_id)
    later = Counter(area_of[revision.gaps_after.is_gap].tolist())
    listed = {area: ids[:_MOST_GAPS_AN_AREA] for area, ids in gaps_of.items()}
    evidence = _evidence(analysis, listed)
    largest = max([*(len(ids) for ids in gaps_of.values()), *later.values()], default=1)
    sections = []
    places = [*(row.area for row in before.rows()), -1]
    for area in places:
        ids = gaps_of.get(area, [])
        first: AreaRow | None = before.row(area) if area >= 0 else None
        second = after.row(area) if area >= 0 else None
        lacks = any(one is not None and one.status in _LACKING for one in (first, second))
        if not ids and not later[area] and not lacks:
            continue
        sections.append(
            AreaSection(
                name=first.name if first else _NO_AREA,
                status=first.status if first else None,
                status_after=second.status if second else None,
                ratio=2.0**first.lift if first else float("nan"),
                ratio_after=2.0**second.lift if second else float("nan"),
                n_concepts=first.n_concepts if first else int((area_of < 0).sum()),
                n_gaps=len(ids),
                n_gaps_after=later[area],
                bar=round(100 * len(ids) / largest, 1),
                bar_after=round(100 * later[area] / largest, 1),
                gaps=tuple(
                    _gap_line(analysis, revision, one, evidence[one])
                    for one in ids[:_MOST_GAPS_AN_AREA]
                ),
            )
        )
    return tuple(sections)


def _lacks(area: AreaSection) -> bool:
    """Tell whether an area lacks something as a whole, before or after."""
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
    """Return items that show each concept: the pool's, or the benchmark's where there is none."""
    where, items, concept_map = "benchmark", analysis.benchmark, analysis.benchmark_map
    if analysis.pool is not None and analysis.pool_map is not None:
        where, items, concept_map = "pool", analysis.pool, analysis.pool_map
    concept_ids = [one for ids in listed.values() for one in ids]
    rows_of = strongest_rows(concept_map, concept_ids, n=_MOST_SNIPPETS * 4)
    evidence = {}
    for ids in listed.values():
        shown: set[str] = set()
        for concept_id in ids:
            candidates = [
                _snippet(analysis, items, concept_map, where, row, concept_id)
                for row in rows_of[concept_id]
            ]
            # Concepts of an area share their best items, and templated sets repeat themselves; what
            # was shown above says nothing new.
            fresh = list({_opening(one): one for one in reversed(candidates)}.values())[::-1]
            fresh.sort(key=lambda one: _opening(one) in shown)
            evidence[concept_id] = tuple(fresh[:_MOST_SNIPPETS])
            shown.update(_opening(one) for one in evidence[concept_id])
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
    found = analysis.evidence_of(item).get(concept_id, ())
    marks = marks_of(found, concept_map, row=row, concept_id=concept_id)
    return Snippet(where, item.id, item.category, cut(item.text, marks, limit=240))


def _added_lines(analysis: Analysis, revision: Revision) -> tuple[AddedLine, ...]:
    n_kept = len(revision.kept_rows)
    return tuple(
        _added_line(analysis, one, revision.concept_map, n_kept + place)
        for place, one in enumerate(revision.added[:_MOST_ADDED])
    )


def _added_line(analysis: Analysis, one: Addition, concept_map: ConceptMap, row: int) -> AddedLine:
    is_gap = analysis.gaps.is_gap
    label = analysis.dictionary.label
    fills = sorted(one.fills, key=lambda fill: not is_gap[fill.concept_id])
    # What had enough items before it is no reason to add one more.
    fills = [fill for fill in fills if fill.before < fill.target] or fills
    # Several concepts can be called alike; one of a name says all there is to say here.
    by_label: dict[str, GapFilled] = {}
    for fill in fills:
        by_label.setdefault(analysis.dictionary.bare_label(fill.concept_id), fill)
    shown = list(by_label.values())[:_MOST_FILLS]
    found = analysis.evidence_of(one.item)
    # Where words were before an item was rewritten says nothing of where they are.
    marks = (
        ()
        if one.is_unread
        else tuple(
            mark
            for fill in fills[:_MOST_MARKED]
            for mark in marks_of(
                found.get(fill.concept_id, ()), concept_map, row=row, concept_id=fill.concept_id
            )
        )
    )
    return AddedLine(
        revised_id=one.revised_id or one.item.id,
        pool_id=one.item.id,
        pool_row=one.item.row + 1,
        rank=one.rank,
        gain=one.gain,
        category=one.item.category,
        licence=one.licence,
        pieces=cut(one.item.text, marks, limit=600),
        answer=one.item.answer,
        fills=tuple(
            Fill(
                label(fill.concept_id),
                fill.before,
                fill.after,
                fill.target,
                bool(is_gap[fill.concept_id]),
            )
            for fill in shown
        ),
        n_more_fills=len(fills) - len(shown) + one.n_fills - len(one.fills),
        nearest_id=one.nearest_id,
        nearest_similarity=one.nearest_similarity,
        failed_checks=one.failed_checks,
        edited=tuple(sorted(one.standing.edits)) if one.standing else (),
        is_unread=one.is_unread,
        note=one.standing.note or None if one.standing else None,
    )


def _limits_set(analysis: Analysis) -> Iterator[str]:
    """Say what was asked of candidates and removals, in words."""
    settings, said = analysis.settings, analysis.settings.constraints
    low, high = said.get("min_tokens"), said.get("max_tokens")
    if low or high:
        yield f"{low or 1} to {high} tokens" if high else f"at least {low} tokens"
    for name in ("category", "source"):
        quotas = said.get(f"quotas_by_{name}", {})
        for value, quota in sorted(quotas.items(), key=lambda one: (one[0] == "*", one[0])):
            whose = f"every other {name}" if value == "*" else f"{name} {value}"
            yield f"at most {quota} of {whose}"
    for name, word in (("pinned", "added first"), ("excluded", "never added")):
        if ids := said.get(name, ()):
            yield f"{word}: {', '.join(sorted(ids)[:_MOST_NAMED])}" + (
                f" and {len(ids) - _MOST_NAMED} more" if len(ids) > _MOST_NAMED else ""
            )
    if settings.keep_out:
        yield f"nothing on {', '.join(Path(one).name for one in settings.keep_out)}"
    if settings.n_remove and settings.min_items > 1:
        yield f"at least {settings.min_items} of the benchmark’s items stay"


def _listed_line(analysis: Analysis, one: ContaminationMatch) -> ListedLine:
    pool = analysis.pool
    return ListedLine(
        one.item_id,
        one.row + 1 if pool is None else pool.items[one.row].row + 1,
        one.list_name,
        one.known_row + 1,
        one.n_words,
        one.similarity,
        ellipsis(" ".join(one.matched_text.split()), _MATCHED_CELLS),
    )


def _removed_line(analysis: Analysis, one: Removal) -> RemovedLine:
    return RemovedLine(
        item_id=one.item.id,
        pieces=cut(one.item.text, (), limit=300),
        duplicate_of=one.duplicate_of,
        similarity=one.similarity,
        note=one.standing.note or None if one.standing else None,
        lost=tuple(analysis.dictionary.label(concept_id) for concept_id in one.lost),
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
                int(one),
                analysis.dictionary.label(int(one)),
                before.status(int(one)),
                after.status(int(one)),
                int(before.count[one]),
                int(after.count[one]),
                float(after.expected[one]),
            )
            for one in ids[:_MOST_CHANGES]
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
        # A format that names the key apart from the other choices has no position for it.
        keys=()
        if analysis.benchmark.mapping.choices_kind in ("distractors", "targets")
        else _keys(analysis.benchmark.items, _revised_items(analysis, revision)),
    )


def _revised_items(analysis: Analysis, revision: Revision) -> list[Item]:
    items = analysis.benchmark.items
    return [*(items[row] for row in revision.kept_rows), *(one.item for one in revision.added)]


def _keys(before: Sequence[Item], after: Sequence[Item]) -> tuple[Tally, ...]:
    """Count items by position of the key; sets of free answers have none."""
    counts = [
        Counter(one.answer_index for one in items if one.answer_index is not None)
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
    """Count items by the sets' own labels, most changed first; empty where there are none."""
    counts = [
        Counter(one.category for one in items if one.category is not None)
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
    """Gather what was noticed in the files, by kind; folders are private and left out."""
    folders = {f"{analysis.benchmark.path.parent}/"}
    if analysis.pool is not None:
        folders.add(f"{analysis.pool.path.parent}/")
    found: dict[str, list[Finding]] = {}
    for one in analysis.findings:
        found.setdefault(one.kind, []).append(one)
    noted = []
    for kind, ones in found.items():
        messages = [one.message for one in ones[:_MOST_MESSAGES]]
        for folder in folders - {"./"}:
            messages = [message.replace(folder, "") for message in messages]
        noted.append(
            Noted(
                kind.replace("-", " "),
                sum(one.n_rows for one in ones),
                tuple(messages),
                max(len(ones) - _MOST_MESSAGES, 0),
            )
        )
    return tuple(sorted(noted, key=lambda one: (-one.n_rows, one.kind)))


def _provenance(analysis: Analysis, revision: Revision) -> Iterator[tuple[str, str]]:
    from benchdesign import __version__

    dictionary, manifest = analysis.dictionary, revision.manifest
    yield "Program", f"benchdesign {__version__}"
    for one in _set_facts(analysis):
        yield f"{one.role.capitalize()} SHA-256", one.sha256
    if sha256 := manifest.get("revised", {}).get("sha256"):
        yield "Revised benchmark SHA-256", str(sha256)
    yield "Reference model", analysis.settings.model
    yield "Dictionary", f"{dictionary.name}, made for {dictionary.model}"
    yield "Dictionary fingerprint", dictionary.fingerprint
    for level in dictionary.levels:
        yield (
            f"Level {level.name}",
            f"{level.width:,} concepts, one a {level.unit}, at {level.hook_point}",
        )
    yield "Item template", "given by the designer" if analysis.settings.template else "default"
    yield "Seed", str(analysis.settings.seed)
    yield "Chosen by", revision.choice.made_by
    if revision.choice.decisions_sha256:
        yield "Decisions SHA-256", revision.choice.decisions_sha256
