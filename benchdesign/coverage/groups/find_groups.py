"""Find the gap groups of a benchmark against its pool."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.item_templates import find_templates, is_templated
from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.groups.gap_group import (
    GapGroup,
    GapGroups,
    GroupPower,
    GroupReference,
    GroupStatus,
)
from benchdesign.coverage.groups.group_names import GroupNames
from benchdesign.coverage.groups.group_search import FoundGroup, GroupScan, ScanLimits
from benchdesign.coverage.groups.item_form import form_of_items, form_rates
from benchdesign.coverage.groups.item_relevance import ItemRelevance, measure_item_relevance
from benchdesign.coverage.groups.judgements import ItemJudgements
from benchdesign.foundation.arrays import Floats
from benchdesign.foundation.item_tree import unit_rows
from benchdesign.foundation.statistics import beta_interval

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["find_gap_groups"]

_MAX_OWN, _MAX_POOL = 3_000, 5_000
"""Items in the tree, which needs all pairs; the rest of larger sets is assigned to its groups."""

_MIN_OWN_ITEMS, _MIN_POOL_ITEMS = 20, 50
_N_TYPICAL, _N_NEAREST = 3, 3
_PRIOR = 2.0
_LEVEL = 0.90
_POWER_SHARES = (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.16)
_POWER_TRIALS = 20
_POWER_AT = 0.8
_SAME_TEXT = 0.9
"""Share of pool texts that the benchmark has too, from which both are nearly the same set."""

_ITEMS_OF_TEMPLATE = 3.0
"""Items that all items of one template together count as."""

_MIN_OF_FORM = 0.2
_FORM_FITS = 0.1
"""Relative frequency of a form, benchmark against pool, from which a pool item fits."""


def find_gap_groups(
    benchmark_map: ConceptMap,
    pool_map: ConceptMap | None,
    dictionary: Dictionary,
    *,
    benchmark_items: Sequence[Item],
    pool_items: Sequence[Item],
    queries: Floats | None = None,
    takes_all: bool = False,
    judgements: ItemJudgements | None = None,
    rng: np.random.Generator,
    limits: ScanLimits | None = None,
) -> GapGroups:
    """Find groups of similar items that the benchmark lacks, or has too many of.

    `queries` (n, d) are embeddings of the scope sentence and of example items; `takes_all` switches
    the scope off. Returns groups that could not be judged with a reason rather than raising.
    """
    problem = _problem(benchmark_map, pool_map, benchmark_items, pool_items)
    if problem is not None or pool_map is None:
        return _nothing(benchmark_map, pool_map, problem or "There is no pool to compare with.")
    assert benchmark_map.embeddings is not None
    assert pool_map.embeddings is not None
    own = unit_rows(benchmark_map.embeddings.astype(np.float64))
    pool = unit_rows(pool_map.embeddings.astype(np.float64))
    judged = judgements or ItemJudgements()
    measured = measure_item_relevance(
        own, pool, queries=queries, meant=judged.meant, not_meant=judged.not_meant
    )
    is_stated = bool(judged.meant or judged.not_meant) or (queries is not None and len(queries) > 0)
    scope = "any"
    if not takes_all and (is_stated or measured.is_broader):
        scope = "stated" if is_stated else "benchmark"
    relevance = measured.pool if scope != "any" else np.ones(len(pool))
    own_relevance = measured.own if scope != "any" else np.ones(len(own))
    own_form, pool_form = form_of_items(benchmark_items), form_of_items(pool_items)
    own_fit, pool_fit = form_rates(own_form, pool_form, relevance)
    own_part, pool_part = _template_parts(benchmark_items, pool_items)
    search = _Search(
        own=own,
        pool=pool,
        own_rate=np.maximum(own_relevance, 0.05) * own_fit * own_part,
        pool_rate=relevance * pool_fit * pool_part,
        maps=(benchmark_map, pool_map),
        items=(benchmark_items, pool_items),
        dictionary=dictionary,
        relevance=measured,
        rng=rng,
        limits=limits or ScanLimits(),
    )
    groups, over = search.groups()
    reference = GroupReference(
        "pool",
        len(pool),
        int((relevance >= 0.25).sum()),
        int((pool_fit >= _FORM_FITS).sum()),
        scope,
    )
    return GapGroups(
        groups,
        over,
        search.out_of_scope() if scope != "any" else (),
        search.power(),
        reference,
        relevance.astype(np.float32),
        pool_fit >= _FORM_FITS,
        len(own),
        tuple(_warnings(reference, own, benchmark_items, pool_items)),
    )


def _problem(
    benchmark_map: ConceptMap,
    pool_map: ConceptMap | None,
    benchmark_items: Sequence[Item],
    pool_items: Sequence[Item],
) -> str | None:
    """Return why no group can be judged; None if groups can be."""
    if pool_map is None or not len(pool_map):
        return "There is no pool to compare with; name one with --pool."
    if benchmark_map.embeddings is None or pool_map.embeddings is None:
        return "The reference model gives no embeddings of items, which groups are made of."
    if len(benchmark_map) < _MIN_OWN_ITEMS:
        return (
            f"{len(benchmark_map)} items are too few to judge groups; "
            f"at least {_MIN_OWN_ITEMS} are needed."
        )
    if len(pool_map) < _MIN_POOL_ITEMS:
        return (
            f"A pool of {len(pool_map)} items is too small to judge groups; "
            f"at least {_MIN_POOL_ITEMS} are needed."
        )
    texts = {item.text for item in pool_items}
    if len(texts) < _MIN_POOL_ITEMS:
        return f"The pool has only {len(texts)} different texts; groups cannot be judged."
    own_texts = {item.text for item in benchmark_items}
    if len(texts & own_texts) >= _SAME_TEXT * len(texts):
        return "Pool and benchmark are (nearly) the same items, so nothing can be missing."
    return None


def _nothing(benchmark_map: ConceptMap, pool_map: ConceptMap | None, reason: str) -> GapGroups:
    n_pool = 0 if pool_map is None else len(pool_map)
    return GapGroups(
        (),
        (),
        (),
        GroupPower(None, _POWER_AT),
        GroupReference("pool" if n_pool else "none", n_pool, n_pool, n_pool, "any"),
        np.ones(n_pool, dtype=np.float32),
        np.ones(n_pool, dtype=bool),
        len(benchmark_map),
        could_not_tell=reason,
    )


def _warnings(
    reference: GroupReference,
    own: Floats,
    benchmark_items: Sequence[Item],
    pool_items: Sequence[Item],
) -> list[str]:
    warnings = []
    n = reference.n_items
    if reference.n_of_form < _MIN_OF_FORM * n:
        warnings.append(
            f"{n - reference.n_of_form:,} of {n:,} pool items have a form (number of choices, "
            "length, code) that this benchmark has hardly any of."
        )
    if n < len(own):
        warnings.append(
            f"The pool ({n:,} items) is smaller than the benchmark ({len(own):,}); "
            "only large gaps can be seen."
        )
    return warnings


class _Search:
    """One search over the items of benchmark and pool."""

    def __init__(
        self,
        *,
        own: Floats,
        pool: Floats,
        own_rate: Floats,
        pool_rate: Floats,
        maps: tuple[ConceptMap, ConceptMap],
        items: tuple[Sequence[Item], Sequence[Item]],
        dictionary: Dictionary,
        relevance: ItemRelevance,
        rng: np.random.Generator,
        limits: ScanLimits,
    ) -> None:
        self._rng = rng
        self._relevance = relevance
        self._items = items
        in_tree = np.flatnonzero(pool_rate > 0.02)
        self._own_rows = _sample(np.arange(len(own)), _MAX_OWN)
        self._pool_rows = _sample(in_tree, _MAX_POOL)
        n_own = len(self._own_rows)
        self._n_own_all = len(own)
        vectors = np.concatenate([own[self._own_rows], pool[self._pool_rows]])
        self._centre = vectors.mean(axis=0)
        vectors = unit_rows(vectors - self._centre)
        rate = np.concatenate([own_rate[self._own_rows], pool_rate[self._pool_rows]])
        self._is_own = np.arange(len(vectors)) < n_own
        self._rate = rate
        self._vectors = vectors
        self._scan = GroupScan(
            vectors, self._is_own, _null(rate, self._is_own), rng=rng, limits=limits
        )
        self._names = GroupNames(
            [
                " ".join((item.prompt, *item.choices))
                for row, item_set in ((self._own_rows, items[0]), (self._pool_rows, items[1]))
                for item in (item_set[place] for place in row.tolist())
            ],
            _presence(maps, (self._own_rows, self._pool_rows), dictionary),
            dictionary,
        )
        self._used: set[str] = set()

    def groups(self) -> tuple[tuple[GapGroup, ...], tuple[GapGroup, ...]]:
        """Return the groups that lack items, then suspicions; and those with too many."""
        lacking, excessive, free = self._scan.find()
        groups: list[GapGroup] = []
        for found in lacking:
            whole = self._describe(found, -1)
            groups.append(whole)
            groups += [self._describe(part, -1, parent=whole.id) for part in found.parts]
        groups += [self._describe(found, -1) for found in self._scan.suspect(free)]
        over = [self._describe(found, 1) for found in excessive]
        return tuple(groups), tuple(over)

    def power(self) -> GroupPower:
        """Return the smallest share of the reference whose absence would be found.

        Each trial takes the benchmark's items out of a neighbourhood of a random pool item.
        """
        weights = np.where(self._is_own, 0.0, self._rate)
        total = weights.sum()
        pool_places = np.flatnonzero(~self._is_own)
        chosen = self._rng.choice(
            pool_places,
            size=min(_POWER_TRIALS, len(pool_places)),
            replace=False,
            p=weights[pool_places] / total,
        )
        order = np.argsort(-(self._vectors[chosen] @ self._vectors.T), axis=1)
        reached = weights[order].cumsum(axis=1) / total
        missed: float | None = None
        for share in _POWER_SHARES:
            absent = [
                order[trial, : int(np.searchsorted(reached[trial], share)) + 1]
                for trial in range(len(chosen))
            ]
            if self._scan.chance_of_finding(absent).mean() >= _POWER_AT:
                return GroupPower(share, _POWER_AT, missed)
            missed = share
        return GroupPower(None, _POWER_AT, missed)

    def out_of_scope(self) -> tuple[GapGroup, ...]:
        """Return a few groups of pool items that are unlike the benchmark."""
        return ()

    def _describe(self, found: FoundGroup, sign: int, *, parent: str | None = None) -> GapGroup:
        rows = np.asarray(found.rows)
        places = rows[~self._is_own[rows]]
        own_places = rows[self._is_own[rows]]
        centre = self._vectors[places if len(places) else rows].mean(axis=0)
        places = places[np.argsort(-(self._vectors[places] @ centre), kind="stable")]
        pool_rows = self._pool_rows[places - int(self._is_own.sum())]
        scale = self._n_own_all / max(int(self._is_own.sum()), 1)
        count = round(len(own_places) * scale)
        weight = np.where(self._is_own, 0.0, self._rate)
        share = float(weight[rows].sum() / weight.sum())
        expected = share * self._n_own_all
        others = np.setdiff1d(np.arange(len(self._vectors)), rows)
        inside = places if len(places) else rows
        concepts = self._names.concepts(inside, others)
        words = self._names.words(inside, others)
        low, high = _lift_interval(count, expected, self._n_own_all)
        status = GroupStatus.SUSPECTED
        if found.is_significant:
            status = GroupStatus.OVER if sign > 0 else GroupStatus.UNDER
            if sign < 0 and count == 0:
                status = GroupStatus.MISSING
        ids = sorted(self._items[1][row].id for row in pool_rows.tolist())
        nearest = np.flatnonzero(self._is_own)
        nearest = nearest[np.argsort(-(self._vectors[nearest] @ centre), kind="stable")]
        return GapGroup(
            id=hashlib.sha256("\n".join(ids).encode("utf-8", "surrogatepass")).hexdigest()[:8],
            name=self._names.name(words, concepts, self._used),
            status=status,
            parent=parent,
            expected=expected,
            count=count,
            share=share,
            lift=float(np.log2((count + _PRIOR) / (expected + _PRIOR))),
            lift_low=low,
            lift_high=high,
            p_value=found.p_value,
            statistic=abs(found.statistic),
            relevance=float(self._relevance.pool[pool_rows].mean()) if len(pool_rows) else 1.0,
            pool_rows=tuple(pool_rows.tolist()),
            own_rows=tuple(self._own_rows[own_places].tolist()),
            typical=tuple(pool_rows[:_N_TYPICAL].tolist()),
            nearest_own=tuple(self._own_rows[nearest[:_N_NEAREST]].tolist()),
            concepts=concepts,
            words=words,
        )


def _template_parts(
    benchmark_items: Sequence[Item], pool_items: Sequence[Item]
) -> tuple[Floats, Floats]:
    """Return how much each item counts, own and pool: all items of a template count as a few."""
    n_own = len(benchmark_items)
    if is_templated(benchmark_items):
        return np.ones(n_own), np.ones(len(pool_items))
    templates = find_templates((*benchmark_items, *pool_items))
    sizes = np.bincount(templates + 1)[templates + 1]
    parts = np.where(templates >= 0, np.minimum(_ITEMS_OF_TEMPLATE / sizes, 1.0), 1.0)
    return parts[:n_own], parts[n_own:]


def _null(rate: Floats, is_own: NDArray[np.bool_]) -> Floats:
    """Return each item's probability of being the benchmark's if nothing is lacking.

    Its odds are the relative frequency of items like it in the benchmark and the pool; the
    probabilities add up to the benchmark's items.
    """
    n_own = float(is_own.sum())
    low, high = 1e-9, 1e9
    for _ in range(200):
        middle = float(np.sqrt(low * high))
        odds = middle * rate
        if (odds / (1 + odds)).sum() < n_own:
            low = middle
        else:
            high = middle
    odds = low * rate
    null: Floats = odds / (1 + odds)
    return null


def _lift_interval(count: int, expected: float, n: int) -> tuple[float, float]:
    """Return the bounds of log2(count / expected) from a Beta posterior of the group's rate."""
    rate = expected / max(n, 1)
    interval = beta_interval(count + _PRIOR * rate, n - count + _PRIOR * (1 - rate), level=_LEVEL)
    low, high = float(interval.low), float(interval.high)
    return float(np.log2(max(low, 1e-9) / rate)), float(np.log2(max(high, 1e-9) / rate))


def _sample(rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    if len(rows) <= n:
        return rows
    return rows[np.linspace(0, len(rows) - 1, n).astype(np.int64)]


def _presence(
    maps: tuple[ConceptMap, ConceptMap],
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    dictionary: Dictionary,
) -> csr_array:
    """Return which concepts the chosen rows show, benchmark first: (n_rows, n_concepts)."""
    from scipy.sparse import vstack

    parts = [
        concept_map.take(chosen).presence(dictionary.table.threshold)
        for concept_map, chosen in zip(maps, rows, strict=True)
    ]
    return vstack(parts).tocsr()
