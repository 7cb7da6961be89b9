"""The form of an item: what a text is like, whatever it is about.

Form is matched, not filled: a pool item of a form that the benchmark has none of neither makes a
gap nor fills one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item
from benchdesign.foundation.arrays import Floats

__all__ = ["describe_form", "form_of_items", "form_rates"]

_LENGTH_EDGES = (60, 120, 240, 480, 960, 1920)
"""Characters of the prompt."""

_CODE = re.compile(r"```|\bdef \w+\(|#include|;\s*\n|\breturn\b.*\n|\bclass \w+[:({]")
_PRIOR = 1.0


def form_of_items(items: Sequence[Item]) -> NDArray[np.int64]:
    """Return (n_items, 3): kind of task and number of choices, length band, whether it holds code.

    The kind is 0 for free answers, else the number of choices, at most 9.
    """
    return np.asarray(
        [
            (
                min(len(item.choices), 9),
                int(np.searchsorted(_LENGTH_EDGES, len(item.prompt))),
                int(_CODE.search(item.prompt) is not None),
            )
            for item in items
        ],
        dtype=np.int64,
    ).reshape(len(items), 3)


def form_rates(
    own: NDArray[np.int64], pool: NDArray[np.int64], pool_weights: Floats
) -> tuple[Floats, Floats]:
    """Return how often each item's form occurs in the benchmark relative to the pool, own and pool.

    A naive Bayes ratio over the columns, with neighbouring length bands smoothed; 1 means that
    both have it equally often. Arrays are (n_own,) and (n_pool,).
    """
    ratio_own, ratio_pool = np.ones(len(own)), np.ones(len(pool))
    for column in range(own.shape[1]):
        n_values = int(max(own[:, column].max(initial=0), pool[:, column].max(initial=0))) + 1
        own_share: Floats = np.bincount(own[:, column], minlength=n_values).astype(np.float64)
        pool_share = np.bincount(pool[:, column], weights=pool_weights, minlength=n_values)
        own_share = own_share / max(own_share.sum(), 1e-9)
        pool_share = pool_share / max(pool_share.sum(), 1e-9)
        prior = _PRIOR / max(len(own), 1)
        ratio = (own_share + prior * pool_share) / (pool_share * (1 + prior) + 1e-12)
        ratio[pool_share <= 0] = 1.0
        ratio_own *= ratio[own[:, column]]
        ratio_pool *= ratio[pool[:, column]]
    return ratio_own, ratio_pool


def describe_form(form: NDArray[np.int64]) -> str:
    """Return the most common kind in words: `free answers`, `4 choices`."""
    kinds, counts = np.unique(form[:, 0], return_counts=True)
    kind = int(kinds[counts.argmax()])
    if kind == 0:
        return "free answers"
    return f"{kind} choices" if kind < 9 else "9 or more choices"
