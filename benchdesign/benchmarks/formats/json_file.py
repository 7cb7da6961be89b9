"""JSON files: arrays, wrapped lists, tables by column, BIG-bench tasks and the like.

Kept records and the text around them are copied unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchdesign.benchmarks.formats.compression import open_output
from benchdesign.benchmarks.formats.encoding import decode_line, recoding_stream
from benchdesign.benchmarks.formats.format_reader import OpenFile
from benchdesign.benchmarks.formats.json_layout import Layout, find_layouts
from benchdesign.benchmarks.formats.json_lines import (
    describe_json,
    parse_object,
    repeated_finding,
    suffix_of,
)
from benchdesign.benchmarks.formats.source import Record, Source
from benchdesign.benchmarks.formats.source_candidate import SourceCandidate
from benchdesign.benchmarks.formats.splits import SPLIT_NAMES, choose_split
from benchdesign.benchmarks.formats.text_content import Content, open_content
from benchdesign.benchmarks.items import Finding
from benchdesign.errors import FormatError

__all__ = ["JsonFile", "JsonFormat", "JsonStyle"]

KEY_FIELD = "key"
"""Field for the key of a record in an object of records."""

# fmt: off
_ERROR_FIELDS = frozenset({
    "code", "detail", "error", "errors", "message", "path", "reason", "requestid", "status",
    "statuscode", "timestamp",
})
# fmt: on


class JsonFile(Source):
    """A JSON file of one value, or of values one after another."""

    format = "json"

    def __init__(
        self, path: Path, *, content: Content | None = None, split: str | None = None
    ) -> None:
        super().__init__(path)
        content = content or open_content(path)
        self._compression = content.compression
        self._encoding = content.encoding
        with content.open() as stream:
            raw = stream.read().removeprefix(content.bom)
        self._text, self._is_recoded = decode_line(raw)
        self.suffix = suffix_of(path, ".json")
        self._layout, findings = self._choose(split)
        self.start_findings.extend(findings)
        self._rows: list[int] = []

    def _choose(self, split: str | None) -> tuple[Layout, list[Finding]]:
        layouts = find_layouts(self._text, str(self.path))
        by_split = {
            layout.name: layout for layout in layouts if layout.name in SPLIT_NAMES or split
        }
        if by_split and (split is not None or len(by_split) == len(layouts)):
            name, findings = choose_split(list(by_split), split, str(self.path))
            return by_split[name], findings
        if layouts[0].kind == "single" and self._is_service_error():
            raise FormatError(
                f"{self.path}: an error message of a service, not data (a failed download?). "
                "Download the file itself."
            )
        return layouts[0], []

    def _is_service_error(self) -> bool:
        record, _ = parse_object(self._text)
        names = {name.lower() for name in record or ()}
        return bool(names & {"error", "errors"}) and names <= _ERROR_FIELDS

    def records(self) -> Iterator[Record]:
        """Yield the records; a value that is not an object is skipped, with a finding."""
        self._restart_findings()
        self._rows = []
        repeated: dict[int, str] = {}
        for at in range(self._layout.n_records):
            if self.limit is not None and len(self._rows) >= self.limit:
                break
            repeated_keys: list[str] = []
            value = self._value(at, repeated_keys)
            if not isinstance(value, Mapping):
                self._skip(
                    f"{self.path}: record {at + 1}",
                    f"not a JSON object but {describe_json(value)}",
                )
                continue
            if repeated_keys:
                repeated[len(self._rows)] = repeated_keys[0]
            self._rows.append(at)
            yield value
        self._finish_findings()
        if repeated:
            self.findings.append(repeated_finding(self, repeated))

    def record(self, row: int) -> Record:
        """Return the record at a 0-based row."""
        value = self._value(self._rows[row])
        assert isinstance(value, Mapping)
        return value

    def __len__(self) -> int:
        """Return the number of records in the last pass."""
        return len(self._rows)

    def place(self, row: int) -> str:
        """Return file and record number."""
        return f"{self.path}: record {self._rows[row] + 1}"

    def _value(self, at: int, repeated: list[str] | None = None) -> Any:
        layout = self._layout
        if layout.kind == "columns":
            if layout.row_keys:
                name = layout.row_keys[at]
                return {key: column[name] for key, column in layout.columns.items()}
            return {key: column[at] for key, column in layout.columns.items()}
        raw = self._text[layout.starts[at] : layout.ends[at]]
        if layout.kind == "keyed":
            pair = json.loads(f"{{{raw}}}")
            (key, value) = next(iter(pair.items()))
            return {KEY_FIELD: key, **value}
        record, _ = parse_object(raw, repeated)
        return json.loads(raw) if record is None else record

    def write(self, path: Path, rows: Sequence[int], added: Sequence[Record]) -> None:
        """Write the file with the records of `rows`, then `added`."""
        indices = [self._rows[row] for row in rows]
        if self._layout.kind == "columns":
            text = self._table_text(indices, added)
        else:
            text = self._spliced_text(indices, added)
        codec = "utf-8"
        if self._is_recoded:
            codec = "cp1252" if _encodes(self._text, "cp1252") else "latin-1"
        with open_output(path, self._compression) as stream:
            out = recoding_stream(stream, self._encoding)
            if self._encoding == "utf-8-sig":
                out.write(b"\xef\xbb\xbf")
            out.write(text.encode(codec))

    def _spliced_text(self, indices: Sequence[int], added: Sequence[Record]) -> str:
        layout, text = self._layout, self._text
        if layout.kind == "single":
            raise FormatError(f"{self.path}: one record, not a list. Put the records in a list.")
        starts, ends = layout.starts, layout.ends
        between = text[ends[0] : starts[1]] if len(starts) > 1 else self._default_between()
        style = JsonStyle.of([text[starts[at] : ends[at]] for at in self._rows[:20]])
        base = _indentation(text, starts[0])
        parts = [text[: starts[0]]]
        for position, at in enumerate(indices):
            if position:
                follows = indices[position - 1] == at - 1
                parts.append(text[ends[at - 1] : starts[at]] if follows else between)
            parts.append(text[starts[at] : ends[at]])
        for record in added:
            if len(parts) > 1:
                parts.append(between)
            parts.append(self._dump_added(record, style, base))
        parts.append(text[ends[-1] :])
        return "".join(parts)

    def _default_between(self) -> str:
        lead = self._text[: self._layout.starts[0]]
        blank = lead[len(lead.rstrip()) :]
        return blank or "\n" if self._layout.kind == "stream" else f",{blank or ' '}"

    def _dump_added(self, record: Record, style: JsonStyle, base: str) -> str:
        ascii_only = style.ensure_ascii or self._is_recoded
        if self._layout.kind != "keyed":
            return style.dump(record, base, ensure_ascii=ascii_only)
        value = {name: field for name, field in record.items() if name != KEY_FIELD}
        key = json.dumps(str(record.get(KEY_FIELD)), ensure_ascii=ascii_only)
        return f"{key}: {style.dump(value, base, ensure_ascii=ascii_only)}"

    def _table_text(self, indices: Sequence[int], added: Sequence[Record]) -> str:
        layout = self._layout
        table: dict[str, Any] = {}
        names = [layout.row_keys[at] for at in indices] if layout.row_keys else []
        next_row = max((int(name) for name in layout.row_keys), default=-1) + 1
        for column, values in layout.columns.items():
            new = [record.get(column) for record in added]
            if layout.row_keys:
                table[column] = {name: values[name] for name in names}
                table[column].update({str(next_row + at): value for at, value in enumerate(new)})
            else:
                table[column] = [values[at] for at in indices] + new
        stripped = self._text.strip()
        style = JsonStyle.of([stripped])
        lead = self._text[: len(self._text) - len(self._text.lstrip())]
        tail = self._text[len(self._text.rstrip()) :]
        ascii_only = style.ensure_ascii or self._is_recoded
        return lead + style.dump(table, "", ensure_ascii=ascii_only) + tail


class JsonFormat:
    """JSON files that are not JSON Lines."""

    name = "json"
    suffixes = frozenset({".json"})
    has_splits = True

    def claims(self, candidate: SourceCandidate) -> bool:
        """Whether the text starts as an object or array, or the name says JSON."""
        if candidate.is_named_table:
            return False
        return _starts_as_json(candidate) or ".json" in candidate.suffixes

    def open(
        self, candidate: SourceCandidate, *, split: str | None, open_file: OpenFile
    ) -> JsonFile:
        """Open the file, or its value named `split`."""
        path = candidate.path
        if not _starts_as_json(candidate):
            raise FormatError(
                f"{path}: not JSON: it starts with neither '{{' nor '['. Check the file."
            )
        return JsonFile(path, content=candidate.content, split=split)


def _starts_as_json(candidate: SourceCandidate) -> bool:
    return candidate.first_character in {"{", "["}


class JsonStyle:
    """How a file formats a value: indentation, separators, escapes."""

    def __init__(
        self, indent: int | str | None, separators: tuple[str, str], *, ensure_ascii: bool
    ) -> None:
        self.indent = indent
        self.separators = separators
        self.ensure_ascii = ensure_ascii

    @classmethod
    def of(cls, texts: Sequence[str]) -> JsonStyle:
        """Return the style that reproduces most of the texts exactly."""
        values = []
        for text in texts:
            inner = text if text[:1] in "[{" else f"{{{text}}}"
            values.append((json.loads(inner), _dedent(inner)))
        candidates = [
            cls(indent, separators, ensure_ascii=ascii_only)
            for indent, separators in (
                (None, (", ", ": ")),
                (None, (",", ":")),
                *((indent, (",", ": ")) for indent in (2, 4, 1, 3, "\t")),
            )
            for ascii_only in (False, True)
        ]

        def n_matching(style: JsonStyle) -> float:
            written = [(style.dump(value, "", ensure_ascii=None), raw) for value, raw in values]
            n_same = sum(text == raw for text, raw in written)
            n_similar = sum(_shape(text) == _shape(raw) for text, raw in written)
            return n_same + n_similar / (len(written) + 1)

        return max(candidates, key=n_matching)

    def dump(self, value: Any, base: str, *, ensure_ascii: bool | None) -> str:
        """Format a value, with `base` as indentation of all lines but the first."""
        text = json.dumps(
            value,
            indent=self.indent,
            separators=self.separators,
            ensure_ascii=self.ensure_ascii if ensure_ascii is None else ensure_ascii,
        )
        if not _encodes(text, "utf-8"):
            text = json.dumps(value, indent=self.indent, separators=self.separators)
        return text.replace("\n", f"\n{base}")


def _dedent(text: str) -> str:
    """Return a text without the indentation of its last line."""
    last = text.rpartition("\n")[2]
    base = last[: len(last) - len(last.lstrip(" \t"))]
    return text.replace(f"\n{base}", "\n") if base else text


def _shape(text: str) -> tuple[str, bool]:
    """Return the indentation of the second line, and whether there is a second line."""
    second = text.partition("\n")[2]
    return second[: len(second) - len(second.lstrip())], "\n" in text


def _indentation(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _encodes(text: str, codec: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
