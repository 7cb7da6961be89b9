"""Gap groups made by hand, for what shows them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchdesign.coverage.groups.gap_group import (
    ConceptShare,
    GapGroup,
    GapGroups,
    GroupPower,
    GroupReference,
    GroupStatus,
)

__all__ = ["make_group", "make_groups"]


def make_group(group_id: str, **values: Any) -> GapGroup:
    """Return a missing group; `values` replace its fields."""
    group = GapGroup(
        id=group_id,
        name=f"group {group_id}",
        status=GroupStatus.MISSING,
        parent=None,
        expected=20.0,
        count=0,
        share=0.25,
        lift=-3.0,
        lift_low=-5.0,
        lift_high=-1.0,
        p_value=0.005,
        statistic=4.0,
        relevance=0.87,
        pool_rows=(3, 7, 11),
        own_rows=(),
        typical=(3, 7),
        nearest_own=(0, 1),
        concepts=(ConceptShare(2, "fox", 0.9, 0.02),),
        words=("fox", "den"),
    )
    return replace(group, **values)


def make_groups(*groups: GapGroup, n_pool: int, **values: Any) -> GapGroups:
    """Return groups with a power and a broader pool; `values` replace their fields."""
    result = GapGroups(
        groups=groups,
        over=(),
        out_of_scope=(),
        power=GroupPower(0.04, 0.8, 0.03),
        reference=GroupReference("pool", n_pool, n_pool - 10, n_pool, "benchmark"),
        relevance=np.linspace(0, 1, n_pool, dtype=np.float32),
        fits_form=np.ones(n_pool, dtype=bool),
        n_items=80,
    )
    return replace(result, **values)
