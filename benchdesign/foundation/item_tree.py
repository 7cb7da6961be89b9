"""A hierarchy of items by similarity, whose every branch is a candidate group.

Ward clustering of embeddings that are averaged with those of their nearest neighbours. Sums over
all branches cost one cumulative sum, so a search can shuffle labels many times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.foundation.arrays import Floats

__all__ = ["ItemTree", "average_with_neighbours", "order_by_likeness", "unit_rows"]

_EDGE_PENALTY = 5.0
"""Penalty of the ridge regression that separates the items of a branch from the others."""

_NEIGHBOURS = 20
"""Neighbours in the average of an embedding: of 0, 10, 20 and 40, the purest branches."""

_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class ItemTree:
    """A hierarchy of items; every branch is a contiguous range of `order`."""

    order: NDArray[np.int64]
    """(n,): items in the order of the leaves."""

    first: NDArray[np.int64]
    """(n_branches,): start of each branch in `order`."""

    last: NDArray[np.int64]
    """(n_branches,): end of each branch in `order`, exclusive."""

    @classmethod
    def from_vectors(cls, vectors: Floats, *, smallest: int, largest: int) -> ItemTree:
        """Build the tree by Ward clustering; keep branches of `smallest` to `largest` items."""
        from scipy.cluster.hierarchy import linkage

        n = len(vectors)
        merges = linkage(_distances(vectors), "ward")
        sizes = np.concatenate([np.ones(n), merges[:, 3]]).astype(np.int64)
        start = np.zeros(2 * n - 1, dtype=np.int64)
        order = np.empty(n, dtype=np.int64)
        waiting = [2 * n - 2]
        while waiting:
            branch = waiting.pop()
            if branch < n:
                order[start[branch]] = branch
                continue
            left, right = (int(child) for child in merges[branch - n, :2])
            start[left] = start[branch]
            start[right] = start[branch] + sizes[left]
            waiting += [left, right]
        has_valid_size = (sizes >= smallest) & (sizes <= largest)
        return cls(order, start[has_valid_size], (start + sizes)[has_valid_size])

    def __len__(self) -> int:
        """Count the branches."""
        return len(self.first)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(n_branches,): items of every branch."""
        return self.last - self.first

    def members(self, branch: int) -> NDArray[np.int64]:
        """Return the items of a branch."""
        return self.order[self.first[branch] : self.last[branch]]

    def inside(self, branch: int) -> NDArray[np.bool_]:
        """(n_branches,): whether each branch is within this one; it is within itself."""
        is_inside: NDArray[np.bool_] = (self.first >= self.first[branch]) & (
            self.last <= self.last[branch]
        )
        return is_inside

    def sums(self, values: NDArray[np.floating]) -> Floats:
        """Return the sums of `values` (n_items, m) over the items of every branch."""
        running = np.concatenate(
            [np.zeros((1, values.shape[1]), dtype=values.dtype), values[self.order].cumsum(axis=0)]
        )
        sums: Floats = running[self.last] - running[self.first]
        return sums

    def parts(self, branch: int, allowed: NDArray[np.bool_], *, n_most: int) -> list[int]:
        """Split a branch into disjoint `allowed` branches; return none, or 2 to `n_most`.

        The largest is split first, so that broad groups are split before narrow ones.
        """
        parts = [branch]
        waiting = [branch]
        while waiting:
            largest = max(waiting, key=lambda part: int(self.sizes[part]))
            waiting.remove(largest)
            split = self._split(largest, allowed)
            if split and len(parts) - 1 + len(split) <= n_most:
                parts.remove(largest)
                parts += split
                waiting += split
        return parts if len(parts) > 1 else []

    def _split(self, branch: int, allowed: NDArray[np.bool_]) -> list[int]:
        """Return the largest disjoint `allowed` branches inside a branch, if at least two."""
        size = self.sizes
        inner = np.flatnonzero(allowed & self.inside(branch) & (size < size[branch]))
        widest: list[int] = []
        for part in inner[np.argsort(-size[inner], kind="stable")].tolist():
            # Two branches are either disjoint or nested.
            if all(
                self.first[part] >= self.last[other] or self.last[part] <= self.first[other]
                for other in widest
            ):
                widest.append(part)
        return self._split(widest[0], allowed) if len(widest) == 1 else widest


def unit_rows(vectors: Floats) -> Floats:
    """Return the rows normalized to length 1; a zero row stays zero."""
    unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return unit


def order_by_likeness(
    vectors: Floats, members: NDArray[np.int64], free: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the `free` items, those most like the members first.

    They are ordered along the direction that separates the members from the other free items.
    """
    inside = np.zeros(len(free))
    inside[members] = 1
    free_vectors = vectors[free]
    square = free_vectors.T @ free_vectors + _EDGE_PENALTY * np.eye(free_vectors.shape[1])
    direction = np.linalg.solve(square, free_vectors.T @ (inside[free] - inside[free].mean()))
    projection = np.where(free, vectors @ direction, -np.inf)
    order: NDArray[np.int64] = np.argsort(-projection, kind="stable")[: int(free.sum())]
    return order


def average_with_neighbours(vectors: Floats, *, n_near: int = _NEIGHBOURS) -> Floats:
    """Return each vector's mean with its nearest neighbours, which smooths out peculiarities."""
    n_near = max(min(n_near, len(vectors) // 20), 1)
    means = np.empty_like(vectors)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        near = np.argpartition(-(vectors[rows] @ vectors.T), n_near, axis=1)[:, :n_near]
        means[rows] = vectors[near].mean(axis=1)
    return unit_rows(means)


def _distances(vectors: Floats) -> Floats:
    """Return all pairwise distances in condensed form, computed block by block for speed."""
    n = len(vectors)
    squares = np.einsum("nd,nd->n", vectors, vectors)
    squared = np.empty(n * (n - 1) // 2)
    end = 0
    for start in range(0, n, _ROWS_AT_ONCE):
        block = vectors[start : start + _ROWS_AT_ONCE]
        product = block @ vectors[start:].T
        for place in range(len(block)):
            row = start + place
            begin, end = end, end + n - row - 1
            squared[begin:end] = squares[row] + squares[row + 1 :] - 2 * product[place, place + 1 :]
    return np.sqrt(np.maximum(squared, 0.0))
