"""What the coverage report says of gap groups; the templates decide how it looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchdesign.coverage.groups.gap_group import ConceptShare, GroupStatus
    from benchdesign.report.charts import FilledBar
    from benchdesign.report.item_lines import AddedLine, Snippet
    from benchdesign.revision.group_counts import GroupCount

__all__ = ["GroupLine", "GroupsSection"]


@dataclass(frozen=True, slots=True)
class GroupLine:
    """One group of similar items, with what the revision does for it."""

    name: str
    status: GroupStatus
    count: GroupCount
    ratio: float
    """Count before the revision divided by expected; NaN if nothing is expected."""

    ratio_low: float
    ratio_high: float
    p_value: float
    share: float
    relevance: float
    n_pool: int
    words: tuple[str, ...]
    concepts: tuple[ConceptShare, ...]
    typical: tuple[Snippet, ...]
    nearest: tuple[Snippet, ...]
    added: tuple[AddedLine, ...]
    """Those of the added items that the report lists."""

    bar: FilledBar
    parts: tuple[GroupLine, ...] = ()
    """Narrower groups inside it that are lacking for certain."""


@dataclass(frozen=True, slots=True)
class GroupsSection:
    """All that the report says of groups."""

    verdict: str
    power: str
    """Empty if no group could be judged."""

    reference: str
    """Empty if no group could be judged."""

    warnings: tuple[str, ...]
    next_step: str
    could_not_tell: bool
    """Whether no group could be judged."""

    is_blind: bool
    """Whether nothing was found and no absence could have been shown either."""

    lacking: tuple[GroupLine, ...]
    """Groups that are lacking for certain, worst first."""

    suspected: tuple[GroupLine, ...]
    over: tuple[GroupLine, ...]
    out_of_scope: tuple[GroupLine, ...]
    ungrouped: tuple[AddedLine, ...]
    """Listed added items that are in none of the lacking and suspected groups."""

    n_ungrouped: int
    n_items: int
    """Benchmark items, to which the expected counts refer."""

    @property
    def n_closed(self) -> int:
        """Number of lacking groups that the revision closes."""
        return sum(line.count.is_closed for line in self.lacking)
