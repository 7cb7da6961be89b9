"""What an item is worth: the weight of every concept's deficit and how far the item fills it.

    F(S) = sum_c weight[c] * min(have[c] + sum over S of soft presence, target[c])

is monotone and submodular, so a lazy greedy choice is within 1 - 1/e of the best one. Everything
stays sparse, and concepts without weight are dropped before anything else is computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchdesign.conceptmap import ConceptMap
from benchdesign.coverage import Reference, measure_coverage
from benchdesign.dictionary import Dictionary
from benchdesign.gaps import Gaps, find_gaps

__all__ = ["GainSettings", "GainTable", "calibrate_zmin", "concept_weights", "saliency_scale"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GainSettings:
    """How deficits become weights."""

    zmin: float | None = None
    """Deficits up to this many standard deviations weigh nothing; None to calibrate on the pool."""

    passage_weight: float = 2.0
    """Weight of concepts of passages (themes) against those of tokens (terms)."""

    noise_share: float = 0.25
    """Share of the weight that may come from chance when zmin is calibrated."""


@dataclass(frozen=True, slots=True, eq=False)
class GainTable:
    """Soft presences of the weighted concepts in a pool, as compressed rows."""

    concept_ids: NDArray[np.int64]
    """(n_weighted,): the concepts with a weight; columns refer to positions here."""

    weights: Floats
    """(n_weighted,)"""

    needs: Floats
    """(n_weighted,): soft presence still wanted, in units of items fully showing the concept."""

    indptr: NDArray[np.int64]
    columns: NDArray[np.int32]
    presence: NDArray[np.float32]
    """Soft presence of each entry, in (0, 1]."""

    zmin: float = field(default=0.0)

    @classmethod
    def build(
        cls,
        pool_map: ConceptMap,
        gaps: Gaps,
        dictionary: Dictionary,
        *,
        n: int,
        zmin: float,
        settings: GainSettings,
    ) -> GainTable:
        """Prepare a pool for choosing `n` items to add to the set that was judged."""
        weights = concept_weights(gaps, dictionary, zmin=zmin, settings=settings)
        concept_ids = np.flatnonzero(weights > 0)
        thresholds = gaps.coverage.thresholds
        scale = saliency_scale(pool_map, dictionary, thresholds)
        position = np.full(len(weights), -1, dtype=np.int32)
        position[concept_ids] = np.arange(len(concept_ids), dtype=np.int32)
        keep = (position[pool_map.indices] >= 0) & (pool_map.peak >= thresholds[pool_map.indices])
        ids = pool_map.indices[keep]
        running = np.concatenate([[0], np.cumsum(keep, dtype=np.int64)])
        presence = np.minimum(pool_map.saliency[keep] / scale[ids], 1.0).astype(np.float32)
        columns = position[ids]
        shown = np.bincount(columns, minlength=len(concept_ids))
        total = np.bincount(columns, weights=presence, minlength=len(concept_ids))
        mean = total / np.maximum(shown, 1)
        # What the set should hold once it has grown, less what it holds.
        wanted = gaps.base_rate[concept_ids] * (gaps.n_items + n) - gaps.count[concept_ids]
        table = cls(
            concept_ids,
            weights[concept_ids],
            np.maximum(wanted, 0.0) * mean,
            running[pool_map.indptr],
            columns,
            presence,
            zmin,
        )
        return table._stretch(n)

    def __len__(self) -> int:
        """Count the items."""
        return len(self.indptr) - 1

    def linear_gains(self) -> Floats:
        """Return the gain of every item were nothing filled yet: an upper bound at any time."""
        from scipy.sparse import csr_array

        rows = csr_array(
            (self.presence, self.columns, self.indptr), shape=(len(self), len(self.weights))
        )
        return np.asarray(rows @ self.weights, dtype=np.float64)

    def row_gains(self, row: int, needs: Floats) -> tuple[NDArray[np.int32], Floats]:
        """Return the columns of one item and its gain in each, given what is still needed."""
        part = slice(int(self.indptr[row]), int(self.indptr[row + 1]))
        columns = self.columns[part]
        return columns, self.weights[columns] * np.minimum(self.presence[part], needs[columns])

    def _stretch(self, n: int) -> GainTable:
        """Raise all needs in proportion where `n` good items would fill them and more.

        Otherwise the last items of a generous budget would go to whatever is left over, which is
        chance, and not to the gaps.
        """
        linear = self.linear_gains()
        n_best = min(n, len(linear))
        best = np.partition(linear, len(linear) - n_best)[-n_best:].sum() if n_best else 0.0
        room = float(self.weights @ self.needs)
        factor = max(1.0, _SLACK * best / room) if room > 0 else 1.0
        return GainTable(
            self.concept_ids,
            self.weights,
            self.needs * factor,
            self.indptr,
            self.columns,
            self.presence,
            self.zmin,
        )


_SLACK = 1.5


def concept_weights(
    gaps: Gaps, dictionary: Dictionary, *, zmin: float, settings: GainSettings
) -> Floats:
    """Return max(z - zmin, 0) times relevance times the weight of the level; 0 where kept out."""
    weights = np.maximum(gaps.deficit - zmin, 0.0)
    weights[~gaps.in_scope] = 0.0
    if gaps.relevance is not None:
        weights = weights * np.nan_to_num(gaps.relevance)
    for level in dictionary.levels:
        if level.unit == "passage":
            weights[level.offset : level.offset + level.width] *= settings.passage_weight
    return weights


def saliency_scale(
    pool_map: ConceptMap, dictionary: Dictionary, thresholds: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the saliency that counts as full presence: q90, of the pool where it is unknown."""
    scale = np.array(dictionary.table.q90, dtype=np.float32)
    unknown = ~(scale > 0)
    if unknown.any():
        keep = unknown[pool_map.indices] & (pool_map.peak >= thresholds[pool_map.indices])
        ids, values = pool_map.indices[keep], pool_map.saliency[keep]
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
    settings: GainSettings,
    rng: np.random.Generator,
    n_splits: int = 3,
) -> float:
    """Return the smallest zmin at which chance explains at most its share of the weight.

    Chance is what sets of the benchmark's size, drawn from the pool itself, show against the rest.
    """
    total = len(pool_map)
    size = min(gaps.n_items, total // 2)
    if size < 2:
        return _ZMIN_GRID[0]
    null = []
    for _ in range(n_splits):
        order = rng.permutation(total)
        reference = Reference.from_map(
            pool_map.take(np.sort(order[size:])), dictionary, thresholds=gaps.coverage.thresholds
        )
        coverage = measure_coverage(
            pool_map.take(np.sort(order[:size])),
            dictionary,
            reference=reference,
            thresholds=gaps.coverage.thresholds,
        )
        null.append(find_gaps(coverage, dictionary, settings=gaps.settings).deficit)
    in_scope = gaps.in_scope
    observed = gaps.deficit[in_scope]
    by_chance = np.concatenate([one[in_scope] for one in null])
    for zmin in _ZMIN_GRID:
        weight = np.maximum(observed - zmin, 0).sum()
        chance = np.maximum(by_chance - zmin, 0).sum() / n_splits
        if chance <= settings.noise_share * weight:
            return zmin
    return _ZMIN_GRID[-1]


_ZMIN_GRID = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)
