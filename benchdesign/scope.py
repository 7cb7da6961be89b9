"""What the benchmark is meant to test: a sentence, example items, pins and exclusions.

Relevance is measured on sentence embeddings, through the concept's label and through the items
that show it most; both, and the items, are kept as evidence. A pin or an exclusion overrules any
measurement.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchdesign.conceptmap import ConceptMap
from benchdesign.dictionary import Dictionary
from benchdesign.errors import UsageError
from benchdesign.text import display

__all__ = ["Embedder", "Relevance", "RelevanceEvidence", "Scope", "measure_relevance", "top_items"]

Floats = NDArray[np.float64]

_LABEL_RANGE = (0.15, 0.60)
_ITEM_RANGE = (0.05, 0.40)
"""Cosines with a one-sentence scope in the built-in embedding: of unrelated subjects and of the
subject itself, as seen on the categories of a large mixed pool."""

_EVIDENCE_ITEMS = 10
_SHOWN = 80
"""Cells of an example item where the scope is told in a line."""


class Embedder(Protocol):
    """Whatever turns texts into unit sentence embeddings (a mapper)."""

    def embed(self, texts: Sequence[str], /) -> NDArray[np.float16]:
        """Return (n_texts, d) unit vectors."""
        ...


@dataclass(frozen=True, slots=True)
class Scope:
    """What the designer said the benchmark is about."""

    sentence: str = ""
    examples: tuple[str, ...] = ()
    """Texts of items that are certainly in scope."""

    pins: tuple[int, ...] = ()
    """Concepts that are in scope whatever is measured."""

    exclusions: tuple[int, ...] = ()
    """Concepts that are out of scope whatever is measured."""

    cutoff: float = 0.4
    """Relevance from which a concept is in scope."""

    def __post_init__(self) -> None:
        both = set(self.pins) & set(self.exclusions)
        if both:
            raise UsageError(f"Concept {min(both)} is both pinned and excluded; drop one of them.")
        if not 0 <= self.cutoff <= 1:
            raise UsageError(f"The scope cutoff is {self.cutoff}; give a value from 0 to 1.")

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said, so that everything is in scope."""
        return not (self.queries or self.pins or self.exclusions)

    @property
    def queries(self) -> tuple[str, ...]:
        """Texts that relevance is measured against."""
        return tuple(text for text in (self.sentence.strip(), *self.examples) if text)

    def in_words(self) -> str:
        """Return all that was said, in a line; empty where nothing was."""
        parts = [f"“{display(self.sentence.strip())}”"] if self.sentence.strip() else []
        if self.examples:
            first = display(" ".join(self.examples[0].split()), width=_SHOWN)
            n = len(self.examples)
            parts.append(f"{n} example items, first “{first}”" if n > 1 else f"the item “{first}”")
        for ids, done in ((self.pins, "pinned in"), (self.exclusions, "put out")):
            if ids:
                parts.append(f"{len(ids)} {'concept' if len(ids) == 1 else 'concepts'} {done}")
        if self.queries:
            parts.append(f"in scope from a relevance of {self.cutoff:g}")
        return "; ".join(parts)

    def to_json(self) -> str:
        """Return the scope as JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Scope:
        """Read a scope written by `to_json`."""
        try:
            fields: dict[str, Any] = json.loads(text)
            return cls(
                sentence=str(fields.get("sentence", "")),
                examples=tuple(map(str, fields.get("examples", ()))),
                pins=tuple(map(int, fields.get("pins", ()))),
                exclusions=tuple(map(int, fields.get("exclusions", ()))),
                cutoff=float(fields.get("cutoff", cls().cutoff)),
            )
        except (ValueError, TypeError, AttributeError) as problem:
            raise UsageError(f"Not a scope: {problem}. Set the scope again.") from None


@dataclass(frozen=True, slots=True)
class RelevanceEvidence:
    """Why one concept is in or out of scope, for people."""

    concept_id: int
    label: str
    score: float
    in_scope: bool
    overridden: str | None
    """`pinned`, `excluded`, or None."""

    label_similarity: float
    """Cosine of its label and the closest of sentence and examples; NaN without a label."""

    item_similarity: float
    """Cosine of its strongest items' mean embedding and the closest; NaN if no item shows it."""

    query: str | None
    """The sentence or example that was closest."""

    rows: tuple[int, ...]
    """Rows of its strongest items in the map that was used."""


