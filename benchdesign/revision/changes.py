"""What a revision adds and removes: the choice, the edited items, and the reasons.

Reasons are computed for each revision: what an item contributes to a gap depends on the items added
before it, and on the designer's edits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.gaps import round_up_items
from benchdesign.errors import WorkspaceError
from benchdesign.foundation.nearest import nearest
from benchdesign.revision.choice import Choice
from benchdesign.revision.edited_items import apply_edits
from benchdesign.selection.concept_weights import targets_after
from benchdesign.selection.proposal import GapFilled
from benchdesign.workspace.decisions import DecisionState, Subject

if TYPE_CHECKING:
    from benchdesign.selection.proposal import Proposal
    from benchdesign.workspace.analysis import Analysis

__all__ = ["Addition", "Removal", "make_additions", "make_removals"]


_MAX_FILLS = 12


@dataclass(frozen=True, slots=True)
class Addition:
    """One pool item to add to the benchmark."""

    item: Item
    """The pool item with the designer's edits."""

    record: Mapping[str, Any]
    """Its record in the pool, with the edits."""

    pool_row: int
    """Position among the pool's items."""

    rank: int | None
    """Rank among the proposals, from 1; None if chosen by hand."""

    gain: float | None
    """Gain it was proposed with; None if chosen by hand or edited since."""

    fills: tuple[GapFilled, ...]
    """The largest gaps it helps to close, counted in the order of this revision."""

    n_fills: int
    """Number of gaps it helps to close, including those not listed in `fills`."""

    nearest_id: str | None
    """Id of the closest benchmark item; None without embeddings."""

    nearest_similarity: float | None
    failed_checks: tuple[str, ...]
    """Messages of the proposal's failed checks, one line each; empty for an edited item."""

    standing: DecisionState | None
    licence: str | None = None
    is_unread: bool = False
    """Whether it was edited but not mapped again; it counts with its old text."""

    revised_id: str = ""
    """Id in the revised benchmark; empty until written."""


@dataclass(frozen=True, slots=True)
class Removal:
    """One benchmark item to remove."""

    item: Item
    row: int
    """Row in the benchmark."""

    rank: int | None
    duplicate_of: str | None
    """Id of the closest item, which stays."""

    similarity: float | None
    standing: DecisionState | None
    lost: tuple[int, ...] = ()
    """Concepts in scope that no remaining item shows; always empty for a proposed removal."""


def make_additions(
    analysis: Analysis,
    choice: Choice,
    *,
    kept_rows: Sequence[int],
    edited_map: ConceptMap | None = None,
) -> tuple[tuple[Addition, ...], ConceptMap | None]:
    """Return the additions with their reasons, and their concept map (None without additions).

    `edited_map` is the map from `map_edited_items`; without it, edited items count with their old
    text.
    """
    pool, pool_map = analysis.pool, analysis.pool_map
    row_of = {item.id: row for row, item in enumerate(pool.items)} if pool is not None else {}
    unknown = [item_id for item_id in choice.added if item_id not in row_of]
    if unknown:
        problem = "there is no pool" if pool is None else f"it is no longer in {pool.path}"
        raise WorkspaceError(
            f"Pool item {unknown[0]!r} was accepted but {problem}. "
            "Undo that decision, or restore the pool."
        )
    if not choice.added or pool is None or pool_map is None:
        return (), None
    rows = [row_of[item_id] for item_id in choice.added]
    standings = [choice.standings.get((Subject.ADD, item_id)) for item_id in choice.added]
    edited = [
        apply_edits(pool, pool.items[row], standing)
        for row, standing in zip(rows, standings, strict=True)
    ]
    added_map = _map_of([edit.item for edit in edited], pool_map.take(rows), edited_map)
    proposals = {proposal.id: proposal for proposal in analysis.proposals}
    reasons = _Reasons(analysis, kept_rows, added_map)
    additions = []
    for position, (row, (item, record), standing) in enumerate(
        zip(rows, edited, standings, strict=True)
    ):
        proposal = proposals.get(item.id)
        is_as_proposed = proposal is not None and item.digest == pool_map.digests[row]
        nearest_id, similarity = reasons.nearest(position, proposal if is_as_proposed else None)
        fills, n_fills = reasons.fills(position, proposal if is_as_proposed else None)
        additions.append(
            Addition(
                item=item,
                record=record,
                pool_row=row,
                rank=None if proposal is None else proposal.rank,
                gain=proposal.gain if proposal is not None and is_as_proposed else None,
                fills=fills,
                n_fills=n_fills,
                nearest_id=nearest_id,
                nearest_similarity=similarity,
                failed_checks=tuple(check.message for check in proposal.checks if not check.passed)
                if proposal is not None and is_as_proposed
                else (),
                standing=standing,
                licence=_licence(analysis, pool.items[row]),
                is_unread=item.digest != added_map.digests[position],
            )
        )
    return tuple(additions), added_map


