"""What a revision adds and removes: the choice, the items with their changes, and the reasons.

Each reason is counted for this very revision: what an item does for a gap depends on which others
came before it, and on what the designer wrote into it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from benchdesign.candidates import GapFilled
from benchdesign.conceptmap import ConceptMap
from benchdesign.decisions import DecisionLog, Standing, Subject, Verdict
from benchdesign.duplicates import nearest
from benchdesign.edits import edit_of
from benchdesign.errors import WorkspaceError
from benchdesign.gains import targets_after
from benchdesign.gaps import whole_items
from benchdesign.items import Item
from benchdesign.records import plain

if TYPE_CHECKING:
    from benchdesign.analysis import Analysis
    from benchdesign.proposals import Proposal

__all__ = ["Addition", "Choice", "Removal", "make_additions", "make_removals"]

_MOST_FILLS = 12


@dataclass(frozen=True, slots=True)
class Choice:
    """Which proposals make the revision, and who said so."""

    added: tuple[str, ...]
    """Ids of pool items, in the order they are added."""

    removed: tuple[str, ...]
    """Ids of benchmark items that are left out."""

    made_by: str
    """`all proposals` or `decisions`."""

    standings: Mapping[tuple[Subject, str], Standing] = field(default_factory=dict)
    """Notes, reasons and edits for them, where there are any."""

    decisions_sha256: str | None = None
    """Digest of what was said of items."""

    concepts_sha256: str | None = None
    """Digest of what holds for concepts and areas: verdicts, wanted counts, merges."""

    @classmethod
    def all_proposals(cls, analysis: Analysis) -> Choice:
        """Take every proposal, as a run without questions does."""
        return cls(
            tuple(one.id for one in analysis.proposals),
            tuple(one.id for one in analysis.removals),
            "all proposals",
        )

    @classmethod
    def from_decisions(cls, log: DecisionLog) -> Choice:
        """Take what was accepted, in the order it was."""
        standings = {
            (subject, subject_id): standing
            for subject in (Subject.ADD, Subject.REMOVE)
            for subject_id, standing in log.standings(subject).items()
        }
        said = [plain(one) for one in standings.values() if one.verdict is not Verdict.OPEN]
        return cls(
            log.accepted,
            log.dropped,
            "decisions",
            standings,
            _digest(said),
            _digest(_judged(log)),
        )


def _judged(log: DecisionLog) -> list[tuple[Any, ...]]:
    """Return what decides how concepts are counted: the order and by whom it was said do not."""
    return sorted(
        (subject.value, one.subject_id, one.verdict.value, one.want, one.merge)
        for subject in (Subject.CONCEPT, Subject.AREA)
        for one in log.standings(subject).values()
        if one.verdict is not Verdict.OPEN or one.want is not None or one.merge
    )


def _digest(said: list[Any]) -> str:
    return hashlib.sha256(repr(said).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Addition:
    """One pool item that joins the benchmark."""

    item: Item
    """The pool's item, with the designer's changes."""

    rank: int | None
    """Place among the proposals, from 1; None if it was chosen by hand."""

    gain: float | None
    """What it was proposed for; None if it was chosen by hand or reads differently now."""

    fills: tuple[GapFilled, ...]
    """Gaps it helps to close, counted in the order of this revision; the first of them."""

    n_fills: int
    """Gaps it helps to close, listed in `fills` or not."""

    nearest_id: str | None
    """Id of the closest benchmark item; None without embeddings."""

    nearest_similarity: float | None
    failed_checks: tuple[str, ...]
    """One line each; those of the proposal, for an item that stayed as it was."""

    standing: Standing | None
    licence: str | None = None
    is_unread: bool = False
    """Whether it was rewritten and not mapped since: it counts as it was before."""

    revised_id: str = ""
    """Its id in the revised benchmark; known once written."""


@dataclass(frozen=True, slots=True)
class Removal:
    """One benchmark item that is left out."""

    item: Item
    row: int
    """Position in the benchmark."""

    rank: int | None
    duplicate_of: str | None
    """Id of the item closest to it, which stays."""

    similarity: float | None
    standing: Standing | None
    lost: tuple[int, ...] = ()
    """Concepts in scope that it shows and no item that stays does; none where it was proposed."""


def make_additions(
    analysis: Analysis,
    choice: Choice,
    *,
    kept_rows: Sequence[int],
    rewritten: ConceptMap | None = None,
) -> tuple[tuple[Addition, ...], ConceptMap | None]:
    """Return what the choice adds, with its reasons, and the map of it; None where that is nothing.

    `rewritten` is the map of `edits.rewritten_items`; without it they count as they were.
    """
    pool, pool_map = analysis.pool, analysis.pool_map
    row_of = {item.id: row for row, item in enumerate(pool.items)} if pool is not None else {}
    unknown = [one for one in choice.added if one not in row_of]
    if unknown:
        where = "there is no pool" if pool is None else f"it is not in {pool.path} any more"
        raise WorkspaceError(
            f"Pool item {unknown[0]!r} was accepted but {where}. "
            "Undo that decision, or restore the pool."
        )
    if not choice.added or pool is None or pool_map is None:
        return (), None
    rows = [row_of[one] for one in choice.added]
    standings = [choice.standings.get((Subject.ADD, one)) for one in choice.added]
    items = [
        edit_of(pool, pool.items[row], said).item for row, said in zip(rows, standings, strict=True)
    ]
    added_map = _map_of(items, pool_map.take(rows), rewritten)
    proposed = {one.id: one for one in analysis.proposals}
    reasons = _Reasons(analysis, kept_rows, added_map)
    added = []
    for place, (row, item, standing) in enumerate(zip(rows, items, standings, strict=True)):
        proposal = proposed.get(item.id)
        is_as_proposed = proposal is not None and item.digest == pool_map.digests[row]
        closest = reasons.nearest(place, proposal if is_as_proposed else None)
        fills, n_fills = reasons.fills(place, proposal if is_as_proposed else None)
        added.append(
            Addition(
                item=item,
                rank=None if proposal is None else proposal.rank,
                gain=proposal.gain if proposal is not None and is_as_proposed else None,
                fills=fills,
                n_fills=n_fills,
                nearest_id=closest[0],
                nearest_similarity=closest[1],
                failed_checks=tuple(one.message for one in proposal.checks if not one.passed)
                if proposal is not None and is_as_proposed
                else (),
                standing=standing,
                licence=_licence(analysis, pool.items[row]),
                is_unread=item.digest != added_map.digests[place],
            )
        )
    return tuple(added), added_map


def make_removals(analysis: Analysis, choice: Choice) -> tuple[Removal, ...]:
    """Return what the choice leaves out, with its reasons."""
    row_of = {item.id: row for row, item in enumerate(analysis.benchmark.items)}
    unknown = [one for one in choice.removed if one not in row_of]
    if unknown:
        raise WorkspaceError(
            f"{analysis.benchmark.path}: item {unknown[0]!r} is to be removed but is not in the "
            "file any more. Undo that decision, or restore the file."
        )
    proposed = {one.id: one for one in analysis.removals}
    rows = [row_of[one] for one in choice.removed]
    shown = analysis.benchmark_map.take(rows).presence(analysis.coverage_before.thresholds)
    gaps = analysis.gaps
    # Counted with all of them gone: two that show the same concept alone would each seem spared.
    left = gaps.count - np.asarray(shown.sum(axis=0)).ravel().astype(np.int64)
    removed = []
    for place, item_id in enumerate(choice.removed):
        proposal = proposed.get(item_id)
        concepts = shown.indices[shown.indptr[place] : shown.indptr[place + 1]]
        lost = concepts[gaps.in_scope[concepts] & (left[concepts] <= 0)]
        removed.append(
            Removal(
                item=analysis.benchmark.items[row_of[item_id]],
                row=row_of[item_id],
                rank=proposal.rank if proposal else None,
                duplicate_of=proposal.nearest_id if proposal else None,
                similarity=proposal.nearest_similarity if proposal else None,
                standing=choice.standings.get((Subject.REMOVE, item_id)),
                lost=tuple(sorted(int(one) for one in lost)),
            )
        )
    return tuple(removed)


def _map_of(
    items: Sequence[Item], as_they_were: ConceptMap, rewritten: ConceptMap | None
) -> ConceptMap:
    """Return the map of what is added, each item as it reads now where that was mapped."""
    if rewritten is None:
        return as_they_were
    place = {digest: len(items) + row for row, digest in enumerate(rewritten.digests)}
    rows = [
        row if one.digest == as_they_were.digests[row] else place.get(one.digest, row)
        for row, one in enumerate(items)
    ]
    return ConceptMap.concatenate([as_they_were, rewritten]).take(rows)


class _Reasons:
    """What each added item does, in the order they are added."""

    def __init__(self, analysis: Analysis, kept_rows: Sequence[int], added_map: ConceptMap) -> None:
        gaps, thresholds = analysis.gaps, analysis.coverage_before.thresholds
        self._analysis = analysis
        self._map = added_map
        self._shown = added_map.presence(thresholds)
        gone = np.setdiff1d(np.arange(len(analysis.benchmark_map)), kept_rows)
        lost = analysis.benchmark_map.take(gone).presence(thresholds).sum(axis=0)
        self._counts = gaps.count - np.asarray(lost).ravel().astype(np.int64)
        n_items = len(kept_rows) + len(added_map)
        self._targets = whole_items(targets_after(gaps, n_added=n_items - gaps.n_items))

    def fills(self, place: int, proposal: Proposal | None) -> tuple[tuple[GapFilled, ...], int]:
        """Return what the next item does: what it was proposed for, else the gaps it shows.

        The largest come with their counts, and the number of all.
        """
        low, high = int(self._shown.indptr[place]), int(self._shown.indptr[place + 1])
        shown = self._shown.indices[low:high]
        gaps = self._analysis.gaps
        if proposal is None:
            worst = shown[gaps.is_gap[shown]]
            worst = worst[np.argsort(-gaps.deficit[worst], kind="stable")]
            wanted = [(int(one), 0.0) for one in worst[:_MOST_FILLS]]
            n_filled = len(worst)
        else:
            wanted = [(one.concept_id, one.gain) for one in proposal.gaps[:_MOST_FILLS]]
            n_filled = proposal.n_filled
        filled = tuple(
            GapFilled(
                concept_id=concept_id,
                gain=gain,
                before=int(self._counts[concept_id]),
                after=int(self._counts[concept_id]) + 1,
                target=int(self._targets[concept_id]),
            )
            for concept_id, gain in wanted
        )
        self._counts[shown] += 1
        return filled, n_filled

    def nearest(self, place: int, proposal: Proposal | None) -> tuple[str | None, float | None]:
        """Return the benchmark item closest to an added one, and their similarity."""
        if proposal is not None:
            return proposal.nearest_id, proposal.nearest_similarity
        own, others = self._map.embeddings, self._analysis.benchmark_map.embeddings
        if own is None or others is None:
            return None, None
        found = nearest(own[place : place + 1], others)
        row = int(found.rows[0, 0])
        return self._analysis.benchmark.items[row].id, float(found.similarities[0, 0])


def _licence(analysis: Analysis, item: Item) -> str | None:
    pool = analysis.pool
    if pool is None or pool.mapping.licence is None:
        return None
    value: Any = pool.record(item)
    for part in pool.mapping.licence.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return None if value is None else str(value)
