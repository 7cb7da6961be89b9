"""Settings of the gain that items are selected by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchdesign.coverage.gaps import Gaps
from benchdesign.foundation.arrays import Floats

__all__ = ["Emphasis", "GainSettings"]


@dataclass(frozen=True, slots=True)
class GainSettings:
    """Parameters that turn deficits into weights and gains."""

    zmin: float | None = None
    """Deficits up to this many standard deviations have no weight; None: calibrate on the pool."""

    passage_weight: float = 2.0
    """Weight of passage concepts (themes) relative to token concepts (terms)."""

    n_neighbours: int = 10
    """Nearest items of pool and benchmark that an item's gain is averaged with; 0 for none."""

    own_share: float = 0.2
    """Weight of an item's own gain relative to the mean gain of its neighbours."""

    likeness: float = 0.5
    """Weight of an embedding's similarity to the pool over the benchmark; 0 to ignore it."""


@dataclass(frozen=True, slots=True, eq=False)
class Emphasis:
    """Concepts to probe whatever their coverage, because models seem weak there."""

    weights: Floats
    """(n_concepts,): 0 to 1."""

    wanted: Floats
    """(n_concepts,): number of additional items to aim for."""

    def over(self, weights: Floats, gaps: Gaps) -> Floats:
        """Return weights in which deficits only break ties between equally emphasised concepts."""
        deficits = weights[weights > 0]
        top = float(np.quantile(deficits, 0.9)) if len(deficits) else 1.0
        emphasis = np.where(gaps.in_scope & (self.weights > 0), self.weights, 0.0)
        if not emphasis.any():
            return weights
        emphasised: Floats = _DEFICIT_WEIGHT * weights + top * emphasis
        return emphasised


_DEFICIT_WEIGHT = 0.2
"""Weight of deficits next to an emphasis: they only break ties."""
