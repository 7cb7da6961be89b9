"""Groups of alike items in which a model is weak, found by their texts and not by a dictionary.

The items' embeddings are merged into a tree (Ward); every branch of it is a candidate, and so a
broad and a narrow group compete. The branch whose mean score lies furthest below the rest, in
standard errors, is compared with the furthest of all branches when scores are shuffled over the
items (a tree scan; Kulldorff et al., Biometrics 2003), which accounts for having looked at all of
them. What is found is set aside, and the search goes on until nothing is left to find.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Grove", "Region", "Tree", "find_weak_regions", "rank_weak_items"]

Floats = NDArray[np.float64]

_SHUFFLES = 199
_SMALLEST = 15
"""Fewest items of a region."""

_MOST_REGIONS = 12
_PENALTY = 20.0
"""Of 5, 20 and 50 this did best on most of the sets of `measurements/model_gaps.py`."""

_LITTLE = 0.4
"""Share of a part's gap below which the rest of its branch is no part of the weakness."""

_APART = 3.0
"""Standard errors by which a part must lie below its whole branch to stand for it."""

_SMALLEST_REST = 10
_MOST_ITEMS = 6_000
"""The tree needs all pairs; of a larger benchmark as many items, evenly spread, are searched."""


@dataclass(frozen=True, slots=True)
class Region:
    """Some alike items with low scores."""

    rows: tuple[int, ...]
    """Positions among the items that were given, ascending."""

    gap: float
    """Their mean residual score, against all items that no earlier region holds."""

    p_value: float
    """Chance that any branch would stand out as far were there nothing to find."""


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """A hierarchy of items in which every branch is a run of the order."""

    order: NDArray[np.int64]
    """(n,): items as the leaves stand side by side."""

    first: NDArray[np.int64]
    """(n_branches,): where each branch begins in the order."""

    last: NDArray[np.int64]
    """(n_branches,): one past where it ends."""

    @classmethod
    def grow(cls, vectors: Floats, *, smallest: int, largest: int) -> Tree:
        """Merge items by Ward's rule and keep the branches of a size between the two."""
        from scipy.cluster.hierarchy import linkage

        n = len(vectors)
        merges = linkage(vectors, "ward")
        sizes = np.concatenate([np.ones(n), merges[:, 3]]).astype(np.int64)
        start = np.zeros(2 * n - 1, dtype=np.int64)
        order = np.empty(n, dtype=np.int64)
        waiting = [2 * n - 2]
        while waiting:
            branch = waiting.pop()
            if branch < n:
                order[start[branch]] = branch
                continue
            left, right = (int(one) for one in merges[branch - n, :2])
            start[left] = start[branch]
            start[right] = start[branch] + sizes[left]
            waiting += [left, right]
        kept = (sizes >= smallest) & (sizes <= largest)
        return cls(order, start[kept], (start + sizes)[kept])

    def deviations(self, residuals: Floats, counted: Floats) -> Floats:
        """Return each branch's mean residual in standard errors, lowest meaning worst.

        Both are (n_items, n_shuffles); an item counts with `counted` 1 and is left out with 0.
        """
        n = counted.sum(axis=0)
        variance = (counted * residuals**2).sum(axis=0) / np.maximum(n - 1, 1)
        total = self._sums(residuals * counted)
        size = self._sums(counted)
        error = np.sqrt(np.maximum(variance * size * (1 - size / np.maximum(n, 1)), 1e-12))
        found: Floats = np.where(size > 0, total / error, 0.0)
        return found

    def narrow(
        self,
        branch: int,
        residuals: Floats,
        counted: Floats,
        deviations: Floats,
        allowed: NDArray[np.bool_],
    ) -> int:
        """Return the part of a branch that holds its weakness, where the rest of it has little.

        Two weak groups that are far apart make the branch that joins them stand out most, with
        everything between them.
        """
        total = self._sums((residuals * counted)[:, None])[:, 0]
        size = self._sums(counted[:, None])[:, 0]
        variance = float(residuals @ residuals) / max(float(counted.sum()) - 1, 1.0)
        while True:
            inside = (self.first >= self.first[branch]) & (self.last <= self.last[branch])
            rest = size[branch] - size
            gap = total / np.maximum(size, 1)
            rest_gap = (total[branch] - total) / np.maximum(rest, 1)
            parts = inside & allowed & (size > 0) & (rest >= _SMALLEST_REST)
            share = np.clip(size / max(float(size[branch]), 1.0), 0.0, 1.0)
            error = np.sqrt(np.maximum(variance / np.maximum(size, 1) * (1 - share), 1e-12))
            parts &= rest_gap > _LITTLE * gap
            parts &= gap - gap[branch] < -_APART * error
            parts[branch] = False
            if not parts.any():
                return branch
            branch = int(np.where(parts, deviations, np.inf).argmin())

    def _sums(self, values: Floats) -> Floats:
        running = np.concatenate(
            [np.zeros((1, values.shape[1])), values[self.order].cumsum(axis=0)]
        )
        sums: Floats = running[self.last] - running[self.first]
        return sums


