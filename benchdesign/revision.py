"""The revised benchmark and its manifest: what is kept, added and left out, all or nothing.

A revision is planned first (nothing is written, so an interface can show it) and then written into
a temporary folder beside the target, which is renamed at the end. Nothing here
knows the time of day: the same inputs and decisions give the same files, byte for byte.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchdesign.analysis import Analysis
from benchdesign.conceptmap import ConceptMap
from benchdesign.coverage import Coverage, measure_coverage
from benchdesign.decisions import DecisionLog, Standing, Subject, Verdict
from benchdesign.edits import edit_of
from benchdesign.errors import OutputExistsError, UsageError, WorkspaceError
from benchdesign.gaps import Gaps, Status, find_gaps
from benchdesign.items import Item
from benchdesign.pipeline import reference_of
from benchdesign.records import plain, write_json

if TYPE_CHECKING:
    from benchdesign.formats import AddedItem, WriteReport
    from benchdesign.items import Benchmark

__all__ = [
    "Addition",
    "Choice",
    "CoverageFigures",
    "Removal",
    "Revision",
    "check_targets",
    "plan_revision",
    "planned_files",
    "revised_name",
    "write_revision",
]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which proposals make the revision, and who said so."""

    added: tuple[str, ...]
    """Ids of pool items, in the order they are added."""

    removed: tuple[str, ...]
    """Ids of benchmark items that are left out."""

    made_by: str
    """`all proposals` or `decisions`."""

    standings: Mapping[tuple[Subject, str], Standing] = field(default_factory=dict)
    """Notes, reasons and edits for them, where there are any."""

    decisions_sha256: str | None = None

    @classmethod
    def all_proposals(cls, analysis: Analysis) -> Choice:
        """Take every proposal, as a run without questions does."""
        return cls(
            tuple(one.id for one in analysis.proposals),
            tuple(one.id for one in analysis.removals),
            "all proposals",
        )

    @classmethod
    def from_decisions(cls, log: DecisionLog) -> Choice:
        """Take what was accepted, in the order it was."""
        standings = {
            (subject, subject_id): standing
            for subject in (Subject.ADD, Subject.REMOVE)
            for subject_id, standing in log.standings(subject).items()
        }
        said = [plain(one) for one in standings.values() if one.verdict is not Verdict.OPEN]
        return cls(
            log.accepted,
            log.dropped,
            "decisions",
            standings,
            hashlib.sha256(repr(said).encode("utf-8", "surrogatepass")).hexdigest(),
        )


@dataclass(frozen=True, slots=True)
class CoverageFigures:
    """The figures of one side of the comparison."""

    n_items: int
    n_concepts: int
    n_in_scope: int
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
            n_missing=counts[Status.MISSING],
            n_under=counts[Status.UNDER],
            n_over=counts[Status.OVER],
            covered_share=None if np.isnan(share) else share,
        )


@dataclass(frozen=True, slots=True)
class Addition:
    """One pool item that joins the benchmark."""

    item: Item
    """The pool's item, with the designer's changes."""

    rank: int | None
    """Place among the proposals, from 1; None if it was chosen by hand."""

    gain: float | None
    concepts: tuple[int, ...]
    """Gaps it helps to close."""

    standing: Standing | None
    revised_id: str = ""
    """Its id in the revised benchmark; known once written."""

    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Removal:
    """One benchmark item that is left out."""

    item: Item
    rank: int | None
    duplicate_of: str | None
    """Id of the item closest to it, which stays."""

    similarity: float | None
    standing: Standing | None


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

    n_unread: int = 0
    """Added items that were rewritten and not mapped again: they count as they were before."""

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


def revised_name(path: Path, suffix: str) -> str:
    """Return `<stem>.revised<suffix>` for a benchmark's path."""
    name = path.name
    stem = name[: -len(suffix)] if suffix and name.lower().endswith(suffix.lower()) else path.stem
    return f"{stem or 'benchmark'}.revised{suffix}"


