"""Concepts grouped into a few dozen areas, the unit that reports lead with.

Single concepts are fragile: they differ between dictionaries. Areas come from the dictionary if it
has any. Otherwise themes that occur together (or have similar directions) are clustered, and each
term joins the area whose items it occurs in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.sampling import sample_items
from benchdesign.coverage.area_names import name_areas
from benchdesign.foundation.arrays import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Areas", "group_areas"]


_MAX_AREAS = 40


MAX_SAMPLED_ITEMS = 50_000
"""Items sampled evenly from a larger set; clustering and dispersion need no more."""


_MAX_WARD_ROWS = 3_000
"""Most rows for Ward clustering, which needs all pairs; k-means clusters more rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """The areas, and the area of every concept."""

    names: tuple[str, ...]
    area_of: NDArray[np.int32]
    """(n_concepts,): position in `names`; -1 without an area."""

    origin: str = "dictionary"
    """`dictionary`, `themes`, `concepts` or `none`."""

    def __len__(self) -> int:
        """Count the areas."""
        return len(self.names)

    def members(self, area: int) -> NDArray[np.int64]:
        """Return the concept ids of an area, in ascending order."""
        return np.flatnonzero(self.area_of == area)

    def name_of(self, concept_id: int) -> str | None:
        """Return the name of a concept's area; None without an area."""
        area = int(self.area_of[concept_id])
        return None if area < 0 else self.names[area]


def group_areas(
    dictionary: Dictionary,
    *,
    concept_map: ConceptMap | Sequence[ConceptMap] | None = None,
    n_areas: int | None = None,
    directions: NDArray[np.float32] | None = None,
) -> Areas:
    """Group concepts by the dictionary's own areas, else by co-occurrence in the maps.

    `directions` are decoder rows (n_concepts, d), comparable within a level; they replace a missing
    map. Without areas in the dictionary, a map or directions, there are no areas.
    """
    n = dictionary.n_concepts
    if concept_map is not None:
        maps = [concept_map] if isinstance(concept_map, ConceptMap) else concept_map
        concept_map = sample_items(maps, MAX_SAMPLED_ITEMS)
    with_area = [concept for concept, area in enumerate(dictionary.table.area) if area]
    if with_area:
        names = tuple(sorted({area for area in dictionary.table.area if area}))
        area_by_name = {name: area for area, name in enumerate(names)}
        area_of = np.full(n, -1, dtype=np.int32)
        area_of[with_area] = [
            area_by_name[dictionary.table.area[concept] or ""] for concept in with_area
        ]
        if concept_map is not None:
            area_of = _assign_unassigned(area_of, len(names), concept_map, dictionary)
        return Areas(names, area_of, "dictionary")

    themes = np.asarray(
        [dictionary.levels[level].unit == "passage" for level in dictionary.table.level]
    )
    origin = "themes" if themes.any() else "concepts"
    candidates = themes if themes.any() else np.ones(n, dtype=bool)
    candidates &= np.asarray([not flags for flags in dictionary.table.flags])
    features = _features(concept_map, directions, dictionary)
    if features is None:
        return Areas((), np.full(n, -1, dtype=np.int32), "none")
    candidates &= np.linalg.norm(features, axis=1) > 0
    clustered = np.flatnonzero(candidates)
    if not len(clustered):
        return Areas((), np.full(n, -1, dtype=np.int32), "none")
    if not n_areas:
        n_areas = min(max(round(float(np.sqrt(len(clustered)))), 1), _MAX_AREAS)
    labels = _cluster(features[clustered], min(n_areas, len(clustered)))
    area_of = np.full(n, -1, dtype=np.int32)
    area_of[clustered] = labels
    if concept_map is not None:
        area_of = _assign_unassigned(area_of, int(labels.max()) + 1, concept_map, dictionary)
    names = name_areas(dictionary, area_of, clustered, labels, features[clustered])
    return Areas(names, area_of, origin)


