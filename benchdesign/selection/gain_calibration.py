"""Calibrate the least deficit that gives a concept weight."""

from __future__ import annotations

import numpy as np

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.gaps import Gaps
from benchdesign.coverage.reference import Reference

__all__ = ["calibrate_zmin"]


def calibrate_zmin(
    pool_map: ConceptMap,
    gaps: Gaps,
    dictionary: Dictionary,
    *,
    rng: np.random.Generator,
    n_splits: int = 3,
) -> float:
    """Return the zmin at which the gaps differ most from chance.

    Chance is measured on random subsets of the pool, of the benchmark's size, against the rest of
    the pool. The criterion is the weighted deficit in excess of chance, relative to the spread that
    the weights cause in an item's score.
    """
    total = len(pool_map)
    size = min(gaps.n_items, total // 2)
    if size < 2:
        return _ZMIN_DEFAULT
    scores = np.zeros(len(_ZMIN_GRID))
    observed = gaps.deficit[gaps.in_scope]
    for _ in range(n_splits):
        order = rng.permutation(total)[: max(4 * size, _MAX_CALIBRATION_SAMPLE)]
        thresholds = gaps.coverage.thresholds
        rest = pool_map.take(np.sort(order[size:]))
        half = pool_map.take(np.sort(order[:size]))
        reference = Reference.from_map(rest, dictionary, thresholds=thresholds)
        coverage = measure_coverage(half, dictionary, reference=reference, thresholds=thresholds)
        null = find_gaps(coverage, dictionary, settings=gaps.settings)
        null_deficit = null.deficit[gaps.in_scope]
        for index, zmin in enumerate(_ZMIN_GRID):
            weight = np.maximum(observed - zmin, 0)
            null_weight = np.maximum(null_deficit - zmin, 0)
            spread = np.sqrt((weight**2).sum())
            if spread > 0:
                excess = (weight * observed).sum() - (null_weight * null_deficit).sum()
                scores[index] += excess / spread
    # The curve is flat near its maximum; prefer a low zmin, which costs less than a high one.
    near_top = scores >= scores.max() - 0.02 * abs(scores.max())
    return _ZMIN_GRID[int(near_top.argmax())]


_ZMIN_GRID = (0.5, 0.75, 1.0, 1.25, 1.5)


_ZMIN_DEFAULT = 1.0


_MAX_CALIBRATION_SAMPLE = 20_000
