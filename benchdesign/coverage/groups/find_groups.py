"""Find the gap groups of a benchmark against its pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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
from benchdesign.coverage.groups.group_description import GroupDescriber, ItemSets
from benchdesign.coverage.groups.group_search import FoundGroup, GroupScan, ScanLimits
from benchdesign.coverage.groups.item_form import fits_form, form_of_items, form_rates
from benchdesign.coverage.groups.item_relevance import IN_SCOPE, measure_item_relevance
from benchdesign.coverage.groups.judgements import ItemJudgements
from benchdesign.coverage.groups.null_probability import null_probabilities
from benchdesign.foundation.arrays import Floats, even_positions
from benchdesign.foundation.item_tree import unit_rows
from benchdesign.foundation.nearest import nearest

__all__ = ["find_gap_groups"]

_MAX_OWN, _MAX_POOL = 3_000, 5_000
"""Items in the tree, which needs all pairs; the rest of larger sets is assigned to its groups."""

_MIN_OWN_ITEMS, _MIN_POOL_ITEMS = 20, 50
_POWER_SHARES = (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.16, 0.24, 0.32)
_POWER_TRIALS = 20
_POWER_AT = 0.8
_SAME_TEXT = 0.9
"""Share of pool texts that the benchmark has too, from which both are nearly the same set."""

_ITEMS_OF_TEMPLATE = 30.0
"""Items that all items of one template together count as."""

_NEGLIGIBLE = 0.02
"""Weight up to which a pool item does not count in the reference."""

_N_MEMBERS_NEAR, _MEMBER_SHARE = 10, 0.5
"""An item beyond the sample belongs to a group if more than this share of its nearest does."""

_ITEMS_PER_OUTER_GROUP, _MAX_OUTER_GROUPS = 40, 12
_ROWS_AT_ONCE = 2_000

_RESEMBLES = 0.2
"""Cosine of a scope sentence with the pool items closest to it, below which it matches nothing."""

_MIN_OF_FORM = 0.2


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
    has_form = fits_form(own_form, pool_form)
    own_part, pool_part = _template_parts(benchmark_items, pool_items)
    sets = ItemSets(
        benchmark_items,
        pool_items,
        benchmark_map,
        pool_map,
        own,
        pool,
        relevance * pool_fit * pool_part,
        relevance,
    )
    reference = GroupReference(
        "pool",
        len(pool),
        int((relevance >= IN_SCOPE).sum()),
        int(has_form.sum()),
        scope,
    )
    outside = np.flatnonzero(relevance < IN_SCOPE)
    result = GapGroups(
        (),
        (),
        _out_of_scope(sets, outside, dictionary, rng),
        GroupPower(None, _POWER_AT),
        reference,
        relevance.astype(np.float32),
        has_form,
        len(own),
        tuple(_warnings(reference, own, measured.similarity)),
    )
    n_counted = int((sets.pool_weights > _NEGLIGIBLE).sum())
    if n_counted < _MIN_POOL_ITEMS:
        return replace(result, could_not_tell=_too_few(reference, n_counted))
    search = _Search(
        sets,
        np.maximum(own_relevance, 0.05) * own_fit * own_part,
        dictionary,
        rng=rng,
        limits=limits or ScanLimits(),
    )
    groups, over = search.groups()
    return replace(result, groups=groups, over=over, power=search.power())


def _too_few(reference: GroupReference, n_counted: int) -> str:
    if reference.n_in_scope < _MIN_POOL_ITEMS:
        return (
            f"Only {reference.n_in_scope:,} of {reference.n_items:,} pool items are in scope, "
            "too few to judge groups; widen the scope, or choose another pool."
        )
    return (
        f"Only {n_counted:,} of {reference.n_items:,} pool items have a form that this benchmark "
        "has, too few to judge groups."
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


def _warnings(reference: GroupReference, own: Floats, similarity: Floats | None) -> list[str]:
    warnings = []
    n = reference.n_items
    if similarity is not None and float(np.quantile(similarity, 0.99)) < _RESEMBLES:
        warnings.append(
            "The scope sentence resembles no pool item (another language, or a typing error?), so "
            "the benchmark's own items alone decide what is in scope."
        )
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
        sets: ItemSets,
        own_rate: Floats,
        dictionary: Dictionary,
        *,
        rng: np.random.Generator,
        limits: ScanLimits,
    ) -> None:
        self._sets = sets
        self._dictionary = dictionary
        self._rng = rng
        self._counts = np.flatnonzero(sets.pool_weights > _NEGLIGIBLE)
        self._own_rows = even_positions(len(sets.own), _MAX_OWN)
        self._pool_rows = self._counts[even_positions(len(self._counts), _MAX_POOL)]
        vectors = np.concatenate([sets.own[self._own_rows], sets.pool[self._pool_rows]])
        self._centre = vectors.mean(axis=0)
        self._vectors = unit_rows(vectors - self._centre)
        self._is_own = np.arange(len(vectors)) < len(self._own_rows)
        rate = np.concatenate([own_rate[self._own_rows], sets.pool_weights[self._pool_rows]])
        self._weights = np.where(self._is_own, 0.0, rate)
        self._scan = GroupScan(
            self._vectors,
            self._is_own,
            null_probabilities(rate, self._is_own),
            rng=rng,
            limits=limits,
        )
        self._describer = GroupDescriber(sets, self._own_rows, self._pool_rows, dictionary)
        # Items beyond the sample belong where their nearest searched items do.
        self._own_left = np.setdiff1d(np.arange(len(sets.own)), self._own_rows)
        self._pool_left = np.setdiff1d(self._counts, self._pool_rows)
        self._own_near = self._nearest(sets.own[self._own_left])
        self._pool_near = self._nearest(sets.pool[self._pool_left])

    def groups(self) -> tuple[tuple[GapGroup, ...], tuple[GapGroup, ...]]:
        """Return the groups that lack items, then suspicions; and those with too many."""
        lacking, excessive, free = self._scan.find()
        groups: list[GapGroup] = []
        for found in lacking:
            whole = self._describe(found, GroupStatus.UNDER)
            groups.append(whole)
            parts = [self._describe(part, GroupStatus.UNDER, whole.id) for part in found.parts]
            groups += [part for part in parts if part.id != whole.id]
        suspected = [
            self._describe(found, GroupStatus.SUSPECTED) for found in self._scan.suspect(free)
        ]
        # Less than one item short is no shortage to suspect.
        groups += [group for group in suspected if group.expected - group.count >= 1]
        return tuple(groups), tuple(self._describe(found, GroupStatus.OVER) for found in excessive)

    def power(self) -> GroupPower:
        """Return the smallest share of the reference whose absence would be found.

        Each trial takes the benchmark's items out of a neighbourhood of a random pool item.
        """
        total = float(self._weights.sum())
        if total <= 0:
            return GroupPower(None, _POWER_AT)
        places = np.flatnonzero(self._weights > 0)
        n_trials = min(_POWER_TRIALS, len(places))
        chosen = self._rng.choice(places, n_trials, replace=False, p=self._weights[places] / total)
        order = np.argsort(-(self._vectors[chosen] @ self._vectors.T), axis=1)
        reached = self._weights[order].cumsum(axis=1) / total
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

    def _describe(
        self, found: FoundGroup, status: GroupStatus, parent: str | None = None
    ) -> GapGroup:
        rows = np.asarray(found.rows, dtype=np.int64)
        inside = np.zeros(len(self._vectors), dtype=bool)
        inside[rows] = True
        n_own = len(self._own_rows)
        own = self._own_left[inside[self._own_near].mean(axis=1) > _MEMBER_SHARE]
        pool = self._pool_left[inside[self._pool_near].mean(axis=1) > _MEMBER_SHARE]
        return self._describer.describe(
            np.sort(np.concatenate([self._own_rows[rows[rows < n_own]], own])),
            np.sort(np.concatenate([self._pool_rows[rows[rows >= n_own] - n_own], pool])),
            status=status,
            statistic=found.statistic,
            p_value=found.p_value,
            parent=parent,
        )

    def _nearest(self, vectors: Floats) -> NDArray[np.int64]:
        """Return (n, k) the searched items nearest to each vector."""
        searched = self._vectors.astype(np.float32)
        # Block by block: the rest of a large pool is not copied as a whole.
        blocks = [
            nearest(
                unit_rows(vectors[start : start + _ROWS_AT_ONCE] - self._centre).astype(np.float32),
                searched,
                k=_N_MEMBERS_NEAR,
            ).rows
            for start in range(0, len(vectors), _ROWS_AT_ONCE)
        ]
        return np.concatenate([np.empty((0, _N_MEMBERS_NEAR), dtype=np.int64), *blocks])


def _out_of_scope(
    sets: ItemSets, rows: NDArray[np.int64], dictionary: Dictionary, rng: np.random.Generator
) -> tuple[GapGroup, ...]:
    """Return the pool items that are out of scope as a few groups, largest first."""
    from sklearn.cluster import MiniBatchKMeans

    n_groups = min(len(rows) // _ITEMS_PER_OUTER_GROUP, _MAX_OUTER_GROUPS)
    if n_groups < 1:
        return ()
    sample = rows[even_positions(len(rows), _MAX_POOL)]
    clusters = MiniBatchKMeans(
        n_groups, n_init=3, random_state=int(rng.integers(1 << 31))
    ).fit_predict(sets.pool[sample])
    whole = replace(sets, pool_weights=np.ones(len(sets.pool)))
    describer = GroupDescriber(whole, np.empty(0, dtype=np.int64), sample, dictionary)
    sizes = np.bincount(clusters, minlength=n_groups)
    return tuple(
        describer.describe(
            np.empty(0, dtype=np.int64),
            sample[clusters == cluster],
            status=GroupStatus.OUT_OF_SCOPE,
            statistic=0.0,
            p_value=1.0,
        )
        for cluster in np.argsort(-sizes, kind="stable").tolist()
        if sizes[cluster]
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
