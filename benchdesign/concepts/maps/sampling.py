"""Samples of the items of a concept map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchdesign.concepts.maps.concept_map import ConceptMap

__all__ = ["sample_items"]


def sample_items(maps: Sequence[ConceptMap], n: int) -> ConceptMap:
    """Return one map of at most `n` items, spaced evenly over all maps."""
    if sum(map(len, maps)) <= n:
        return maps[0] if len(maps) == 1 else ConceptMap.concatenate(maps)
    lengths = [len(concept_map) for concept_map in maps]
    ends = np.cumsum(lengths)
    rows = np.linspace(0, ends[-1] - 1, n).astype(np.int64)
    parts = np.split(rows, np.searchsorted(rows, ends[:-1]))
    starts = ends - lengths
    samples = [
        concept_map.take(part - start)
        for concept_map, part, start in zip(maps, parts, starts, strict=True)
    ]
    return ConceptMap.concatenate(samples)
