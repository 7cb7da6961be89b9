"""Nearest items by embedding, in blocks of bounded memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Nearest", "nearest"]


_BLOCK_CELLS = 16_000_000
"""Similarities in memory at once: 64 MB as float32, whatever the sizes of the two sets."""


_TARGET_BLOCK = 16_384


class Nearest(NamedTuple):
    """The k nearest targets of each query, most similar first."""

    rows: NDArray[np.int64]
    """(n_queries, k): rows of the targets; -1 if there are fewer than k."""

    similarities: NDArray[np.float32]
    """(n_queries, k): cosines; -1.0 if there are fewer than k."""


def nearest(
    queries: NDArray[np.float16] | NDArray[np.float32],
    targets: NDArray[np.float16] | NDArray[np.float32],
    *,
    k: int = 1,
) -> Nearest:
    """Return the `k` most similar targets of every query, by exhaustive search over unit vectors.

    Similarities are computed in blocks of 64 MB, so that even a million queries against ten
    thousand targets need little memory beyond the vectors.
    """
    n_queries, n_targets = len(queries), len(targets)
    rows = np.full((n_queries, k), -1, dtype=np.int64)
    similarities = np.full((n_queries, k), -1.0, dtype=np.float32)
    if not n_queries or not n_targets:
        return Nearest(rows, similarities)
    target_step = min(n_targets, _TARGET_BLOCK)
    query_step = max(1, _BLOCK_CELLS // target_step)
    for low in range(0, n_targets, target_step):
        block = np.ascontiguousarray(targets[low : low + target_step], dtype=np.float32).T
        for start in range(0, n_queries, query_step):
            part = slice(start, start + query_step)
            cosines = np.asarray(queries[part], dtype=np.float32) @ block
            best = _top(cosines, min(k, cosines.shape[1]))
            values = np.take_along_axis(cosines, best, axis=1)
            # Merge with the best matches of earlier target blocks.
            all_rows = np.concatenate([rows[part], best + low], axis=1)
            all_values = np.concatenate([similarities[part], values], axis=1)
            order = np.argsort(-all_values, axis=1, kind="stable")[:, :k]
            rows[part] = np.take_along_axis(all_rows, order, axis=1)
            similarities[part] = np.take_along_axis(all_values, order, axis=1)
    # Unit vectors in float16 can be slightly too long.
    return Nearest(rows, np.minimum(similarities, 1.0, out=similarities))


def _top(values: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the columns of the `k` largest values of each row, unordered."""
    columns = values.shape[1]
    if k == 1:
        best: NDArray[np.int64] = values.argmax(axis=1)[:, None]
    elif k >= columns:
        best = np.tile(np.arange(columns), (len(values), 1))
    else:
        best = np.argpartition(-values, k - 1, axis=1)[:, :k]
    return best
