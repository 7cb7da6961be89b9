"""What a format has to offer: which files are its own, and how to open them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol, runtime_checkable

from benchdesign.benchmarks.formats.source import Source
from benchdesign.benchmarks.formats.source_candidate import SourceCandidate

__all__ = ["FormatReader", "OpenFile"]

OpenFile = Callable[[Path], Source]
"""Opens another file, in any format; for formats whose data are in other files."""


@runtime_checkable
class FormatReader(Protocol):
    """One format. Readers are asked in order; the first that claims a candidate opens it."""

    @property
    def name(self) -> str:
        """Short name, unique among the formats."""
        ...

    @property
    def suffixes(self) -> Collection[str]:
        """Suffixes of its files, in lower case with the dot; empty for folders and the hub."""
        ...

    @property
    def has_splits(self) -> bool:
        """Whether `open` looks for `split`; without it only a file's name can name a split."""
        ...

    def claims(self, candidate: SourceCandidate) -> bool:
        """Whether this reader opens the candidate."""
        ...

    def open(self, candidate: SourceCandidate, *, split: str | None, open_file: OpenFile) -> Source:
        """Open a claimed candidate; raise FormatError if it cannot be read."""
        ...
