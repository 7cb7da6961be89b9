"""Concept maps on disk: Parquet with one row per item and list columns.

A map is written one row group at a time and read a few at a time, so that it needs little more
memory than the entries that are kept. The map of a million items has over half a billion entries.
In a third of them the concept is present; counting and choosing need no others.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.peak_places import MAP_COLUMNS, count_row_entries
from benchdesign.errors import FormatError
from benchdesign.foundation.arrow_arrays import numbers
from benchdesign.foundation.atomic_files import whole_files

if TYPE_CHECKING:
    import pyarrow.parquet as pq

__all__ = ["MapWriter", "read_map", "write_map"]


_GROUP = 4_096
"""Items per row group (about 50 MB); `find_peak_span` reads one whole group."""


_MAX_READERS = 4
"""Row groups that are decompressed in parallel; each of them needs memory."""


class MapWriter:
    """Write a map in parts, atomically: no file is left if the block raises."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open = ExitStack()
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def write(self, part: ConceptMap) -> None:
        """Write the rows of a part; all parts must share the dictionary and the columns."""
        import pyarrow.parquet as pq

        for start in range(0, max(len(part), 1), _GROUP):
            fits = len(part) <= _GROUP
            table = (part if fits else part.slice(start, start + _GROUP)).to_table()
            if self._writer is None:
                (fresh,) = self._open.enter_context(whole_files(self._path))
                # Activations hardly repeat, so dictionary encoding gains nothing.
                self._writer = pq.ParquetWriter(
                    fresh, table.schema, compression="zstd", use_dictionary=False
                )
                self._open.callback(self._writer.close)
            self._writer.write_table(table)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, problem, trace)


def write_map(concept_map: ConceptMap, path: Path) -> None:
    """Write a whole map as Parquet, atomically."""
    with MapWriter(path) as writer:
        writer.write(concept_map)


def read_map(path: Path, *, thresholds: NDArray[np.float32] | None = None) -> ConceptMap:
    """Read a map file; with presence thresholds (n_concepts,), only the entries that reach them.

    With thresholds, the positions of peaks are not read; `ConceptMap.at` reads them from the file.
    That takes a fifth of the memory and suffices for coverage, gaps and proposals.
    """
    import pyarrow as pa

    try:
        return _read(path, thresholds)
    except (pa.ArrowException, OSError) as problem:
        raise FormatError(
            f"{path}: not a readable concept map ({problem}). Delete it and map again."
        ) from None


def _read(path: Path, thresholds: NDArray[np.float32] | None) -> ConceptMap:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        n_concepts, dictionary = _identity(file)
        if thresholds is not None and len(thresholds) != n_concepts:
            raise FormatError(f"{path}: made with another dictionary; map again.")
        n_items, room = file.metadata.num_rows, count_row_entries(file)
        # Pages that are never written to are not allocated, so room for all entries is free.
        values = {name: np.empty(room, dtype) for name, dtype in MAP_COLUMNS.items()}
        indptr = np.zeros(n_items + 1, dtype=np.int64)
        n_tokens = np.zeros(n_items, dtype=np.int32)
        digests: list[str] = []
        embeddings: NDArray[np.float16] | None = None
        row = used = 0
        for group in _groups(path, file, thresholds=thresholds):
            n = len(group.lengths)
            stop = used + int(group.lengths.sum())
            for name, column in group.values.items():
                values[name][used:stop] = column
            indptr[row + 1 : row + n + 1] = used + np.cumsum(group.lengths)
            n_tokens[row : row + n] = group.n_tokens
            digests += group.digests
            if group.embeddings is not None:
                if embeddings is None:
                    embeddings = np.empty((n_items, group.embeddings.shape[1]), np.float16)
                embeddings[row : row + n] = group.embeddings
            row, used = row + n, stop
    if embeddings is None and "embedding" in file.schema_arrow.names:
        embeddings = np.empty((0, file.schema_arrow.field("embedding").type.list_size), np.float16)
    no_position = np.broadcast_to(np.int32(0), used)
    return ConceptMap(
        digests=tuple(digests),
        n_concepts=n_concepts,
        dictionary=dictionary,
        indptr=indptr,
        indices=values["concept"][:used],
        saliency=values["saliency"][:used],
        peak=values["peak"][:used],
        start=values["start"][:used] if thresholds is None else no_position,
        end=values["end"][:used] if thresholds is None else no_position,
        n_tokens=n_tokens,
        embeddings=embeddings,
        places=None if thresholds is None else path,
    )


class _Group(NamedTuple):
    """One row group as arrays that share Arrow's memory if possible."""

    lengths: NDArray[np.int64]
    """(n_items,): number of entries of each item."""

    values: dict[str, NDArray[Any]]
    digests: list[str]
    n_tokens: NDArray[np.int32]
    embeddings: NDArray[np.float16] | None


def _groups(
    path: Path, file: pq.ParquetFile, *, thresholds: NDArray[np.float32] | None
) -> Iterator[_Group]:
    """Yield the row groups of a map file in order; a few are decompressed in parallel."""
    n = file.num_row_groups
    if n < 2:
        for index in range(n):
            yield _group(file, index, thresholds)
        return

    import pyarrow.parquet as pq

    def read(index: int) -> _Group:
        # A reader is not thread-safe; opening another one with the same metadata is cheap.
        with pq.ParquetFile(path, metadata=file.metadata) as reader:
            return _group(reader, index, thresholds)

    workers = min(os.cpu_count() or 1, _MAX_READERS)
    waiting: deque[Future[_Group]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for index in range(n):
            waiting.append(pool.submit(read, index))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _group(file: pq.ParquetFile, index: int, thresholds: NDArray[np.float32] | None) -> _Group:
    """Read one row group; with thresholds, only the entries whose peak reaches them."""
    lists = [name for name in MAP_COLUMNS if thresholds is None or name not in ("start", "end")]
    others = [
        name for name in ("digest", "n_tokens", "embedding") if name in file.schema_arrow.names
    ]
    table = file.read_row_group(index, columns=[*lists, *others], use_threads=False)
    values = {
        name: numbers(table.column(name).combine_chunks().flatten()).astype(
            MAP_COLUMNS[name], copy=False
        )
        for name in lists
    }
    offsets = numbers(table.column("concept").combine_chunks().offsets).astype(np.int64)
    offsets = offsets - offsets[0] if len(offsets) else np.zeros(1, dtype=np.int64)
    if thresholds is not None:
        above = np.flatnonzero(values["peak"] >= thresholds[values["concept"]])
        values = {name: column[above] for name, column in values.items()}
        offsets = np.searchsorted(above, offsets)
    embeddings: NDArray[np.float16] | None = None
    if "embedding" in table.column_names:
        width = table.schema.field("embedding").type.list_size
        flat = numbers(table.column("embedding").combine_chunks().flatten())
        embeddings = flat.reshape(len(table), width)
    return _Group(
        np.diff(offsets),
        values,
        table.column("digest").to_pylist(),
        numbers(table.column("n_tokens")),
        embeddings,
    )


def _identity(file: pq.ParquetFile) -> tuple[int, str]:
    """Return the number of concepts and the fingerprint of a map file's dictionary."""
    metadata = file.schema_arrow.metadata or {}
    try:
        return int(metadata[b"n_concepts"]), metadata[b"dictionary"].decode()
    except KeyError as problem:
        raise FormatError(
            f"Not a concept map: {problem} is missing from the schema; map again."
        ) from None
