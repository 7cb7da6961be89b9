"""Draws of the planted-gap test: a benchmark without a few categories, a pool with all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_TOP = 50
MOST_CATEGORIES = 20
MOST_ITEMS = 150
"""Limit for a category, so that none dominates a set."""

FEWEST_ITEMS = 20
BENCHMARK_SHARE = 0.4

TUNING_SEEDS = range(20)
FRESH_SEEDS = range(1000, 1020)


@dataclass(frozen=True, slots=True)
class Draw:
    """Rows of a set that form the benchmark and the pool."""

    benchmark: NDArray[np.int64]
    pool: NDArray[np.int64]
    removed: tuple[str, ...]
    """Categories that only the pool has."""

    hits: NDArray[np.int64]
    """For every pool row the position of its category in `removed`; -1 for the others."""

    @property
    def n_top(self) -> int:
        """Length of the ranking that is scored: 50, or the number of hits if smaller."""
        return min(N_TOP, int((self.hits >= 0).sum()))


def make_draw(labels: Sequence[str], seed: int, *, n_removed: int) -> Draw:
    """Split every category at random, and remove `n_removed` categories from the benchmark."""
    rng = np.random.default_rng([seed, n_removed])
    counts = Counter(labels)
    usable = sorted(name for name, count in counts.items() if count >= FEWEST_ITEMS)
    chosen = [usable[place] for place in rng.permutation(len(usable))[:MOST_CATEGORIES]]
    removed = tuple(chosen[:n_removed])
    array = np.asarray(labels, dtype=object)
    benchmark, pool, hits = [], [], []
    for name in sorted(chosen):
        rows = rng.permutation(np.flatnonzero(array == name))
        cut = round(BENCHMARK_SHARE * len(rows))
        if name not in removed:
            benchmark.append(rows[:cut])
        pool.append(rows[cut:])
        hits.append(np.full(len(rows) - cut, removed.index(name) if name in removed else -1))
    order = rng.permutation(sum(map(len, pool)))
    return Draw(
        rng.permutation(np.concatenate(benchmark)),
        np.concatenate(pool)[order],
        removed,
        np.concatenate(hits)[order],
    )


def precision(draw: Draw, ranking: Sequence[int]) -> float:
    """Return the share of the top of a ranking that belongs to a removed category."""
    top = draw.hits[np.asarray(ranking[: draw.n_top], dtype=np.int64)]
    return float((top >= 0).sum() / draw.n_top)


def evenness(draw: Draw, ranking: Sequence[int]) -> float:
    """Return the entropy of the recovered categories over that of an even split; 0 if none."""
    top = draw.hits[np.asarray(ranking[: draw.n_top], dtype=np.int64)]
    counts = np.bincount(top[top >= 0], minlength=len(draw.removed))
    if not counts.sum() or len(draw.removed) < 2:
        return 0.0
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum() / np.log(len(draw.removed)))
