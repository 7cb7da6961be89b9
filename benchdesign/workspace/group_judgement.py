"""The decisions that judge a group of similar items as meant or not meant."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchdesign.workspace.decisions import Decision, Subject, Verdict

if TYPE_CHECKING:
    from benchdesign.coverage.groups.gap_group import GapGroup, GapGroups

__all__ = ["N_JUDGED_ITEMS", "group_judgement", "nearest_group_names"]

N_JUDGED_ITEMS = 30
"""Pool items that a judgement of a group covers, most typical first."""

_N_NAMES = 3


def group_judgement(
    group: GapGroup, pool_ids: Sequence[str], verdict: Verdict, *, note: str | None = None
) -> tuple[Decision, ...]:
    """Return the decisions of one step: on the group, then on its most typical pool items.

    `pool_ids` are the ids of all pool items, in order. `Verdict.OPEN` takes a judgement back.
    """
    items = [
        Decision(Subject.POOL_ITEM, pool_ids[row], verdict)
        for row in group.pool_rows[:N_JUDGED_ITEMS]
    ]
    return (Decision(Subject.GROUP, group.id, verdict, note=note), *items)


def nearest_group_names(groups: GapGroups, name: str) -> tuple[str, ...]:
    """Return the names of groups most like a name that is none, or of the worst groups."""
    names = {
        group.name.casefold(): group.name
        for group in (*groups.groups, *groups.over, *groups.out_of_scope)
    }
    matches = difflib.get_close_matches(name.casefold(), names, n=_N_NAMES)
    return tuple(names[match] for match in matches or list(names)[:_N_NAMES])
