"""Groups of alike items in which a model is weak, found by their texts and not by a dictionary.

The items' embeddings, each taken together with those of its nearest neighbours, are merged into a
tree (Ward); every branch of it is a candidate, and so a broad and a narrow group compete. The
branch whose mean score lies furthest below the rest, in standard errors, is compared with the
furthest of all branches when scores are shuffled over the items (a tree scan; Kulldorff et al.,
Biometrics 2003), which accounts for having looked at all of them. A branch has ragged edges, so
the items are drawn once more along the direction that tells its items from the others. What is
found is set aside, and the search goes on until nothing is left to find.
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

_NEIGHBOURS = 20
"""Items that one is taken together with; of none, 10, 20 and 40 this gave the purest branches."""

_EDGE_PENALTY = 5.0
"""Of the ridge regression that tells the items of a branch from the others."""

_SHRINK, _GROW = 0.5, 2.5
"""How much smaller or larger than its branch a region may be."""

_BETTER = 0.5
"""Standard errors further below that a line must lead; of the best of many some is luck."""

_LITTLE = 0.4
"""Share of a part's gap below which the rest of its branch is no part of the weakness."""

_APART = 3.0
"""Standard errors by which a part must lie below its whole branch to stand for it."""

_SMALLEST_REST = 10
_MOST_PARTS = 4
_MOST_ITEMS = 6_000
"""The tree needs all pairs; of a larger benchmark as many items, evenly spread, are searched."""

