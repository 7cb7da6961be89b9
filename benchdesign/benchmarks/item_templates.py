"""Items written from one template: alike word for word but for a name, a number or an ending.

Two items share a template if their prompts begin or end with the same run of words, which is at
least half of the shorter one. Digits are folded, so numbers do not tell items apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item

__all__ = ["find_templates", "is_templated"]

_MIN_SHARED_WORDS = 6
_MIN_SHARED_PART = 0.5
_MAX_CHARACTERS = 2_000
"""Characters of a prompt that are compared; what follows is not read."""

_MIN_ITEMS = 3
"""Fewest items of a template: two alike items may be a pair of questions on one thing."""

_TEMPLATED_SHARE = 0.2
"""Share of items with a template from which a set is written from templates."""

_NUMBER = re.compile(r"\d+")


def find_templates(items: Sequence[Item]) -> NDArray[np.int64]:
    """Return (n_items,) the number of each item's template; -1 where it shares none."""
    texts = [_NUMBER.sub("0", item.prompt[:_MAX_CHARACTERS].casefold()) for item in items]
    words = [text.split() for text in texts]
    parent = list(range(len(items)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for is_reversed in (False, True):
        keys = [prompt[::-1] for prompt in words] if is_reversed else words
        sorting_keys = [" ".join(key) for key in keys]
        order = sorted(range(len(items)), key=sorting_keys.__getitem__)
        for before, after in pairwise(order):
            shared = _n_shared(keys[before], keys[after])
            shorter = min(len(keys[before]), len(keys[after]))
            if shared >= _MIN_SHARED_WORDS and shared >= _MIN_SHARED_PART * shorter:
                parent[root(before)] = root(after)
    roots = np.asarray([root(row) for row in range(len(items))], dtype=np.int64)
    _, number, size = np.unique(roots, return_inverse=True, return_counts=True)
    templates: NDArray[np.int64] = np.where(size[number] >= _MIN_ITEMS, number, -1)
    return templates


def is_templated(items: Sequence[Item]) -> bool:
    """Whether a set itself is written from templates, so that several items of one are its form."""
    return bool((find_templates(items) >= 0).mean() >= _TEMPLATED_SHARE) if items else False


def _n_shared(one: Sequence[str], other: Sequence[str]) -> int:
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return min(len(one), len(other))
