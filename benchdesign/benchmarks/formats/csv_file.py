"""CSV and TSV files: dialect and encoding are detected; unchanged rows are copied as bytes."""

from __future__ import annotations

import csv
import sys
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchdesign.benchmarks.fields.values import as_cell
from benchdesign.benchmarks.formats.compression import open_output
from benchdesign.benchmarks.formats.csv_dialect import (
    Quoting,
    default_columns,
    find_dialect,
    is_header,
    parse_number,
    unique_columns,
)
from benchdesign.benchmarks.formats.csv_lines import LineFeed, TooManyLinesError
from benchdesign.benchmarks.formats.encoding import decode_line, recoding_stream
from benchdesign.benchmarks.formats.format_reader import OpenFile
from benchdesign.benchmarks.formats.json_lines import encoding_finding, suffix_of
from benchdesign.benchmarks.formats.source import Record, Source
from benchdesign.benchmarks.formats.source_candidate import TABLE_SUFFIXES, SourceCandidate
from benchdesign.benchmarks.formats.spreadsheet_formulas import guard_formula, unguard_formula
from benchdesign.benchmarks.formats.text_content import Content, open_content
from benchdesign.benchmarks.items import Finding
from benchdesign.errors import FormatError

__all__ = ["CsvFile", "CsvFormat"]

SAMPLE_BYTES = 1 << 18


# Passages in benchmarks are often longer than the csv module's limit of 128 KB a cell.
csv.field_size_limit(min(sys.maxsize, 1 << 30))


