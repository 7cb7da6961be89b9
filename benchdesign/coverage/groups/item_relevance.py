"""How far every pool item belongs to what a benchmark is about.

Nearness to the benchmark's own items, on sentence embeddings less their mean, as measured and as
averaged over an item's neighbours; and, with a small weight, similarity to the scope sentence and
example items. Each is read on the benchmark's own scale: an item counts fully if it lies as near as
most of the benchmark's own items do, and less the fewer of them lie as far out. Judgements
("meant", "not meant") of items act by nearest neighbours: what is meant counts like the benchmark's
own items, and an item that lies nearer to what is not meant loses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.foundation.arrays import Floats, even_positions
from benchdesign.foundation.item_tree import unit_rows
from benchdesign.foundation.nearest import nearest

__all__ = ["IN_SCOPE", "ItemRelevance", "measure_item_relevance"]

_N_NEAR = 10
"""Own items whose mean similarity is the nearness."""

_N_NEIGHBOURS = 10
"""Neighbours over which nearness and similarity are averaged."""

_MAX_ANCHORS = 6_000
"""Items among which neighbours are looked for."""

_QUERY_WEIGHT = 0.25
"""Weight of the similarity to scope texts. On open pools of five domains a sentence alone tells
items in the domain apart with an AUC of .77 to .91, nearness with .91 to .996; of 0.25, 0.5 and 1
the smallest weight was the best."""

_FULL_SHARE = 0.10
"""Share of the own items that lie farther out, from which an item counts fully."""

_BROAD_SHARE = 0.5
"""Share of pool items unlike the benchmark from which the pool is much broader than it."""

IN_SCOPE = 0.25
"""Relevance from which an item looks like what the benchmark is about."""

_REJECTION = 5.0
"""Standard deviations of the score per one of nearness by which an item loses that is nearer to
what was not meant."""

_ROWS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class ItemRelevance:
    """Relevance of every item, 0 to 1, with its parts."""

    pool: Floats
    """(n_pool,)"""

    own: Floats
    """(n_own,): relevance of the benchmark's items, each measured without itself."""

    nearness: Floats
    """(n_pool,): mean cosine with the nearest own items."""

    similarity: Floats | None
    """(n_pool,): cosine with the closest scope text; None without one."""

    is_broader: bool
    """Whether the pool is much broader than the benchmark."""

    @property
    def in_scope(self) -> NDArray[np.bool_]:
        """(n_pool,): whether each pool item looks like what the benchmark is about."""
        return self.pool >= IN_SCOPE


def measure_item_relevance(
    own: Floats,
    pool: Floats,
    *,
    queries: Floats | None = None,
    meant: Sequence[int] = (),
    not_meant: Sequence[int] = (),
) -> ItemRelevance:
    """Measure the relevance of pool items (n_pool, d) to own items (n_own, d), all unit vectors.

    `queries` (n, d) are embeddings of the scope sentence and example items. `meant` and
    `not_meant` are pool rows that were judged.
    """
    centre = np.concatenate([own, pool]).mean(axis=0)
    own_centred, pool_centred = unit_rows(own - centre), unit_rows(pool - centre)
    # An item that is meant counts like one of the benchmark's own.
    meant_rows = np.asarray(meant, dtype=np.int64)
    positive = np.concatenate([own_centred, pool_centred[meant_rows]])
    nearness = _nearness(pool_centred, positive, itself=_positions(meant_rows, len(pool), len(own)))
    own_nearness = _nearness(own_centred, positive, itself=np.arange(len(own)))
    neighbours = _NeighbourMeans(own_centred, pool_centred)
    score, own_score = _standardized(nearness, own_nearness)
    smoothed = _standardized(*neighbours.means(nearness, own_nearness))
    by_nearness = score, own_score = score + smoothed[0], own_score + smoothed[1]
    similarity: Floats | None = None
    if queries is not None and len(queries):
        similarity = (pool @ queries.T).max(axis=1)
        by_query = _standardized(*neighbours.means(similarity, (own @ queries.T).max(axis=1)))
        score = score + _QUERY_WEIGHT * by_query[0]
        own_score = own_score + _QUERY_WEIGHT * by_query[1]
    if len(not_meant):
        rejected = pool_centred[list(not_meant)]
        spread = float(own_nearness.std()) or 1.0
        score = score - _REJECTION * _excess(_nearness(pool_centred, rejected), nearness) / spread
        excess = _excess(_nearness(own_centred, rejected), own_nearness)
        own_score = own_score - _REJECTION * excess / spread
    relevance = np.minimum(_share_farther(score, own_score), _in_domain_share(score, own_score))
    own_relevance = _share_farther(own_score, own_score)
    relevance[list(meant)] = 1.0
    relevance[list(not_meant)] = 0.0
    return ItemRelevance(
        relevance,
        own_relevance,
        nearness,
        similarity,
        float((_share_farther(*by_nearness) < IN_SCOPE).mean()) > _BROAD_SHARE,
    )


