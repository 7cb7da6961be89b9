"""Weights of concepts and the counts they are wanted at."""

from __future__ import annotations

import numpy as np

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.coverage.gaps import Gaps
from benchdesign.foundation.arrays import Floats
from benchdesign.selection.gain_settings import GainSettings

__all__ = ["concept_weights", "targets_after"]


def concept_weights(
    gaps: Gaps, dictionary: Dictionary, *, zmin: float, settings: GainSettings
) -> Floats:
    """Return max(z - zmin, 0) times relevance times level weight; 0 for concepts kept out."""
    weights = np.maximum(gaps.deficit - zmin, 0.0)
    if gaps.wanted is not None:
        # A target set by hand counts even if the deficit is small.
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
    """Return the unrounded number of items that should show each concept in the extended set."""
    targets = gaps.base_rate * (gaps.n_items + n_added)
    if gaps.wanted is not None:
        targets = np.where(gaps.wanted >= 0, gaps.wanted, targets)
    return targets
