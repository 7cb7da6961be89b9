"""Write the revised benchmark, its manifest and its report, all or nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchdesign.benchmarks.items import Benchmark
from benchdesign.benchmarks.write import WriteReport, write_records
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.errors import OutputExistsError, UsageError, WorkspaceError
from benchdesign.foundation.atomic_files import flush_to_disk
from benchdesign.foundation.serialization import write_json
from benchdesign.report.coverage_report import write_report
from benchdesign.revision.choice import Choice
from benchdesign.revision.concepts_table import write_concepts
from benchdesign.revision.manifest import build_manifest
from benchdesign.revision.plan import Revision, plan_revision, revised_name
from benchdesign.workspace.analysis import Analysis

__all__ = ["check_targets", "planned_files", "write_revision"]


def write_revision(
    analysis: Analysis,
    folder: Path,
    *,
    choice: Choice | None = None,
    edited_map: ConceptMap | None = None,
    format: str | None = None,
    force: bool = False,
) -> Revision:
    """Write benchmark, manifest, concepts and report into `folder` atomically.

    Without a choice every proposal is accepted. `edited_map` is the map from `map_edited_items`.
    Existing files are replaced only with `force`.
    """
    benchmark = analysis.benchmark
    choice = choice or Choice.all_proposals(analysis)
    revision = plan_revision(analysis, choice, edited_map=edited_map)
    check_targets(folder, planned_files(benchmark, format=format), force=force)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as problem:
        raise _revision_write_error(folder, problem) from None
    try:
        written = _write_benchmark(analysis, revision, temporary, format=format)
        revision = _with_written_ids(revision, written, folder)
        revision = replace(revision, manifest=build_manifest(analysis, revision, written))
        write_json(temporary / "revision.json", revision.manifest)
        write_concepts(analysis, revision, temporary / "concepts.parquet")
        write_report(analysis, revision, temporary)
        _sync(temporary)
        names = sorted(path.name for path in temporary.iterdir())
        check_targets(folder, names, force=force)
        _move(temporary, folder)
    except OSError as problem:
        raise _revision_write_error(folder, problem) from None
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
    benchmark = analysis.benchmark
    path = folder / planned_files(benchmark, format=format)[0]
    return write_records(
        benchmark,
        path,
        keep=[benchmark.items[row].row for row in revision.kept_rows],
        built=revision.records,
        format=format,
    )


def _with_written_ids(revision: Revision, written: WriteReport, folder: Path) -> Revision:
    added = tuple(
        replace(addition, revised_id=item_id)
        for addition, item_id in zip(revision.added, written.added_ids, strict=True)
    )
    return replace(revision, added=added, folder=folder)


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
            flush_to_disk(path)


def _revision_write_error(folder: Path, problem: OSError) -> WorkspaceError:
    return WorkspaceError(
        f"{folder}: the revision was not written ({problem.strerror or problem}). "
        "No partial files remain. Free space or choose another folder with --out."
    )
