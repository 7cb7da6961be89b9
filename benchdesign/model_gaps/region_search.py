"""Weak regions: groups of similar items with low scores, found by embeddings without a dictionary.

Each item's embedding is averaged with those of its nearest neighbours. Ward clustering merges the
items into a tree, and every branch is a candidate, so broad and narrow groups compete. The test
statistic is the deviation of a branch's mean score from the rest, in standard errors. The lowest
branch is compared with the lowest of all branches after shuffling the scores over the items (a
tree-based scan statistic; Kulldorff et al., Biometrics 2003), which corrects for multiple testing.
The edges of a branch are imprecise, so its items are selected again along the direction that
separates them from the others. A significant region is removed, and the search repeats until none
is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.foundation.arrays import Floats, even_positions
from benchdesign.foundation.item_tree import (
    ItemTree,
    average_with_neighbours,
    order_by_likeness,
    unit_rows,
)

__all__ = ["Region", "SearchTree", "find_weak_regions", "rank_weak_items"]


_SHUFFLES = 199
_MIN_REGION_ITEMS = 15
"""Minimum number of items of a region."""

_MAX_REGIONS = 12
_PENALTY = 20.0
"""Ridge penalty of `rank_weak_items`: the best of 5, 20 and 50 on most sets of
`measurements/model_gaps.py`."""

_MIN_RELATIVE_SIZE, _MAX_RELATIVE_SIZE = 0.5, 2.5
"""Bounds of the size of a region relative to its branch."""

_MIN_IMPROVEMENT = 0.5
"""Standard errors by which a new selection must improve on the branch, since the best of many
is biased."""

_REST_GAP_FRACTION = 0.4
"""Fraction of a part's gap below which the rest of the branch does not belong to the weakness."""

_MIN_SEPARATION = 3.0
"""Standard errors by which a part must lie below its branch to replace it."""

_MIN_PART_ITEMS = 10
_MAX_PARTS = 4
_MAX_TREE_ITEMS = 6_000
"""Most items in the tree, which needs all pairs; a larger benchmark is sampled evenly."""


@dataclass(frozen=True, slots=True)
class Region:
    """A group of similar items with low scores."""

    rows: tuple[int, ...]
    """Positions in the input items, ascending."""

    gap: float
    """Mean residual score, relative to all items that are not in an earlier region."""

    p_value: float
    """Probability under the null hypothesis that some branch deviates as far."""

    parts: tuple[Region, ...] = ()
    """Narrower significant groups inside the region; none, or at least two."""

    held_out_rows: tuple[int, ...] = ()
    """Items of the region whose scores were hidden from the search."""


