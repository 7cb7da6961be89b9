"""The gain of an item: the weight of each concept's deficit, times how far the item fills it.

    F(S) = sum_c weight[c] * g(sum over S of support * soft presence, need[c])

where g is a parabola with slope 1 at 0 and slope 0 where the need is filled, so that empty gaps
attract more than nearly filled ones. F is monotone and submodular, so greedy selection reaches at
least 1 - 1/e of the optimum. All matrices stay sparse, and concepts without weight are dropped
first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.gaps import Gaps
from benchdesign.foundation.arrays import Floats
from benchdesign.selection.concept_weights import concept_weights, targets_after
from benchdesign.selection.gain_settings import Emphasis, GainSettings
from benchdesign.selection.soft_presence import (
    STRETCH_FACTOR,
    TINY,
    SoftPresence,
    saliency_scale,
    support_of,
)

__all__ = ["GainTable"]


@dataclass(frozen=True, slots=True, eq=False)
class GainTable:
    """The gains of a pool's items; only two numbers per item are stored."""

    concept_ids: NDArray[np.int64]
    """(n_weighted,): ids of the concepts with a weight; a column is a position in it."""

    weights: Floats
    """(n_weighted,)"""

    targets: Floats
    """(n_weighted,): unrounded number of items that should finally show each concept."""

    needs: Floats
    """(n_weighted,): missing soft presence; an item that fully shows the concept counts 1."""

    support: Floats
    """(n_items,): factor of each item's gain, from how far its neighbours fill the same gaps and
    how unlike the benchmark its embedding is.

    The concepts of a single item are noisy. A gap is a neighbourhood of the pool without benchmark
    items.
    """

    bounds: Floats
    """(n_items,): upper bound of each item's gain: its gain while nothing is filled."""

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
        """Prepare a pool for the selection of `n` items to add."""
        all_weights = concept_weights(gaps, dictionary, zmin=zmin, settings=settings)
        targets = targets_after(gaps, n_added=n)
        if emphasis is not None:
            all_weights = emphasis.over(all_weights, gaps)
            emphasised = gaps.count + np.minimum(emphasis.wanted, n)
            targets = np.where(emphasis.weights > 0, np.maximum(targets, emphasised), targets)
        concept_ids = np.flatnonzero(all_weights > 0)
        weights = all_weights[concept_ids]
        presences = SoftPresence.of(
            pool_map,
            concept_ids,
            thresholds=gaps.coverage.thresholds,
            scale=saliency_scale(pool_map, dictionary, gaps.coverage.thresholds),
        )
        linear, counts, total = presences.sums(weights)
        support = support_of(linear, benchmark_map, pool_map, n=n, settings=settings)
        bounds = linear * support
        # Convert the missing items into soft presence.
        shortfall = targets[concept_ids] - gaps.count[concept_ids]
        needs = np.maximum(shortfall, 1.0) * total / np.maximum(counts, 1)
        # If the budget could fill every need several times over, stretch the needs in proportion;
        # otherwise the last items would chase chance remainders.
        room = float(weights @ needs)
        best = np.partition(linear, -n)[-n:].sum() if 0 < n < len(linear) else linear.sum()
        stretch = max(1.0, STRETCH_FACTOR * best / room) if room > 0 else 1.0
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

    def row_gains(self, row: int, remaining: Floats) -> tuple[NDArray[np.int32], Floats]:
        """Return the columns of one item and its gain in each, from the `remaining` needs."""
        columns, presence = self.presences.row(row)
        room = remaining[columns]
        fill = np.minimum(presence, room)
        share = fill * (room - fill / 2) / np.maximum(self.needs[columns], TINY)
        return columns, self.support[row] * self.weights[columns] * share
