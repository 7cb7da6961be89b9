"""How far every pool item belongs to what a benchmark is about.

Two measurements on sentence embeddings: nearness to the benchmark's own items, and similarity to
the scope sentence and example items. Both are read on the benchmark's own scale: an item counts
fully if it lies as near as most of the benchmark's own items do, and less the fewer of them lie as
far out. Judgements ("meant", "not meant") of items move it by a small regularised classifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.foundation.arrays import Floats

__all__ = ["ItemRelevance", "measure_item_relevance"]

_N_NEAR = 10
"""Own items whose mean similarity is the nearness."""

_FULL_SHARE = 0.10
"""Share of the own items that lie farther out, from which an item counts fully."""

_BROAD_SHARE = 0.5
"""Share of pool items unlike the benchmark from which the pool is much broader than it."""

_UNLIKE = 0.25
"""Relevance below which an item is unlike the benchmark."""

_JUDGEMENT_PENALTY = 1.0
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
    """(n_pool,): cosine with the closest scope text, smoothed over neighbours; None without one."""

    is_broader: bool
    """Whether the pool is much broader than the benchmark."""

    @property
    def in_scope(self) -> NDArray[np.bool_]:
        """(n_pool,): whether each pool item looks like what the benchmark is about."""
        return self.pool >= _UNLIKE


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
    nearness, own_nearness = _nearness(pool, own), _nearness(own, own, leave_out=True)
    score, own_score = _standardized(nearness, own_nearness)
    similarity: Floats | None = None
    if queries is not None and len(queries):
        similarity = (pool @ queries.T).max(axis=1)
        by_query, own_by_query = _standardized(similarity, (own @ queries.T).max(axis=1))
        score, own_score = score + by_query, own_score + own_by_query
    if len(meant) or len(not_meant):
        shift, own_shift = _judged(own, pool, meant, not_meant)
        score, own_score = score + shift, own_score + own_shift
    relevance = _share_farther(score, own_score)
    own_relevance = _share_farther(own_score, own_score)
    relevance[list(meant)] = 1.0
    relevance[list(not_meant)] = 0.0
    return ItemRelevance(
        relevance,
        own_relevance,
        nearness,
        similarity,
        float((_share_farther(*_standardized(nearness, own_nearness)) < _UNLIKE).mean())
        > _BROAD_SHARE,
    )


def _nearness(vectors: Floats, own: Floats, *, leave_out: bool = False) -> Floats:
    """Return the mean cosine of each row with its nearest own items, itself left out."""
    n_near = max(min(_N_NEAR, len(own) - leave_out), 1)
    means = np.empty(len(vectors))
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        cosines = vectors[start : start + _ROWS_AT_ONCE] @ own.T
        if leave_out:
            block = np.arange(len(cosines))
            cosines[block, start + block] = -np.inf
        nearest = np.partition(cosines, -n_near, axis=1)[:, -n_near:]
        means[start : start + _ROWS_AT_ONCE] = nearest.mean(axis=1)
    return np.nan_to_num(means, neginf=0.0)


def _standardized(values: Floats, own_values: Floats) -> tuple[Floats, Floats]:
    centre, spread = float(np.median(own_values)), float(own_values.std()) or 1.0
    return (values - centre) / spread, (own_values - centre) / spread


def _share_farther(score: Floats, own_score: Floats) -> Floats:
    """Return min(1, share of own items with a lower score / `_FULL_SHARE`)."""
    ordered = np.sort(own_score)
    share = np.searchsorted(ordered, score, side="right") / max(len(ordered), 1)
    return np.minimum(share / _FULL_SHARE, 1.0)


def _judged(
    own: Floats, pool: Floats, meant: Sequence[int], not_meant: Sequence[int]
) -> tuple[Floats, Floats]:
    """Return how far judgements move every item, in standard deviations of the own items' score.

    Ridge regression of +1 for meant and own items and -1 for items not meant.
    """
    positive, negative = pool[list(meant)], pool[list(not_meant)]
    design = np.concatenate([own, positive, negative])
    target = np.concatenate([np.ones(len(own) + len(positive)), -np.ones(len(negative))])
    weight = np.concatenate(
        [
            np.full(len(own), 1 / max(len(own), 1)),
            np.full(len(positive), 1 / max(len(positive), 1)),
            np.full(len(negative), 2 / max(len(negative), 1)),
        ]
    )
    centre = np.average(design, axis=0, weights=weight)
    centred = design - centre
    square = (centred * weight[:, None]).T @ centred + _JUDGEMENT_PENALTY / 10 * np.eye(
        design.shape[1]
    )
    direction = np.linalg.solve(
        square, centred.T @ (weight * (target - target @ weight / weight.sum()))
    )
    own_values = (own - centre) @ direction
    spread = float(own_values.std()) or 1.0
    middle = float(np.median(own_values))
    return ((pool - centre) @ direction - middle) / spread, (own_values - middle) / spread
