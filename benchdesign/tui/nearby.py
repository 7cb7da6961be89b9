"""What lies near a concept: items that show it, concepts beside it, the closest item."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchdesign.tui.model import Session
from benchdesign.tui.rows import OUT

__all__ = ["closest_row", "neighbours", "rows_showing"]

_MOST_ROWS = 500
"""Items looked at: a concept of tens of thousands has the same neighbours in some of them."""

_FEWEST = 3
_LEAST_SHARED = 0.4
"""Items with both among items with either, from which two concepts are worth comparing."""

_EXAMPLES = 8


def neighbours(session: Session, concept_id: int, n: int) -> list[tuple[int, float]]:
    """Return concepts that mostly occur where this one does, with the share of items they share."""
    loaded = session.loaded
    if loaded is None:
        return []
    pool_map = loaded.analysis.pool_map
    concept_map = loaded.analysis.benchmark_map if pool_map is None else pool_map
    shown = loaded.pool_shown or loaded.shown
    n_own = len(shown.of(concept_id))
    if n_own < _FEWEST:
        return []
    thresholds = loaded.analysis.gaps.coverage.thresholds
    rows = shown.of(concept_id)[:_MOST_ROWS]
    starts, ends = concept_map.indptr[rows], concept_map.indptr[rows + 1]
    lengths = ends - starts
    # One after the other, the entries of every row; a range for each would take ten times as long.
    entries = np.arange(lengths.sum()) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
    entries = entries[concept_map.peak[entries] >= thresholds[concept_map.indices[entries]]]
    found = np.bincount(concept_map.indices[entries], minlength=concept_map.n_concepts)
    both = found * (n_own / len(rows))
    total = np.zeros(concept_map.n_concepts)
    candidates = np.flatnonzero(both >= _LEAST_SHARED * n_own)
    total[candidates] = shown.counts[candidates]
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
    loaded = session.loaded
    if loaded is None or loaded.analysis.pool_map is None:
        return None
    ours, theirs = loaded.meanings, loaded.analysis.pool_map.embeddings
    if ours is None or theirs is None or not len(ours):
        return None
    rows = [row for row, _ in session.top_rows(concept_id, _EXAMPLES, in_pool=True)]
    if not rows:
        return None
    middle = theirs[rows].astype(np.float32).mean(axis=0)
    # Not `@`: for a product this small, waking the threads of BLAS takes longer than it does.
    return int(np.argmax(np.einsum("ij,j->i", ours, middle)))


def rows_showing(session: Session, concept_ids: Sequence[int], *, in_pool: bool) -> set[int]:
    """Return the rows of the items that show any of some concepts."""
    loaded = session.loaded
    shown = None if loaded is None else loaded.pool_shown if in_pool else loaded.shown
    if shown is None:
        return set()
    return {int(row) for concept in concept_ids for row in shown.of(concept)}