_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Region:
    """Some alike items with low scores."""

    rows: tuple[int, ...]
    """Positions among the items that were given, ascending."""

    gap: float
    """Their mean residual score, against all items that no earlier region holds."""

    p_value: float
    """Chance that any branch would stand out as far were there nothing to find."""

    parts: tuple[Region, ...] = ()
    """Narrower groups inside it that each stand out by themselves; none, or at least two."""

    held_back: tuple[int, ...] = ()
    """Items alike to its own whose scores the search was not shown."""


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

    def parts(self, branch: int, allowed: NDArray[np.bool_]) -> list[int]:
        """Return the disjoint `allowed` branches that a branch falls into; none, or at least two.

        The largest is split first, so that what is broad comes apart before what is narrow.
        """
        found = [branch]
        size = self.last - self.first
        waiting = [branch]
        while waiting:
            one = max(waiting, key=lambda place: int(size[place]))
            waiting.remove(one)
            split = self._split(one, allowed)
            if split and len(found) - 1 + len(split) <= _MOST_PARTS:
                found.remove(one)
                found += split
                waiting += split
        return found if len(found) > 1 else []

    def _split(self, branch: int, allowed: NDArray[np.bool_]) -> list[int]:
        """Return the widest disjoint `allowed` branches inside one, where there are two or more."""
        size = self.last - self.first
        inside = allowed & (self.first >= self.first[branch]) & (self.last <= self.last[branch])
        inner = np.flatnonzero(inside & (size < size[branch]))
        widest: list[int] = []
        for one in inner[np.argsort(-size[inner], kind="stable")].tolist():
            # Two branches are apart or one holds the other.
            if all(
                self.first[one] >= self.last[other] or self.last[one] <= self.first[other]
                for other in widest
            ):
                widest.append(one)
        return self._split(widest[0], allowed) if len(widest) == 1 else widest

    def members(self, branch: int) -> NDArray[np.int64]:
        """Return the items of a branch."""
        return self.order[self.first[branch] : self.last[branch]]

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
    vectors: Floats
    """(n_searched, d): what sets each item apart from the average one, at length 1."""

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
        chosen = _unit(chosen - chosen.mean(axis=0))
        tree = Tree.grow(_with_neighbours(chosen), smallest=smallest, largest=len(rows) // 2)
        return cls(rows, chosen, tree) if len(tree.first) else None

    def redraw(
        self, members: NDArray[np.int64], scores: Floats, counted: Floats, free: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Return the items on a branch's side of the line along which they lie furthest below.

        The line's direction is that which tells the branch's items from the others, and only its
        place is chosen by the scores; a branch that no line betters stays as it is.
        """
        inside = np.zeros(len(free))
        inside[members] = 1
        some = self.vectors[free]
        square = some.T @ some + _EDGE_PENALTY * np.eye(some.shape[1])
        direction = np.linalg.solve(square, some.T @ (inside[free] - inside[free].mean()))
        alike = np.where(free, self.vectors @ direction, -np.inf)
        order = np.argsort(-alike, kind="stable")[: int(free.sum())]
        size = counted[order].cumsum()
        fewest = max(_SMALLEST_REST, int(_SHRINK * counted[members].sum()))
        most = min(int(_GROW * counted[members].sum()), int(counted.sum() // 2))
        share = np.clip(size / counted.sum(), 1e-9, 0.75)
        depth = scores[order].cumsum() / np.sqrt(np.maximum(size, 1) * (1 - share))
        depth[(size < fewest) | (size > most)] = np.inf
        n, total = float(counted[members].sum()), float(counted.sum())
        now = float(scores[members].sum()) / np.sqrt(max(n * (1 - n / total), 1e-9))
        error = float(np.sqrt(scores @ scores / total))
        best = int(depth.argmin())
        return order[: best + 1] if depth[best] < now - _BETTER * error else members


def find_weak_regions(
    grove: Grove | None,
    residuals: Floats,
    *,
    rng: np.random.Generator,
    level: float = 0.05,
    least_gap: float = 0.05,
    most: int = _MOST_REGIONS,
    counted: NDArray[np.bool_] | None = None,
) -> tuple[Region, ...]:
    """Find groups of alike items whose residual scores are low, the clearest first.

    `residuals` (n,) are scores less what length and difficulty explain. Each region is found at a
    family-wise error of `level`. Scores where `counted` is False are not looked at.
    """
    if grove is None:
        return ()
    tree, scores = grove.tree, residuals[grove.rows]
    free = np.ones(len(scores), dtype=bool)
    known = free.copy() if counted is None else counted[grove.rows]
    found: list[Region] = []
    while len(found) < most and (free & known).sum() >= 4 * _SMALLEST:
        left = (free & known).astype(np.float64)
        inside = np.flatnonzero(left)
        centred = np.where(left > 0, scores - scores[inside].mean(), 0.0)
        here = tree.deviations(centred[:, None], left[:, None])[:, 0]
        shuffled = np.zeros((len(scores), _SHUFFLES))
        shuffled[inside] = rng.permuted(np.repeat(centred[inside, None], _SHUFFLES, axis=1), axis=0)
        lowest = tree.deviations(shuffled, np.repeat(left[:, None], _SHUFFLES, axis=1)).min(axis=0)
        worst = here <= np.quantile(lowest, level)
        best = int(here.argmin())
        if worst[best]:
            best = tree.narrow(best, centred, left, here, worst)
        p_value = (1 + int((lowest <= here[best]).sum())) / (1 + _SHUFFLES)
        members = tree.members(best)
        members = members[free[members]]
        if p_value > level or not left[members].any():
            break
        members = np.sort(grove.redraw(members, centred, left, free))
        seen = members[known[members]]
        gap = float(centred[seen].mean())
        if gap > -least_gap:
            break
        parts = []
        for part in tree.parts(best, worst):
            rows = np.intersect1d(tree.members(part), seen)
            if len(rows) >= _SMALLEST_REST and centred[rows].mean() <= -least_gap:
                chance = (1 + int((lowest <= here[part]).sum())) / (1 + _SHUFFLES)
                parts.append(Region(_ids(grove, rows), float(centred[rows].mean()), chance))
        parts = sorted(parts, key=lambda one: one.gap) if len(parts) > 1 else []
        others = members[~known[members]]
        found.append(Region(_ids(grove, seen), gap, p_value, tuple(parts), _ids(grove, others)))
        free[members] = False
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


def _ids(grove: Grove, places: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(grove.rows[places].tolist())


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return unit


def _with_neighbours(vectors: Floats) -> Floats:
    """Return each vector's mean with its nearest ones, which blurs what is the item's own."""
    n_near = max(min(_NEIGHBOURS, len(vectors) // 20), 1)
    means = np.empty_like(vectors)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        near = np.argpartition(-(vectors[rows] @ vectors.T), n_near, axis=1)[:, :n_near]
        means[rows] = vectors[near].mean(axis=1)
    return _unit(means)


def _distances(vectors: Floats) -> Floats:
    """Return all distances in the condensed form, by products of blocks, which is fast."""
    n = len(vectors)
    squares = np.einsum("nd,nd->n", vectors, vectors)
    found = np.empty(n * (n - 1) // 2)
    end = 0
    for start in range(0, n, _ROWS_AT_ONCE):
        block = vectors[start : start + _ROWS_AT_ONCE]
        product = block @ vectors[start:].T
        for place in range(len(block)):
            row = start + place
            begin, end = end, end + n - row - 1
            found[begin:end] = squares[row] + squares[row + 1 :] - 2 * product[place, place + 1 :]
    return np.sqrt(np.maximum(found, 0.0))
