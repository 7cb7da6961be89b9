"""The revised benchmark and its manifest: items kept, added and removed, written atomically.

A revision is planned first; planning writes nothing, so an interface can show the result. The
files are then written into a temporary folder beside the target, which is renamed at the end. The
output does not depend on the time of day: the same inputs and decisions give the same files, byte
for byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchdesign.benchmarks.record_builder import AddedItem, BuiltRecords, build_records
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.coverage import Coverage, measure_coverage
from benchdesign.coverage.figures import CoverageFigures
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.gaps import Gaps
from benchdesign.coverage.reference import reference_of
from benchdesign.errors import UsageError
from benchdesign.revision.changes import Addition, Removal, make_additions, make_removals
from benchdesign.revision.choice import Choice
from benchdesign.revision.group_counts import GroupCount, count_groups
from benchdesign.workspace.analysis import Analysis

__all__ = ["Revision", "plan_revision", "revised_name"]


@dataclass(frozen=True, eq=False)
class Revision:
    """A revision, planned or written."""

    choice: Choice
    kept_rows: tuple[int, ...]
    """Positions in the benchmark of the items that stay, in order."""

    added: tuple[Addition, ...]
    removed: tuple[Removal, ...]
    concept_map: ConceptMap
    """Map of the revised benchmark: kept items first, then added ones."""

    coverage_after: Coverage
    gaps_after: Gaps
    figures_before: CoverageFigures
    figures_after: CoverageFigures
    n_gaps_closed: int
    """Former gaps that more items show now and that are no longer gaps."""

    n_gaps_lapsed: int
    """No longer gaps although no more items show them: fewer findings make the test stricter."""

    group_counts: Mapping[str, GroupCount] = field(default_factory=dict)
    """Items of each gap group before and after, by its id; empty if none were searched for."""

    manifest: Mapping[str, Any] = field(default_factory=dict)
    """Content of `revision.json`; empty while only planned."""

    records: BuiltRecords = field(default_factory=BuiltRecords)
    """Records of the added items, in the fields and style of the benchmark."""

    folder: Path | None = None
    files: tuple[str, ...] = ()
    """Names of the files written, the revised benchmark first."""

    @property
    def n_items(self) -> int:
        """Number of items of the revised benchmark."""
        return len(self.kept_rows) + len(self.added)

    @property
    def empty_fields(self) -> Mapping[str, int]:
        """Number of added items without a value, by field path."""
        return self.records.empty_fields

    @property
    def n_unread(self) -> int:
        """Added items edited but not mapped again; they count with their former text."""
        return sum(addition.is_unread for addition in self.added)


def revised_name(path: Path, suffix: str) -> str:
    """Return the file name `<stem>.revised<suffix>` for the path of a benchmark."""
    name = path.name
    stem = name[: -len(suffix)] if suffix and name.lower().endswith(suffix.lower()) else path.stem
    return f"{stem or 'benchmark'}.revised{suffix}"


def plan_revision(
    analysis: Analysis, choice: Choice, *, edited_map: ConceptMap | None = None
) -> Revision:
    """Compute the revised benchmark, its coverage and its empty fields; write nothing.

    `edited_map` is the map from `map_edited_items`; without it these items count with their
    former text.
    """
    removed = make_removals(analysis, choice)
    dropped = {removal.row for removal in removed}
    kept_rows = tuple(row for row in range(len(analysis.benchmark)) if row not in dropped)
    added, added_map = make_additions(analysis, choice, kept_rows=kept_rows, edited_map=edited_map)
    if not kept_rows and not added:
        raise UsageError("The revision would have no items; keep or add at least one.")
    maps = [analysis.benchmark_map.take(kept_rows), *([] if added_map is None else [added_map])]
    revised_map = ConceptMap.concatenate(maps)
    reference = reference_of(analysis.pool_map, analysis.dictionary)
    coverage = measure_coverage(revised_map, analysis.dictionary, reference=reference)
    gaps_after = find_gaps(
        coverage,
        analysis.dictionary,
        relevance=analysis.relevance,
        settings=analysis.gaps.settings,
        wanted=analysis.gaps.wanted,
    )
    no_longer_gap = analysis.gaps.is_gap & ~gaps_after.is_gap
    has_more_items = gaps_after.count > analysis.gaps.count
    return Revision(
        choice=choice,
        kept_rows=kept_rows,
        added=added,
        removed=removed,
        concept_map=revised_map,
        coverage_after=coverage,
        gaps_after=gaps_after,
        figures_before=CoverageFigures.from_gaps(analysis.gaps),
        figures_after=CoverageFigures.from_gaps(gaps_after),
        n_gaps_closed=int((no_longer_gap & has_more_items).sum()),
        n_gaps_lapsed=int((no_longer_gap & ~has_more_items).sum()),
        group_counts={}
        if analysis.groups is None
        else count_groups(
            analysis.groups, added=[addition.pool_row for addition in added], removed=dropped
        ),
        records=build_records(analysis.benchmark, _added_items(analysis, added)),
    )


def _added_items(analysis: Analysis, added: Sequence[Addition]) -> list[AddedItem]:
    pool = analysis.pool
    if pool is None:
        return []
    return [
        AddedItem(addition.item, addition.record, pool, licence=addition.licence)
        for addition in added
    ]
