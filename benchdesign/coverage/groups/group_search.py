"""Search for groups of similar items that a benchmark lacks or has too many of.

Benchmark and pool are merged into one tree, and every branch is a candidate. The statistic is the
signed root of the likelihood ratio of the benchmark items in a branch against those expected there.
Labels drawn under the null hypothesis give the extreme of all branches by chance (the tree-based
scan statistic; Kulldorff et al., Biometrics 2003), so looking at all branches is paid for. A group
is set aside once found, and the search is repeated until none is left.

The null hypothesis is a probability per item of being the benchmark's. It carries what may differ
without being a gap: the sizes of the sets, lengths, forms and relevance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchdesign.foundation.arrays import Floats
from benchdesign.foundation.item_tree import (
    ItemTree,
    average_with_neighbours,
    order_by_likeness,
)

__all__ = ["FoundGroup", "GroupScan", "ScanLimits"]

_NOISE, _MIN_SUSPECTED = 0.9, 3
"""Odds from which a suspicion is noise, and how many are shown nevertheless."""

_MIN_PART_ITEMS = 10
_MAX_PARTS = 4
_REST_FRACTION = 0.5
"""Deficit of the rest of a branch, relative to the branch, below which the rest is let go."""

_MIN_RELATIVE_SIZE, _MAX_RELATIVE_SIZE = 0.5, 2.0
_MIN_IMPROVEMENT = 0.5
"""Statistic by which a new selection must improve on the branch, as the best of many is biased."""


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """Limits of the search."""

    level: float = 0.05
    """Probability of any false group, in each direction."""

    n_shuffles: int = 199
    smallest: int = 15
    """Fewest items of a branch, benchmark and pool together."""

    max_groups: int = 12
    max_suspected: int = 8
    min_lift: float = 0.415
    """Smallest deviation of a group, as log2: a quarter fewer, or a third more."""


@dataclass(frozen=True, slots=True)
class FoundGroup:
    """A group of items found by the search; rows are positions in the searched items."""

    rows: tuple[int, ...]
    statistic: float
    p_value: float
    is_significant: bool
    parts: tuple[FoundGroup, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Deviations:
    """The statistic of every branch in one direction, and what chance brings."""

    observed: Floats
    """(n_branches,)"""

    extremes: Floats
    """(n_shuffles,): the largest of all branches under the null hypothesis."""

    threshold: float

    @property
    def clearness(self) -> float:
        """How far the largest deviation lies above the threshold."""
        return float(self.observed.max(initial=-np.inf)) - self.threshold


class GroupScan:
    """The tree of benchmark and pool items, their labels and the null hypothesis."""

    def __init__(
        self,
        vectors: Floats,
        is_own: NDArray[np.bool_],
        null: Floats,
        *,
        rng: np.random.Generator,
        limits: ScanLimits | None = None,
    ) -> None:
        """Build the tree of unit `vectors` (n, d).

        `null` (n,) is each item's probability of being the benchmark's if nothing is lacking.
        """
        self.limits = limits or ScanLimits()
        self.vectors = vectors
        self._own = is_own.astype(np.float32)
        self._null = np.clip(null, 1e-4, 1 - 1e-4).astype(np.float32)
        self._rng = rng
        self.tree = ItemTree.from_vectors(
            average_with_neighbours(vectors),
            smallest=self.limits.smallest,
            largest=len(vectors) // 2,
        )
        self._shuffled = self._null_labels(self.limits.n_shuffles)

    def _null_labels(self, n: int) -> NDArray[np.float32]:
        """Draw labels (n_items, n) by the null probabilities."""
        draws = self._rng.random((len(self._null), n), dtype=np.float32)
        return (draws < self._null[:, None]).astype(np.float32)

    def statistics(self, labels: NDArray[np.float32], free: NDArray[np.bool_]) -> Floats:
        """Return the statistic of every branch, (n_branches, m), for labels (n_items, m).

        Negative where fewer items are the benchmark's than expected. Only `free` items count.
        """
        weight = free.astype(np.float32)
        counts = self.tree.sums(labels * weight[:, None])
        sizes, null = self.tree.sums(np.stack([weight, weight * self._null], axis=1)).T
        # Expected counts add up to the labels that are free, whatever was set aside before.
        scale = (labels * weight[:, None]).sum(axis=0) / max(
            float((weight * self._null).sum()), 1e-9
        )
        return signed_root(counts, sizes[:, None], null[:, None] * scale)

    def find(self) -> tuple[list[FoundGroup], list[FoundGroup], NDArray[np.bool_]]:
        """Find groups that lack items, groups with too many, and which items are in neither.

        The clearer direction comes first at every step: a subject with far too many items makes all
        others look as if they lacked some.
        """
        free = np.ones(len(self._own), dtype=bool)
        groups: dict[int, list[FoundGroup]] = {-1: [], 1: []}
        is_done = {-1: False, 1: False}
        while not all(is_done.values()) and free.sum() >= 4 * self.limits.smallest:
            both = {sign: self._deviations(sign, free) for sign in (-1, 1) if not is_done[sign]}
            sign = max(both, key=lambda sign: both[sign].clearness)
            found = None
            if len(groups[sign]) < self.limits.max_groups:
                found = self._clearest(sign, free, both[sign])
            if found is None:
                is_done[sign] = True
                continue
            groups[sign].append(found)
            free[list(found.rows)] = False
        return groups[-1], groups[1], free

    def _deviations(self, sign: int, free: NDArray[np.bool_]) -> _Deviations:
        extremes = self._extremes(sign, free)
        threshold = float(np.quantile(extremes, 1 - self.limits.level, method="higher"))
        observed = sign * self.statistics(self._own[:, None], free)[:, 0]
        return _Deviations(observed, extremes, threshold)

    def _clearest(
        self, sign: int, free: NDArray[np.bool_], deviations: _Deviations
    ) -> FoundGroup | None:
        """Return the group that deviates most; None if none does for certain."""
        observed, extremes = deviations.observed, deviations.extremes
        best = int(observed.argmax())
        significant = observed > deviations.threshold
        if not significant[best]:
            return None
        best = self._narrow(best, observed, significant, free, sign)
        members = self._refined(best, free, sign)
        if not self._is_large_enough(members, sign):
            # Nothing else is more significant; what is left deviates too little to matter.
            return None
        parts = [
            FoundGroup(
                tuple(np.sort(rows).tolist()),
                float(observed[part]),
                _p_value(extremes, observed[part]),
                True,
            )
            for part in self.tree.parts(best, significant, n_most=_MAX_PARTS)
            if len(rows := np.intersect1d(self.tree.members(part), members)) >= _MIN_PART_ITEMS
            and self._is_large_enough(rows, sign)
        ]
        return FoundGroup(
            tuple(np.sort(members).tolist()),
            float(observed[best]),
            _p_value(extremes, observed[best]),
            True,
            tuple(parts) if len(parts) > 1 else (),
        )

    def suspect(self, free: NDArray[np.bool_]) -> list[FoundGroup]:
        """Return the groups that lack most among the `free` items, though chance explains it."""
        observed = -self.statistics(self._own[:, None], free)[:, 0]
        extremes = self._extremes(-1, free)
        taken = ~free
        groups: list[FoundGroup] = []
        for branch in np.argsort(-observed, kind="stable").tolist():
            odds = _p_value(extremes, observed[branch])
            is_noise = odds > _NOISE and len(groups) >= _MIN_SUSPECTED
            if len(groups) == self.limits.max_suspected or observed[branch] < 1.0 or is_noise:
                break
            members = self.tree.members(branch)
            if taken[members].mean() > 0.1:
                continue
            members = members[~taken[members]]
            if self._is_large_enough(members, -1):
                groups.append(
                    FoundGroup(
                        tuple(np.sort(members).tolist()),
                        float(observed[branch]),
                        odds,
                        False,
                    )
                )
                taken[members] = True
        return groups

    def chance_of_finding(self, absent: Sequence[NDArray[np.int64]]) -> Floats:
        """Return for every set of rows whether its complete absence would be found, 0 or 1.

        One null label set is drawn for each, and the benchmark's items in the rows are taken out.
        """
        labels = self._null_labels(len(absent))
        for place, rows in enumerate(absent):
            labels[rows, place] = 0.0
        free = np.ones(len(self._own), dtype=bool)
        found: Floats = (
            (-self.statistics(labels, free)).max(axis=0) > self._absence_threshold
        ).astype(float)
        return found

    @cached_property
    def _absence_threshold(self) -> float:
        """Deviation beyond which an absence is significant among all items."""
        extremes = self._extremes(-1, np.ones(len(self._own), dtype=bool))
        return float(np.quantile(extremes, 1 - self.limits.level, method="higher"))

    def expected_in(self, rows: NDArray[np.int64]) -> float:
        """Return the benchmark items expected among the rows."""
        return float(self._null[rows].sum() * self._own.sum() / self._null.sum())

    def _extremes(self, sign: int, free: NDArray[np.bool_]) -> Floats:
        """(n_shuffles,): the largest deviation of any branch under the null hypothesis."""
        extremes: Floats = (sign * self.statistics(self._shuffled, free)).max(axis=0)
        return extremes

    def _is_large_enough(self, rows: NDArray[np.int64], sign: int) -> bool:
        expected, count = self.expected_in(rows), float(self._own[rows].sum())
        return sign * float(np.log2((count + 0.5) / (expected + 0.5))) >= self.limits.min_lift

    def _narrow(
        self,
        branch: int,
        observed: Floats,
        allowed: NDArray[np.bool_],
        free: NDArray[np.bool_],
        sign: int,
    ) -> int:
        """Return the part of a branch with its deviation if the rest hardly deviates.

        Two distant groups that both lack items make the branch that joins them deviate most,
        although it includes everything between them.
        """
        weight = free.astype(np.float32)
        expected, count = self.tree.sums(
            np.stack([weight * self._null, weight * self._own], axis=1)
        ).T
        expected = expected * float(
            (weight * self._own).sum() / max((weight * self._null).sum(), 1e-9)
        )
        excess = sign * (count - expected)
        while True:
            rest_expected = expected[branch] - expected
            rest_excess = excess[branch] - excess
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = (rest_excess / rest_expected) / (excess / expected)
            is_part = self.tree.inside(branch) & allowed & (rest_expected > 1)
            is_part &= (ratio < _REST_FRACTION) & (observed > 0)
            is_part[branch] = False
            if not is_part.any():
                return branch
            branch = int(np.where(is_part, observed, -np.inf).argmax())

    def _refined(self, branch: int, free: NDArray[np.bool_], sign: int) -> NDArray[np.int64]:
        """Select a branch's items again, by a threshold along one direction.

        The direction separates the branch's items from the others; only the threshold depends on
        the labels. A branch that no threshold improves is returned unchanged.
        """
        members = self.tree.members(branch)
        members = members[free[members]]
        order = order_by_likeness(self.vectors, members, free)
        sizes = np.arange(1, len(order) + 1)
        scale = self._own[free].sum() / max(float(self._null[free].sum()), 1e-9)
        deviation = sign * signed_root(
            self._own[order].cumsum(), sizes, self._null[order].cumsum() * scale
        )
        smallest = max(_MIN_PART_ITEMS, int(_MIN_RELATIVE_SIZE * len(members)))
        largest = min(int(_MAX_RELATIVE_SIZE * len(members)), len(order) // 2)
        deviation[(sizes < smallest) | (sizes > largest)] = -np.inf
        best = int(deviation.argmax())
        of_branch = sign * signed_root(
            self._own[members].sum(), len(members), self._null[members].sum() * scale
        )
        return order[: best + 1] if deviation[best] > of_branch + _MIN_IMPROVEMENT else members


def signed_root(count: ArrayLike, size: ArrayLike, expected: ArrayLike) -> Floats:
    """Return the signed root of the binomial likelihood ratio of counts against expectations.

    sqrt(2 (k log(k / E) + (N - k) log((N - k) / (N - E)))), negative where k < E.
    """
    count, size = np.asarray(count, dtype=np.float64), np.asarray(size, dtype=np.float64)
    expected = np.clip(expected, 1e-9, np.maximum(size - 1e-9, 1e-9))
    rest = size - count
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(count > 0, count * np.log(count / expected), 0.0)
        others = np.where(rest > 0, rest * np.log(rest / (size - expected)), 0.0)
    root: Floats = np.sign(count - expected) * np.sqrt(2 * np.maximum(own + others, 0.0))
    return root


def _p_value(extremes: Floats, observed: float) -> float:
    return (1 + int((extremes >= observed).sum())) / (1 + len(extremes))
