"""How many items of each gap group a revision has."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchdesign.foundation.number_words import noun

if TYPE_CHECKING:
    from benchdesign.coverage.groups.gap_group import GapGroup, GapGroups

__all__ = [
    "GroupCount",
    "closed_gaps",
    "closed_sentence",
    "count_group",
    "count_groups",
    "distinct_groups",
    "innermost_group",
]

_MAX_NAMED = 4
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class GroupCount:
    """The items of one group before and after a revision."""

    before: int
    n_added: int
    n_removed: int
    expected: float
    """Items expected in the benchmark as it was before the revision."""

    @property
    def after(self) -> int:
        """Items in the group after the revision."""
        return self.before + self.change

    @property
    def change(self) -> int:
        """Items that the revision adds to the group, less those that it removes."""
        return self.n_added - self.n_removed

    @property
    def short(self) -> float:
        """Items still lacking after the revision, unrounded; 0 if the group is closed."""
        return 0.0 if self.is_closed else self.expected - self.after

    @property
    def is_closed(self) -> bool:
        """Whether the count reaches what is expected, unrounded."""
        return self.after >= self.expected - _ROUNDING

    @property
    def n_wanted(self) -> int:
        """Items still to add until the count reaches what is expected."""
        return max(math.ceil(self.expected - self.after - _ROUNDING), 0)


def count_group(
    group: GapGroup,
    *,
    added: Collection[int] = (),
    removed: Collection[int] = (),
) -> GroupCount:
    """Return the counts of one group; `added` and `removed` are pool and own rows."""
    return GroupCount(
        before=group.count,
        n_added=len(frozenset(added).intersection(group.pool_rows)),
        # The count is an estimate where only a sample of the benchmark was searched.
        n_removed=min(len(frozenset(removed).intersection(group.own_rows)), group.count),
        expected=group.expected,
    )


def count_groups(
    groups: GapGroups,
    *,
    added: Collection[int] = (),
    removed: Collection[int] = (),
) -> Mapping[str, GroupCount]:
    """Return the counts of every group that is judged, by its id."""
    added, removed = frozenset(added), frozenset(removed)
    return {
        group.id: count_group(group, added=added, removed=removed)
        for group in (*groups.over, *distinct_groups(groups))
    }


def distinct_groups(groups: GapGroups) -> tuple[GapGroup, ...]:
    """Return the lacking and suspected groups; of parts with all of their whole, only the whole.

    Such a part has the same pool items, and so the same id.
    """
    return tuple(group for group in groups.groups if group.parent != group.id)


def innermost_group(groups: GapGroups | None, row: int) -> GapGroup | None:
    """Return the narrowest lacking or suspected group that holds a pool row; None if none does."""
    holding = (
        []
        if groups is None
        else [group for group in distinct_groups(groups) if row in group.pool_rows]
    )
    return min(holding, key=lambda group: len(group.pool_rows), default=None)


def closed_gaps(groups: GapGroups, counts: Mapping[str, GroupCount]) -> tuple[GapGroup, ...]:
    """Return the lacking groups, parts of others left out, that reach what is expected."""
    return tuple(group for group in groups.gaps if counts[group.id].is_closed)


def closed_sentence(groups: GapGroups, counts: Mapping[str, GroupCount]) -> str:
    """Return how many lacking groups reach what is expected, naming those that do not.

    Parts of other groups are not counted. Empty if no group is lacking for certain.
    """
    gaps = groups.gaps
    if not gaps:
        return ""
    closed = closed_gaps(groups, counts)
    short = [group for group in gaps if group not in closed]
    text = (
        f"{len(gaps) - len(short)} of {len(gaps)} {noun(len(gaps), 'group')} "
        f"{noun(len(gaps), 'reaches', 'reach')} what is expected"
    )
    if not short:
        return f"{text}."
    named = [
        f"{group.name} ({counts[group.id].after} of {group.expected:.1f})"
        for group in short[:_MAX_NAMED]
    ]
    more = f" and {len(short) - len(named)} more" if len(short) > len(named) else ""
    return f"{text}; not {'; '.join(named)}{more}."
