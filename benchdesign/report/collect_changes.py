"""What the coverage report says of added, removed and edited items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchdesign.concepts.maps.highlights import cut, find_marks
from benchdesign.coverage.status import Status
from benchdesign.foundation.text import ellipsis
from benchdesign.report.collect_groups import names_of_groups
from benchdesign.report.coverage_data import (
    ConceptChange,
    CountShift,
    Drawbacks,
    LengthShift,
    ListedLine,
    RemovedLine,
)
from benchdesign.report.item_lines import AddedLine, ConceptGain
from benchdesign.workspace.analysis import Analysis

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Item
    from benchdesign.revision.changes import Addition, Removal
    from benchdesign.revision.plan import Revision
    from benchdesign.selection.contamination import ContaminationMatch
    from benchdesign.selection.proposal import GapFilled

__all__ = ["added_lines", "category_lines", "listed_line", "removed_line", "worsened_concepts"]


_MAX_ADDED = 200


_MAX_FILLS = 4


_MAX_MARKED = 2
"""Maximum number of concepts marked in an added item; more would mark all of its text."""


_MAX_CHANGES = 12


_MATCHED_CELLS = 160


_MAX_CATEGORIES = 30


def added_lines(analysis: Analysis, revision: Revision) -> tuple[AddedLine, ...]:
    """Return the added items, as many as the report lists."""
    listed = revision.added[:_MAX_ADDED]
    names = names_of_groups(analysis, [addition.pool_row for addition in listed])
    return tuple(
        _added_line(analysis, revision, addition, place, group)
        for place, (addition, group) in enumerate(zip(listed, names, strict=True))
    )


def _added_line(
    analysis: Analysis,
    revision: Revision,
    addition: Addition,
    place: int,
    group: str | None,
) -> AddedLine:
    concept_map, row = revision.concept_map, len(revision.kept_rows) + place
    is_gap = analysis.gaps.is_gap
    label = analysis.dictionary.label
    fills = sorted(addition.fills, key=lambda fill: not is_gap[fill.concept_id])
    # A concept that already had enough items is no reason for an addition.
    fills = [fill for fill in fills if fill.before < fill.target] or fills
    # Several concepts can share a label; list each label once.
    by_label: dict[str, GapFilled] = {}
    for fill in fills:
        by_label.setdefault(analysis.dictionary.bare_label(fill.concept_id), fill)
    displayed = list(by_label.values())[:_MAX_FILLS]
    evidence = analysis.evidence_of(addition.item)
    # The evidence is from before the edit, so its positions no longer hold.
    marks = (
        ()
        if addition.is_unread
        else tuple(
            mark
            for fill in fills[:_MAX_MARKED]
            for mark in find_marks(
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
            ConceptGain(
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
        place=place + 1,
        prompt=addition.item.prompt,
        choices=addition.item.choices,
        group=group,
    )


def listed_line(analysis: Analysis, match: ContaminationMatch) -> ListedLine:
    """Return a pool item that matches a keep-out list, with its evidence."""
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


def removed_line(analysis: Analysis, removal: Removal) -> RemovedLine:
    """Return a removed item, with the reason and the concepts lost."""
    return RemovedLine(
        item_id=removal.item.id,
        pieces=cut(removal.item.text, (), limit=300),
        duplicate_of=removal.duplicate_of,
        similarity=removal.similarity,
        note=removal.standing.note or None if removal.standing else None,
        lost=tuple(analysis.dictionary.label(concept_id) for concept_id in removal.lost),
    )


def worsened_concepts(analysis: Analysis, revision: Revision) -> Drawbacks:
    """Return what the revision makes worse."""
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
            for concept_id in ids[:_MAX_CHANGES]
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
    return Drawbacks(
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


def _keys(before: Sequence[Item], after: Sequence[Item]) -> tuple[CountShift, ...]:
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


def category_lines(analysis: Analysis, revision: Revision) -> tuple[CountShift, ...]:
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
    return tallies[:_MAX_CATEGORIES]


def _tally(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[CountShift, ...]:
    totals = max(sum(before.values()), 1), max(sum(after.values()), 1)
    return tuple(
        CountShift(
            name, before[name], after[name], before[name] / totals[0], after[name] / totals[1]
        )
        for name in before
    )
