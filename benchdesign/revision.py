"""The revised benchmark and its manifest: items kept, added and removed, written atomically.

A revision is planned first; planning writes nothing, so an interface can show the result. The
files are then written into a temporary folder beside the target, which is renamed at the end. The
output does not depend on the time of day: the same inputs and decisions give the same files, byte
for byte.
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
    """Coverage figures of one side of the comparison."""

    n_items: int
    n_concepts: int
    n_in_scope: int
    n_tested: int
    """Concepts that are common enough to be judged."""

    n_missing: int
    n_under: int
    n_over: int
    covered_share: float | None
    """Share of judged concepts that are neither missing nor under; None if none was judged."""

    @classmethod
    def from_gaps(cls, gaps: Gaps) -> CoverageFigures:
        """Return the figures of some gaps."""
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
    """Map of the revised benchmark: kept items first, then added ones."""

    coverage_after: Coverage
    gaps_after: Gaps
    figures_before: CoverageFigures
    figures_after: CoverageFigures
    n_gaps_closed: int
    """Former gaps that more items show now and that are no longer gaps."""

    n_gaps_lapsed: int
    """No longer gaps although no more items show them: fewer findings make the test stricter."""

    manifest: Mapping[str, Any] = field(default_factory=dict)
    """Content of `revision.json`; empty while only planned."""

    empty_fields: Mapping[str, int] = field(default_factory=dict)
    """Number of added items without a value, by field path."""

    folder: Path | None = None
    files: tuple[str, ...] = ()
    """Names of the files written, the revised benchmark first."""

    @property
    def n_items(self) -> int:
        """Number of items of the revised benchmark."""
        return len(self.kept_rows) + len(self.added)

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
    analysis: Analysis, choice: Choice, *, rewritten: ConceptMap | None = None
) -> Revision:
    """Compute the revised benchmark, its coverage and its empty fields; write nothing.

    `rewritten` is the map of `edits.rewritten_items`; without it these items count with their
    former text.
    """
    from benchdesign.formats import find_empty_fields

    removed = make_removals(analysis, choice)
    dropped = {removal.row for removal in removed}
    kept_rows = tuple(row for row in range(len(analysis.benchmark)) if row not in dropped)
    added, added_map = make_additions(analysis, choice, kept_rows=kept_rows, rewritten=rewritten)
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
    """Write benchmark, manifest, concepts and report into `folder` atomically.

    Without a choice every proposal is accepted. `rewritten` is the map of `edits.rewritten_items`.
    Existing files are replaced only with `force`.
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
        names = sorted(path.name for path in temporary.iterdir())
        check_targets(folder, names, force=force)
        _move(temporary, folder)
    except OSError as problem:
        raise _unwritable(folder, problem) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    first = revised_name(benchmark.path, Path(written.path).name.partition(".revised")[2])
    return replace(revision, files=(first, *(name for name in names if name != first)))


def check_targets(folder: Path, names: Sequence[str], *, force: bool) -> None:
    """Raise `OutputExistsError` if a file exists and `force` does not allow replacing it."""
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputExistsError(f"{folder}: not a folder; choose another with --out.")
        existing = [name for name in names if (folder / name).exists()]
    except OSError as problem:
        raise UsageError(
            f"{folder}: cannot be used for a revision ({problem.strerror}). "
            "Choose another folder with --out."
        ) from None
    if existing and not force:
        raise OutputExistsError(
            f"{folder / existing[0]}: already exists. Choose another folder with --out, "
            "or replace it with --force."
        )


def planned_files(benchmark: Benchmark, *, format: str | None = None) -> tuple[str, ...]:
    """Return the names of the files that `write_revision` writes, the revised benchmark first."""
    source = benchmark.source
    keeps_format = format is None or format == source.format
    name = revised_name(benchmark.path, source.suffix if keeps_format else f".{format}")
    return (
        name,
        *(source.companions(name) if keeps_format else ()),
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
    edits = [(addition, edit_of(pool, addition.item, addition.standing)) for addition in added]
    return [
        AddedItem(edit.item, edit.record, pool, licence=addition.licence)
        for addition, edit in edits
    ]


def _as_written(revision: Revision, written: WriteReport, folder: Path) -> Revision:
    added = tuple(
        replace(addition, revised_id=item_id)
        for addition, item_id in zip(revision.added, written.added_ids, strict=True)
    )
    return replace(revision, added=added, empty_fields=dict(written.empty_fields), folder=folder)


def _move(temporary: Path, folder: Path) -> None:
    temporary.chmod(0o755)
    if not folder.exists():
        temporary.rename(folder)
        return
    # Replace the manifest last: until then the folder still counts as the old revision.
    files = sorted(temporary.iterdir(), key=lambda path: path.name == "revision.json")
    for path in files:
        target = folder / path.name
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        path.replace(target)


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            sync(path)


def _unwritable(folder: Path, problem: OSError) -> WorkspaceError:
    return WorkspaceError(
        f"{folder}: the revision was not written ({problem.strerror or problem}). "
        "No partial files remain. Free space or choose another folder with --out."
    )
