"""Describe groups: what is in them, what sets them apart, and how far they deviate."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.item_templates import find_templates
from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.groups.gap_group import GapGroup, GroupStatus
from benchdesign.coverage.groups.group_names import GroupNames
from benchdesign.foundation.arrays import Floats
from benchdesign.foundation.statistics import beta_interval

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["GroupDescriber", "ItemSets"]

_N_TYPICAL, _N_NEAREST = 3, 3
_N_CONSIDERED = 30
"""Central items among which typical ones of different templates are looked for."""

_PRIOR = 10.0
"""Items at the reference's share, added to the count of a group."""

_LEVEL = 0.90


@dataclass(frozen=True, slots=True, eq=False)
class ItemSets:
    """Benchmark and pool: items, concept maps and unit embeddings."""

    own_items: Sequence[Item]
    pool_items: Sequence[Item]
    own_map: ConceptMap
    pool_map: ConceptMap
    own: Floats
    """(n_own, d)"""

    pool: Floats
    """(n_pool, d)"""

    pool_weights: Floats
    """(n_pool,): how much each pool item counts in the reference."""

    relevance: Floats
    """(n_pool,)"""


class GroupDescriber:
    """Describes groups of items against a fixed selection of both sets."""

    def __init__(
        self,
        sets: ItemSets,
        own_rows: NDArray[np.int64],
        pool_rows: NDArray[np.int64],
        dictionary: Dictionary,
    ) -> None:
        """Count words and concepts of the selected rows; descriptions use only these."""
        self._sets = sets
        self._own_rows, self._pool_rows = own_rows, pool_rows
        self._total_weight = float(sets.pool_weights.sum())
        texts = [_text(sets.own_items[row]) for row in own_rows.tolist()]
        texts += [_text(sets.pool_items[row]) for row in pool_rows.tolist()]
        self._names = GroupNames(
            texts, _presence(sets, own_rows, pool_rows, dictionary), dictionary
        )
        self._used: set[str] = set()

    def describe(
        self,
        own_rows: NDArray[np.int64],
        pool_rows: NDArray[np.int64],
        *,
        status: GroupStatus,
        statistic: float,
        p_value: float,
        parent: str | None = None,
    ) -> GapGroup:
        """Describe the group of these rows of the benchmark and the pool."""
        sets = self._sets
        vectors = sets.pool[pool_rows] if len(pool_rows) else sets.own[own_rows]
        centre = vectors.mean(axis=0)
        if len(pool_rows):
            pool_rows = pool_rows[np.argsort(-(vectors @ centre), kind="stable")]
        share = float(sets.pool_weights[pool_rows].sum()) / max(self._total_weight, 1e-9)
        n, count = len(sets.own_items), len(own_rows)
        if status is GroupStatus.UNDER and not count:
            status = GroupStatus.MISSING
        inside, outside = self._places(own_rows, pool_rows)
        concepts = self._names.concepts(inside, outside)
        words = self._names.words(inside, outside)
        low, high = _lift_interval(count, share, n)
        ids = sorted(sets.pool_items[row].id for row in pool_rows.tolist())
        nearest = np.argsort(-(sets.own @ centre), kind="stable")[:_N_NEAREST]
        return GapGroup(
            id=hashlib.sha256("\n".join(ids).encode("utf-8", "surrogatepass")).hexdigest()[:8],
            name=self._names.name(words, concepts, self._used),
            status=status,
            parent=parent,
            expected=share * n,
            count=count,
            share=share,
            lift=float(np.log2((count + _PRIOR * share + 1e-9) / ((n + _PRIOR) * share + 1e-9))),
            lift_low=low,
            lift_high=high,
            p_value=p_value,
            statistic=abs(statistic),
            relevance=float(sets.relevance[pool_rows].mean()) if len(pool_rows) else 1.0,
            pool_rows=tuple(pool_rows.tolist()),
            own_rows=tuple(own_rows.tolist()),
            typical=self._typical(pool_rows),
            nearest_own=tuple(nearest.tolist()),
            concepts=concepts,
            words=words,
        )

    def _places(
        self, own_rows: NDArray[np.int64], pool_rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the selected items inside the group, those of the pool if any, and all others."""
        own_inside = np.flatnonzero(np.isin(self._own_rows, own_rows))
        pool_inside = np.flatnonzero(np.isin(self._pool_rows, pool_rows)) + len(self._own_rows)
        both = np.concatenate([own_inside, pool_inside])
        outside = np.setdiff1d(np.arange(len(self._own_rows) + len(self._pool_rows)), both)
        return pool_inside if len(pool_inside) else own_inside, outside

    def _typical(self, pool_rows: NDArray[np.int64]) -> tuple[int, ...]:
        """Return the most central pool items, no two of one template."""
        considered = pool_rows[:_N_CONSIDERED].tolist()
        templates = find_templates([self._sets.pool_items[row] for row in considered])
        chosen: list[int] = []
        used: set[int] = set()
        for row, template in zip(considered, templates.tolist(), strict=True):
            if template < 0 or template not in used:
                chosen.append(row)
                used.add(template)
        return tuple(chosen[:_N_TYPICAL])


def _text(item: Item) -> str:
    return " ".join((item.prompt, *item.choices))


def _lift_interval(count: int, share: float, n: int) -> tuple[float, float]:
    """Return the bounds of log2(rate / share) from a Beta posterior of the group's rate."""
    if share <= 0:
        return 0.0, 0.0
    interval = beta_interval(count + _PRIOR * share, n - count + _PRIOR * (1 - share), level=_LEVEL)
    low, high = float(interval.low), float(interval.high)
    return float(np.log2(max(low, 1e-9) / share)), float(np.log2(max(high, 1e-9) / share))


def _presence(
    sets: ItemSets,
    own_rows: NDArray[np.int64],
    pool_rows: NDArray[np.int64],
    dictionary: Dictionary,
) -> csr_array:
    """Return which concepts the chosen rows show, benchmark first: (n_rows, n_concepts)."""
    from scipy.sparse import vstack

    parts = [
        concept_map.take(rows).presence(dictionary.table.threshold)
        for concept_map, rows in ((sets.own_map, own_rows), (sets.pool_map, pool_rows))
    ]
    return vstack(parts).tocsr()
