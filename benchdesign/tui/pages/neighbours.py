"""Find what is related to a concept: items that show it, neighbours, the closest item."""

from __future__ import annotations

import numpy as np

from benchdesign.tui.rows.concept_states import UNCOUNTED_STATES
from benchdesign.tui.session.session import Session

__all__ = ["closest_row", "neighbours"]


_MAX_SAMPLED_ROWS = 500
"""Maximum number of items sampled: a sample shows the neighbours of a frequent concept."""


_MIN_OCCURRENCES = 3


_MIN_JACCARD = 0.4
"""Minimum Jaccard index of two neighbours: items with both per items with either."""


_EXAMPLES = 8


def neighbours(session: Session, concept_id: int, n: int) -> list[tuple[int, float]]:
    """Return the concepts that co-occur most with this one, with their Jaccard index."""
    loaded = session.loaded
    if loaded is None:
        return []
    pool_map = loaded.analysis.pool_map
    concept_map = loaded.analysis.benchmark_map if pool_map is None else pool_map
    occurrences = loaded.pool_occurrences or loaded.item_occurrences
    n_own = len(occurrences.of(concept_id))
    if n_own < _MIN_OCCURRENCES:
        return []
    thresholds = loaded.analysis.gaps.coverage.thresholds
    rows = occurrences.of(concept_id)[:_MAX_SAMPLED_ROWS]
    starts, ends = concept_map.indptr[rows], concept_map.indptr[rows + 1]
    lengths = ends - starts
    # The entries of every row, concatenated; one range per row would take ten times as long.
    entries = np.arange(lengths.sum()) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
    entries = entries[concept_map.peak[entries] >= thresholds[concept_map.indices[entries]]]
    counts = np.bincount(concept_map.indices[entries], minlength=concept_map.n_concepts)
    both = counts * (n_own / len(rows))
    total = np.zeros(concept_map.n_concepts)
    candidates = np.flatnonzero(both >= _MIN_JACCARD * n_own)
    total[candidates] = occurrences.counts[candidates]
    with np.errstate(divide="ignore", invalid="ignore"):
        shared = both / (n_own + total - both)
    level = loaded.analysis.dictionary.table.level
    states = session.view.concept_states
    ranked = [
        (int(neighbour), float(min(shared[neighbour], 1.0)))
        for neighbour in candidates[np.argsort(-shared[candidates], kind="stable")]
        if neighbour != concept_id
        and shared[neighbour] >= _MIN_JACCARD
        and states[neighbour] not in UNCOUNTED_STATES
        and level[neighbour] == level[concept_id]
    ]
    return ranked[:n]


def closest_row(session: Session, concept_id: int) -> int | None:
    """Return the row of the benchmark item closest to the pool items that show a concept."""
    loaded = session.loaded
    if loaded is None or loaded.analysis.pool_map is None:
        return None
    benchmark_embeddings, pool_embeddings = (
        loaded.item_embeddings,
        loaded.analysis.pool_map.embeddings,
    )
    if benchmark_embeddings is None or pool_embeddings is None or not len(benchmark_embeddings):
        return None
    rows = [row for row, _ in session.top_rows(concept_id, _EXAMPLES, in_pool=True)]
    if not rows:
        return None
    mean = pool_embeddings[rows].astype(np.float32).mean(axis=0)
    # Not `@`: for a product this small, waking the BLAS threads takes longer than the product.
    return int(np.argmax(np.einsum("ij,j->i", benchmark_embeddings, mean)))
