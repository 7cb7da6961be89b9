"""Parquet files: read by row group, written with the same schema and compression."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchdesign.benchmarks.formats.format_reader import OpenFile
from benchdesign.benchmarks.formats.parquet_footer import read_chunks
from benchdesign.benchmarks.formats.source import Record
from benchdesign.benchmarks.formats.source_candidate import SourceCandidate
from benchdesign.benchmarks.formats.text_content import (
    digest_file,
    read_head,
    reject_non_data,
)
from benchdesign.benchmarks.formats.typed_table import TableSource, arrow_errors, check_names
from benchdesign.benchmarks.formats.unpacked_size import check_unpacked, may_repeat, unpacked_bytes
from benchdesign.errors import FormatError

__all__ = ["ParquetFile", "ParquetFormat"]


class ParquetFile(TableSource):
    """A Parquet file."""

    format = "parquet"
    suffix = ".parquet"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        import pyarrow.parquet as pq

        read_head(path, 4)  # raises on a pipe or device, on which pyarrow would block
        try:
            self._metadata = pq.read_metadata(path)
            self._schema = pq.read_schema(path)
            check_names(self._schema)
        except arrow_errors() as error:
            problem = " ".join(str(error).split())[:200]
            raise FormatError(
                f"{path}: not a readable Parquet file ({problem}). Download it again."
            ) from error
        self._chunks = read_chunks(path)
        if len(self._chunks) != self._metadata.num_row_groups:
            raise FormatError(f"{path}: not a readable Parquet file. Download it again.")
        self._digest: str | None = None
        n_declared = sum(
            self._metadata.row_group(at).total_byte_size
            for at in range(self._metadata.num_row_groups)
        )
        # Empty rows take no bytes in the file, but do in memory.
        check_unpacked(
            path, max(n_declared, 8 * self._metadata.num_rows), n_packed=self._packed_bytes()
        )

    def _packed_bytes(self) -> int:
        return self.path.stat().st_size

    @property
    def sha256(self) -> str:
        """Digest of the bytes on disk."""
        if self._digest is None:
            self._digest = digest_file(self.path)
        return self._digest

    @property
    def schema(self) -> Any:
        """Arrow schema of the file."""
        return self._schema

    def _block_sizes(self) -> Sequence[int]:
        metadata = self._metadata
        return [metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)]

    def _read_block(self, block: int) -> Any:
        import pyarrow.parquet as pq

        self._check_repeats(block)
        with pq.ParquetFile(self.path) as file:
            return file.read_row_group(block)

    def _check_repeats(self, block: int) -> None:
        """Check the unpacked size of a block, without unpacking repeated texts."""
        import pyarrow.parquet as pq

        if block in self._unpacked:
            return
        columns = self._chunks[block]
        check_unpacked(
            self.path,
            8 * sum(column.num_values for column in columns),
            n_packed=self._packed_bytes(),
        )
        paths = [column.path_in_schema for column in columns if may_repeat(column)]
        if paths:
            with pq.ParquetFile(self.path, read_dictionary=paths) as file:
                self._check_size(block, unpacked_bytes(file.read_row_group(block, columns=paths)))

    def write(self, path: Path, rows: Sequence[int], added: Sequence[Record]) -> None:
        """Write the rows and then `added`, with the schema of this file."""
        import pyarrow.parquet as pq

        with pq.ParquetWriter(path, self.schema, compression=self._compression()) as out:
            for table in self.tables_of_rows(rows):
                out.write_table(table)
            if added:
                out.write_table(self.table_of(added))

    def _compression(self) -> str:
        first = next((group[0] for group in self._chunks if group), None)
        return "snappy" if first is None else first.compression

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without pyarrow's objects; the child process reads them again."""
        return {**super().__getstate__(), "_metadata": None, "_schema": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state, with schema and metadata read again."""
        import pyarrow.parquet as pq

        self.__dict__.update(state)
        self._metadata = pq.read_metadata(self.path)
        self._schema = pq.read_schema(self.path)


class ParquetFormat:
    """Parquet files, by their first bytes or their name."""

    name = "parquet"
    suffixes = frozenset({".parquet"})
    has_splits = False

    def claims(self, candidate: SourceCandidate) -> bool:
        """Whether the file starts as Parquet, or is named so and is no Arrow file."""
        if candidate.head.startswith(b"PAR1"):
            return True
        return candidate.suffix == ".parquet" and not candidate.head.startswith(b"ARROW1")

    def open(
        self, candidate: SourceCandidate, *, split: str | None, open_file: OpenFile
    ) -> ParquetFile:
        """Open the file."""
        path = candidate.path
        if not candidate.head.startswith(b"PAR1"):
            reject_non_data(path, candidate.head)
            raise FormatError(f"{path}: not a Parquet file. Check that it was written completely.")
        return ParquetFile(path)
