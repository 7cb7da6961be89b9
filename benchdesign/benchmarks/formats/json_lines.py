r"""JSON Lines: one record per line, read again by byte offset.

Lines end at \n only: U+2028 and similar are ordinary characters in strings. Unchanged lines are
copied as bytes.
"""

from __future__ import annotations

import itertools
import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from benchdesign.benchmarks.formats.compression import COMPRESSIONS, open_output
from benchdesign.benchmarks.formats.encoding import decode_line, recoding_stream
from benchdesign.benchmarks.formats.format_reader import OpenFile
from benchdesign.benchmarks.formats.source import Record, Source
from benchdesign.benchmarks.formats.source_candidate import SourceCandidate
from benchdesign.benchmarks.formats.text_content import MAX_LINE, Content, open_content
from benchdesign.benchmarks.items import Finding
from benchdesign.errors import FormatError

__all__ = [
    "JsonLines",
    "JsonLinesFormat",
    "LineStyle",
    "describe_json",
    "encoding_finding",
    "parse_object",
    "repeated_finding",
    "suffix_of",
]


def suffix_of(path: Path, default: str) -> str:
    """Return the suffix for files like this one, compression included."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        return (suffixes[-2] if len(suffixes) > 1 else default) + suffixes[-1]
    return suffixes[-1] if suffixes else default


def parse_object(text: str, repeated: list[str] | None = None) -> tuple[dict[str, Any] | None, str]:
    """Parse one JSON object; on failure return None and the problem.

    Append keys that an object repeats to `repeated`; the last value counts.
    """

    def pairs_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs) and repeated is not None:
            counts = Counter(key for key, _ in pairs)
            repeated.extend(key for key, count in counts.items() if count > 1)
        return value

    try:
        value = json.loads(text, object_pairs_hook=None if repeated is None else pairs_of)
    except json.JSONDecodeError as error:
        # Not `error.colno`: a truncated object fails after its line break, in the next line.
        return None, f"not JSON ({error.msg} at column {error.pos + 1})"
    except RecursionError:
        return None, "nested too deeply"
    except ValueError as error:
        return None, f"not usable JSON ({str(error).split(';')[0]})"
    if not isinstance(value, dict):
        return None, f"not a JSON object but {describe_json(value)}"
    return value, ""


def describe_json(value: object) -> str:
    """Return the kind of a JSON value in words."""
    names = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


class JsonLines(Source):
    """A JSON Lines file."""

    format = "jsonl"

    def __init__(self, path: Path, *, content: Content | None = None) -> None:
        super().__init__(path)
        self.content = content or open_content(path)
        self.suffix = suffix_of(path, ".jsonl")
        self._starts = array("Q")
        self._ends = array("Q")
        self._lines = array("Q")
        self._repeated: dict[int, str] = {}

    def records(self) -> Iterator[Record]:
        """Yield the records; a line that is not an object is skipped, with a finding."""
        self._restart_findings()
        self._starts, self._ends, self._lines = array("Q"), array("Q"), array("Q")
        recoded: list[int] = []
        self._repeated = {}
        with self.content.open() as stream:
            start = len(self.content.bom)
            stream.seek(start)
            line_no = 0
            while self.limit is None or len(self._starts) < self.limit:
                raw = stream.readline(MAX_LINE)
                if not raw:
                    break
                line_no += 1
                if len(raw) == MAX_LINE and not raw.endswith(b"\n"):
                    self._skip(f"{self.path}:{line_no}", "the line is longer than 64 MB")
                    start += len(raw) + _skip_line(stream)
                    continue
                end = start + len(raw)
                record = self._parse(raw, line_no, recoded)
                if record is not None:
                    self._starts.append(start)
                    self._ends.append(end)
                    self._lines.append(line_no)
                    yield record
                start = end
        self._finish_findings()
        if recoded:
            self.findings.append(encoding_finding(self, recoded))
        if self._repeated:
            self.findings.append(repeated_finding(self, self._repeated))

    def sample(self, n_records: int) -> list[Record]:
        """Return the first records and some from all over the file: pools are often sorted."""
        sample = list(itertools.islice(self.records(), n_records // 2))
        if len(sample) < n_records // 2:
            return sample
        size = self.content.size
        n_more = n_records - len(sample)
        with self.content.open() as stream:
            for step in range(1, n_more):
                stream.seek(size * step // n_more)
                stream.readline(MAX_LINE)
                record, _ = parse_object(decode_line(stream.readline(MAX_LINE))[0])
                if record is not None:
                    sample.append(record)
        return sample

    def _parse(self, raw: bytes, line_no: int, recoded: list[int]) -> Record | None:
        if not raw.strip():
            return None
        text, was_recoded = decode_line(raw)
        repeated: list[str] = []
        record, problem = parse_object(text, repeated)
        if record is None:
            self._skip(f"{self.path}:{line_no}", problem)
            return None
        if was_recoded:
            recoded.append(len(self._starts))
        if repeated:
            self._repeated[len(self._starts)] = repeated[0]
        return record

    def record(self, row: int) -> Record:
        """Read one record from its line."""
        text, _ = decode_line(self.raw(row))
        record, problem = parse_object(text)
        if record is None:
            raise FormatError(f"{self.place(row)}: {problem}. Load the file again.")
        return record

    def raw(self, row: int) -> bytes:
        """Return the bytes of a record's line, line end included."""
        return self.content.read(self._starts[row], self._ends[row])

    def __len__(self) -> int:
        """Return the number of records in the last pass."""
        return len(self._starts)

    def place(self, row: int) -> str:
        """Return file and line."""
        return f"{self.path}:{self._lines[row]}"

    def write(self, path: Path, rows: Sequence[int], added: Sequence[Record]) -> None:
        """Copy the lines of `rows` byte for byte, then write `added` in the same style."""
        style = LineStyle.of(self)
        with open_output(path, self.content.compression) as stream:
            out = recoding_stream(stream, self.content.encoding)
            out.write(self.content.bom)
            ends_line = True
            with self.content.open() as source:
                for row in rows:
                    if not ends_line:
                        out.write(style.line_end)
                    source.seek(self._starts[row])
                    raw = source.read(self._ends[row] - self._starts[row])
                    out.write(raw)
                    ends_line = raw.endswith(b"\n")
            for record in added:
                if not ends_line:
                    out.write(style.line_end)
                out.write(style.dump(record) + style.line_end)
                ends_line = True


