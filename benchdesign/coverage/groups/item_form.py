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

__all__ = ["fits_form", "form_of_items", "form_rates"]

_LENGTH_EDGES = (60, 120, 240, 480, 960, 1920)
"""Characters of the content."""

_WEIGHTS = (0.5, 0.25, 0.5)
"""Exponents of the ratios of kind, length and code. Subjects differ in form, too: with full ratios
half as many planted categories of BIG-Bench Hard were found as with none, and two thirds of those
of mathematics. A form that the benchmark has none of counts next to nothing either way."""

_RARE = 0.02
"""Share of benchmark items below which it has hardly any of a number of choices, or code."""

_LENGTH_TOLERANCE = 2.0
"""Factor beyond the benchmark's usual lengths (1 to 99 percent) that still fits."""

_CODE = re.compile(r"```|\bdef \w+\(|#include|;\s*\n|\breturn\b.*\n|\bclass \w+[:({]")
_PRIOR = 1.0


def form_of_items(items: Sequence[Item]) -> NDArray[np.int64]:
    """Return (n_items, 3): number of choices, characters of the content, whether it holds code.

    Text outside the content, such as a wrapper that all items share, is no part of the form.
    """
    rows = []
    for item in items:
        content = " ".join(item.text[low:high] for low, high in item.content)
        rows.append((len(item.choices), len(content), int(_CODE.search(content) is not None)))
    return np.asarray(rows, dtype=np.int64).reshape(len(items), 3)


def form_rates(
    own: NDArray[np.int64], pool: NDArray[np.int64], pool_weights: Floats
) -> tuple[Floats, Floats]:
    """Return how often each item's form occurs in the benchmark relative to the pool, own and pool.

    A naive Bayes ratio over the kind (free, two choices, more), the length band and code; 1 means
    that both have it equally often. Arrays are (n_own,) and (n_pool,).
    """
    own_bands, pool_bands = _bands(own), _bands(pool)
    ratio_own, ratio_pool = np.ones(len(own)), np.ones(len(pool))
    for column, exponent in enumerate(_WEIGHTS):
        ratio = _share_ratio(own_bands[:, column], pool_bands[:, column], pool_weights) ** exponent
        ratio_own *= ratio[own_bands[:, column]]
        ratio_pool *= ratio[pool_bands[:, column]]
    return ratio_own, ratio_pool


def fits_form(own: NDArray[np.int64], pool: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (n_pool,) whether each pool item's form is one that the benchmark has.

    Its number of choices and code must occur, and its length must be near the usual ones.
    """
    fits = np.ones(len(pool), dtype=bool)
    for column in (0, 2):
        values, counts = np.unique(own[:, column], return_counts=True)
        fits &= np.isin(pool[:, column], values[counts >= _RARE * len(own)])
    low, high = np.quantile(own[:, 1], (0.01, 0.99))
    fits &= pool[:, 1] >= low / _LENGTH_TOLERANCE
    fits &= pool[:, 1] <= high * _LENGTH_TOLERANCE
    return fits


def _bands(form: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the kind (0 free, 1 two choices, 2 more), the length band and code."""
    kind = np.minimum(np.maximum(form[:, 0] - 1, 0), 2)
    kind[form[:, 0] == 1] = 1
    return np.stack([kind, np.searchsorted(_LENGTH_EDGES, form[:, 1]), form[:, 2]], axis=1)


def _share_ratio(own: NDArray[np.int64], pool: NDArray[np.int64], pool_weights: Floats) -> Floats:
    """Return the share of every value in the benchmark over that in the pool."""
    n_values = int(max(own.max(initial=0), pool.max(initial=0))) + 1
    own_share = np.bincount(own, minlength=n_values) / max(len(own), 1)
    pool_share = np.bincount(pool, weights=pool_weights, minlength=n_values)
    pool_share = pool_share / max(pool_share.sum(), 1e-9)
    prior = _PRIOR / max(len(own), 1)
    ratio: Floats = (own_share + prior * pool_share) / (pool_share * (1 + prior) + 1e-12)
    ratio[pool_share <= 0] = 1.0
    return ratio
