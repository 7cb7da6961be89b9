"""What an item is worth: the weight of every concept's deficit and how far the item fills it.

    F(S) = sum_c weight[c] * g(sum over S of support * soft presence, need[c])

where g rises with slope 1 at first and 0 where the need is filled (a parabola), so that what is
still missing draws more than what is nearly filled. F is monotone and submodular, and a greedy
choice is within 1 - 1/e of the best one. Everything stays sparse, and concepts without weight are
dropped before anything else is computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.conceptmap import ConceptMap
from benchdesign.coverage import Reference, measure_coverage
from benchdesign.dictionary import Dictionary
from benchdesign.duplicates import nearest
from benchdesign.gaps import Gaps, find_gaps

__all__ = [
    "Emphasis",
    "GainSettings",
    "GainTable",
    "calibrate_zmin",
    "concept_weights",
    "saliency_scale",
    "targets_after",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GainSettings:
    """How deficits become weights."""

    zmin: float | None = None
    """Deficits up to this many standard deviations weigh nothing; None to calibrate on the pool."""

    passage_weight: float = 2.0
    """Weight of concepts of passages (themes) against those of tokens (terms)."""

    n_neighbours: int = 10
    """Closest items of pool and benchmark asked whether they fill the same gaps; 0 asks none."""

    own_share: float = 0.2
    """Weight of an item's own gain against the mean gain of those closest items."""

    likeness: float = 0.5
    """Weight of how unlike the benchmark and like the pool an item's embedding is; 0 for none."""


@dataclass(frozen=True, slots=True, eq=False)
class Emphasis:
    """Concepts to probe whatever their coverage is, because models look weak there."""

    weights: Floats
    """(n_concepts,): 0 to 1."""

    wanted: Floats
    """(n_concepts,): how many items more are asked for."""

    def over(self, weights: Floats, gaps: Gaps) -> Floats:
        """Return weights in which deficits only decide among items that probe alike."""
        deficits = weights[weights > 0]
        top = float(np.quantile(deficits, 0.9)) if len(deficits) else 1.0
        asked = np.where(gaps.in_scope & (self.weights > 0), self.weights, 0.0)
        if not asked.any():
            return weights
        emphasised: Floats = _BESIDE * weights + top * asked
        return emphasised


@dataclass(frozen=True, slots=True, eq=False)
class GainTable:
    """What every item of a pool is worth; nothing is kept for an item but two numbers."""

    concept_ids: NDArray[np.int64]
    """(n_weighted,): the concepts with a weight; columns refer to positions here."""

    weights: Floats
    """(n_weighted,)"""

    targets: Floats
    """(n_weighted,): items that should show each concept in the end, not rounded."""

    needs: Floats
    """(n_weighted,): soft presence still wanted, in units of items fully showing the concept."""

    support: Floats
    """(n_items,): factor of each item's gain, from how far its closest items fill the same gaps,
    and from how unlike the benchmark its embedding is.

    A single item's concepts are noisy; a gap shows in a neighbourhood of the pool that the
    benchmark has no items in.
    """

    bounds: Floats
    """(n_items,): gain of each item were nothing filled yet, so never more than this."""

    presences: SoftPresence

    @classmethod
    def build(
        cls,
        benchmark_map: ConceptMap,
        pool_map: ConceptMap,
        gaps: Gaps,
        dictionary: Dictionary,
        *,
        n: int,
        zmin: float,
        settings: GainSettings,
        emphasis: Emphasis | None = None,
    ) -> GainTable:
        """Prepare a pool for choosing `n` items to add to the set that was judged."""
        all_weights = concept_weights(gaps, dictionary, zmin=zmin, settings=settings)
        targets = targets_after(gaps, n_added=n)
        if emphasis is not None:
            all_weights = emphasis.over(all_weights, gaps)
            asked = gaps.count + np.minimum(emphasis.wanted, n)
            targets = np.where(emphasis.weights > 0, np.maximum(targets, asked), targets)
        concept_ids = np.flatnonzero(all_weights > 0)
        weights = all_weights[concept_ids]
        presences = SoftPresence.of(
            pool_map,
            concept_ids,
            thresholds=gaps.coverage.thresholds,
            scale=saliency_scale(pool_map, dictionary, gaps.coverage.thresholds),
        )
        linear, shown, total = presences.sums(weights)
        support = _support(linear, benchmark_map, pool_map, n=n, settings=settings)
        bounds = linear * support
        # What the set should hold once it has grown, less what it holds, in soft presence.
        wanted = targets[concept_ids] - gaps.count[concept_ids]
        needs = np.maximum(wanted, 1.0) * total / np.maximum(shown, 1)
        # A budget that would fill everything several times over stretches the needs in
        # proportion; otherwise its last items would go to what is left over, which is chance.
        room = float(weights @ needs)
        best = np.partition(linear, -n)[-n:].sum() if 0 < n < len(linear) else linear.sum()
        stretch = max(1.0, _STRETCH * best / room) if room > 0 else 1.0
        return cls(
            concept_ids,
            weights,
            targets[concept_ids],
            needs * stretch,
            support,
            bounds,
            presences,
        )

    def __len__(self) -> int:
        """Count the items."""
        return len(self.bounds)

    def row_gains(self, row: int, left: Floats) -> tuple[NDArray[np.int32], Floats]:
        """Return the columns of one item and its gain in each, given what is left to fill."""
        columns, presence = self.presences.row(row)
        room = left[columns]
        fill = np.minimum(presence, room)
        share = fill * (room - fill / 2) / np.maximum(self.needs[columns], _TINY)
        return columns, self.support[row] * self.weights[columns] * share


