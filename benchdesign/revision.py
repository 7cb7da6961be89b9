"""The revised benchmark and its manifest: what is kept, added and left out, all or nothing.

A revision is planned first (nothing is written, so an interface can show it) and then written into
a temporary folder beside the target, which is renamed at the end. Nothing here
knows the time of day: the same inputs and decisions give the same files, byte for byte.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchdesign.analysis import Analysis
from benchdesign.changes import Addition, Choice, Removal, make_additions, make_removals
from benchdesign.conceptmap import ConceptMap
from benchdesign.coverage import Coverage, measure_coverage
from benchdesign.edits import edit_of
from benchdesign.errors import OutputExistsError, UsageError, WorkspaceError
from benchdesign.gaps import Gaps, Status, find_gaps
from benchdesign.pipeline import reference_of
from benchdesign.records import write_json
from benchdesign.whole_files import sync

if TYPE_CHECKING:
    from benchdesign.formats import AddedItem, WriteReport
    from benchdesign.items import Benchmark

__all__ = [
    "Choice",
    "CoverageFigures",
    "Revision",
    "check_targets",
    "plan_revision",
    "planned_files",
    "revised_name",
    "write_revision",
]


@dataclass(frozen=True, slots=True)
class CoverageFigures:
    """The figures of one side of the comparison."""

    n_items: int
    n_concepts: int
    n_in_scope: int
    n_tested: int
    """Concepts common enough to be judged."""

    n_missing: int
    n_under: int
    n_over: int
    covered_share: float | None
    """Share of judged concepts that are neither missing nor under; None if none was judged."""

    @classmethod
    def from_gaps(cls, gaps: Gaps) -> CoverageFigures:
        """Count the statuses."""
        counts = gaps.counts()
        share = gaps.covered_share
        return cls(
            n_items=gaps.n_items,
            n_concepts=len(gaps),
            n_in_scope=int(gaps.in_scope.sum()),
            n_tested=int(gaps.is_judged.sum()),
            n_missing=counts[Status.MISSING],
            n_under=counts[Status.UNDER],
            n_over=counts[Status.OVER],
            covered_share=None if np.isnan(share) else share,
        )


@dataclass(frozen=True, eq=False)
class Revision:
    """A revision, planned or written."""

    choice: Choice
    kept_rows: tuple[int, ...]
    """Positions in the benchmark of the items that stay, in order."""

    added: tuple[Addition, ...]
    removed: tuple[Removal, ...]
    concept_map: ConceptMap
    """Of the revised benchmark: the kept items, then the added ones."""

    coverage_after: Coverage
    gaps_after: Gaps
    figures_before: CoverageFigures
    figures_after: CoverageFigures
    n_gaps_closed: int
    """Concepts missing or under before that more items show now, and that are neither any more."""

    n_gaps_lapsed: int
    """No gaps any more although no more items show them: with fewer findings the bar is higher."""

    manifest: Mapping[str, Any] = field(default_factory=dict)
    """What `revision.json` holds; empty while planned."""

    empty_fields: Mapping[str, int] = field(default_factory=dict)
    """Field path to the number of added items that left it empty."""

    folder: Path | None = None
    files: tuple[str, ...] = ()
    """Names of what was written, the revised benchmark first."""

    @property
    def n_items(self) -> int:
        """Number of items of the revised benchmark."""
        return len(self.kept_rows) + len(self.added)

    @property
    def n_unread(self) -> int:
        """Added items that were rewritten and not mapped again: they count as they were before."""
        return sum(one.is_unread for one in self.added)


def revised_name(path: Path, suffix: str) -> str:
    """Return `<stem>.revised<suffix>` for a benchmark's path."""
    name = path.name
    stem = name[: -len(suffix)] if suffix and name.lower().endswith(suffix.lower()) else path.stem
    return f"{stem or 'benchmark'}.revised{suffix}"


def plan_revision(
    analysis: Analysis, choice: Choice, *, rewritten: ConceptMap | None = None
) -> Revision:
    """Work out the revised benchmark, its coverage and what stays empty in it; writes nothing.

    `rewritten` is the map of `edits.rewritten_items`; without it they count as they were.
    """
    from benchdesign.formats import find_empty_fields

    removed = make_removals(analysis, choice)
    dropped = {one.row for one in removed}
    kept = tuple(row for row in range(len(analysis.benchmark)) if row not in dropped)
    added, added_map = make_additions(analysis, choice, kept_rows=kept, rewritten=rewritten)
    if not kept and not added:
        raise UsageError("The revision would have no items; keep or add at least one.")
    maps = [analysis.benchmark_map.take(kept), *([] if added_map is None else [added_map])]
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
    gone = analysis.gaps.is_gap & ~gaps_after.is_gap
    grown = gaps_after.count > analysis.gaps.count
    return Revision(
        choice=choice,
        kept_rows=kept,
        added=added,
        removed=removed,
        concept_map=revised_map,
        coverage_after=coverage,
        gaps_after=gaps_after,
        figures_before=CoverageFigures.from_gaps(analysis.gaps),
        figures_after=CoverageFigures.from_gaps(gaps_after),
        n_gaps_closed=int((gone & grown).sum()),
        n_gaps_lapsed=int((gone & ~grown).sum()),
        empty_fields=find_empty_fields(analysis.benchmark, _added_items(analysis, added)),
    )