class CsvFile(Source):
    """A delimited file with one record per row."""

    format = "csv"

    def __init__(self, path: Path, *, content: Content | None = None) -> None:
        super().__init__(path)
        self.content = content or open_content(path)
        self._sample = self._read_sample()
        tabs_first = ".tsv" in path.suffixes or ".tab" in path.suffixes
        self.dialect = find_dialect(self._sample, tabs_first=tabs_first)
        self.format = "tsv" if self.dialect.delimiter == "\t" else "csv"
        self.suffix = suffix_of(path, f".{self.format}")
        first, second = self._first_rows()
        self.has_header = is_header(first, second)
        names = map(unguard_formula, first) if self.has_header else default_columns(len(first))
        self.columns = unique_columns(list(names))
        self._starts = array("Q")
        self._ends = array("Q")
        self._lines = array("Q")
        self._body = 0

    def _read_sample(self) -> list[str]:
        with self.content.open() as stream:
            stream.seek(len(self.content.bom))
            raw = stream.read(SAMPLE_BYTES)
        self._line_break = b"\n" if b"\n" in raw or b"\r" not in raw else b"\r"
        lines = [decode_line(line + self._line_break)[0] for line in raw.split(self._line_break)]
        if (len(raw) == SAMPLE_BYTES and len(lines) > 1) or lines[-1:] == [
            self._line_break.decode()
        ]:
            lines.pop()
        if not any(line.strip() for line in lines):
            raise FormatError(f"{self.path}: only blank lines. Check the file.")
        return lines

    def _first_rows(self) -> tuple[list[str], list[str]]:
        reader = self.dialect.reader(iter(self._sample))
        try:
            first: list[str] = next(reader, [])
        except csv.Error as error:
            raise FormatError(
                f"{self.path}:1: not a valid table ({error}). Check the file."
            ) from None
        try:
            return first, next((row for row in reader if row), [])
        except csv.Error:
            return first, []

    def records(self) -> Iterator[Record]:
        """Yield the records, row by row."""
        self._restart_findings()
        self._starts, self._ends, self._lines = array("Q"), array("Q"), array("Q")
        recoded: list[int] = []
        uneven: list[int] = []
        with self.content.open() as stream:
            feed = LineFeed(stream, len(self.content.bom), self._line_break)
            header_pending = self.has_header
            for cells in self._rows(feed):
                start, feed.row_start = feed.row_start, feed.position
                line_no, feed.row_line = feed.row_line, feed.line_no + 1
                if not cells or (cells == [""] and len(self.columns) > 1):
                    continue
                if header_pending:
                    header_pending = False
                    self._body = feed.position
                    feed.recoded = False
                    continue
                if self.limit is not None and len(self._starts) >= self.limit:
                    break
                row = len(self._starts)
                if feed.recoded:
                    recoded.append(row)
                    feed.recoded = False
                if len(cells) != len(self.columns):
                    uneven.append(row)
                self._starts.append(start)
                self._ends.append(feed.position)
                self._lines.append(line_no)
                yield self._record(cells)
        self._finish_findings()
        if recoded:
            self.findings.append(encoding_finding(self, recoded))
        if uneven:
            more = f", as in {len(uneven) - 1} more rows" if len(uneven) > 1 else ""
            problem = f"cell count differs from the header ({len(self.columns)} columns){more}."
            self.findings.append(
                Finding("column-count", f"{self.place(uneven[0])}: {problem}", tuple(uneven))
            )

    def _rows(self, feed: LineFeed) -> Iterator[list[str]]:
        """Yield rows; skip only the line of an unclosed quote, not the rest of the file."""
        while True:
            feed.seek_row()
            reader = self.dialect.reader(iter(feed))
            restart = False
            try:
                for cells in reader:
                    n_lines = feed.line_no - feed.row_line + 1
                    if (
                        feed.at_end
                        and feed.has_open_quote()
                        and self._ends_in_quotes(feed, n_lines)
                    ):
                        restart = True
                        break
                    yield cells
            except csv.Error:
                restart = True
            except TooManyLinesError:
                restart = True
            if not restart:
                return
            self._skip(f"{self.path}:{feed.row_line}", "a quote in this row is not closed")
            feed.skip_line()

    def _ends_in_quotes(self, feed: LineFeed, n_lines: int) -> bool:
        """Whether the last row ends inside quotes, which would swallow added rows."""
        if n_lines > 1:
            return True
        text = decode_line(self.content.read(feed.row_start, feed.position))[0]
        try:
            next(self.dialect.reader(iter([text]), strict=True), None)
        except csv.Error as error:
            return "unexpected end" in str(error)
        return False

    def _record(self, cells: list[str]) -> dict[str, Any]:
        record: dict[str, Any] = dict(zip(self.columns, map(unguard_formula, cells), strict=False))
        for column in self.columns[len(cells) :]:
            record[column] = ""
        return record

    def record(self, row: int) -> Record:
        """Read and parse one row."""
        raw = self.content.read(self._starts[row], self._ends[row])
        lines = [decode_line(line)[0] for line in raw.split(self._line_break)]
        line_break = self._line_break.decode()
        lines = [line + line_break for line in lines[:-1]] + lines[-1:]
        cells: list[str] = next((cells for cells in self.dialect.reader(iter(lines)) if cells), [])
        return self._record(cells)

    def __len__(self) -> int:
        """Return the number of records in the last pass."""
        return len(self._starts)

    def place(self, row: int) -> str:
        """Return file and line."""
        return f"{self.path}:{self._lines[row]}"

    def write(self, path: Path, rows: Sequence[int], added: Sequence[Record]) -> None:
        """Copy header and rows byte for byte, then write `added` in the same dialect."""
        line_end = self._line_end()
        quoting = self._quoting()
        codec = self._codec()
        with open_output(path, self.content.compression) as stream:
            out = recoding_stream(stream, self.content.encoding)
            ends_line = True
            with self.content.open() as source:
                head = source.read(self._body or len(self.content.bom))
                out.write(head)
                ends_line = not head.strip() or head.endswith(self._line_break)
                for row in rows:
                    if not ends_line:
                        out.write(line_end)
                    source.seek(self._starts[row])
                    raw = source.read(self._ends[row] - self._starts[row])
                    out.write(raw)
                    ends_line = raw.endswith(self._line_break)
            for record in added:
                if not ends_line:
                    out.write(line_end)
                cells = [guard_formula(as_cell(record.get(column))) for column in self.columns]
                text = self._row_text(cells, quoting)
                out.write(_encode(text, codec, self.path) + line_end)
                ends_line = True

    def _row_text(self, cells: list[str], quoting: Quoting) -> str:
        try:
            return self.dialect.row(cells, quoting=quoting)
        except csv.Error as error:
            raise FormatError(
                f"{self.path}: an added item contains a delimiter or line break, but the file "
                "uses no quotes. Export with --format jsonl."
            ) from error

    def _line_end(self) -> bytes:
        first = self._sample[0]
        if self._line_break == b"\r":
            return b"\r"
        return b"\r\n" if first.endswith("\r\n") else b"\n"

    def _codec(self) -> str:
        """Return the encoding of added rows: UTF-8, or windows-1252 if some row is not UTF-8."""
        return "cp1252" if any(finding.kind == "encoding" for finding in self.findings) else "utf-8"

    def _quoting(self) -> Quoting:
        """Return the quoting that reproduces most sample rows exactly."""
        if self.dialect.quoting == csv.QUOTE_NONE:
            return csv.QUOTE_NONE
        rows = range(min(len(self), 50))
        options: tuple[Quoting, ...] = (csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC)

        def n_matching(quoting: Quoting) -> int:
            return sum(self._writes_same(row, quoting) for row in rows)

        return max(options, key=n_matching)

    def _writes_same(self, row: int, quoting: Quoting) -> bool:
        raw = self.content.read(self._starts[row], self._ends[row])
        cells: list[Any] = [str(value) for value in self.record(row).values()]
        if quoting == csv.QUOTE_NONNUMERIC:
            cells = [parse_number(cell) for cell in cells]
        return self.dialect.row(cells, quoting=quoting).encode() == raw.rstrip(b"\r\n")


class CsvFormat:
    """Delimited files: by their name, and files whose name says nothing."""

    name = "csv"
    suffixes = frozenset({*TABLE_SUFFIXES, ".txt", ".data"})
    has_splits = False

    def claims(self, candidate: SourceCandidate) -> bool:
        """Whether a suffix is that of a table or of plain text, or there is none."""
        return not candidate.suffixes or not candidate.suffixes.isdisjoint(self.suffixes)

    def open(
        self, candidate: SourceCandidate, *, split: str | None, open_file: OpenFile
    ) -> CsvFile:
        """Open the file."""
        return CsvFile(candidate.path, content=candidate.content)


def _encode(text: str, codec: str, path: Path) -> bytes:
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        bad = text[error.start]
        if codec == "utf-8":
            return text.encode("utf-8", "replace")
        raise FormatError(
            f"{path}: U+{ord(bad):04X} in an added item cannot be written in windows-1252. "
            "Save the benchmark as UTF-8, or export with --format jsonl."
        ) from error
