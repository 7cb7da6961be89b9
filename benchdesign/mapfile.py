"""Concept maps on disk: Parquet, one row an item, list columns over one offset array a row group.

Written a row group at a time and read a few at a time, so that a map costs the memory of what is
kept of it and little more. A map of a million items holds over half a billion entries; of those, a
third say that a concept is present, and that third is all that counting and choosing look at.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from benchdesign.errors import FormatError
from benchdesign.whole_files import whole_files

if TYPE_CHECKING:
    import pyarrow.parquet as pq

    from benchdesign.conceptmap import ConceptMap

__all__ = ["MapWriter", "count_entries", "find_place", "read_map"]

_GROUP = 4_096
"""Items of a row group: some 50 MB, which is what looking up one place costs."""


_MOST_READERS = 4
"""Row groups that are unpacked side by side; what is unpacked and not yet kept costs memory."""


class MapWriter:
    """Writes a map in parts, all or nothing: nothing is there if the block ends by an exception."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open = ExitStack()
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def write(self, part: ConceptMap) -> None:
        """Add the rows of a part; all parts come from one dictionary and have the same columns."""
        import pyarrow.parquet as pq

        for start in range(0, max(len(part), 1), _GROUP):
            whole = len(part) <= _GROUP
            table = (part if whole else part.slice(start, start + _GROUP)).to_table()
            if self._writer is None:
                (fresh,) = self._open.enter_context(whole_files(self._path))
                # Activations hardly repeat: a dictionary of them would only be thrown away.
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


def count_entries(path: Path) -> int:
    """Return how many entries a map file has, without reading them (one too many an empty item)."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return _count_entries(file)


def read_map(path: Path, *, thresholds: NDArray[np.float32] | None) -> ConceptMap:
    """Read a map file; with thresholds (n_concepts,), only the entries whose peak reaches them.

    What is read then has no places of peaks; `ConceptMap.at` looks them up in the file. Raises
    ArrowException or OSError.
    """
    import pyarrow.parquet as pq

    from benchdesign.conceptmap import ConceptMap

    with pq.ParquetFile(path) as file:
        n_concepts, dictionary = _identity(file)
        if thresholds is not None and len(thresholds) != n_concepts:
            raise FormatError(f"{path}: made by another dictionary; map again.")
        n_items, room = file.metadata.num_rows, _count_entries(file)
        # Pages of memory that are never written to cost nothing, so room for all is no waste.
        values = {name: np.empty(room, dtype) for name, dtype in _COLUMNS.items()}
        indptr = np.zeros(n_items + 1, dtype=np.int64)
        n_tokens = np.zeros(n_items, dtype=np.int32)
        digests: list[str] = []
        embeddings: NDArray[np.float16] | None = None
        row = used = 0
        for group in _groups(path, file, thresholds=thresholds):
            n = len(group.lengths)
            stop = used + int(group.lengths.sum())
            for name, one in group.values.items():
                values[name][used:stop] = one
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
    nowhere = np.broadcast_to(np.int32(0), used)
    return ConceptMap(
        digests=tuple(digests),
        n_concepts=n_concepts,
        dictionary=dictionary,
        indptr=indptr,
        indices=values["concept"][:used],
        saliency=values["saliency"][:used],
        peak=values["peak"][:used],
        start=values["start"][:used] if thresholds is None else nowhere,
        end=values["end"][:used] if thresholds is None else nowhere,
        n_tokens=n_tokens,
        embeddings=embeddings,
        places=None if thresholds is None else path,
    )


def find_place(path: Path, row: int, concept_id: int) -> tuple[int, int]:
    """Return where the peak of one concept in one item is, from a map file; (0, 0) if unknown."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for place in range(file.num_row_groups):
                n = file.metadata.row_group(place).num_rows
                if row < n:
                    names = ["concept", "start", "end"]
                    one = file.read_row_group(place, columns=names).slice(row, 1).to_pydict()
                    found = one["concept"][0].index(concept_id)
                    return int(one["start"][0][found]), int(one["end"][0][found])
                row -= n
    except (pa.ArrowException, OSError, ValueError):
        # Gone or replaced: a place is shown where it is known, and nothing depends on it.
        pass
    return 0, 0


_COLUMNS: dict[str, type[np.generic]] = {
    "concept": np.int32,
    "saliency": np.float32,
    "peak": np.float32,
    "start": np.int32,
    "end": np.int32,
}


class _Group(NamedTuple):
    """One row group as arrays that share Arrow's memory where they can."""

    lengths: NDArray[np.int64]
    """(n_items,): entries of each item."""

    values: dict[str, NDArray[Any]]
    digests: list[str]
    n_tokens: NDArray[np.int32]
    embeddings: NDArray[np.float16] | None


def _groups(
    path: Path, file: pq.ParquetFile, *, thresholds: NDArray[np.float32] | None
) -> Iterator[_Group]:
    """Yield the row groups of a map file in order; a few are unpacked side by side."""
    n = file.num_row_groups
    if n < 2:
        for place in range(n):
            yield _group(file, place, thresholds)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    import pyarrow.parquet as pq

    def read(place: int) -> _Group:
        # A reader may serve one thread only; with the metadata at hand another one costs nothing.
        with pq.ParquetFile(path, metadata=file.metadata) as own:
            return _group(own, place, thresholds)

    workers = min(os.cpu_count() or 1, _MOST_READERS)
    waiting: deque[Future[_Group]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for place in range(n):
            waiting.append(pool.submit(read, place))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _group(file: pq.ParquetFile, place: int, thresholds: NDArray[np.float32] | None) -> _Group:
    """Read one row group; with thresholds, only the entries whose peak reaches them."""
    from benchdesign.conceptmap import numbers

    lists = [name for name in _COLUMNS if thresholds is None or name not in ("start", "end")]
    others = [
        name for name in ("digest", "n_tokens", "embedding") if name in file.schema_arrow.names
    ]
    table = file.read_row_group(place, columns=[*lists, *others], use_threads=False)
    values = {
        name: numbers(table.column(name).combine_chunks().flatten()).astype(
            _COLUMNS[name], copy=False
        )
        for name in lists
    }
    offsets = numbers(table.column("concept").combine_chunks().offsets).astype(np.int64)
    offsets = offsets - offsets[0] if len(offsets) else np.zeros(1, dtype=np.int64)
    if thresholds is not None:
        kept = np.flatnonzero(values["peak"] >= thresholds[values["concept"]])
        values = {name: one[kept] for name, one in values.items()}
        offsets = np.searchsorted(kept, offsets)
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
    """Return number of concepts and fingerprint of the dictionary that made a map file."""
    metadata = file.schema_arrow.metadata or {}
    try:
        return int(metadata[b"n_concepts"]), metadata[b"dictionary"].decode()
    except KeyError as problem:
        raise FormatError(f"Not a concept map: the schema lacks {problem}; map again.") from None


def _count_entries(file: pq.ParquetFile) -> int:
    names = [file.schema.column(place).path.partition(".")[0] for place in range(len(file.schema))]
    column = names.index("concept")
    metadata = file.metadata
    return sum(
        metadata.row_group(place).column(column).num_values
        for place in range(metadata.num_row_groups)
    )
