"""What gap groups ask of a selection: which pool items, and how many of each group."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.coverage.groups.gap_group import GapGroups, GroupStatus
from benchdesign.coverage.groups.item_relevance import IN_SCOPE
from benchdesign.foundation.arrays import Floats

__all__ = ["GroupNeeds"]

_POWER = 2.0
"""Exponent of a group's statistic in the factor of its items: of 0.5, 1 and 2 the best on most
categorised sets (`measurements/planted_groups.py`, tuning seeds)."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupNeeds:
    """Factors of the gains of pool items, and the items that every group wants."""

    factor: Floats
    """(n_pool,): factor while the item's group wants items."""

    rest: Floats
    """(n_pool,): factor of items of no group, or whose group has what it wants."""

    group_of: NDArray[np.int64]
    """(n_pool,): position of the item's group in `wanted`; -1 without one."""

    wanted: NDArray[np.int64]
    """(n_groups,): items to propose for each group."""

    is_certain: NDArray[np.bool_]
    """(n_groups,): lacking for certain; only then does an item count for the group alone."""

    off_scope: NDArray[np.bool_]
    """(n_pool,): items that are unlike what the benchmark is about."""

    other_form: NDArray[np.bool_]
    """(n_pool,): items of a form that the benchmark has hardly any of."""

    @classmethod
    def of(cls, groups: GapGroups, *, n: int) -> GroupNeeds:
        """Return the needs of a selection of `n` items; groups share it in proportion."""
        # Squared: an item at the edge of the scope needs a far larger gain.
        rest = groups.relevance.astype(np.float64) ** 2
        factor, group_of = rest.copy(), np.full(len(rest), -1, dtype=np.int64)
        wanted: list[int] = []
        certain: list[bool] = []
        for group in groups.groups:
            # What the extended benchmark would hold, not the present one.
            lacking = math.ceil(group.share * (groups.n_items + n) - group.count)
            if group.parent is not None or lacking <= 0:
                continue
            odds = 1 - group.p_value if group.status is GroupStatus.SUSPECTED else 1.0
            rows = np.asarray(group.pool_rows, dtype=np.int64)
            rows = rows[group_of[rows] < 0]
            factor[rows] *= (1 + odds * group.statistic) ** _POWER
            group_of[rows] = len(wanted)
            wanted.append(lacking)
            certain.append(group.is_gap)
        counts = np.asarray(wanted, dtype=np.int64)
        if counts.sum() > n:
            counts = np.ceil(counts * (n / counts.sum())).astype(np.int64)
        is_scoped = groups.reference.scope != "any"
        return cls(
            factor,
            rest,
            group_of,
            counts,
            np.asarray(certain, dtype=bool),
            (groups.relevance < IN_SCOPE) & is_scoped,
            ~groups.fits_form,
        )