def _features(
    concept_map: ConceptMap | None,
    directions: NDArray[np.float32] | None,
    dictionary: Dictionary,
) -> Floats | None:
    """Return one vector per concept, similar within an area, 0 if unknown; None without data."""
    if concept_map is not None and len(concept_map) > 1:
        from scipy.sparse import diags_array
        from scipy.sparse.linalg import svds

        presence = concept_map.presence(dictionary.table.threshold)
        # Scale columns and rows to length 1 (as in correspondence analysis), so that neither
        # frequent concepts nor long items dominate the clusters.
        per_concept = np.asarray(presence.sum(axis=0)).ravel()
        per_item = np.asarray(presence.sum(axis=1)).ravel()
        scaled = (
            diags_array(1 / np.sqrt(np.maximum(per_item, 1)))
            @ presence
            @ diags_array(1 / np.sqrt(np.maximum(per_concept, 1)))
        )
        rank = min(64, min(presence.shape) - 1)
        if rank >= 1 and presence.nnz:
            start = np.ones(min(presence.shape)) / np.sqrt(min(presence.shape))
            _, strength, right = svds(scaled.astype(np.float64), k=rank, v0=start)
            # The weakest axis is noise; subtract that much from every axis.
            signal = strength - (strength.min() if rank > 8 else 0.0)
            vectors = np.asarray(right.T * signal, dtype=np.float64)
            # One axis merely encodes the concept frequencies; project it out.
            frequency = np.sqrt(per_concept / max(float(per_concept.sum()), 1.0))
            vectors -= np.outer(frequency, frequency @ vectors)
            return _unit(vectors * (per_concept >= 2)[:, None])
    if directions is not None:
        return _unit(np.asarray(directions, dtype=np.float64))
    return None


def membership_matrix(
    concept_ids: NDArray[np.int64],
    area: NDArray[np.int32],
    weight: Floats,
    n_concepts: int,
    n_areas: int,
) -> csr_array:
    """Return the (n_concepts, n_areas) sparse array of weights; sort concept ids first."""
    from scipy.sparse import csr_array

    row_ends = np.searchsorted(concept_ids, np.arange(n_concepts + 1))
    return csr_array((weight, area, row_ends.astype(np.int32)), shape=(n_concepts, n_areas))


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Floats = np.where(lengths > 1e-12, vectors / np.maximum(lengths, 1e-12), 0.0)
    return unit


def _cluster(features: Floats, n_clusters: int) -> NDArray[np.int32]:
    """Return the cluster of each row; the largest cluster is number 0."""
    if n_clusters < 2:
        return np.zeros(len(features), dtype=np.int32)
    if len(features) <= _MAX_WARD_ROWS:
        from scipy.cluster.hierarchy import fcluster, linkage

        clusters = fcluster(linkage(features, "ward"), n_clusters, criterion="maxclust")
    else:
        from sklearn.cluster import MiniBatchKMeans

        clusters = MiniBatchKMeans(n_clusters, random_state=0, n_init=3).fit_predict(features)
    _, first, compact, sizes = np.unique(
        clusters, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(sizes), dtype=np.int32)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return rank[compact]


def _assign_unassigned(
    area_of: NDArray[np.int32], n_areas: int, concept_map: ConceptMap, dictionary: Dictionary
) -> NDArray[np.int32]:
    """Assign each concept without an area to the one it most co-occurs with beyond chance."""
    members = np.flatnonzero(area_of >= 0)
    unassigned = np.flatnonzero(
        (area_of < 0) & np.asarray([not flags for flags in dictionary.table.flags])
    )
    if not len(unassigned) or not len(members) or not len(concept_map):
        return area_of
    presence = concept_map.presence(dictionary.table.threshold)
    membership = membership_matrix(
        members, area_of[members], np.ones(len(members)), len(area_of), n_areas
    )
    hits = (presence @ membership).toarray()
    shares = hits / np.maximum(hits.sum(axis=1, keepdims=True), 1)
    observed = presence.T @ shares
    count = np.asarray(presence.sum(axis=0)).ravel()
    expected = np.outer(count, shares.mean(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.where(expected > 0, (observed - expected) / np.sqrt(expected), 0.0)
    best = excess.argmax(axis=1)
    assigned = area_of.copy()
    certain = unassigned[excess[unassigned, best[unassigned]] > 1.0]
    assigned[certain] = best[certain]
    return assigned