@dataclass(frozen=True, slots=True, eq=False)
class Relevance:
    """Relevance of every concept; arrays are (n_concepts,) unless said."""

    score: Floats
    """In [0, 1]."""

    in_scope: NDArray[np.bool_]
    overridden: NDArray[np.int8]
    """1 pinned, -1 excluded, 0 measured."""

    label_similarity: Floats
    item_similarity: Floats
    closest: NDArray[np.int32]
    """Position of the closest text in `scope.queries`; -1 for none."""

    top_rows: NDArray[np.int32]
    """(n_concepts, m): rows of its strongest items, strongest first; -1 where there are fewer."""

    scope: Scope

    def evidence(self, concept_id: int, dictionary: Dictionary) -> RelevanceEvidence:
        """Return why one concept is in or out of scope."""
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
    """Measure how much each concept has to do with the scope.

    `concept_map` is any map with embeddings, or several, best those of benchmark and pool. Its
    items say what a concept is about where the label is missing or poor.
    """
    n = dictionary.n_concepts
    unknown = np.full(n, np.nan)
    maps = [concept_map] if isinstance(concept_map, ConceptMap) else concept_map
    rows = top_items(maps, _EVIDENCE_ITEMS)
    label_similarity, item_similarity = unknown, unknown.copy()
    closest = np.full(n, -1, dtype=np.int32)
    score = np.ones(n)
    if scope.queries:
        queries = np.asarray(mapper.embed(scope.queries), dtype=np.float64)
        by_label = _label_similarities(dictionary, mapper, queries)
        by_items = _item_similarities(maps, rows, queries)
        both = np.fmax(by_label, by_items)
        known = ~np.isnan(both).any(axis=1)
        closest[known] = both[known].argmax(axis=1)
        label_similarity, item_similarity = by_label.max(axis=1), by_items.max(axis=1)
        # What nothing is known about cannot be called relevant.
        score = np.nan_to_num(
            np.fmax(_scale(label_similarity, _LABEL_RANGE), _scale(item_similarity, _ITEM_RANGE)),
            nan=0.0,
        )
    overridden = np.zeros(n, dtype=np.int8)
    for ids, mark, value in ((scope.pins, 1, 1.0), (scope.exclusions, -1, 0.0)):
        chosen = np.asarray(ids, dtype=np.int64)
        if len(chosen) and (chosen.min() < 0 or chosen.max() >= n):
            raise UsageError(f"The scope names a concept outside 0 to {n - 1}; remove it.")
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
    """Return (n_concepts, n) rows of the items that show each concept most; -1 for none.

    Rows of several maps are numbered on from one to the next.
    """
    maps = [concept_map] if isinstance(concept_map, ConceptMap) else concept_map
    ids, rows = np.empty((2, 0), dtype=np.int32)
    saliency = np.empty(0, dtype=np.float32)
    # What an entry has to surpass: after the first block few do, and only those are sorted. Ties
    # go to the earlier row, so the answer does not depend on where blocks end.
    floor = np.zeros(maps[0].n_concepts, dtype=np.float32)
    before = 0
    for one in maps:
        for first, last in one.row_blocks():
            low, high = int(one.indptr[first]), int(one.indptr[last])
            places = np.flatnonzero(one.saliency[low:high] > floor[one.indices[low:high]]) + low
            row_of = np.searchsorted(one.indptr, places, side="right") - 1 + before
            ids = np.concatenate([ids, one.indices[places]])
            rows = np.concatenate([rows, row_of.astype(np.int32)])
            saliency = np.concatenate([saliency, one.saliency[places]])
            order = np.lexsort((rows, -saliency, ids))
            ids, rows, saliency = ids[order], rows[order], saliency[order]
            rank = _places_in_run(ids)
            last_kept = rank == n - 1
            floor[ids[last_kept]] = saliency[last_kept]
            kept = rank < n
            ids, rows, saliency = ids[kept], rows[kept], saliency[kept]
        before += len(one)
    found = np.full((maps[0].n_concepts, n), -1, dtype=np.int32)
    found[ids, _places_in_run(ids)] = rows
    return found


def _places_in_run(ids: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the position of each entry among its equals in a sorted array."""
    return np.arange(len(ids)) - np.searchsorted(ids, ids, side="left")


def _label_similarities(dictionary: Dictionary, mapper: Embedder, queries: Floats) -> Floats:
    """Return (n_concepts, n_queries) cosines of labels; NaN without a label."""
    found = np.full((dictionary.n_concepts, len(queries)), np.nan)
    labelled = [concept for concept, label in enumerate(dictionary.table.label) if label]
    if labelled:
        texts = [dictionary.table.label[concept] or "" for concept in labelled]
        distinct = list(dict.fromkeys(texts))
        position = {text: place for place, text in enumerate(distinct)}
        vectors = np.asarray(mapper.embed(distinct), dtype=np.float64)
        found[labelled] = (vectors @ queries.T)[[position[text] for text in texts]]
    return found


def _item_similarities(
    maps: Sequence[ConceptMap], rows: NDArray[np.int32], queries: Floats
) -> Floats:
    """Return (n_concepts, n_queries) cosines of the strongest items' mean; NaN without items."""
    found = np.full((len(rows), len(queries)), np.nan)
    total: Floats | None = None
    before = 0
    for one in maps:
        if one.embeddings is None:
            return found
        if total is None:
            total = np.zeros((len(rows), one.embeddings.shape[1]))
        for place in range(rows.shape[1]):
            at = rows[:, place] - before
            some = (at >= 0) & (at < len(one)) & (rows[:, place] >= 0)
            total[some] += one.embeddings[at[some]]
        before += len(one)
    if total is None:
        return found
    length = np.linalg.norm(total, axis=1)
    shown = length > 0
    found[shown] = (total[shown] / length[shown, None]) @ queries.T
    return found