def make_removals(analysis: Analysis, choice: Choice) -> tuple[Removal, ...]:
    """Return the removals with their reasons."""
    row_of = {item.id: row for row, item in enumerate(analysis.benchmark.items)}
    unknown = [item_id for item_id in choice.removed if item_id not in row_of]
    if unknown:
        raise WorkspaceError(
            f"{analysis.benchmark.path}: item {unknown[0]!r} is to be removed but is no longer in "
            "the file. Undo that decision, or restore the file."
        )
    proposals = {proposal.id: proposal for proposal in analysis.removals}
    rows = [row_of[item_id] for item_id in choice.removed]
    presence = analysis.benchmark_map.take(rows).presence(analysis.coverage_before.thresholds)
    gaps = analysis.gaps
    # Subtract all removals together: two of them may share a concept that no other item shows.
    remaining = gaps.count - np.asarray(presence.sum(axis=0)).ravel().astype(np.int64)
    removals = []
    for position, item_id in enumerate(choice.removed):
        proposal = proposals.get(item_id)
        concepts = presence.indices[presence.indptr[position] : presence.indptr[position + 1]]
        lost = concepts[gaps.in_scope[concepts] & (remaining[concepts] <= 0)]
        removals.append(
            Removal(
                item=analysis.benchmark.items[row_of[item_id]],
                row=row_of[item_id],
                rank=proposal.rank if proposal else None,
                duplicate_of=proposal.nearest_id if proposal else None,
                similarity=proposal.nearest_similarity if proposal else None,
                standing=choice.standings.get((Subject.REMOVE, item_id)),
                lost=tuple(sorted(int(concept_id) for concept_id in lost)),
            )
        )
    return tuple(removals)


def _map_of(
    items: Sequence[Item], original: ConceptMap, edited_map: ConceptMap | None
) -> ConceptMap:
    """Return the map of the added items, with their current text if that was mapped."""
    if edited_map is None:
        return original
    row_of = {digest: len(items) + row for row, digest in enumerate(edited_map.digests)}
    rows = [
        row if item.digest == original.digests[row] else row_of.get(item.digest, row)
        for row, item in enumerate(items)
    ]
    return ConceptMap.concatenate([original, edited_map]).take(rows)


class _Reasons:
    """Reasons for the additions, computed in the order they are added."""

    def __init__(self, analysis: Analysis, kept_rows: Sequence[int], added_map: ConceptMap) -> None:
        gaps, thresholds = analysis.gaps, analysis.coverage_before.thresholds
        self._analysis = analysis
        self._map = added_map
        self._presence = added_map.presence(thresholds)
        removed_rows = np.setdiff1d(np.arange(len(analysis.benchmark_map)), kept_rows)
        removed = analysis.benchmark_map.take(removed_rows).presence(thresholds).sum(axis=0)
        self._counts = gaps.count - np.asarray(removed).ravel().astype(np.int64)
        n_items = len(kept_rows) + len(added_map)
        self._targets = round_up_items(targets_after(gaps, n_added=n_items - gaps.n_items))

    def fills(self, position: int, proposal: Proposal | None) -> tuple[tuple[GapFilled, ...], int]:
        """Return the largest gaps that the next item fills, and the number of all.

        A proposal's own gaps are used, else every gap among the item's concepts.
        """
        low, high = int(self._presence.indptr[position]), int(self._presence.indptr[position + 1])
        concepts = self._presence.indices[low:high]
        gaps = self._analysis.gaps
        if proposal is None:
            ranked = concepts[gaps.is_gap[concepts]]
            ranked = ranked[np.argsort(-gaps.deficit[ranked], kind="stable")]
            gains = [(int(concept_id), 0.0) for concept_id in ranked[:_MAX_FILLS]]
            n_filled = len(ranked)
        else:
            gains = [(gap.concept_id, gap.gain) for gap in proposal.gaps[:_MAX_FILLS]]
            n_filled = proposal.n_filled
        filled = tuple(
            GapFilled(
                concept_id=concept_id,
                gain=gain,
                before=int(self._counts[concept_id]),
                after=int(self._counts[concept_id]) + 1,
                target=int(self._targets[concept_id]),
            )
            for concept_id, gain in gains
        )
        self._counts[concepts] += 1
        return filled, n_filled

    def nearest(self, position: int, proposal: Proposal | None) -> tuple[str | None, float | None]:
        """Return the id of the benchmark item closest to an added item, and their similarity."""
        if proposal is not None:
            return proposal.nearest_id, proposal.nearest_similarity
        added, benchmark = self._map.embeddings, self._analysis.benchmark_map.embeddings
        if added is None or benchmark is None:
            return None, None
        neighbours = nearest(added[position : position + 1], benchmark)
        row = int(neighbours.rows[0, 0])
        return self._analysis.benchmark.items[row].id, float(neighbours.similarities[0, 0])


def _licence(analysis: Analysis, item: Item) -> str | None:
    pool = analysis.pool
    if pool is None or pool.mapping.licence is None:
        return None
    value: Any = pool.record(item)
    for part in pool.mapping.licence.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return None if value is None else str(value)
