"""Concepts that the designer counts as one: near-synonyms that a dictionary holds apart.

A merged concept is present wherever it or any that was merged into it is; those have no counts of
their own any more. Maps on disk stay as they were made, so a merge can be taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchdesign.conceptmap import ConceptMap
from benchdesign.dictionary import Dictionary

__all__ = ["MERGED", "merge_concepts", "merged_dictionary"]

MERGED = "merged"
"""Why a concept that is counted as another is kept out."""


def merged_dictionary(dictionary: Dictionary, merged: Mapping[int, int]) -> Dictionary:
    """Return the dictionary with merged concepts kept out.

    `merged` names the concept that each is counted as. The corpus does not tell how often one of
    several occurs, only how often each does: the largest of the rates stands in, which at worst
    overlooks a gap.
    """
    if not merged:
        return dictionary
    table = dictionary.table
    flags, rates = list(table.flags), table.base_rates.copy()
    for one, keeper in merged.items():
        flags[one] = frozenset({MERGED})
        rates[keeper] = np.fmax(rates[keeper], rates[one])
    return replace(dictionary, table=replace(table, flags=tuple(flags), base_rates=rates))


def merge_concepts(
    concept_map: ConceptMap, dictionary: Dictionary, merged: Mapping[int, int]
) -> ConceptMap:
    """Return the map with merged concepts counted as the ones they were merged into.

    Strengths are rescaled so that each reaches the new concept's threshold where it reached its
    own; of several in one item the strongest counts.
    """
    if not merged:
        return concept_map
    keeper = np.arange(concept_map.n_concepts, dtype=np.int32)
    keeper[list(merged)] = list(merged.values())
    indices = keeper[concept_map.indices]
    rows = np.repeat(np.arange(len(concept_map)), np.diff(concept_map.indptr))
    # Rows without any of them stay as they are: most of a large pool.
    touched = np.zeros(len(concept_map), dtype=bool)
    touched[rows[indices != concept_map.indices]] = True
    places = np.flatnonzero(touched[rows])
    table = dictionary.table
    peak = concept_map.peak * _factors(table.threshold, keeper)[concept_map.indices]
    # What just reached its own threshold must not miss the other by rounding.
    present = concept_map.peak >= table.threshold[concept_map.indices]
    peak = np.where(present, np.maximum(peak, table.threshold[indices]), peak)
    saliency = concept_map.saliency * _factors(table.q90, keeper)[concept_map.indices]
    order = np.arange(len(indices))
    order[places] = places[np.lexsort((-peak[places], indices[places], rows[places]))]
    sorted_ids, sorted_rows = indices[order], rows[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (sorted_ids[1:] != sorted_ids[:-1]) | (sorted_rows[1:] != sorted_rows[:-1])
    starts = np.flatnonzero(first)
    kept = order[starts]
    n_kept = np.concatenate([[0], np.cumsum(first, dtype=np.int64)])
    strongest = np.maximum.reduceat(saliency[order], starts) if len(starts) else saliency
    return replace(
        concept_map,
        indptr=n_kept[concept_map.indptr],
        indices=indices[kept],
        saliency=strongest.astype(np.float32),
        peak=peak[kept].astype(np.float32),
        start=concept_map.start[kept],
        end=concept_map.end[kept],
    )


def _factors(scale: NDArray[np.float32], keeper: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return what a strength of each concept is multiplied by to be one of its keeper's."""
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = scale[keeper] / scale
    usable = np.isfinite(factors) & (factors > 0)
    return np.where(usable, factors, 1.0).astype(np.float32)