def plan_revision(
    analysis: Analysis, choice: Choice, *, rewritten: ConceptMap | None = None
) -> Revision:
    """Work out the revised benchmark and its coverage; writes nothing.

    `rewritten` is the map of `edits.rewritten_items`; without it they count as they were.
    """
    benchmark, pool = analysis.benchmark, analysis.pool
    row_of = {item.id: row for row, item in enumerate(benchmark.items)}
    unknown = [one for one in choice.removed if one not in row_of]
    if unknown:
        raise WorkspaceError(
            f"{benchmark.path}: item {unknown[0]!r} is to be removed but is not in the file any "
            "more. Undo that decision, or restore the file."
        )
    dropped = {row_of[one] for one in choice.removed}
    kept = tuple(row for row in range(len(benchmark)) if row not in dropped)
    pool_row = {item.id: row for row, item in enumerate(pool.items)} if pool is not None else {}
    unknown = [one for one in choice.added if one not in pool_row]
    if unknown:
        where = "there is no pool" if pool is None else f"it is not in {pool.path} any more"
        raise WorkspaceError(
            f"Pool item {unknown[0]!r} was accepted but {where}. "
            "Undo that decision, or restore the pool."
        )
    if not kept and not choice.added:
        raise UsageError("The revision would have no items; keep or add at least one.")
    added = _additions(analysis, choice, pool_row)
    added_map, n_unread = _map_of_added(analysis, added, pool_row, rewritten)
    maps = [analysis.benchmark_map.take(kept), *([] if added_map is None else [added_map])]
    revised_map = ConceptMap.concatenate(maps)
    reference = reference_of(analysis.pool_map, analysis.dictionary)
    coverage = measure_coverage(revised_map, analysis.dictionary, reference=reference)
    gaps_after = find_gaps(
        coverage,
        analysis.dictionary,
        relevance=analysis.relevance,
        settings=analysis.gaps.settings,
    )
    gone = analysis.gaps.is_gap & ~gaps_after.is_gap
    grown = gaps_after.count > analysis.gaps.count
    return Revision(
        choice=choice,
        kept_rows=kept,
        added=added,
        removed=_removals(analysis, choice, row_of),
        concept_map=revised_map,
        coverage_after=coverage,
        gaps_after=gaps_after,
        figures_before=CoverageFigures.from_gaps(analysis.gaps),
        figures_after=CoverageFigures.from_gaps(gaps_after),
        n_gaps_closed=int((gone & grown).sum()),
        n_gaps_lapsed=int((gone & ~grown).sum()),
        n_unread=n_unread,
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
    if folder.exists() and not folder.is_dir():
        raise OutputExistsError(f"{folder}: exists and is not a folder; choose another with --out.")
    there = [name for name in names if (folder / name).exists()]
    if there and not force:
        raise OutputExistsError(
            f"{folder / there[0]}: exists already. Choose another folder with --out, "
            "or replace it with --force."
        )


def planned_files(benchmark: Benchmark, *, format: str | None = None) -> tuple[str, ...]:
    """Return the names `write_revision` will write, the revised benchmark first."""
    suffix = f".{format}" if format else benchmark.source.suffix
    return (
        revised_name(benchmark.path, suffix),
        "revision.json",
        "concepts.parquet",
        "report.html",
        "report.md",
    )


def _map_of_added(
    analysis: Analysis,
    added: Sequence[Addition],
    pool_row: Mapping[str, int],
    rewritten: ConceptMap | None,
) -> tuple[ConceptMap | None, int]:
    """Return the map of what is added, and how many of it were rewritten and not mapped since."""
    pool_map = analysis.pool_map
    if not added or pool_map is None:
        return None, 0
    place = {} if rewritten is None else {one: row for row, one in enumerate(rewritten.digests)}
    as_they_were = pool_map.take([pool_row[one.item.id] for one in added])
    rows, n_unread = [], 0
    for row, one in enumerate(added):
        digest = one.item.digest
        is_rewritten = digest != as_they_were.digests[row]
        n_unread += is_rewritten and digest not in place
        rows.append(len(added) + place[digest] if is_rewritten and digest in place else row)
    if rewritten is None:
        return as_they_were, n_unread
    return ConceptMap.concatenate([as_they_were, rewritten]).take(rows), n_unread


def _additions(
    analysis: Analysis, choice: Choice, pool_row: Mapping[str, int]
) -> tuple[Addition, ...]:
    pool = analysis.pool
    if pool is None:
        return ()
    proposed = {one.id: one for one in analysis.proposals}
    added = []
    for pool_id in choice.added:
        item, proposal = pool.items[pool_row[pool_id]], proposed.get(pool_id)
        standing = choice.standings.get((Subject.ADD, pool_id))
        added.append(
            Addition(
                item=edit_of(pool, item, standing).item,
                rank=proposal.rank if proposal else None,
                gain=proposal.gain if proposal else None,
                concepts=tuple(gap.concept_id for gap in proposal.gaps) if proposal else (),
                standing=standing,
                licence=_licence(analysis, item),
            )
        )
    return tuple(added)


def _removals(analysis: Analysis, choice: Choice, row_of: Mapping[str, int]) -> tuple[Removal, ...]:
    proposed = {one.id: one for one in analysis.removals}
    removed = []
    for item_id in choice.removed:
        proposal = proposed.get(item_id)
        removed.append(
            Removal(
                item=analysis.benchmark.items[row_of[item_id]],
                rank=proposal.rank if proposal else None,
                duplicate_of=proposal.nearest_id if proposal else None,
                similarity=proposal.nearest_similarity if proposal else None,
                standing=choice.standings.get((Subject.REMOVE, item_id)),
            )
        )
    return tuple(removed)


def _licence(analysis: Analysis, item: Item) -> str | None:
    pool = analysis.pool
    if pool is None or pool.mapping.licence is None:
        return None
    value: Any = pool.record(item)
    for part in pool.mapping.licence.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return None if value is None else str(value)


def _write_benchmark(
    analysis: Analysis,
    revision: Revision,
    folder: Path,
    *,
    format: str | None,
) -> WriteReport:
    from benchdesign.formats import AddedItem, write_benchmark

    benchmark, pool = analysis.benchmark, analysis.pool
    added: list[AddedItem] = []
    for one in revision.added:
        if pool is None:
            break
        edited = edit_of(pool, one.item, one.standing)
        added.append(AddedItem(edited.item, edited.record, pool, licence=one.licence))
    path = folder / planned_files(benchmark, format=format)[0]
    return write_benchmark(
        benchmark,
        path,
        keep=[benchmark.items[row].row for row in revision.kept_rows],
        added=added,
        format=format,
    )


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
    import os

    for one in folder.rglob("*"):
        if one.is_file():
            handle = os.open(one, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _unwritable(folder: Path, problem: OSError) -> WorkspaceError:
    return WorkspaceError(
        f"{folder}: the revision was not written ({problem.strerror or problem}). "
        "Nothing was left behind; free space or choose another folder with --out."
    )
