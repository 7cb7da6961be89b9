"""How relevant every concept is to the scope of a benchmark.

Relevance is measured on sentence embeddings of a concept's label and of the items that show it
most. Both similarities and the items are stored as evidence. A pin or an exclusion overrides the
measurement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.scope import Scope
from benchdesign.errors import UsageError
from benchdesign.foundation.arrays import Floats

__all__ = ["Embedder", "Relevance", "RelevanceEvidence", "measure_relevance", "top_items"]


_LABEL_RANGE = (0.15, 0.60)
_ITEM_RANGE = (0.05, 0.40)
"""Cosines with a one-sentence scope in the built-in embedding, for unrelated subjects and for the
subject itself; measured on the categories of a large mixed pool."""

_N_EVIDENCE_ITEMS = 10


class Embedder(Protocol):
    """An object that maps texts to unit sentence embeddings, such as a mapper."""

    def embed(self, texts: Sequence[str], /) -> NDArray[np.float16]:
        """Return unit vectors (n_texts, d)."""
        ...


@dataclass(frozen=True, slots=True)
class RelevanceEvidence:
    """Evidence that one concept is in or out of scope."""

    concept_id: int
    label: str
    score: float
    in_scope: bool
    overridden: str | None
    """`pinned`, `excluded`, or None."""

    label_similarity: float
    """Cosine of the label with the closest query; NaN without a label."""

    item_similarity: float
    """Cosine of the strongest items' mean embedding with the closest query; NaN without items."""

    query: str | None
    """The closest query: the sentence or an example."""

    rows: tuple[int, ...]
    """Rows of the strongest items in the map used."""


@dataclass(frozen=True, slots=True, eq=False)
class Relevance:
    """Relevance of every concept; arrays are (n_concepts,) unless stated otherwise."""

    score: Floats
    """Relevance in [0, 1]."""

    in_scope: NDArray[np.bool_]
    overridden: NDArray[np.int8]
    """1 if pinned, -1 if excluded, 0 if measured."""

    label_similarity: Floats
    item_similarity: Floats
    closest: NDArray[np.int32]
    """Position of the closest text in `scope.queries`; -1 if there is none."""

    top_rows: NDArray[np.int32]
    """(n_concepts, m): rows of the strongest items, strongest first, padded with -1."""

    scope: Scope

    def evidence(self, concept_id: int, dictionary: Dictionary) -> RelevanceEvidence:
        """Return the evidence that one concept is in or out of scope."""
        closest = int(self.closest[concept_id])
        rows = self.top_rows[concept_id]
        return RelevanceEvidence(
            concept_id=concept_id,
            label=dictionary.label(concept_id),
            score=float(self.score[concept_id]),
            in_scope=bool(self.in_scope[concept_id]),
            overridden={1: "pinned", -1: "excluded"}.get(int(self.overridden[concept_id])),
            label_similarity=float(self.label_similarity[concept_id]),
            item_similarity=float(self.item_similarity[concept_id]),
            query=self.scope.queries[closest] if closest >= 0 else None,
            rows=tuple(int(row) for row in rows[rows >= 0]),
        )


def measure_relevance(
    scope: Scope,
    dictionary: Dictionary,
    *,
    mapper: Embedder,
    concept_map: ConceptMap | Sequence[ConceptMap],
) -> Relevance:
    """Measure the relevance of each concept to the scope.

    `concept_map` is one map with embeddings or several, ideally those of benchmark and pool. Their
    items make up for a missing or poor label.
    """
    n = dictionary.n_concepts
    unknown = np.full(n, np.nan)
    maps = [concept_map] if isinstance(concept_map, ConceptMap) else concept_map
    rows = top_items(maps, _N_EVIDENCE_ITEMS)
    label_similarity, item_similarity = unknown, unknown.copy()
    closest = np.full(n, -1, dtype=np.int32)
    score = np.ones(n)
    if scope.queries:
        queries = np.asarray(mapper.embed(scope.queries), dtype=np.float64)
        by_label = _label_similarities(dictionary, mapper, queries)
        by_items = _item_similarities(maps, rows, queries)
        similarity = np.fmax(by_label, by_items)
        has_similarity = ~np.isnan(similarity).any(axis=1)
        closest[has_similarity] = similarity[has_similarity].argmax(axis=1)
        label_similarity, item_similarity = by_label.max(axis=1), by_items.max(axis=1)
        # A concept without label and items counts as irrelevant.
        score = np.nan_to_num(
            np.fmax(_scale(label_similarity, _LABEL_RANGE), _scale(item_similarity, _ITEM_RANGE)),
            nan=0.0,
        )
    overridden = np.zeros(n, dtype=np.int8)
    for ids, mark, value in ((scope.pins, 1, 1.0), (scope.exclusions, -1, 0.0)):
        chosen = np.asarray(ids, dtype=np.int64)
        if len(chosen) and (chosen.min() < 0 or chosen.max() >= n):
            raise UsageError(f"The scope contains a concept ID outside 0 to {n - 1}; remove it.")
        overridden[chosen] = mark
        score[chosen] = value
    in_scope = ((score >= scope.cutoff) | (overridden == 1)) & (overridden != -1)
    return Relevance(
        score, in_scope, overridden, label_similarity, item_similarity, closest, rows, scope
    )


