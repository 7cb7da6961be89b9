"""CSV and TSV files: dialect and encoding are detected; unchanged rows are copied as bytes."""

from __future__ import annotations

import csv
import io
import sys
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from benchdesign.errors import FormatError
from benchdesign.formats.files import (
    Content,
    decode_line,
    open_content,
    open_output,
    recoding,
)
from benchdesign.formats.formulas import guarded, unguarded
from benchdesign.formats.jsonl import recoded_finding, suffix_of
from benchdesign.formats.source import Record, Source
from benchdesign.formats.survey import plain_name
from benchdesign.formats.values import as_cell
from benchdesign.items import Finding

__all__ = ["CsvFile"]

SAMPLE_BYTES = 1 << 18
SAMPLE_ROWS = 100
MAX_ROW_LINES = 10_000
"""A quoted cell of more lines counts as an unclosed quote."""

# Passages in benchmarks are often longer than the csv module's limit of 128 KB a cell.
csv.field_size_limit(min(sys.maxsize, 1 << 30))

_MMLU_COLUMNS = ("question", "A", "B", "C", "D", "answer")


Quoting = Literal[0, 1, 2, 3]


@dataclass(frozen=True)
class Dialect:
    """Delimiter, quoting and escapes of a file."""

    delimiter: str
    quoting: Quoting = csv.QUOTE_MINIMAL
    escapechar: str | None = None

    def reader(self, lines: Iterator[str], *, strict: bool = False) -> Any:
        """Return a reader of lines; a strict one raises on misplaced or unclosed quotes."""
        return csv.reader(
            lines,
            strict=strict,
            delimiter=self.delimiter,
            quoting=csv.QUOTE_NONE if self.quoting == csv.QUOTE_NONE else csv.QUOTE_MINIMAL,
            escapechar=self.escapechar,
            doublequote=self.escapechar is None,
        )

    def row(self, cells: Sequence[str], *, quoting: Quoting | None = None) -> str:
        """Format one row, without line end."""
        out = io.StringIO()
        writer = csv.writer(
            out,
            delimiter=self.delimiter,
            quoting=self.quoting if quoting is None else quoting,
            escapechar=self.escapechar,
            doublequote=self.escapechar is None,
            # The csv module quotes \r and \n in a cell only if they are part of its own line end.
            lineterminator="\r\n",
        )
        writer.writerow(cells)
        return out.getvalue().removesuffix("\r\n")


class CsvFile(Source):
    """A delimited file with one record per row."""

    format = "csv"

    def __init__(self, path: Path, *, content: Content | None = None) -> None:
        super().__init__(path)
        self.content = content or open_content(path)
        self._sample = self._read_sample()
        tabs_first = ".tsv" in path.suffixes or ".tab" in path.suffixes
        self.dialect = _find_dialect(self._sample, tabs_first=tabs_first)
        self.format = "tsv" if self.dialect.delimiter == "\t" else "csv"
        self.suffix = suffix_of(path, f".{self.format}")
        first, second = self._first_rows()
        self.has_header = _is_header(first, second)
        names = map(unguarded, first) if self.has_header else _made_up_columns(len(first))
        self.columns = _unique(list(names))
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
            feed = _Feed(stream, len(self.content.bom), self._line_break)
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
            self.findings.append(recoded_finding(self, recoded))
        if uneven:
            more = f", as in {len(uneven) - 1} more rows" if len(uneven) > 1 else ""
            problem = f"cell count differs from the header ({len(self.columns)} columns){more}."
            self.findings.append(
                Finding("column-count", f"{self.place(uneven[0])}: {problem}", tuple(uneven))
            )

    def _rows(self, feed: _Feed) -> Iterator[list[str]]:
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
            except _TooManyLines:
                restart = True
            if not restart:
                return
            self._skip(f"{self.path}:{feed.row_line}", "a quote in this row is not closed")
            feed.skip_line()

    def _ends_in_quotes(self, feed: _Feed, n_lines: int) -> bool:
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
        record: dict[str, Any] = dict(zip(self.columns, map(unguarded, cells), strict=False))
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
            out = recoding(stream, self.content.encoding)
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
                cells = [guarded(as_cell(record.get(column))) for column in self.columns]
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
            cells = [_number(cell) for cell in cells]
        return self.dialect.row(cells, quoting=quoting).encode() == raw.rstrip(b"\r\n")


class _TooManyLines(Exception):  # noqa: N818 - a signal from feed to reader
    """A row spans too many lines."""