class LineStyle:
    """How a file formats its JSON: separators, escapes, line ends."""

    def __init__(self, separators: tuple[str, str], line_end: bytes, *, ensure_ascii: bool) -> None:
        self.separators = separators
        self.line_end = line_end
        self.ensure_ascii = ensure_ascii

    @classmethod
    def of(cls, source: JsonLines, n_rows: int = 50) -> LineStyle:
        """Return the style of the first rows."""
        raws = [source.raw(row) for row in range(min(len(source), n_rows))]
        line_end = b"\r\n" if raws and raws[0].endswith(b"\r\n") else b"\n"
        texts = [decode_line(raw)[0].strip() for raw in raws]
        candidates = [
            ((comma, colon), ascii_only)
            for comma, colon in ((", ", ": "), (",", ":"), (",", ": "), (", ", ":"))
            for ascii_only in (False, True)
        ]

        def n_matching(candidate: tuple[tuple[str, str], bool]) -> int:
            separators, ascii_only = candidate
            return sum(
                json.dumps(json.loads(text), ensure_ascii=ascii_only, separators=separators) == text
                for text in texts
            )

        (comma, colon), ascii_only = max(candidates, key=n_matching)
        return cls((comma, colon), line_end, ensure_ascii=ascii_only)

    def dump(self, record: Record) -> bytes:
        """Format one record as bytes, without line end."""
        text = json.dumps(record, ensure_ascii=self.ensure_ascii, separators=self.separators)
        try:
            return text.encode("utf-8")
        except UnicodeEncodeError:
            return json.dumps(record, separators=self.separators).encode("ascii")


class JsonLinesFormat:
    """Files of one JSON object per line, by their contents or their name."""

    name = "jsonl"
    suffixes = frozenset({".jsonl", ".ndjson"})
    has_splits = False

    def claims(self, candidate: SourceCandidate) -> bool:
        """Whether the first line is an object of its own, or the name says JSON Lines."""
        start = candidate.first_character
        if candidate.is_named_table:
            return start == "{" and parse_object(candidate.first_line)[0] is not None
        is_named = not candidate.suffixes.isdisjoint(self.suffixes)
        if start not in {"{", "["}:
            return is_named
        first, has_more = candidate.first_line, candidate.has_more_lines
        if start == "[":
            return is_named and has_more and not (_is_incomplete(first) or _is_element(first))
        if parse_object(first)[0] is not None:
            return has_more or is_named
        return is_named and not _is_incomplete(first)

    def open(
        self, candidate: SourceCandidate, *, split: str | None, open_file: OpenFile
    ) -> JsonLines:
        """Open the file."""
        return JsonLines(candidate.path, content=candidate.content)


def _is_incomplete(line: str) -> bool:
    """Whether a line is the start of a JSON value that spans several lines."""
    text = line.strip()
    return text in {"{", "[", "[{", "{}", "[]"} or text.endswith(("{", "[", ",", ":"))


def _is_element(line: str) -> bool:
    """Whether a line starts an array of records, with one record per line."""
    try:
        value = json.loads(line.strip().rstrip(",") + "]")
    except (ValueError, RecursionError):
        return False
    return isinstance(value, list) and all(isinstance(element, dict) for element in value)


def _skip_line(stream: IO[bytes]) -> int:
    n_bytes = 0
    while raw := stream.readline(MAX_LINE):
        n_bytes += len(raw)
        if raw.endswith(b"\n"):
            break
    return n_bytes


def encoding_finding(source: Source, rows: list[int]) -> Finding:
    """Return a finding on rows that are not UTF-8."""
    return Finding(
        "encoding",
        f"{source.place(rows[0])}: not UTF-8, read as windows-1252"
        + (f" (so are {len(rows) - 1} more rows)." if len(rows) > 1 else "."),
        tuple(rows),
    )


def repeated_finding(source: Source, repeated: Mapping[int, str]) -> Finding:
    """Return a finding on rows in which a field occurs more than once."""
    rows = list(repeated)
    more = f" ({len(rows) - 1} more rows repeat a field)" if len(rows) > 1 else ""
    return Finding(
        "duplicate-key",
        f"{source.place(rows[0])}: field {repeated[rows[0]]!r} is repeated{more}; the last counts.",
        tuple(rows),
    )
