"""Merging of near-synonymous concepts that the user counts as one.

The target concept is present in an item if it or any concept merged into it is present. The merged
concepts have no counts of their own. Maps on disk are not changed, so a merge can be undone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap

__all__ = ["MERGED", "merge_concepts", "merged_dictionary"]

MERGED = "merged"
"""Reason for keeping out a concept that is counted as another."""


def merged_dictionary(dictionary: Dictionary, merged: Mapping[int, int]) -> Dictionary:
    """Return the dictionary with merged concepts kept out.

    `merged` maps each merged concept to its target. The corpus has the rate of each concept but not
    of their union. The largest rate is a lower bound of it, which can at worst hide a gap.
    """
    if not merged:
        return dictionary
    table = dictionary.table
    flags, rates = list(table.flags), table.base_rates.copy()
    for concept_id, target in merged.items():
        flags[concept_id] = frozenset({MERGED})
        rates[target] = np.fmax(rates[target], rates[concept_id])
    return replace(dictionary, table=replace(table, flags=tuple(flags), base_rates=rates))


def merge_concepts(
    concept_map: ConceptMap, dictionary: Dictionary, merged: Mapping[int, int]
) -> ConceptMap:
    """Return the map with merged concepts replaced by their targets.

    Strengths are rescaled to the target's threshold. The strongest of several in one item counts.
    """
    if not merged:
        return concept_map
    target = np.arange(concept_map.n_concepts, dtype=np.int32)
    target[list(merged)] = list(merged.values())
    indices = target[concept_map.indices]
    rows = np.repeat(np.arange(len(concept_map)), np.diff(concept_map.indptr))
    # Sort only rows with a merged concept: few in a large pool.
    touched = np.zeros(len(concept_map), dtype=bool)
    touched[rows[indices != concept_map.indices]] = True
    places = np.flatnonzero(touched[rows])
    table = dictionary.table
    peak = concept_map.peak * _factors(table.threshold, target)[concept_map.indices]
    # Rounding must not put a present concept below the target's threshold.
    is_present = concept_map.peak >= table.threshold[concept_map.indices]
    peak = np.where(is_present, np.maximum(peak, table.threshold[indices]), peak)
    saliency = concept_map.saliency * _factors(table.q90, target)[concept_map.indices]
    order = np.arange(len(indices))
    order[places] = places[np.lexsort((-peak[places], indices[places], rows[places]))]
    sorted_ids, sorted_rows = indices[order], rows[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (sorted_ids[1:] != sorted_ids[:-1]) | (sorted_rows[1:] != sorted_rows[:-1])
    starts = np.flatnonzero(first)
    chosen = order[starts]
    n_chosen = np.concatenate([[0], np.cumsum(first, dtype=np.int64)])
    strongest = np.maximum.reduceat(saliency[order], starts) if len(starts) else saliency
    return replace(
        concept_map,
        indptr=n_chosen[concept_map.indptr],
        indices=indices[chosen],
        saliency=strongest.astype(np.float32),
        peak=peak[chosen].astype(np.float32),
        start=concept_map.start[chosen],
        end=concept_map.end[chosen],
    )


def _factors(scale: NDArray[np.float32], target: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the factor from each concept's scale to its target's."""
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = scale[target] / scale
    usable = np.isfinite(factors) & (factors > 0)
    return np.where(usable, factors, 1.0).astype(np.float32)