def _scale(similarity: Floats, ends: tuple[float, float]) -> Floats:
    low, high = ends
    return np.clip((similarity - low) / (high - low), 0.0, 1.0)


def top_items(concept_map: ConceptMap | Sequence[ConceptMap], n: int) -> NDArray[np.int32]:
    """Return (n_concepts, n) rows of the items that show each concept most, padded with -1.

    Rows of several maps are numbered consecutively.
    """
    maps = [concept_map] if isinstance(concept_map, ConceptMap) else concept_map
    ids, rows = np.empty((2, 0), dtype=np.int32)
    saliency = np.empty(0, dtype=np.float32)
    # Saliency that an entry must exceed: after the first block few entries do, and only those are
    # sorted. Ties go to the earlier row, so the result does not depend on block boundaries.
    floor = np.zeros(maps[0].n_concepts, dtype=np.float32)
    offset = 0
    for part in maps:
        for first, last in part.row_blocks():
            low, high = int(part.indptr[first]), int(part.indptr[last])
            places = np.flatnonzero(part.saliency[low:high] > floor[part.indices[low:high]]) + low
            row_of = np.searchsorted(part.indptr, places, side="right") - 1 + offset
            ids = np.concatenate([ids, part.indices[places]])
            rows = np.concatenate([rows, row_of.astype(np.int32)])
            saliency = np.concatenate([saliency, part.saliency[places]])
            order = np.lexsort((rows, -saliency, ids))
            ids, rows, saliency = ids[order], rows[order], saliency[order]
            rank = _places_in_run(ids)
            is_last = rank == n - 1
            floor[ids[is_last]] = saliency[is_last]
            is_top = rank < n
            ids, rows, saliency = ids[is_top], rows[is_top], saliency[is_top]
        offset += len(part)
    top_rows = np.full((maps[0].n_concepts, n), -1, dtype=np.int32)
    top_rows[ids, _places_in_run(ids)] = rows
    return top_rows


def _places_in_run(ids: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the position of each entry within its run of equal values in a sorted array."""
    return np.arange(len(ids)) - np.searchsorted(ids, ids, side="left")


def _label_similarities(dictionary: Dictionary, mapper: Embedder, queries: Floats) -> Floats:
    """Return cosines of labels, (n_concepts, n_queries); NaN without a label."""
    cosines = np.full((dictionary.n_concepts, len(queries)), np.nan)
    labelled = [concept for concept, label in enumerate(dictionary.table.label) if label]
    if labelled:
        texts = [dictionary.table.label[concept] or "" for concept in labelled]
        distinct = list(dict.fromkeys(texts))
        position = {text: place for place, text in enumerate(distinct)}
        vectors = np.asarray(mapper.embed(distinct), dtype=np.float64)
        cosines[labelled] = (vectors @ queries.T)[[position[text] for text in texts]]
    return cosines


def _item_similarities(
    maps: Sequence[ConceptMap], rows: NDArray[np.int32], queries: Floats
) -> Floats:
    """Return cosines of the strongest items' mean, (n_concepts, n_queries); NaN without items."""
    cosines = np.full((len(rows), len(queries)), np.nan)
    total: Floats | None = None
    offset = 0
    for concept_map in maps:
        if concept_map.embeddings is None:
            return cosines
        if total is None:
            total = np.zeros((len(rows), concept_map.embeddings.shape[1]))
        for column in range(rows.shape[1]):
            local_rows = rows[:, column] - offset
            is_in_map = (local_rows >= 0) & (local_rows < len(concept_map)) & (rows[:, column] >= 0)
            total[is_in_map] += concept_map.embeddings[local_rows[is_in_map]]
        offset += len(concept_map)
    if total is None:
        return cosines
    length = np.linalg.norm(total, axis=1)
    has_items = length > 0
    cosines[has_items] = (total[has_items] / length[has_items, None]) @ queries.T
    return cosines