_BESIDE = 0.2
"""Weight of deficits beside an emphasis: they decide among items that probe alike."""

_STRETCH = 8.0
_RIDGE = 100.0
"""Of the regression on embeddings: between 10 and 1000 little changes (measured)."""

_TINY = 1e-12
_SHORTLIST = 2_000
_NEIGHBOURS_AMONG = 8_192
"""Items that neighbours are looked for among, evenly taken from a larger pool or benchmark."""


@dataclass(frozen=True, slots=True, eq=False)
class SoftPresence:
    """Soft presence of some concepts, min(1, saliency / scale), straight from the map.

    Nothing is copied: one pass over the entries gives the sums, and of a million items only the
    few thousand that are candidates are ever read again.
    """

    concept_map: ConceptMap
    position: NDArray[np.int32]
    """(n_concepts,): column of each concept; -1 for those left out."""

    limit: NDArray[np.float32]
    """(n_concepts,): peak from which it is present; infinite for those left out."""

    scale: NDArray[np.float32]
    """(n_concepts,): saliency that counts as full presence."""

    @classmethod
    def of(
        cls,
        concept_map: ConceptMap,
        concept_ids: NDArray[np.int64],
        *,
        thresholds: NDArray[np.float32],
        scale: NDArray[np.float32],
    ) -> SoftPresence:
        """Look at the concepts of `concept_ids` (n_columns,)."""
        position = np.full(concept_map.n_concepts, -1, dtype=np.int32)
        position[concept_ids] = np.arange(len(concept_ids), dtype=np.int32)
        # One look-up an entry decides both: no peak reaches what a concept left out asks for.
        limit = np.where(position >= 0, thresholds, np.inf).astype(np.float32)
        return cls(concept_map, position, limit, scale)

    def _part(
        self, low: int, high: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """Return which of some entries count, with their columns and soft presences."""
        ids = self.concept_map.indices[low:high]
        kept = np.flatnonzero(self.concept_map.peak[low:high] >= self.limit[ids])
        ids = ids[kept]
        saliency = self.concept_map.saliency[low:high][kept]
        return kept, self.position[ids], np.minimum(saliency / self.scale[ids], np.float32(1))

    def row(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the columns that one item shows, and how far."""
        ends = self.concept_map.indptr
        return self._part(int(ends[row]), int(ends[row + 1]))[1:]

    def sums(self, weights: Floats) -> tuple[Floats, NDArray[np.int64], Floats]:
        """Return the weighted sum of each item, and count and sum of each column."""
        n_columns = len(weights)
        by_item = np.zeros(len(self.concept_map))
        count, total = np.zeros(n_columns, dtype=np.int64), np.zeros(n_columns)
        ends = self.concept_map.indptr
        for first, last in self.concept_map.row_blocks():
            low, high = int(ends[first]), int(ends[last])
            kept, columns, presence = self._part(low, high)
            runs = np.diff(np.searchsorted(kept, ends[first : last + 1] - low))
            by_item[first:last] = np.bincount(
                np.repeat(np.arange(last - first), runs),
                weights=presence * weights[columns],
                minlength=last - first,
            )
            count += np.bincount(columns, minlength=n_columns)
            total += np.bincount(columns, weights=presence, minlength=n_columns)
        return by_item, count, total


def _support(
    linear: Floats,
    benchmark_map: ConceptMap,
    pool_map: ConceptMap,
    *,
    n: int,
    settings: GainSettings,
) -> Floats:
    """Return the factor of each item: its own gain blended with that of its neighbourhood.

    Gains are averaged over the closest items twice, so that a neighbour counts for what is around
    it too, and the result is scaled by the share of the pool in a wider neighbourhood, and by how
    far the whole pool's difference from the benchmark points to the item. Only the items with the
    largest gains of their own are looked at; the rest get the smallest factor among those, which
    keeps them behind without ruling them out.
    """
    support = np.ones(len(linear))
    own, others = pool_map.embeddings, benchmark_map.embeddings
    k = min(settings.n_neighbours, len(linear) - 1)
    if own is None or others is None or k < 1:
        return support
    n_looked_at = min(len(linear), max(_SHORTLIST, 20 * n))
    rows = np.argpartition(-linear, n_looked_at - 1)[:n_looked_at]
    rows = np.sort(rows[linear[rows] > 0])
    if not len(rows):
        return support
    among = _evenly(len(own), _NEIGHBOURS_AMONG)
    asked = np.union1d(rows, among)
    some = others[_evenly(len(others), _NEIGHBOURS_AMONG)]
    found = _Neighbours.find(own, some, asked=asked, among=among, k=k)
    once = np.zeros(len(linear))
    once[asked] = settings.own_share * linear[asked] + found.mean_of(linear)
    twice = settings.own_share * once[asked] + found.mean_of(once)
    factors = (twice * found.pool_share)[np.searchsorted(asked, rows)] / linear[rows]
    if settings.likeness:
        factors *= np.exp(settings.likeness * _likeness(own, some, rows=rows, among=among))
    support[:] = factors.min()
    support[rows] = factors
    return support


@dataclass(frozen=True, slots=True, eq=False)
class _Neighbours:
    """The closest items of pool and benchmark of some pool items."""

    rows: NDArray[np.int64]
    """(n_asked, k): rows of the pool, closest first; -1 for an item of the benchmark."""

    pool_share: Floats
    """(n_asked,): share of the pool among twice as many."""

    @classmethod
    def find(
        cls,
        own: NDArray[np.float16],
        others: NDArray[np.float16],
        *,
        asked: NDArray[np.int64],
        among: NDArray[np.int64],
        k: int,
    ) -> _Neighbours:
        """Look for them among some pool items and among `others`, the benchmark's."""
        wide = min(2 * k, len(among) - 1)
        inside = nearest(own[asked], own[among], k=wide + 1)
        inside_rows = among[inside.rows]
        similarities = np.where(inside_rows == asked[:, None], -2.0, inside.similarities)
        outside = nearest(own[asked], others, k=wide)
        together = np.concatenate([similarities, outside.similarities], axis=1)
        rows = np.concatenate([inside_rows, np.full(outside.rows.shape, -1)], axis=1)
        order = np.argsort(-together, axis=1, kind="stable")[:, :wide]
        closest = np.take_along_axis(rows, order, axis=1)
        return cls(closest[:, :k], (closest >= 0).mean(axis=1))

    def mean_of(self, gains: Floats) -> Floats:
        """Return the mean gain of each item's neighbours: an item of the benchmark fills no gap."""
        around = np.where(self.rows >= 0, gains[self.rows], 0.0)
        mean: Floats = around.mean(axis=1)
        return mean


def _likeness(
    own: NDArray[np.float16],
    others: NDArray[np.float16],
    *,
    rows: NDArray[np.int64],
    among: NDArray[np.int64],
) -> Floats:
    """Return how like the pool and unlike the benchmark some pool items are, standardised.

    Ridge regression of where an item is from (benchmark 0, pool 1) on its embedding, fitted to the
    pool items `among` and the benchmark's (`others`). What is said of an item it was fitted to is
    what would be said had it been left out (the leave-one-out residual, y - (y - p) / (1 - h)).
    """
    fitted = np.concatenate([own[among], others]).astype(np.float64)
    centre, y = fitted.mean(axis=0), np.repeat([1.0, 0.0], [len(among), len(others)])
    level = y.mean()
    x = fitted - centre
    inverse = np.linalg.inv(x.T @ x + _RIDGE * np.eye(x.shape[1]))
    slope = inverse @ (x.T @ (y - level))
    leverage = np.einsum("ij,jk,ik->i", x, inverse, x, optimize=True) + 1 / len(x)
    left_out = y - (y - level - x @ slope) / np.maximum(1 - leverage, _TINY)
    known = left_out[: len(among)]
    said = level + (own[rows].astype(np.float64) - centre) @ slope
    place = np.minimum(np.searchsorted(among, rows), len(among) - 1)
    said = np.where(among[place] == rows, known[place], said)
    standard: Floats = (said - known.mean()) / max(float(known.std()), _TINY)
    return standard


def _evenly(total: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` of `total` positions, evenly spread."""
    if total <= most:
        return np.arange(total)
    return np.linspace(0, total - 1, most).astype(np.int64)


def concept_weights(
    gaps: Gaps, dictionary: Dictionary, *, zmin: float, settings: GainSettings
) -> Floats:
    """Return max(z - zmin, 0) times relevance times the weight of the level; 0 where kept out."""
    weights = np.maximum(gaps.deficit - zmin, 0.0)
    if gaps.wanted is not None:
        # Asked for by hand: it counts however small the deficit is.
        short = (gaps.wanted >= 0) & (gaps.deficit > 0)
        weights[short] = np.maximum(weights[short], 1.0)
    weights[~gaps.in_scope] = 0.0
    if gaps.relevance is not None:
        weights = weights * np.nan_to_num(gaps.relevance)
    for level in dictionary.levels:
        if level.unit == "passage":
            weights[level.offset : level.offset + level.width] *= settings.passage_weight
    return weights


def targets_after(gaps: Gaps, *, n_added: int) -> Floats:
    """Return how many items should show each concept once a set has grown, not rounded."""
    targets = gaps.base_rate * (gaps.n_items + n_added)
    if gaps.wanted is not None:
        targets = np.where(gaps.wanted >= 0, gaps.wanted, targets)
    return targets


def saliency_scale(
    pool_map: ConceptMap, dictionary: Dictionary, thresholds: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the saliency that counts as full presence: q90, of the pool where it is unknown."""
    scale = np.array(dictionary.table.q90, dtype=np.float32)
    unknown = ~(scale > 0)
    if unknown.any():
        limit = np.where(unknown, thresholds, np.inf).astype(np.float32)
        kept = [np.empty(0, dtype=np.int64)]
        for first, last in pool_map.row_blocks():
            low, high = int(pool_map.indptr[first]), int(pool_map.indptr[last])
            found = pool_map.peak[low:high] >= limit[pool_map.indices[low:high]]
            kept.append(np.flatnonzero(found) + low)
        places = np.concatenate(kept)
        ids, values = pool_map.indices[places], pool_map.saliency[places]
        order = np.lexsort((values, ids))
        ids, values = ids[order], values[order]
        firsts = np.searchsorted(ids, np.arange(len(scale)))
        counts = np.bincount(ids, minlength=len(scale))
        seen = unknown & (counts > 0)
        scale[seen] = values[firsts[seen] + (0.9 * (counts[seen] - 1)).astype(np.int64)]
        scale[unknown & ~seen] = 1.0
    return np.maximum(scale, np.finfo(np.float32).tiny)


def calibrate_zmin(
    pool_map: ConceptMap,
    gaps: Gaps,
    dictionary: Dictionary,
    *,
    rng: np.random.Generator,
    n_splits: int = 3,
) -> float:
    """Return the zmin at which the gaps stand out most from chance.

    Chance is what sets of the benchmark's size, drawn from the pool itself, show against the rest.
    What stands out is the weighted deficit beyond that of chance, in units of the spread that the
    weights give to an item's score.
    """
    total = len(pool_map)
    size = min(gaps.n_items, total // 2)
    if size < 2:
        return _ZMIN_DEFAULT
    scores = np.zeros(len(_ZMIN_GRID))
    observed = gaps.deficit[gaps.in_scope]
    for _ in range(n_splits):
        order = rng.permutation(total)[: max(4 * size, _MOST_IN_NULL)]
        thresholds = gaps.coverage.thresholds
        rest = pool_map.take(np.sort(order[size:]))
        half = pool_map.take(np.sort(order[:size]))
        reference = Reference.from_map(rest, dictionary, thresholds=thresholds)
        coverage = measure_coverage(half, dictionary, reference=reference, thresholds=thresholds)
        null = find_gaps(coverage, dictionary, settings=gaps.settings)
        by_chance = null.deficit[gaps.in_scope]
        for place, zmin in enumerate(_ZMIN_GRID):
            weight = np.maximum(observed - zmin, 0)
            chance = np.maximum(by_chance - zmin, 0)
            spread = np.sqrt((weight**2).sum())
            if spread > 0:
                scores[place] += ((weight * observed).sum() - (chance * by_chance).sum()) / spread
    # The curve is flat near its top, and too low costs less than too high.
    near_top = scores >= scores.max() - 0.02 * abs(scores.max())
    return _ZMIN_GRID[int(near_top.argmax())]


_ZMIN_GRID = (0.5, 0.75, 1.0, 1.25, 1.5)
_ZMIN_DEFAULT = 1.0
_MOST_IN_NULL = 20_000
