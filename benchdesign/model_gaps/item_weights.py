"""Shares of items in concepts and areas, as weights of the models' scores.

The weights are sparse and bounded, so that no single item dominates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.areas import Areas
from benchdesign.coverage.kept_out import find_kept_out
from benchdesign.model_gaps.scores import column_sums

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["area_shares", "item_shares", "soft_presence"]

_MIN_RELATIVE_SHARE = 0.5
"""An item counts for an area if its share is at least this fraction of its largest share."""


def soft_presence(concept_map: ConceptMap, dictionary: Dictionary) -> csr_array:
    """Return min(1, saliency / q90) of present concepts; the cap keeps one item from dominating."""
    from scipy.sparse import csr_array

    is_present = concept_map.peak >= dictionary.table.threshold[concept_map.indices]
    ends = np.concatenate([[0], np.cumsum(is_present)])[concept_map.indptr]
    ids, saliency = (
        concept_map.indices[is_present],
        concept_map.saliency[is_present].astype(np.float64),
    )
    scale = dictionary.table.q90.astype(np.float64)
    has_no_scale = ~(scale > 0)
    if has_no_scale.any():
        largest = np.zeros(concept_map.n_concepts)
        np.maximum.at(largest, ids, saliency)
        scale = np.where(has_no_scale, np.maximum(largest, 1e-12), scale)
    return csr_array(
        (np.minimum(saliency / scale[ids], 1.0), ids, ends),
        shape=(len(concept_map), concept_map.n_concepts),
    )


def area_shares(presence: csr_array, areas: Areas, kept_out: NDArray[np.bool_]) -> csr_array:
    """Return the shares of each item's concepts in the areas it counts for, (n_items, n_areas)."""
    from scipy.sparse import csr_array, diags_array

    total = column_sums(presence)
    members = np.flatnonzero((areas.area_of >= 0) & ~kept_out & (total > 0))
    ends = np.searchsorted(members, np.arange(presence.shape[1] + 1))
    # Weigh frequent concepts down: they hardly identify an item's subject.
    weights = csr_array(
        (1 / np.sqrt(total[members]), areas.area_of[members], ends),
        shape=(presence.shape[1], len(areas)),
    )
    mass = csr_array(presence @ weights)
    shares = csr_array(
        diags_array(1 / np.maximum(np.asarray(mass.sum(axis=1)).ravel(), 1e-12)) @ mass
    )
    strongest = np.zeros(shares.shape[0])
    row_of = np.repeat(np.arange(shares.shape[0]), np.diff(shares.indptr))
    np.maximum.at(strongest, row_of, shares.data)
    shares.data[shares.data < _MIN_RELATIVE_SHARE * strongest[row_of]] = 0
    shares.eliminate_zeros()
    return shares


def item_shares(concept_map: ConceptMap, dictionary: Dictionary, areas: Areas) -> csr_array:
    """Return each item's shares in the areas it counts for, (n_items, n_areas)."""
    kept_out = find_kept_out(dictionary).codes >= 0
    return area_shares(soft_presence(concept_map, dictionary), areas, kept_out)
