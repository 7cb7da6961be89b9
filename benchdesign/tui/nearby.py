"""What lies near a concept: items that show it, concepts beside it, the closest item."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchdesign.conceptmap import ConceptMap
from benchdesign.tui.model import Session
from benchdesign.tui.rows import OUT

__all__ = ["closest_row", "neighbours", "rows_showing"]

_MOST_ROWS = 2_000
"""Items looked at: a concept of tens of thousands has the same neighbours in some of them."""

_FEWEST = 3
_LEAST_SHARED = 0.4
"""Items with both among items with either, from which two concepts are worth comparing."""

_MOST_ITEMS = 20_000
_EXAMPLES = 8


def neighbours(session: Session, concept_id: int, n: int) -> list[tuple[int, float]]:
    """Return concepts that mostly occur where this one does, with the share of items they share."""
    loaded, concept_map = session.loaded, _reference(session)
    if loaded is None or concept_map is None:
        return []
    thresholds = loaded.analysis.gaps.coverage.thresholds
    shown = concept_map.peak >= thresholds[concept_map.indices]
    places = np.flatnonzero((concept_map.indices == concept_id) & shown)
    n_own = len(places)
    if n_own < _FEWEST:
        return []
    rows = np.searchsorted(concept_map.indptr, places[:_MOST_ROWS], side="right") - 1
    starts, ends = concept_map.indptr[rows], concept_map.indptr[rows + 1]
    entries = np.concatenate([np.arange(*one) for one in zip(starts, ends, strict=True)])
    entries = entries[shown[entries]]
    found = np.bincount(concept_map.indices[entries], minlength=concept_map.n_concepts)
    both = found * (n_own / len(rows))
    total = np.zeros(concept_map.n_concepts)
    candidates = np.flatnonzero(both >= _LEAST_SHARED * n_own)
    total[candidates] = _counts(session)[candidates]
    with np.errstate(divide="ignore", invalid="ignore"):
        shared = both / (n_own + total - both)
    level = loaded.analysis.dictionary.table.level
    states = session.concept_states
    near = [
        (int(one), float(min(shared[one], 1.0)))
        for one in candidates[np.argsort(-shared[candidates], kind="stable")]
        if one != concept_id
        and shared[one] >= _LEAST_SHARED
        and states[one] not in OUT
        and level[one] == level[concept_id]
    ]
    return near[:n]


def closest_row(session: Session, concept_id: int) -> int | None:
    """Return the benchmark item closest in meaning to what shows a concept in the pool."""
    analysis = session.analysis
    if analysis is None or analysis.pool_map is None:
        return None
    ours, theirs = analysis.benchmark_map.embeddings, analysis.pool_map.embeddings
    if ours is None or theirs is None or not 0 < len(ours) <= _MOST_ITEMS:
        return None
    rows = [row for row, _ in session.top_rows(concept_id, _EXAMPLES, in_pool=True)]
    if not rows:
        return None
    middle = theirs[rows].astype(np.float32).mean(axis=0)
    return int(np.argmax(ours.astype(np.float32) @ middle))


def rows_showing(session: Session, concept_ids: Sequence[int], *, in_pool: bool) -> set[int]:
    """Return the rows of the items that show any of some concepts."""
    analysis = session.analysis
    concept_map = None
    if analysis is not None:
        concept_map = analysis.pool_map if in_pool else analysis.benchmark_map
    if analysis is None or concept_map is None:
        return set()
    entries = np.flatnonzero(np.isin(concept_map.indices, concept_ids))
    thresholds = analysis.gaps.coverage.thresholds[concept_map.indices[entries]]
    entries = entries[concept_map.peak[entries] >= thresholds]
    return set((np.searchsorted(concept_map.indptr, entries, side="right") - 1).tolist())


def _reference(session: Session) -> ConceptMap | None:
    analysis = session.analysis
    if analysis is None:
        return None
    return analysis.benchmark_map if analysis.pool_map is None else analysis.pool_map


def _counts(session: Session) -> NDArray[np.int64]:
    loaded = session.loaded
    assert loaded is not None
    return loaded.analysis.gaps.count if loaded.pool_count is None else loaded.pool_count
