"""Soft presence: how strongly items show each concept, 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.foundation.arrays import Floats, even_positions
from benchdesign.foundation.nearest import nearest
from benchdesign.selection.gain_settings import GainSettings

__all__ = ["saliency_scale"]


SHORTLIST = 2_000


STRETCH_FACTOR = 8.0


_RIDGE_PENALTY = 100.0
"""Ridge penalty of the regression on embeddings; 10 to 1000 give similar results (measured)."""


TINY = 1e-12


_MAX_NEIGHBOUR_ITEMS = 8_192
"""Items searched for neighbours, sampled evenly from a larger pool or benchmark."""


@dataclass(frozen=True, slots=True, eq=False)
class SoftPresence:
    """Soft presence of a selection of concepts, min(1, saliency / scale), computed on demand.

    The map is not copied: one pass over its entries computes the sums, and only the few thousand
    candidates among a million items are read again.
    """

    concept_map: ConceptMap
    position: NDArray[np.int32]
    """(n_concepts,): column of each concept; -1 if not selected."""

    limit: NDArray[np.float32]
    """(n_concepts,): presence threshold of the peak; infinite if not selected."""

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
        """Select the concepts in `concept_ids` (n_columns,)."""
        position = np.full(concept_map.n_concepts, -1, dtype=np.int32)
        position[concept_ids] = np.arange(len(concept_ids), dtype=np.int32)
        # An infinite threshold excludes unselected concepts without a second lookup per entry.
        limit = np.where(position >= 0, thresholds, np.inf).astype(np.float32)
        return cls(concept_map, position, limit, scale)

    def _part(
        self, low: int, high: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """Return the entries that count, relative to `low`, with columns and soft presences."""
        ids = self.concept_map.indices[low:high]
        entries = np.flatnonzero(self.concept_map.peak[low:high] >= self.limit[ids])
        ids = ids[entries]
        saliency = self.concept_map.saliency[low:high][entries]
        return entries, self.position[ids], np.minimum(saliency / self.scale[ids], np.float32(1))

    def row(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the columns and soft presences of one item."""
        ends = self.concept_map.indptr
        return self._part(int(ends[row]), int(ends[row + 1]))[1:]

    def sums(self, weights: Floats) -> tuple[Floats, NDArray[np.int64], Floats]:
        """Return the weighted sum of each item, and the count and sum of each column."""
        n_columns = len(weights)
        by_item = np.zeros(len(self.concept_map))
        count, total = np.zeros(n_columns, dtype=np.int64), np.zeros(n_columns)
        ends = self.concept_map.indptr
        for first, last in self.concept_map.row_blocks():
            low, high = int(ends[first]), int(ends[last])
            entries, columns, presence = self._part(low, high)
            runs = np.diff(np.searchsorted(entries, ends[first : last + 1] - low))
            by_item[first:last] = np.bincount(
                np.repeat(np.arange(last - first), runs),
                weights=presence * weights[columns],
                minlength=last - first,
            )
            count += np.bincount(columns, minlength=n_columns)
            total += np.bincount(columns, weights=presence, minlength=n_columns)
        return by_item, count, total


def support_of(
    linear: Floats,
    benchmark_map: ConceptMap,
    pool_map: ConceptMap,
    *,
    n: int,
    settings: GainSettings,
) -> Floats:
    """Return the factor of each item: its gain blended with the gains of its neighbourhood.

    Gains are averaged over neighbours twice, so that a neighbour also represents its own
    surroundings. The result is scaled by the share of pool items in a wider neighbourhood, and by
    the item's likeness to the pool rather than the benchmark. Only the items with the largest gains
    are processed; the others get the smallest factor, which ranks them lower without excluding
    them.
    """
    support = np.ones(len(linear))
    pool, benchmark = pool_map.embeddings, benchmark_map.embeddings
    k = min(settings.n_neighbours, len(linear) - 1)
    if pool is None or benchmark is None or k < 1:
        return support
    n_shortlisted = min(len(linear), max(SHORTLIST, 20 * n))
    rows = np.argpartition(-linear, n_shortlisted - 1)[:n_shortlisted]
    rows = np.sort(rows[linear[rows] > 0])
    if not len(rows):
        return support
    sample = even_positions(len(pool), _MAX_NEIGHBOUR_ITEMS)
    queries = np.union1d(rows, sample)
    benchmark = benchmark[even_positions(len(benchmark), _MAX_NEIGHBOUR_ITEMS)]
    neighbours = _Neighbours.find(pool, benchmark, queries=queries, sample=sample, k=k)
    once = np.zeros(len(linear))
    once[queries] = settings.own_share * linear[queries] + neighbours.mean_of(linear)
    twice = settings.own_share * once[queries] + neighbours.mean_of(once)
    factors = (twice * neighbours.pool_share)[np.searchsorted(queries, rows)] / linear[rows]
    if settings.likeness:
        likeness = _likeness(pool, benchmark, rows=rows, sample=sample)
        factors *= np.exp(settings.likeness * likeness)
    support[:] = factors.min()
    support[rows] = factors
    return support


