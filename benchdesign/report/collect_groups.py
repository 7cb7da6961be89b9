"""Collect what the coverage report says of gap groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchdesign.concepts.maps.highlights import cut
from benchdesign.coverage.groups.verdict import (
    power_sentence,
    reference_sentence,
    verdict_sentence,
)
from benchdesign.report.charts import fill_bar
from benchdesign.report.groups_data import GroupLine, GroupsSection
from benchdesign.report.item_lines import AddedLine, Snippet
from benchdesign.revision.group_counts import count_group, innermost_group
from benchdesign.workspace.analysis import Analysis

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.coverage.groups.gap_group import GapGroup, GapGroups
    from benchdesign.revision.plan import Revision

__all__ = ["groups_section", "names_of_groups"]

_SNIPPET_LENGTH = 240
_MAX_NAMED = 3


def names_of_groups(analysis: Analysis, pool_rows: Sequence[int]) -> list[str | None]:
    """Return for each pool row the narrowest group that lacks items, or may; None without one."""
    found = [innermost_group(analysis.groups, row) for row in pool_rows]
    return [None if group is None else group.name for group in found]


def groups_section(
    analysis: Analysis, revision: Revision, added: Sequence[AddedLine]
) -> GroupsSection | None:
    """Return what the report says of groups; None if none were searched for.

    `added` are the added items that the report lists, in the order of the revision.
    """
    groups = analysis.groups
    if groups is None:
        return None
    collector = _Collector(analysis, revision, added)
    lacking = tuple(collector.line(group) for group in groups.gaps)
    could_tell = groups.could_not_tell is None
    return GroupsSection(
        verdict=verdict_sentence(groups),
        power=power_sentence(groups),
        # Nothing was judged against the pool if nothing could be judged.
        reference=reference_sentence(groups) if could_tell else "",
        warnings=groups.warnings,
        next_step=_next_step(groups, lacking, n_added=len(revision.added)),
        could_not_tell=not could_tell,
        is_blind=groups.is_blind,
        lacking=lacking,
        suspected=tuple(collector.line(group) for group in groups.suspected),
        over=tuple(collector.line(group) for group in groups.over),
        out_of_scope=tuple(collector.line(group) for group in groups.out_of_scope),
        ungrouped=collector.listed_outside(),
        n_ungrouped=sum(innermost_group(groups, row) is None for row in collector.added_rows),
        n_items=groups.n_items,
    )


class _Collector:
    """Describes groups; keeps what all of them need."""

    def __init__(self, analysis: Analysis, revision: Revision, added: Sequence[AddedLine]) -> None:
        self._analysis = analysis
        self._groups = analysis.groups
        self._listed = added
        self.added_rows = [addition.pool_row for addition in revision.added]
        self._removed_rows = {removal.row for removal in revision.removed}

    def line(self, group: GapGroup, *, wholes: frozenset[str] = frozenset()) -> GroupLine:
        """Return one group with the parts of it that are lacking for certain."""
        count = count_group(group, added=self.added_rows, removed=self._removed_rows)
        pool = self._analysis.pool
        wholes = wholes | {group.id}
        parts = () if self._groups is None else self._groups.parts_of(group)
        return GroupLine(
            name=group.name,
            status=group.status,
            count=count,
            # The plain ratio, which agrees with the counts beside it; the lift is shrunk.
            ratio=group.count / group.expected if group.expected > 0 else math.nan,
            ratio_low=2.0**group.lift_low,
            ratio_high=2.0**group.lift_high,
            p_value=group.p_value,
            share=group.share,
            relevance=group.relevance,
            n_pool=len(group.pool_rows),
            words=group.words,
            concepts=group.concepts,
            typical=() if pool is None else _snippets("pool", pool, group.typical),
            nearest=_snippets("benchmark", self._analysis.benchmark, group.nearest_own),
            added=self._listed_in(frozenset(group.pool_rows)),
            bar=fill_bar(count.before - count.n_removed, count.n_added, count.expected),
            parts=tuple(
                self.line(part, wholes=wholes)
                for part in parts
                if part.is_gap and part.id not in wholes
            ),
        )

    def listed_outside(self) -> tuple[AddedLine, ...]:
        """Return the listed added items that are in no group that lacks items, or may."""
        return tuple(
            line
            for line, row in zip(self._listed, self.added_rows, strict=False)
            if innermost_group(self._groups, row) is None
        )

    def _listed_in(self, rows: frozenset[int]) -> tuple[AddedLine, ...]:
        return tuple(
            line for line, row in zip(self._listed, self.added_rows, strict=False) if row in rows
        )


def _snippets(where: str, item_set: Benchmark, rows: Sequence[int]) -> tuple[Snippet, ...]:
    items = [item_set.items[row] for row in rows]
    return tuple(
        Snippet(where, item.id, item.category, cut(item.text, (), limit=_SNIPPET_LENGTH))
        for item in items
    )


def _next_step(groups: GapGroups, lacking: Sequence[GroupLine], *, n_added: int) -> str:
    """Return what to do next, in one sentence."""
    if groups.could_not_tell is not None:
        return (
            "Remove this obstacle and run again; "
            "until then nothing below says that the benchmark is complete."
        )
    lines = [line for line in lacking if not line.count.is_closed]
    named = [f"{line.name} ({line.count.n_wanted} more)" for line in lines[:_MAX_NAMED]]
    n_others = len(lines) - len(named)
    listed = "; ".join(named) + (f"; and {n_others} more groups" if n_others > 1 else "")
    listed += "; and 1 more group" if n_others == 1 else ""
    read = "Read the added items group by group and reject those that do not fit"
    if lines and n_added:
        return f"{read}, then write or find items for what is still short: {listed}."
    if lines:
        return f"Write or find items for what is lacking, the worst first: {listed}."
    if n_added:
        return f"{read}, before the revised benchmark is used."
    if groups.suspected:
        return (
            "Read the typical items of the suspected groups, "
            "and decide whether the benchmark should have more of them."
        )
    if groups.is_blind:
        return "Compare more items, or with a larger pool: so few can show no absence."
    return "Add nothing for this pool; a larger benchmark or pool would show smaller groups."
