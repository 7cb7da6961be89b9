"""Formats made of two functions, one that parses a file's text and one that formats records.

Plug-ins use it where records need not be read one by one and kept rows need not stay the same
byte for byte; otherwise they write a `Source` of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchdesign.benchmarks.formats.compression import open_output
from benchdesign.benchmarks.formats.encoding import recoding_stream
from benchdesign.benchmarks.formats.format_reader import OpenFile
from benchdesign.benchmarks.formats.json_lines import suffix_of
from benchdesign.benchmarks.formats.source import Record, Source
from benchdesign.benchmarks.formats.source_candidate import SourceCandidate
from benchdesign.benchmarks.formats.text_content import Content
from benchdesign.errors import FormatError

__all__ = ["WholeFile", "WholeFileFormat"]


@dataclass(frozen=True)
class WholeFileFormat:
    """A format whose files are parsed and written as a whole.

    Both functions may raise ValueError, TypeError or LookupError, which become a message.
    """

    name: str
    suffix: str
    """Suffix of its files, such as `.quiz`; a compressed `.quiz.gz` is read as well."""

    parse: Callable[[str], Iterable[Record]]
    """Returns the records of a file's text."""

    dump: Callable[[Sequence[Record]], str]
    """Returns the text of a file with these records."""

    has_splits: ClassVar[bool] = False

    @property
    def suffixes(self) -> frozenset[str]:
        """The suffix, as the only one."""
        return frozenset({self.suffix})

    def claims(self, candidate: SourceCandidate) -> bool:
        """Whether the file has the suffix."""
        return candidate.data_suffix == self.suffix

    def open(self, candidate: SourceCandidate, *, split: str | None, open_file: OpenFile) -> Source:
        """Parse the file."""
        return WholeFile(candidate.path, self, candidate.content)


class WholeFile(Source):
    """Records of a file that is parsed and written as a whole."""

    def __init__(self, path: Path, form: WholeFileFormat, content: Content) -> None:
        super().__init__(path)
        self.format = form.name
        self.suffix = suffix_of(path, form.suffix)
        self.own_suffixes = form.suffixes
        self._form = form
        self._compression = content.compression
        self._encoding = content.encoding
        try:
            self._values = list(form.parse(content.text()))
        except (ValueError, TypeError, LookupError) as error:
            raise FormatError(
                f"{path}: not a readable {form.name} file ({_reason(error)}). Check the file."
            ) from error
        self._rows: list[int] = []

    def records(self) -> Iterator[Record]:
        """Yield the records; a value that is not a mapping is skipped, with a finding."""
        self._restart_findings()
        self._rows = []
        for at, value in enumerate(self._values):
            if self.limit is not None and len(self._rows) >= self.limit:
                break
            if not isinstance(value, Mapping):
                self._skip(f"{self.path}: record {at + 1}", "not a mapping of fields to values")
                continue
            self._rows.append(at)
            yield value
        self._finish_findings()

    def record(self, row: int) -> Record:
        """Return the record at a 0-based row."""
        return self._values[self._rows[row]]

    def __len__(self) -> int:
        """Return the number of records in the last pass."""
        return len(self._rows)

    def place(self, row: int) -> str:
        """Return file and record number."""
        return f"{self.path}: record {self._rows[row] + 1}"

    def write(self, path: Path, rows: Sequence[int], added: Sequence[Record]) -> None:
        """Format the records of `rows`, then `added`, in the encoding of the file."""
        records = [*(self.record(row) for row in rows), *added]
        try:
            raw = self._form.dump(records).encode("utf-8")
        except (ValueError, TypeError, LookupError) as error:
            raise FormatError(
                f"{self.path}: the records cannot be written as {self.format} ({_reason(error)}). "
                "Export with --format jsonl."
            ) from error
        with open_output(path, self._compression) as stream:
            out = recoding_stream(stream, self._encoding)
            if self._encoding == "utf-8-sig":
                out.write(b"\xef\xbb\xbf")
            out.write(raw)


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