@dataclass(frozen=True, slots=True, eq=False)
class SearchTree:
    """The searched items and their tree; built once for all models that answered the same items."""

    rows: NDArray[np.int64]
    vectors: Floats
    """(n_searched, d): embeddings less their mean, normalized to length 1."""

    tree: ItemTree

    @classmethod
    def from_items(
        cls, vectors: NDArray[np.floating], *, smallest: int = _MIN_REGION_ITEMS
    ) -> SearchTree | None:
        """Build the tree of items; None if there are too few items for a region."""
        rows = even_positions(len(vectors), _MAX_TREE_ITEMS)
        if len(rows) < 4 * smallest:
            return None
        chosen = np.asarray(vectors, dtype=np.float64)[rows]
        chosen = unit_rows(chosen - chosen.mean(axis=0))
        tree = ItemTree.from_vectors(
            average_with_neighbours(chosen), smallest=smallest, largest=len(rows) // 2
        )
        return cls(rows, chosen, tree) if len(tree.first) else None

    def refine_region(
        self, members: NDArray[np.int64], scores: Floats, counted: Floats, free: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Select a region's items again, by a threshold along one direction.

        The direction separates the branch's items from the others; only the threshold depends on
        the scores. A branch that no threshold improves is returned unchanged.
        """
        order = order_by_likeness(self.vectors, members, free)
        size = counted[order].cumsum()
        min_size = max(_MIN_PART_ITEMS, int(_MIN_RELATIVE_SIZE * counted[members].sum()))
        max_size = min(int(_MAX_RELATIVE_SIZE * counted[members].sum()), int(counted.sum() // 2))
        share = np.clip(size / counted.sum(), 1e-9, 0.75)
        depth = scores[order].cumsum() / np.sqrt(np.maximum(size, 1) * (1 - share))
        depth[(size < min_size) | (size > max_size)] = np.inf
        n, total = float(counted[members].sum()), float(counted.sum())
        branch_depth = float(scores[members].sum()) / np.sqrt(max(n * (1 - n / total), 1e-9))
        error = float(np.sqrt(scores @ scores / total))
        best = int(depth.argmin())
        return (
            order[: best + 1] if depth[best] < branch_depth - _MIN_IMPROVEMENT * error else members
        )


def find_weak_regions(
    search_tree: SearchTree | None,
    residuals: Floats,
    *,
    rng: np.random.Generator,
    level: float = 0.05,
    min_gap: float = 0.05,
    max_regions: int = _MAX_REGIONS,
    counted: NDArray[np.bool_] | None = None,
) -> tuple[Region, ...]:
    """Find groups of similar items with low residual scores, most significant first.

    `residuals` (n,) are scores less the part that length and difficulty explain. Each region has a
    family-wise error rate of `level`. Scores where `counted` is False are not used.
    """
    if search_tree is None:
        return ()
    tree, scores = search_tree.tree, residuals[search_tree.rows]
    free = np.ones(len(scores), dtype=bool)
    is_visible = free.copy() if counted is None else counted[search_tree.rows]
    regions: list[Region] = []
    while len(regions) < max_regions and (free & is_visible).sum() >= 4 * _MIN_REGION_ITEMS:
        visible_weight = (free & is_visible).astype(np.float64)
        inside = np.flatnonzero(visible_weight)
        centred = np.where(visible_weight > 0, scores - scores[inside].mean(), 0.0)
        deviations = _deviations(tree, centred[:, None], visible_weight[:, None])[:, 0]
        shuffled = np.zeros((len(scores), _SHUFFLES))
        shuffled[inside] = rng.permuted(np.repeat(centred[inside, None], _SHUFFLES, axis=1), axis=0)
        lowest = _deviations(
            tree, shuffled, np.repeat(visible_weight[:, None], _SHUFFLES, axis=1)
        ).min(axis=0)
        significant = deviations <= np.quantile(lowest, level)
        best = int(deviations.argmin())
        if significant[best]:
            best = _narrow(tree, best, centred, visible_weight, deviations, significant)
        p_value = (1 + int((lowest <= deviations[best]).sum())) / (1 + _SHUFFLES)
        members = tree.members(best)
        members = members[free[members]]
        if p_value > level or not visible_weight[members].any():
            break
        members = np.sort(search_tree.refine_region(members, centred, visible_weight, free))
        visible = members[is_visible[members]]
        gap = float(centred[visible].mean())
        if gap > -min_gap:
            break
        parts = []
        for part in tree.parts(best, significant, n_most=_MAX_PARTS):
            rows = np.intersect1d(tree.members(part), visible)
            if len(rows) >= _MIN_PART_ITEMS and centred[rows].mean() <= -min_gap:
                chance = (1 + int((lowest <= deviations[part]).sum())) / (1 + _SHUFFLES)
                parts.append(Region(_ids(search_tree, rows), float(centred[rows].mean()), chance))
        parts = sorted(parts, key=lambda region: region.gap) if len(parts) > 1 else []
        others = members[~is_visible[members]]
        regions.append(
            Region(
                _ids(search_tree, visible), gap, p_value, tuple(parts), _ids(search_tree, others)
            )
        )
        free[members] = False
    return tuple(regions)


def _deviations(tree: ItemTree, residuals: Floats, counted: Floats) -> Floats:
    """Return each branch's mean residual in standard errors; the lowest is the weakest.

    Both arrays are (n_items, n_shuffles). `counted` is 1 for items that count and 0 for others.
    """
    n = counted.sum(axis=0)
    variance = (counted * residuals**2).sum(axis=0) / np.maximum(n - 1, 1)
    total = tree.sums(residuals * counted)
    size = tree.sums(counted)
    error = np.sqrt(np.maximum(variance * size * (1 - size / np.maximum(n, 1)), 1e-12))
    deviations: Floats = np.where(size > 0, total / error, 0.0)
    return deviations


def _narrow(
    tree: ItemTree,
    branch: int,
    residuals: Floats,
    counted: Floats,
    deviations: Floats,
    allowed: NDArray[np.bool_],
) -> int:
    """Return the part of a branch with its weakness if the rest of the branch is hardly weak.

    Two distant weak groups make the branch that joins them deviate most, although it includes
    everything between them.
    """
    total = tree.sums((residuals * counted)[:, None])[:, 0]
    size = tree.sums(counted[:, None])[:, 0]
    variance = float(residuals @ residuals) / max(float(counted.sum()) - 1, 1.0)
    while True:
        inside = tree.inside(branch)
        rest = size[branch] - size
        gap = total / np.maximum(size, 1)
        rest_gap = (total[branch] - total) / np.maximum(rest, 1)
        is_part = inside & allowed & (size > 0) & (rest >= _MIN_PART_ITEMS)
        share = np.clip(size / max(float(size[branch]), 1.0), 0.0, 1.0)
        error = np.sqrt(np.maximum(variance / np.maximum(size, 1) * (1 - share), 1e-12))
        is_part &= rest_gap > _REST_GAP_FRACTION * gap
        is_part &= gap - gap[branch] < -_MIN_SEPARATION * error
        is_part[branch] = False
        if not is_part.any():
            return branch
        branch = int(np.where(is_part, deviations, np.inf).argmin())


def rank_weak_items(
    vectors: NDArray[np.floating], residuals: Floats, regions: tuple[Region, ...]
) -> NDArray[np.int64]:
    """Rank items by the predicted score of similar items, weakest first.

    Items of weak regions come first, then the others. Both are ordered by a ridge regression of the
    residual scores, including the item's own, on the embeddings.
    """
    design = np.asarray(vectors, dtype=np.float64)
    square = design.T @ design + _PENALTY * np.eye(design.shape[1])
    predicted = design @ np.linalg.solve(square, design.T @ (residuals - residuals.mean()))
    outside = np.ones(len(residuals), dtype=bool)
    for region in regions:
        outside[list(region.rows)] = False
    order: NDArray[np.int64] = np.lexsort((predicted, outside))
    return order


def _ids(search_tree: SearchTree, places: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(search_tree.rows[places].tolist())
