"""Items, item sets and findings about them.

An item does not contain its record. Records stay in the source (on disk for line formats) and are
read by row, so that a large file needs only the memory of its items' text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

__all__ = [
    "Benchmark",
    "FieldMapping",
    "Finding",
    "Item",
    "RecordSource",
    "Span",
    "WordRun",
    "Wrappers",
]

Span = tuple[int, int]
"""Half-open range of characters in an item's text."""

WordRun = tuple[str, ...]
"""Words and line breaks that follow each other."""


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a benchmark or pool."""

    id: str
    """Stable and unique within the set; duplicates in the file get a suffix."""

    row: int
    """0-based row in the source."""

    text: str
    """What the reference model reads: the rendered record, without wrappers if they are masked."""

    content: tuple[Span, ...]
    """Ranges of `text` that come from the record; the rest is template boilerplate."""

    prompt: str
    """The question as people read it, without choices."""

    choices: tuple[str, ...] = ()
    """Texts of the choices; empty for free answers."""

    answer: str | None = None
    """The answer key as text (the text of a choice if there are choices); None if unknown."""

    answer_index: int | None = None
    """0-based position of the answer key in `choices`."""

    category: str | None = None
    """The item's category in its set."""

    source: str | None = None
    """The item's origin as its record names it."""

    @property
    def digest(self) -> str:
        """SHA-256 of text and content ranges, in hex; identifies the item in maps and caches."""
        hasher = hashlib.sha256(self.text.encode("utf-8", "surrogatepass"))
        hasher.update(repr(self.content).encode("ascii"))
        return hasher.hexdigest()


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """The record field for each role; paths are dotted (`question.stem`)."""

    prompt: str | None = None
    context: str | None = None
    choices: str | None = None
    answer: str | None = None
    id: str | None = None
    category: str | None = None
    source: str | None = None
    licence: str | None = None
    provenance: str | None = None
    """Field of the benchmark in which the origin of added items is recorded; None for no field."""

    answer_kind: str | None = None
    """How `answer` is written: text, letter, index (0-based), number (1-based), targets, list."""

    choices_kind: str | None = None
    """How `choices` is written: list, lettered, objects, targets, columns, separated, inline."""

    origin: Mapping[str, str] = field(default_factory=dict)
    """By role, how the field was determined: `detected` or `set`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A warning about rows of a set; never an error."""

    kind: str
    """wrapper, duplicate-id, duplicate-text, empty-text, answer-not-in-choices, answer-imbalance,
    answer-in-prompt, control-characters, other-script, skipped-row, skipped-file, ..."""

    message: str
    """One line with file, row (1-based) and problem."""

    rows: tuple[int, ...] = ()
    """0-based rows concerned; empty for a finding about the whole set."""

    @property
    def n_rows(self) -> int:
        """Number of rows concerned; 1 for a finding about the whole set."""
        return max(len(self.rows), 1)


class RecordSource(Protocol):
    """The records of a set and the format they are written in."""

    format: str
    """Short name: jsonl, json, csv, tsv, parquet, datasets, ..."""

    suffix: str
    """File suffix of the format, compression included (`.jsonl.gz`)."""

    def record(self, row: int) -> Mapping[str, Any]:
        """Return the original record at a 0-based row."""
        ...

    def companions(self, name: str) -> tuple[str, ...]:
        """Return the names of the files that are written next to a file of this name."""
        ...

    def __len__(self) -> int:
        """Count the rows."""
        ...


@dataclass(frozen=True, slots=True)
class Wrappers:
    """Text that at least half of a set's items share, with digits as `0`."""

    starts: tuple[tuple[int, WordRun], ...] = ()
    """Words at the start of a content range, with its position."""

    ends: tuple[tuple[int, WordRun], ...] = ()
    """Words at the end of a content range, last word first."""

    lines: frozenset[str] = frozenset()
    """Lines and sentences."""

    labels: frozenset[str] = frozenset()
    """Labels of fields and choices: `Options:`, `(A)`."""

    is_most_of_text: bool = False
    """Whether most items share so much of their text that none of it is taken for a wrapper."""

    def __bool__(self) -> bool:
        """Whether there is anything to mask."""
        return bool(self.starts or self.ends or self.lines or self.labels)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A set of items read from one path: a benchmark or a pool."""

    path: Path
    name: str
    items: tuple[Item, ...]
    mapping: FieldMapping
    source: RecordSource
    sha256: str
    """Digest of the file (of all shards in order for a folder)."""

    findings: tuple[Finding, ...] = ()
    template: str | None = None
    """Item template set by the user; None for the default rendering."""

    wrappers: Wrappers | None = None
    """Text that most items share, which is cut out of theirs; None if it is not looked for."""

    def __len__(self) -> int:
        """Count the items."""
        return len(self.items)

    def __iter__(self) -> Iterator[Item]:
        """Yield the items in file order."""
        return iter(self.items)

    def record(self, item: Item) -> Mapping[str, Any]:
        """Return the item's original record."""
        return self.source.record(item.row)

    @property
    def digests(self) -> Sequence[str]:
        """Digests of all items, in order."""
        return [item.digest for item in self.items]