class _Feed:
    """Lines of a file for the parser, with their positions."""

    def __init__(self, stream: IO[bytes], start: int, line_break: bytes) -> None:
        self._stream = stream
        self._line_break = line_break
        self.position = self.row_start = start
        self.line_no = 0
        self.row_line = 1
        self.recoded = False
        self.at_end = False
        self._size = stream.seek(0, io.SEEK_END)

    def seek_row(self) -> None:
        """Go back to the start of the current row."""
        self.position = self.row_start
        self.line_no = self.row_line - 1
        self._stream.seek(self.position)
        self._buffer = b""

    def skip_line(self) -> None:
        """Skip the first line of the current row; the next row starts after it."""
        self.seek_row()
        self._next_raw()
        self.row_start, self.row_line = self.position, self.line_no + 1

    def has_open_quote(self) -> bool:
        """Whether the current row has an odd number of quotes."""
        position = self._stream.tell()
        self._stream.seek(self.row_start)
        raw = self._stream.read(self.position - self.row_start)
        self._stream.seek(position)
        return raw.count(b'"') % 2 == 1

    def __iter__(self) -> Iterator[str]:
        while raw := self._next_raw():
            if self.line_no - self.row_line > MAX_ROW_LINES:
                raise _TooManyLines
            text, was_recoded = decode_line(raw)
            self.recoded |= was_recoded
            yield text

    def _next_raw(self) -> bytes:
        raw = self._stream.readline() if self._line_break == b"\n" else self._read_cr_line()
        if raw:
            self.position += len(raw)
            self.line_no += 1
            self.at_end = self.position >= self._size
        return raw

    def _read_cr_line(self) -> bytes:
        """Read up to a lone carriage return."""
        while b"\r" not in self._buffer:
            chunk = self._stream.read(1 << 16)
            if not chunk:
                raw, self._buffer = self._buffer, b""
                return raw
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\r")
        return line + b"\r"


def _find_dialect(sample: list[str], *, tabs_first: bool) -> Dialect:
    """Return the dialect that reads the sample as the most regular table."""
    order = "\t,;|" if tabs_first else ",\t;|"
    candidates = [Dialect(delimiter) for delimiter in order]
    candidates += [Dialect(delimiter, csv.QUOTE_NONE) for delimiter in order if delimiter in "\t|"]
    if any('\\"' in line for line in sample):
        candidates += [Dialect(delimiter, escapechar="\\") for delimiter in order]
    best, best_score = candidates[0], (-1.0, 0.0)
    for candidate in candidates:
        score = _evenness(candidate, sample)
        if score > best_score:
            best, best_score = candidate, score
    return best


def _evenness(dialect: Dialect, sample: list[str]) -> tuple[float, float]:
    widths: Counter[int] = Counter()
    try:
        for n_rows, row in enumerate(dialect.reader(iter(sample))):
            if n_rows >= SAMPLE_ROWS:
                break
            if row:
                widths[len(row)] += 1
    except csv.Error:
        return (0.0, 0.0)
    if not widths:
        return (0.0, 0.0)
    width, n_even = widths.most_common(1)[0]
    n_rows = sum(widths.values())
    if width < 2:
        return (0.25, 0.0)
    # Misread quotes merge many rows into few: score the number of rows as well as evenness.
    return (round(n_even / n_rows, 2), min(n_rows, SAMPLE_ROWS) / SAMPLE_ROWS)


def _is_header(first: Sequence[str], second: Sequence[str]) -> bool:
    names = [cell.strip() for cell in first]
    named = [name for name in names if name]
    if any(len(name) > 80 for name in names):
        return False
    if len(set(named)) != len(named):
        # A header may repeat a name; in a data row, repeated cells are repeated values.
        return all(plain_name(name) in _HEADER_WORDS for name in named)
    if any(_is_number(name) or name.endswith("?") for name in names):
        return False
    if any(plain_name(name) in _HEADER_WORDS for name in names):
        return True
    if len(names) == len(_MMLU_COLUMNS) and names[-1] in {"A", "B", "C", "D"}:
        return False
    return sum(" " in name for name in names) <= len(names) / 2 or not second


_HEADER_WORDS = frozenset(
    [
        "question",
        "prompt",
        "input",
        "text",
        "sentence",
        "answer",
        "target",
        "label",
        "id",
        "choices",
        "options",
        "category",
        "problem",
        "query",
        "instruction",
        "output",
        "correctanswer",
        "answerkey",
    ]
)


def _made_up_columns(n_columns: int) -> list[str]:
    if n_columns == len(_MMLU_COLUMNS):
        return list(_MMLU_COLUMNS)
    return [f"column_{position + 1}" for position in range(n_columns)]


def _unique(names: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    columns = []
    for name in names:
        seen[name] += 1
        columns.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return columns


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(text: str) -> Any:
    return _Literal(text) if _is_number(text) else text


class _Literal(float):
    """A number that is written exactly as it was read."""

    def __new__(cls, text: str) -> _Literal:
        literal = super().__new__(cls, text)
        literal.text = text
        return literal

    text: str

    def __repr__(self) -> str:
        return self.text

    __str__ = __repr__


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