@dataclass(frozen=True, slots=True, eq=False)
class Grove:
    """The items that are searched and their tree; grown once for all models that answered them."""

    rows: NDArray[np.int64]
    tree: Tree

    @classmethod
    def of_items(cls, vectors: NDArray[np.floating], *, smallest: int = _SMALLEST) -> Grove | None:
        """Grow the tree of some items; None where there are too few to find anything."""
        rows = np.arange(len(vectors))
        if len(rows) > _MOST_ITEMS:
            rows = np.linspace(0, len(vectors) - 1, _MOST_ITEMS).astype(np.int64)
        if len(rows) < 4 * smallest:
            return None
        chosen = np.asarray(vectors, dtype=np.float64)[rows]
        tree = Tree.grow(chosen, smallest=smallest, largest=len(rows) // 2)
        return cls(rows, tree) if len(tree.first) else None


def find_weak_regions(
    grove: Grove | None,
    residuals: Floats,
    *,
    rng: np.random.Generator,
    level: float = 0.05,
    least_gap: float = 0.05,
) -> tuple[Region, ...]:
    """Find groups of alike items whose residual scores are low, the clearest first.

    `residuals` (n,) are scores less what length and difficulty explain. Each region is found at a
    family-wise error of `level`.
    """
    if grove is None:
        return ()
    sampled, tree = grove.rows, grove.tree
    scores = residuals[sampled]
    left = np.ones(len(sampled))
    found: list[Region] = []
    while len(found) < _MOST_REGIONS and left.sum() >= 4 * _SMALLEST:
        inside = np.flatnonzero(left)
        centred = np.where(left > 0, scores - scores[inside].mean(), 0.0)
        here = tree.deviations(centred[:, None], left[:, None])[:, 0]
        shuffled = np.zeros((len(sampled), _SHUFFLES))
        shuffled[inside] = rng.permuted(np.repeat(centred[inside, None], _SHUFFLES, axis=1), axis=0)
        lowest = tree.deviations(shuffled, np.repeat(left[:, None], _SHUFFLES, axis=1)).min(axis=0)
        worst = here <= np.quantile(lowest, level)
        best = int(here.argmin())
        if worst[best]:
            best = tree.narrow(best, centred, left, here, worst)
        p_value = (1 + int((lowest <= here[best]).sum())) / (1 + _SHUFFLES)
        members = tree.order[tree.first[best] : tree.last[best]]
        members = members[left[members] > 0]
        gap = float(centred[members].mean()) if len(members) else 0.0
        if p_value > level or gap > -least_gap:
            break
        found.append(Region(tuple(np.sort(sampled[members]).tolist()), gap, p_value))
        left[members] = 0
    return tuple(found)


def rank_weak_items(
    vectors: NDArray[np.floating], residuals: Floats, regions: tuple[Region, ...]
) -> NDArray[np.int64]:
    """Rank items by how weak a model looks at their like, weakest first.

    Items of weak regions come first, then the others; both by ridge regression of the residual
    scores on the embeddings, an item's own score among them.
    """
    left = np.asarray(vectors, dtype=np.float64)
    square = left.T @ left + _PENALTY * np.eye(left.shape[1])
    predicted = left @ np.linalg.solve(square, left.T @ (residuals - residuals.mean()))
    outside = np.ones(len(residuals), dtype=bool)
    for one in regions:
        outside[list(one.rows)] = False
    order: NDArray[np.int64] = np.lexsort((predicted, outside))
    return order