def write_revision(
    analysis: Analysis,
    folder: Path,
    *,
    choice: Choice | None = None,
    rewritten: ConceptMap | None = None,
    format: str | None = None,
    force: bool = False,
) -> Revision:
    """Write benchmark, manifest, concepts and report into `folder`, all or nothing.

    Without a choice every proposal is taken. `rewritten` is the map of `edits.rewritten_items`.
    Existing files are only replaced with `force`.
    """
    from benchdesign.manifest import manifest_of, write_concepts
    from benchdesign.report import write_report

    benchmark = analysis.benchmark
    choice = choice or Choice.all_proposals(analysis)
    revision = plan_revision(analysis, choice, rewritten=rewritten)
    check_targets(folder, planned_files(benchmark, format=format), force=force)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as problem:
        raise _unwritable(folder, problem) from None
    try:
        written = _write_benchmark(analysis, revision, temporary, format=format)
        revision = _as_written(revision, written, folder)
        revision = replace(revision, manifest=manifest_of(analysis, revision, written))
        write_json(temporary / "revision.json", revision.manifest)
        write_concepts(analysis, revision, temporary / "concepts.parquet")
        write_report(analysis, revision, temporary)
        _sync(temporary)
        names = sorted(one.name for one in temporary.iterdir())
        check_targets(folder, names, force=force)
        _move(temporary, folder)
    except OSError as problem:
        raise _unwritable(folder, problem) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    first = revised_name(benchmark.path, Path(written.path).name.partition(".revised")[2])
    return replace(revision, files=(first, *(name for name in names if name != first)))


def check_targets(folder: Path, names: Sequence[str], *, force: bool) -> None:
    """Raise OutputExistsError if any of the files is there already and may not be replaced."""
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputExistsError(
                f"{folder}: exists and is not a folder; choose another with --out."
            )
        there = [name for name in names if (folder / name).exists()]
    except OSError as problem:
        raise UsageError(
            f"{folder}: no place for a revision ({problem.strerror}); choose another with --out."
        ) from None
    if there and not force:
        raise OutputExistsError(
            f"{folder / there[0]}: exists already. Choose another folder with --out, "
            "or replace it with --force."
        )


def planned_files(benchmark: Benchmark, *, format: str | None = None) -> tuple[str, ...]:
    """Return the names `write_revision` will write, the revised benchmark first."""
    source = benchmark.source
    is_own = format is None or format == source.format
    name = revised_name(benchmark.path, source.suffix if is_own else f".{format}")
    return (
        name,
        *(source.companions(name) if is_own else ()),
        "revision.json",
        "concepts.parquet",
        "report.html",
        "report.md",
    )


def _write_benchmark(
    analysis: Analysis,
    revision: Revision,
    folder: Path,
    *,
    format: str | None,
) -> WriteReport:
    from benchdesign.formats import write_benchmark

    benchmark = analysis.benchmark
    path = folder / planned_files(benchmark, format=format)[0]
    return write_benchmark(
        benchmark,
        path,
        keep=[benchmark.items[row].row for row in revision.kept_rows],
        added=_added_items(analysis, revision.added),
        format=format,
    )


def _added_items(analysis: Analysis, added: Sequence[Addition]) -> list[AddedItem]:
    from benchdesign.formats import AddedItem

    pool = analysis.pool
    if pool is None:
        return []
    edited = [(one, edit_of(pool, one.item, one.standing)) for one in added]
    return [AddedItem(it.item, it.record, pool, licence=one.licence) for one, it in edited]


def _as_written(revision: Revision, written: WriteReport, folder: Path) -> Revision:
    added = tuple(
        replace(one, revised_id=item_id)
        for one, item_id in zip(revision.added, written.added_ids, strict=True)
    )
    return replace(revision, added=added, empty_fields=dict(written.empty_fields), folder=folder)


def _move(temporary: Path, folder: Path) -> None:
    temporary.chmod(0o755)
    if not folder.exists():
        temporary.rename(folder)
        return
    # The manifest goes last: while it is the old one, the folder is not the new revision yet.
    files = sorted(temporary.iterdir(), key=lambda one: one.name == "revision.json")
    for one in files:
        target = folder / one.name
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        one.replace(target)


def _sync(folder: Path) -> None:
    for one in folder.rglob("*"):
        if one.is_file():
            sync(one)


def _unwritable(folder: Path, problem: OSError) -> WorkspaceError:
    return WorkspaceError(
        f"{folder}: the revision was not written ({problem.strerror or problem}). "
        "Nothing was left behind; free space or choose another folder with --out."
    )
