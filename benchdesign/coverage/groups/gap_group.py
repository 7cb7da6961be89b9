"""Gap groups: similar items that a benchmark lacks, or has too many of, against its reference.

A group holds rows of the pool and of the benchmark. The values here are what the search found and
what every front end shows; nothing is computed from items or maps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ConceptShare",
    "GapGroup",
    "GapGroups",
    "GroupPower",
    "GroupReference",
    "GroupStatus",
]


class GroupStatus(StrEnum):
    """Status of a group of similar items."""

    MISSING = "missing"
    """No item of the benchmark is in the group, and that is significant."""

    UNDER = "under"
    """Significantly fewer items than expected."""

    OVER = "over"
    """Significantly more items than expected."""

    SUSPECTED = "suspected"
    """Fewer items than expected, but chance explains it as well."""

    OUT_OF_SCOPE = "out of scope"
    """Pool items that are unlike what the benchmark is about; never judged."""


@dataclass(frozen=True, slots=True)
class ConceptShare:
    """A concept that sets a group apart."""

    concept_id: int
    label: str
    share_in: float
    """Share of the group's reference items that show the concept."""

    share_out: float
    """Share of the other reference items that show it."""


@dataclass(frozen=True, slots=True)
class GapGroup:
    """Similar items of the pool and the benchmark, with what was expected and found.

    Rows are positions in the pool's or the benchmark's items.
    """

    id: str
    """Stable for the same pool items in whatever order they are read."""

    name: str
    status: GroupStatus
    parent: str | None
    """Id of the broader group that this one is part of."""

    expected: float
    """Benchmark items that the reference would put into the group."""

    count: int
    """Benchmark items in the group."""

    share: float
    """Share of the reference in the group."""

    lift: float
    """log2 of count over expected, shrunk towards 0 by the prior."""

    lift_low: float
    lift_high: float
    p_value: float
    """Probability that any group of the search deviates as far by chance."""

    statistic: float
    """Signed root of the likelihood ratio, without sign: how far the count deviates."""

    relevance: float
    """Mean relevance of its pool items, 0 to 1."""

    pool_rows: tuple[int, ...]
    """Most typical first."""

    own_rows: tuple[int, ...]
    """Benchmark items in the group."""

    typical: tuple[int, ...]
    """A few typical pool rows, no two of one template."""

    nearest_own: tuple[int, ...]
    """Benchmark items most similar to the group, whether in it or not."""

    concepts: tuple[ConceptShare, ...]
    """Most distinctive first."""

    words: tuple[str, ...]
    """Words that set the group apart, most distinctive first."""

    @property
    def n_wanted(self) -> int:
        """Items to add until the count reaches what is expected; 0 where nothing is lacking."""
        return max(int(np.ceil(self.expected - self.count - 1e-9)), 0)

    @property
    def is_gap(self) -> bool:
        """Whether the group is lacking for certain: missing or under."""
        return self.status in (GroupStatus.MISSING, GroupStatus.UNDER)


@dataclass(frozen=True, slots=True)
class GroupPower:
    """What this benchmark and reference could show."""

    smallest_share: float | None
    """Smallest share of the reference whose complete absence would be found; None if none would."""

    at: float
    """Share of the simulations in which an absence of that size was found, as required."""

    missed_share: float | None = None
    """Largest simulated share below it, which was found less often."""


@dataclass(frozen=True, slots=True)
class GroupReference:
    """The items that a benchmark is compared with."""

    kind: str
    """`pool` or `none`."""

    n_items: int
    """Pool items."""

    n_in_scope: int
    """Pool items that look like what the benchmark is about."""

    n_of_form: int
    """Pool items of a form (kind, choices, length) that the benchmark has."""

    scope: str
    """`any`, `benchmark` (the benchmark's own domain) or `stated` (a sentence, examples or
    judgements)."""


@dataclass(frozen=True, slots=True, eq=False)
class GapGroups:
    """The groups of one benchmark, worst first, with what the search could have shown."""

    groups: tuple[GapGroup, ...]
    """Missing and under-covered groups, a part after its whole, then suspicions."""

    over: tuple[GapGroup, ...]
    out_of_scope: tuple[GapGroup, ...]
    """Groups of pool items that do not belong to what the benchmark is about."""

    power: GroupPower
    reference: GroupReference
    relevance: NDArray[np.float32]
    """(n_pool,): relevance of every pool item, 0 to 1."""

    fits_form: NDArray[np.bool_]
    """(n_pool,): whether the benchmark has items of each pool item's form."""

    n_items: int
    """Benchmark items."""

    warnings: tuple[str, ...] = field(default_factory=tuple)
    """What limits these results, one sentence each."""

    could_not_tell: str | None = None
    """Why no group could be judged; None where groups could be."""

    @property
    def gaps(self) -> tuple[GapGroup, ...]:
        """Groups that are lacking for certain, parts of others left out."""
        return tuple(group for group in self.groups if group.is_gap and group.parent is None)

    @property
    def suspected(self) -> tuple[GapGroup, ...]:
        """Groups that may be lacking."""
        return tuple(group for group in self.groups if group.status is GroupStatus.SUSPECTED)

    @property
    def is_blind(self) -> bool:
        """Whether nothing is known to be missing because no absence could have been shown."""
        is_powerless = not self.groups and self.power.smallest_share is None
        return self.could_not_tell is not None or is_powerless

    def parts_of(self, group: GapGroup) -> tuple[GapGroup, ...]:
        """Return the narrower groups inside a group."""
        return tuple(part for part in self.groups if part.parent == group.id)

    def find(self, name_or_id: str) -> GapGroup | None:
        """Return the group of an id, or of a name where no id matches; None if there is none."""
        everything = (*self.groups, *self.over, *self.out_of_scope)
        folded = name_or_id.strip().casefold()
        by_id = [group for group in everything if group.id == name_or_id]
        by_name = [group for group in everything if group.name.casefold() == folded]
        return next(iter(by_id + by_name), None)