def _nearness(
    vectors: Floats, positive: Floats, *, itself: NDArray[np.int64] | None = None
) -> Floats:
    """Return the mean cosine of each row with the nearest positive items.

    `itself` is each row's own position among them, which does not count; -1 where it has none.
    """
    itself = np.full(len(vectors), -1) if itself is None else itself
    n_near = max(min(_N_NEAR, len(positive) - bool((itself >= 0).any())), 1)
    means = np.empty(len(vectors))
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        cosines = vectors[start : start + _ROWS_AT_ONCE] @ positive.T
        columns = itself[start : start + _ROWS_AT_ONCE]
        rows = np.flatnonzero(columns >= 0)
        cosines[rows, columns[rows]] = -1.0
        closest = np.partition(cosines, -n_near, axis=1)[:, -n_near:]
        means[start : start + _ROWS_AT_ONCE] = closest.mean(axis=1)
    return means


def _positions(rows: NDArray[np.int64], n: int, offset: int) -> NDArray[np.int64]:
    """Return (n,) the position of each of `rows` from `offset` on; -1 for the others."""
    positions = np.full(n, -1, dtype=np.int64)
    positions[rows] = offset + np.arange(len(rows))
    return positions


def _excess(rejected: Floats, accepted: Floats) -> Floats:
    """Return how much nearer an item is to what was not meant; 0 where it is farther."""
    return np.maximum(rejected - accepted, 0.0)


class _NeighbourMeans:
    """The nearest items of every item, among the own and a sample of the pool's items."""

    def __init__(self, own: Floats, pool: Floats) -> None:
        n_pool = min(max(_MAX_ANCHORS - len(own), _MAX_ANCHORS // 2), len(pool))
        n_own = min(len(own), _MAX_ANCHORS)
        self._own_rows = even_positions(len(own), n_own)
        self._pool_rows = even_positions(len(pool), n_pool)
        anchors = np.concatenate([own[self._own_rows], pool[self._pool_rows]]).astype(np.float32)
        k = min(_N_NEIGHBOURS, len(anchors))
        self._own = nearest(own.astype(np.float32), anchors, k=k).rows
        self._pool = nearest(pool.astype(np.float32), anchors, k=k).rows

    def means(self, pool_values: Floats, own_values: Floats) -> tuple[Floats, Floats]:
        """Return the mean of a value over the neighbours of every item, pool and own."""
        values = np.concatenate([own_values[self._own_rows], pool_values[self._pool_rows]])
        return values[self._pool].mean(axis=1), values[self._own].mean(axis=1)


def _standardized(values: Floats, own_values: Floats) -> tuple[Floats, Floats]:
    centre, spread = float(np.median(own_values)), float(own_values.std()) or 1.0
    return (values - centre) / spread, (own_values - centre) / spread


def _in_domain_share(score: Floats, own_score: Floats) -> Floats:
    """Return the share of the pool items of each score that are of the benchmark's domain, (n,).

    The more of a pool is of other subjects, the more of its items look like the benchmark's by
    chance. With f the density of scores and w the share of the pool that is of the domain, the
    share at a score is w f_own / f_pool, fitted as rising (isotonic regression). Half of the
    domain's items score above the median of the own items, which gives w.
    """
    from sklearn.isotonic import IsotonicRegression

    share = min(2 * float((score >= np.median(own_score)).mean()), 1.0)
    weight = share * len(score) / max(len(own_score), 1)
    if weight <= 0:
        return np.zeros(len(score))
    is_own = np.repeat([1.0, 0.0], [len(own_score), len(score)])
    weights = np.where(is_own > 0, weight, 1.0)
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(
        np.concatenate([own_score, score]), is_own, sample_weight=weights
    )
    chance = np.clip(fitted.predict(score), 0.0, 1.0)
    ratio: Floats = chance / np.maximum(1.0 - chance, 1e-6)
    # The root: what is missing lies farther out than what the benchmark has.
    return np.sqrt(np.minimum(ratio, 1.0))


def _share_farther(score: Floats, own_score: Floats) -> Floats:
    """Return min(1, share of own items with a lower score / `_FULL_SHARE`)."""
    ordered = np.sort(own_score)
    share = np.searchsorted(ordered, score, side="right") / max(len(ordered), 1)
    return np.minimum(share / _FULL_SHARE, 1.0)
