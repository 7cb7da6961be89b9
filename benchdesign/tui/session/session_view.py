"""What the screens show of an analysis under the current decisions.

Nothing here changes: a session replaces its view after every decision. Each value is computed from
arrays when it is first read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchdesign.coverage.figures import CoverageFigures
from benchdesign.coverage.gaps import Gaps
from benchdesign.coverage.status import STATUSES, Status
from benchdesign.revision.group_counts import count_group
from benchdesign.tui.session.session_data import Loaded, PoolRows
from benchdesign.workspace.analysis import Summary
from benchdesign.workspace.decision_log import DecisionLog
from benchdesign.workspace.decisions import Subject, Verdict

if TYPE_CHECKING:
    from benchdesign.coverage.groups.gap_group import GapGroup, GapGroups
    from benchdesign.revision.group_counts import GroupCount

__all__ = ["SessionView", "UnfilledCounts"]


class UnfilledCounts(NamedTuple):
    """The gaps that the accepted items do not fill."""

    n_unfilled: int
    n_fillable: int
    """How many of them all open candidates together would fill."""


@dataclass(frozen=True, eq=False)
class SessionView:
    """Values derived from an analysis and the decisions made so far."""

    summary: Summary
    loaded: Loaded | None
    """None while the items are still being read."""

    log: DecisionLog
    pool_rows: PoolRows

    @property
    def gaps(self) -> Gaps:
        """The judgements of the concepts."""
        return self.summary.gaps

    @property
    def merged(self) -> Mapping[int, int]:
        """The concept that each merged concept is counted as."""
        return {} if self.loaded is None else self.loaded.merged

    @cached_property
    def accepted_rows(self) -> Sequence[int]:
        """The pool rows of the accepted items, in pool order."""
        return self.pool_rows.find(self.log.accepted)

    @cached_property
    def added_counts(self) -> NDArray[np.int64]:
        """Number of accepted additions that show each concept.

        While the items are still being read, only the gaps named in the proposals are counted.
        """
        counts = np.zeros(self.summary.dictionary.n_concepts, dtype=np.int64)
        if self.loaded is not None:
            for row in self.accepted_rows:
                counts[self.loaded.shown_concepts(row, in_pool=True)] += 1
            return counts
        accepted = set(self.log.accepted)
        for proposal in self.summary.proposals:
            if proposal.id in accepted:
                counts[[gap.concept_id for gap in proposal.gaps]] += 1
        return counts

    @cached_property
    def _dropped_rows(self) -> frozenset[int]:
        """The benchmark rows of the dropped items; while items are being read, of removals only."""
        dropped = set(self.log.dropped)
        if not dropped or self.loaded is None:
            return frozenset(row.row for row in self.summary.removals if row.id in dropped)
        items = self.loaded.analysis.benchmark.items
        return frozenset(row for row, item in enumerate(items) if item.id in dropped)

    @cached_property
    def _accepted_row_set(self) -> frozenset[int]:
        return frozenset(self.accepted_rows)

    def group_count(self, group: GapGroup, *, more: Collection[int] = ()) -> GroupCount:
        """Return a group's items with what is accepted and dropped, and with `more` pool rows."""
        added = self._accepted_row_set.union(more) if more else self._accepted_row_set
        return count_group(group, added=added, removed=self._dropped_rows)

    @property
    def n_closed_groups(self) -> int:
        """Number of lacking groups that reach what is expected."""
        gaps = () if self.summary.groups is None else self.summary.groups.gaps
        return sum(self.group_count(group).is_closed for group in gaps)

    @cached_property
    def concept_states(self) -> Sequence[str]:
        """State of every concept, decisions included: a status, `ignored` or `merged`."""
        names = [status.value for status in STATUSES]
        states = [names[code] for code in self.gaps.status_codes.tolist()]
        areas = self.summary.areas
        for standing in self.log.standings(Subject.AREA).values():
            if standing.subject_id in areas.names and standing.verdict in (
                Verdict.IGNORE,
                Verdict.EXCLUDE,
            ):
                for concept_id in areas.members(areas.names.index(standing.subject_id)).tolist():
                    states[concept_id] = "ignored"
        for standing in self.log.standings(Subject.CONCEPT).values():
            if standing.verdict in (Verdict.IGNORE, Verdict.EXCLUDE):
                states[int(standing.subject_id)] = "ignored"
        for concept_id in self.merged:
            states[concept_id] = "merged"
        return states

    @cached_property
    def gap_ids(self) -> Sequence[int]:
        """The gaps that are not ignored, largest deficit first."""
        states, is_gap = self.concept_states, (Status.MISSING.value, Status.UNDER.value)
        return [
            concept_id for concept_id in self.gaps.ranked().tolist() if states[concept_id] in is_gap
        ]

    @cached_property
    def unfilled_counts(self) -> UnfilledCounts:
        """Number of unfilled gaps, and how many of them the open candidates would fill.

        Gaps are the lacking groups, or concepts in a workspace without groups.
        """
        if self.summary.groups is not None:
            return self._unfilled_groups(self.summary.groups)
        gaps, ids = self.gaps, np.asarray(self.gap_ids, dtype=np.int64)
        ids = ids[gaps.count[ids] + self.added_counts[ids] < gaps.target[ids]]
        counts = gaps.count + self.added_counts
        if self.loaded is not None:
            for candidate in self.loaded.candidates:
                is_open = self.log.verdict(candidate.subject, candidate.item.id) is Verdict.OPEN
                if candidate.subject is Subject.ADD and is_open:
                    row = candidate.proposal.row
                    counts[self.loaded.shown_concepts(row, in_pool=True)] += 1
        return UnfilledCounts(len(ids), int((counts[ids] >= gaps.target[ids]).sum()))

    def _unfilled_groups(self, groups: GapGroups) -> UnfilledCounts:
        still_open = [
            proposal.row
            for proposal in self.summary.proposals
            if self.log.verdict(Subject.ADD, proposal.id) is Verdict.OPEN
        ]
        unfilled = [group for group in groups.gaps if not self.group_count(group).is_closed]
        filled = [self.group_count(group, more=still_open).is_closed for group in unfilled]
        return UnfilledCounts(len(unfilled), sum(filled))

    def n_closed(self, gap_ids: Sequence[int]) -> int:
        """Count the concepts whose target is reached with the accepted items."""
        gaps, ids = self.gaps, np.asarray(gap_ids, dtype=np.int64)
        return int((gaps.count[ids] + self.added_counts[ids] >= gaps.target[ids]).sum())

    @cached_property
    def figures(self) -> CoverageFigures:
        """The figures of the overview."""
        return CoverageFigures.from_gaps(self.gaps)

    def top_over_covered(self, n: int) -> list[int]:
        """Return the `n` over-covered concepts with the largest lift, largest first."""
        ids = np.flatnonzero(self.gaps.is_status(Status.OVER))
        order = np.argsort(self.gaps.deficit[ids], kind="stable")
        return [int(concept_id) for concept_id in ids[order][:n]]
