"""The lines of a CSV file, fed to the parser with a limit on the length of a row."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO

from benchdesign.benchmarks.formats.encoding import decode_line

__all__ = ["LineFeed", "TooManyLinesError"]


MAX_ROW_LINES = 10_000
"""A quoted cell of more lines counts as an unclosed quote."""


class TooManyLinesError(Exception):  # a signal from feed to reader
    """A row spans too many lines."""


class LineFeed:
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
                raise TooManyLinesError
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
