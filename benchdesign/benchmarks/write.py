"""Write a benchmark without some rows and with added items, in its own format."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from benchdesign.benchmarks.formats.export_formats import EXPORTS, export_records
from benchdesign.benchmarks.formats.source import Source
from benchdesign.benchmarks.items import Benchmark
from benchdesign.benchmarks.record_builder import AddedItem, BuiltRecords, build_records
from benchdesign.errors import FormatError, OutputExistsError

__all__ = ["WriteReport", "write_benchmark", "write_records"]


@dataclass(frozen=True, slots=True)
class WriteReport:
    """Summary of a written benchmark."""

    path: Path
    n_kept: int
    n_added: int
    added_ids: tuple[str, ...]
    """Ids of the added items in the written set, in order."""

    empty_fields: Mapping[str, int] = field(default_factory=dict)
    """Fields left empty because the added items lack them, with the number of records."""

    dropped_parts: Mapping[str, int] = field(default_factory=dict)
    """Parts of added items that the benchmark has no field for, with the number of items."""


def write_benchmark(
    benchmark: Benchmark,
    path: str | Path,
    *,
    keep: Sequence[int],
    added: Sequence[AddedItem] = (),
    format: str | None = None,
    force: bool = False,
) -> WriteReport:
    """Write the rows `keep` in order, then `added`; the write is atomic.

    The format is the source's own unless `format` is jsonl, json, csv, tsv or parquet.
    """
    built = build_records(benchmark, added)
    return write_records(benchmark, path, keep=keep, built=built, format=format, force=force)


def write_records(
    benchmark: Benchmark,
    path: str | Path,
    *,
    keep: Sequence[int],
    built: BuiltRecords,
    format: str | None = None,
    force: bool = False,
) -> WriteReport:
    """Write the rows `keep` in order, then the records built from added items.

    Use it instead of `write_benchmark` if the records have been built before.
    """
    path = Path(path)
    source = cast("Source", benchmark.source)
    if path.exists() and not force:
        raise OutputExistsError(f"{path}: already exists. Use --force or another folder.")
    for row in keep:
        if not 0 <= row < len(source):
            raise FormatError(f"{source.path}: no record {row + 1} to keep: it has {len(source)}.")
    records = list(built.records)
    with _staging_path(path) as temporary:
        if format is None or format == source.format:
            source.write(temporary, keep, records)
        elif format in EXPORTS:
            export_records(temporary, format, _all_records(source, keep, records))
        else:
            raise FormatError(
                f"{path}: cannot write {format!r}. Use one of {', '.join(EXPORTS)}, "
                "or omit it for the benchmark's own format."
            )
    return WriteReport(
        path=path,
        n_kept=len(keep),
        n_added=len(records),
        added_ids=built.ids,
        empty_fields=built.empty_fields,
        dropped_parts=built.dropped_parts,
    )


def _all_records(
    source: Source, keep: Sequence[int], added: Sequence[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    for row in keep:
        yield source.record(row)
    yield from added


@contextmanager
def _staging_path(path: Path) -> Iterator[Path]:
    """Yield a path in a temporary folder; on success move the folder's contents into place."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name[:40]}.", dir=path.parent))
    except OSError as error:
        raise FormatError(
            f"{path.parent}: cannot be written to ({error.strerror}). Choose another folder."
        ) from error
    try:
        yield folder / path.name
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name == path.name):
            target = path.parent / entry.name
            if target.is_dir():
                shutil.rmtree(target)
            entry.replace(target)
    except OSError as error:
        raise FormatError(f"{path}: could not be written ({error.strerror or error}).") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
