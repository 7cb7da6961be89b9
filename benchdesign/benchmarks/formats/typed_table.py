"""Base of the readers of Parquet and Arrow: rows of a typed table, copied value for value."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from benchdesign.benchmarks.formats.source import Record, Source
from benchdesign.benchmarks.formats.unpacked_size import check_unpacked, unpacked_bytes
from benchdesign.benchmarks.items import Finding
from benchdesign.errors import FormatError

__all__ = ["TableSource", "arrow_errors", "check_names"]


def arrow_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that pyarrow raises on data it cannot read or convert."""
    import pyarrow as pa

    return (pa.ArrowException, OSError, ValueError, OverflowError, TypeError, KeyError)


def check_names(schema: Any) -> None:
    """Raise UnicodeDecodeError if the name of a column is not UTF-8."""
    list(schema.names)


class TableSource(Source):
    """Records in blocks of a typed table."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._cached: tuple[int, Any] | None = None
        self._unpacked: dict[int, int] = {}
        """Unpacked bytes of each block read so far."""
        self._n_read = 0

    @abstractmethod
    def _block_sizes(self) -> Sequence[int]:
        """Return the number of rows in each block."""

    @abstractmethod
    def _read_block(self, block: int) -> Any:
        """Read one block as a table."""

    def _packed_bytes(self) -> int | None:
        """Return the bytes on disk; None if the table has no file of its own."""
        return None

    @property
    @abstractmethod
    def schema(self) -> Any:
        """Arrow schema, with the file's own metadata."""

    def records(self) -> Iterator[Record]:
        """Yield the records, block by block."""
        self._restart_findings()
        self._report_repeated_names()
        self._n_read = 0
        for block in range(len(self._block_sizes())):
            for batch in self._checked_block(block).to_batches(max_chunksize=1024):
                for record in self._rows_of(batch, self._n_read):
                    if self.limit is not None and self._n_read >= self.limit:
                        return
                    self._n_read += 1
                    yield record

    def _report_repeated_names(self) -> None:
        counts = Counter(self.schema.names)
        repeated = [name for name, count in counts.items() if count > 1]
        if repeated:
            message = f"{self.path}: several columns are named {repeated[0]!r}; the last counts."
            self.findings.append(Finding("duplicate-key", message))

    def record(self, row: int) -> Record:
        """Return the record at a 0-based row."""
        block, at = self._find(row)
        return self._rows_of(self._block(block).slice(at, 1), row)[0]

    def __len__(self) -> int:
        """Return the number of records in the last pass."""
        return self._n_read

    def place(self, row: int) -> str:
        """Return file and row."""
        return f"{self.path}: row {row + 1}"

    @property
    def n_rows(self) -> int:
        """Number of rows that the file declares."""
        return sum(self._block_sizes())

    def read_blocks(self) -> Any:
        """Return all blocks as one table, checking the size of each."""
        import pyarrow as pa

        blocks = [self._checked_block(block) for block in range(len(self._block_sizes()))]
        return pa.concat_tables(blocks) if blocks else self.schema.empty_table()

    def tables_of_rows(self, rows: Sequence[int]) -> Iterator[Any]:
        """Yield tables of this schema with `rows` in order, a block at a time."""
        positions = (self._find(row) for row in rows)
        for block, group in groupby(positions, key=lambda position: position[0]):
            table = _select_rows(self._block(block), [at for _, at in group])
            # pyarrow loses runs of a sliced run-end encoded column in a cast to its own type.
            has_schema = table.schema.equals(self.schema)
            yield (
                table.from_arrays(table.columns, schema=self.schema)
                if has_schema
                else table.cast(self.schema)
            )

    def table_of(self, records: Sequence[Record]) -> Any:
        """Return added records as a table of this schema."""
        import pyarrow as pa

        columns = []
        for field in self.schema:
            values = [record.get(field.name) for record in records]
            try:
                columns.append(pa.array(values, type=field.type))
            except arrow_errors() as error:
                problem = str(error).splitlines()[0]
                raise FormatError(
                    f"{self.path}: field {field.name!r} ({field.type}) cannot store an added item "
                    f"({problem}). Export with --format jsonl."
                ) from error
        return pa.Table.from_arrays(columns, schema=self.schema)

    def _rows_of(self, batch: Any, first_row: int) -> list[Record]:
        try:
            rows: list[Record] = batch.to_pylist()
        except arrow_errors() as error:
            raise FormatError(
                f"{self.place(first_row)}: a value cannot be read ({_one_line(error)}). "
                "Convert the column to text or numbers."
            ) from error
        return rows

    def _find(self, row: int) -> tuple[int, int]:
        at = row
        for block, n_rows in enumerate(self._block_sizes()):
            if at < n_rows:
                return block, at
            at -= n_rows
        raise FormatError(f"{self.path}: no row {row + 1}. Load the file again.")

    def _block(self, block: int) -> Any:
        if self._cached is None or self._cached[0] != block:
            self._cached = (block, self._checked_block(block))
        return self._cached[1]

    def _check_size(self, block: int, n_bytes: int) -> None:
        """Record the unpacked size of a block; raise if the file expands too much."""
        self._unpacked[block] = n_bytes
        n_packed = self._packed_bytes()
        if n_packed is not None:
            check_unpacked(self.path, sum(self._unpacked.values()), n_packed=n_packed)

    def _checked_block(self, block: int) -> Any:
        try:
            table = self._read_block(block)
            if block not in self._unpacked:
                self._check_size(block, unpacked_bytes(table))
            return table
        except arrow_errors() as error:
            raise FormatError(
                f"{self.path}: damaged or incomplete ({_one_line(error)}). Download it again."
            ) from error

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the cached block."""
        return {**self.__dict__, "_cached": None}


def _select_rows(table: Any, rows: list[int]) -> Any:
    import pyarrow as pa

    try:
        return table.take(rows)
    except pa.ArrowNotImplementedError:
        # pyarrow has no `take` for some newer types, but can slice and join them.
        return pa.concat_tables([table.slice(row, 1) for row in rows])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