@dataclass(frozen=True, slots=True, eq=False)
class _Neighbours:
    """The nearest items of pool and benchmark for a selection of pool items."""

    rows: NDArray[np.int64]
    """(n_queries, k): rows of the pool, nearest first; -1 for a benchmark item."""

    pool_share: Floats
    """(n_queries,): share of pool items among the 2k nearest."""

    @classmethod
    def find(
        cls,
        pool: NDArray[np.float16],
        benchmark: NDArray[np.float16],
        *,
        queries: NDArray[np.int64],
        sample: NDArray[np.int64],
        k: int,
    ) -> _Neighbours:
        """Find neighbours of pool rows `queries` in pool rows `sample` and in the benchmark."""
        wide = min(2 * k, len(sample) - 1)
        inside = nearest(pool[queries], pool[sample], k=wide + 1)
        inside_rows = sample[inside.rows]
        inside_similarities = np.where(inside_rows == queries[:, None], -2.0, inside.similarities)
        outside = nearest(pool[queries], benchmark, k=wide)
        similarities = np.concatenate([inside_similarities, outside.similarities], axis=1)
        rows = np.concatenate([inside_rows, np.full(outside.rows.shape, -1)], axis=1)
        order = np.argsort(-similarities, axis=1, kind="stable")[:, :wide]
        closest = np.take_along_axis(rows, order, axis=1)
        return cls(closest[:, :k], (closest >= 0).mean(axis=1))

    def mean_of(self, gains: Floats) -> Floats:
        """Return the mean gain of each item's neighbours; a benchmark item has gain 0."""
        neighbour_gains = np.where(self.rows >= 0, gains[self.rows], 0.0)
        mean: Floats = neighbour_gains.mean(axis=1)
        return mean


def _likeness(
    pool: NDArray[np.float16],
    benchmark: NDArray[np.float16],
    *,
    rows: NDArray[np.int64],
    sample: NDArray[np.int64],
) -> Floats:
    """Return how like the pool, and unlike the benchmark, the pool items `rows` are, standardised.

    A ridge regression predicts an item's origin (benchmark 0, pool 1) from its embedding, fitted to
    the pool items `sample` and to the benchmark. The prediction of a fitted item is its
    leave-one-out prediction, y - (y - p) / (1 - h).
    """
    fitted = np.concatenate([pool[sample], benchmark]).astype(np.float64)
    centre, y = fitted.mean(axis=0), np.repeat([1.0, 0.0], [len(sample), len(benchmark)])
    level = y.mean()
    x = fitted - centre
    inverse = np.linalg.inv(x.T @ x + _RIDGE_PENALTY * np.eye(x.shape[1]))
    slope = inverse @ (x.T @ (y - level))
    leverage = np.einsum("ij,jk,ik->i", x, inverse, x, optimize=True) + 1 / len(x)
    left_out = y - (y - level - x @ slope) / np.maximum(1 - leverage, TINY)
    in_sample = left_out[: len(sample)]
    predicted = level + (pool[rows].astype(np.float64) - centre) @ slope
    position = np.minimum(np.searchsorted(sample, rows), len(sample) - 1)
    predicted = np.where(sample[position] == rows, in_sample[position], predicted)
    standardised: Floats = (predicted - in_sample.mean()) / max(float(in_sample.std()), TINY)
    return standardised


def saliency_scale(
    pool_map: ConceptMap, dictionary: Dictionary, thresholds: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the saliency of full presence: the dictionary's q90, or the pool's if unknown."""
    scale = np.array(dictionary.table.q90, dtype=np.float32)
    unknown = ~(scale > 0)
    if unknown.any():
        limit = np.where(unknown, thresholds, np.inf).astype(np.float32)
        parts = [np.empty(0, dtype=np.int64)]
        for first, last in pool_map.row_blocks():
            low, high = int(pool_map.indptr[first]), int(pool_map.indptr[last])
            is_present = pool_map.peak[low:high] >= limit[pool_map.indices[low:high]]
            parts.append(np.flatnonzero(is_present) + low)
        entries = np.concatenate(parts)
        ids, values = pool_map.indices[entries], pool_map.saliency[entries]
        order = np.lexsort((values, ids))
        ids, values = ids[order], values[order]
        firsts = np.searchsorted(ids, np.arange(len(scale)))
        counts = np.bincount(ids, minlength=len(scale))
        seen = unknown & (counts > 0)
        scale[seen] = values[firsts[seen] + (0.9 * (counts[seen] - 1)).astype(np.int64)]
        scale[unknown & ~seen] = 1.0
    return np.maximum(scale, np.finfo(np.float32).tiny)
