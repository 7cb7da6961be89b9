"""Items, the sets they come in, and what was noticed while reading them.

An item never holds its whole record: records stay in the source (on disk for line formats) and
are fetched by row, so that a large file costs the memory of its items' text and no more.
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
]

Span = tuple[int, int]
"""Half-open range of characters in an item's text."""


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a benchmark or pool."""

    id: str
    """Stable and unique within its set; duplicates in the file get a suffix."""

    row: int
    """0-based row in the source."""

    text: str
    """What the reference model reads."""

    content: tuple[Span, ...]
    """Ranges of `text` that come from the record; the rest is template boilerplate."""

    prompt: str
    """The question as a person would read it, without choices."""

    choices: tuple[str, ...] = ()
    """Texts of the choices; empty for free answers."""

    answer: str | None = None
    """The key as text (the choice's text where there are choices); None if unknown."""

    answer_index: int | None = None
    """0-based position of the key among `choices`."""

    category: str | None = None
    """The set's own label for the item."""

    source: str | None = None
    """Where the item says it came from, if it does."""

    @property
    def digest(self) -> str:
        """SHA-256 of text and content mask, in hex: the identity used by maps and caches."""
        hasher = hashlib.sha256(self.text.encode("utf-8", "surrogatepass"))
        hasher.update(repr(self.content).encode("ascii"))
        return hasher.hexdigest()


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """Which fields of a record hold what; paths are dotted (`question.stem`)."""

    prompt: str | None = None
    context: str | None = None
    choices: str | None = None
    answer: str | None = None
    id: str | None = None
    category: str | None = None
    source: str | None = None
    licence: str | None = None
    provenance: str | None = None
    """Field of the benchmark that receives the origin of added items, if the designer named one."""

    answer_kind: str | None = None
    """How `answer` is written: text, letter, index (0-based), number (1-based), targets, list."""

    choices_kind: str | None = None
    """How `choices` is written: list, lettered, objects, targets, columns, separated, inline."""

    origin: Mapping[str, str] = field(default_factory=dict)
    """Per field, how it was found: `detected` or `set`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a designer should know about a row; it warns and never stops."""

    kind: str
    """duplicate-id, duplicate-text, empty-text, answer-not-in-choices, answer-imbalance,
    answer-in-prompt, control-characters, other-script, skipped-row, skipped-file, ..."""

    message: str
    """One line naming file, row (1-based, as an editor counts) and problem."""

    rows: tuple[int, ...] = ()
    """0-based rows it is about; empty when it is about the whole set."""

    @property
    def n_rows(self) -> int:
        """Number of rows it is about; what is about the whole set counts as one."""
        return max(len(self.rows), 1)


class RecordSource(Protocol):
    """Where the records of a set live, and how they are written back."""

    format: str
    """Short name: jsonl, json, csv, tsv, parquet, datasets, ..."""

    suffix: str
    """Suffix of a file written in this format, compression included (`.jsonl.gz`)."""

    def record(self, row: int) -> Mapping[str, Any]:
        """Return the original record at a 0-based row."""
        ...

    def companions(self, name: str) -> tuple[str, ...]:
        """Name the files that are written beside one of this name."""
        ...

    def __len__(self) -> int:
        """Count the rows."""
        ...


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A set of items read from one place: a benchmark or a pool."""

    path: Path
    name: str
    items: tuple[Item, ...]
    mapping: FieldMapping
    source: RecordSource
    sha256: str
    """Digest of the file's bytes (of all shards in order for a folder)."""

    findings: tuple[Finding, ...] = ()
    template: str | None = None
    """Item template given by the designer; None for the default rendering."""

    def __len__(self) -> int:
        """Count the items."""
        return len(self.items)

    def __iter__(self) -> Iterator[Item]:
        """Iterate over the items in file order."""
        return iter(self.items)

    def record(self, item: Item) -> Mapping[str, Any]:
        """Return the item's original record."""
        return self.source.record(item.row)

    @property
    def digests(self) -> Sequence[str]:
        """Identity of every item, in order."""
        return [item.digest for item in self.items]
