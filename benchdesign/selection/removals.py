"""Proposals for removal: redundant benchmark items whose removal costs no coverage.

An item is redundant if a kept item is similar to it and many others show each of its concepts. It
is proposed only if its removal loses nothing: no concept in scope disappears or falls below the
rate that makes it a gap.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.gaps import Gaps
from benchdesign.errors import UsageError
from benchdesign.foundation.nearest import nearest
from benchdesign.foundation.number_words import noun, plural
from benchdesign.selection.duplicates import NEAR_DUPLICATE, duplicate_key
from benchdesign.selection.proposal import GapFilled, Proposal, ProposalCheck

__all__ = ["RemovalSettings", "propose_removals"]

_NEIGHBOURS = 8
"""Nearest items cached per item; searched again only when all of them were removed."""


@dataclass(frozen=True, slots=True)
class RemovalSettings:
    """Thresholds for proposals of removal."""

    near_duplicate: float = NEAR_DUPLICATE
    """Cosine similarity from which an item counts as a near duplicate of a kept item."""

    min_similarity: float = 0.0
    """Minimum similarity to a kept item; 0 also allows items that many others make redundant."""

    max_lost: int = 0
    """Maximum number of concepts that a removal may lose."""


def propose_removals(
    benchmark_map: ConceptMap,
    gaps: Gaps,
    dictionary: Dictionary,
    *,
    n: int,
    benchmark_items: Sequence[Item],
    min_items: int = 0,
    pinned: frozenset[str] = frozenset(),
    settings: RemovalSettings | None = None,
) -> tuple[Proposal, ...]:
    """Propose at most `n` items to remove, most redundant first, keeping at least `min_items`.

    `gaps` must be those of the same items. Pinned items stay. Returns fewer if nothing else can be
    removed without a loss.
    """
    if len(gaps.coverage.count) != dictionary.n_concepts or gaps.n_items != len(benchmark_items):
        raise UsageError("The gaps belong to a different set of items; run the gaps stage again.")
    n_wanted = min(n, len(benchmark_items) - min_items)
    if n_wanted <= 0:
        return ()
    search = _RemovalSearch(benchmark_map, gaps, benchmark_items, settings or RemovalSettings())
    waiting = [
        (-search.redundancy(row), row, 0)
        for row, item in enumerate(benchmark_items)
        if item.id not in pinned
    ]
    heapq.heapify(waiting)
    proposals: list[Proposal] = []
    while waiting and len(proposals) < n_wanted:
        negative, row, age = heapq.heappop(waiting)
        if negative == 0.0:
            break
        # Redundancy only falls as items are removed, so a stale value is an upper bound.
        if age < len(proposals):
            heapq.heappush(waiting, (-search.redundancy(row), row, len(proposals)))
            continue
        lost = search.lost(row)
        if len(lost) <= search.settings.max_lost:
            proposals.append(search.proposal(row, rank=len(proposals) + 1, lost=lost))
            search.remove(row)
    return tuple(proposals)


class _RemovalSearch:
    """The kept items, with the count of each concept and the nearest neighbours."""

    def __init__(
        self,
        benchmark_map: ConceptMap,
        gaps: Gaps,
        items: Sequence[Item],
        settings: RemovalSettings,
    ) -> None:
        self.settings = settings
        self._items = items
        thresholds = gaps.coverage.thresholds
        present = benchmark_map.peak >= thresholds[benchmark_map.indices]
        present &= gaps.in_scope[benchmark_map.indices]
        running = np.concatenate([[0], np.cumsum(present, dtype=np.int64)])
        self._indptr = running[benchmark_map.indptr]
        self._concepts = benchmark_map.indices[present]
        self._counts = gaps.count.copy()
        self._n_kept = len(items)
        self._is_kept = np.ones(len(items), dtype=bool)
        # The rate below which a concept counts as under-covered.
        with np.errstate(invalid="ignore"):
            floor = gaps.base_rate * 2.0**-gaps.settings.min_effect
        self._floor = np.nan_to_num(floor)
        self._target_counts = (
            np.zeros(len(floor)) if gaps.wanted is None else np.maximum(gaps.wanted, 0)
        )
        self._embeddings = benchmark_map.embeddings
        self._keys = [duplicate_key(item) for item in items]
        self._twins: dict[str, int] = {}
        for key in self._keys:
            self._twins[key] = self._twins.get(key, 0) + 1
        self._near_rows, self._near_values = self._neighbours()

    def _neighbours(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the nearest other items of each item and their similarities."""
        if self._embeddings is None:
            empty = np.zeros((len(self._items), 0))
            return empty.astype(np.int64), empty.astype(np.float32)
        neighbours = nearest(self._embeddings, self._embeddings, k=_NEIGHBOURS + 1)
        similarities = neighbours.similarities.copy()
        similarities[neighbours.rows == np.arange(len(self._items))[:, None]] = -1.0
        return neighbours.rows, similarities

    def concepts(self, row: int) -> NDArray[np.int32]:
        """Return the concepts in scope that an item shows."""
        return self._concepts[int(self._indptr[row]) : int(self._indptr[row + 1])]

    def closest(self, row: int) -> tuple[int, float]:
        """Return the nearest kept item and its similarity; (-1, 0.0) without embeddings."""
        if self._embeddings is None:
            return -1, 0.0
        usable = (self._near_values[row] >= 0) & self._is_kept[self._near_rows[row]]
        if usable.any():
            best = int(np.flatnonzero(usable)[self._near_values[row][usable].argmax()])
            return int(self._near_rows[row, best]), float(self._near_values[row, best])
        others = np.flatnonzero(self._is_kept)
        others = others[others != row]
        if not len(others):
            return -1, 0.0
        neighbour = nearest(self._embeddings[[row]], self._embeddings[others])
        return int(others[neighbour.rows[0, 0]]), max(float(neighbour.similarities[0, 0]), 0.0)

    def redundancy(self, row: int) -> float:
        """Return how redundant a kept item is, from 0 to 1.

        The similarity to the nearest kept item times the mean over its concepts of 1 - 1 / count,
        which is 0 for a concept that no other item shows.
        """
        concepts = self.concepts(row)
        if not len(concepts):
            return 0.0
        shared = float(np.mean(1.0 - 1.0 / np.maximum(self._counts[concepts], 1)))
        if self._twins[self._keys[row]] > 1:
            return 1.0 + shared
        similarity = self.closest(row)[1] if self._embeddings is not None else 1.0
        return similarity * shared if similarity >= self.settings.min_similarity else 0.0

    def lost(self, row: int) -> tuple[GapFilled, ...]:
        """Return the concepts that would disappear or become a gap if an item were removed."""
        concepts = self.concepts(row)
        after = self._counts[concepts] - 1
        floor = self._floor[concepts]
        n_after = max(self._n_kept - 1, 1)
        above_now = self._counts[concepts] >= floor * self._n_kept
        is_lost = (after == 0) | (above_now & (after < floor * n_after))
        is_lost |= after < self._target_counts[concepts]
        return tuple(
            GapFilled(
                concept_id=int(concept_id),
                gain=0.0,
                before=int(self._counts[concept_id]),
                after=int(self._counts[concept_id]) - 1,
                target=self._target(concept_id, n_after),
            )
            for concept_id in concepts[is_lost]
        )

    def _target(self, concept_id: int, n_after: int) -> int:
        rate = int(np.ceil(self._floor[concept_id] * n_after))
        return max(rate, int(self._target_counts[concept_id]))

    def remove(self, row: int) -> None:
        """Remove an item from the kept ones."""
        self._is_kept[row] = False
        self._n_kept -= 1
        self._counts[self.concepts(row)] -= 1
        self._twins[self._keys[row]] -= 1

    def proposal(self, row: int, *, rank: int, lost: tuple[GapFilled, ...]) -> Proposal:
        """Return the proposal to remove a kept item."""
        item = self._items[row]
        nearest_row, similarity = self.closest(row)
        limit = self.settings.near_duplicate
        n_concepts, n_lost = len(self.concepts(row)), len(lost)
        coverage, shared = "no concept is lost", "show all its concepts"
        if n_lost:
            coverage = f"{plural(n_lost, 'concept')} {noun(n_lost, 'is', 'are')} lost"
            shared = f"cover {n_concepts - n_lost} of its {plural(n_concepts, 'concept')}"
        if self._twins[self._keys[row]] > 1:
            message = "same wording as another kept item"
        elif similarity >= limit:
            message = f"similarity {similarity:.2f} to a kept item, limit {limit:.2f}"
        else:
            message = f"no near duplicate, but other items {shared}"
        return Proposal(
            id=item.id,
            row=row,
            kind="remove",
            rank=rank,
            gain=min(self.redundancy(row), 1.0),
            gaps=lost,
            nearest_id=self._items[nearest_row].id if nearest_row >= 0 else None,
            nearest_row=nearest_row if nearest_row >= 0 else None,
            nearest_similarity=similarity if nearest_row >= 0 else None,
            checks=(
                ProposalCheck("duplicate", True, message),
                ProposalCheck("coverage", not n_lost, coverage),
            ),
            category=item.category,
            source=item.source,
        )
