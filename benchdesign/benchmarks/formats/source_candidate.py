"""A path that readers are asked about: its name, and what is needed of its contents."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from benchdesign.benchmarks.formats.compression import COMPRESSIONS
from benchdesign.benchmarks.formats.text_content import MAX_LINE, Content, open_content, read_head

__all__ = ["TABLE_SUFFIXES", "SourceCandidate", "data_suffix"]

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab"})


@dataclass(frozen=True)
class SourceCandidate:
    """A file, a folder or a hub dataset to be opened; contents are read once, when asked for."""

    name: str
    """Path as passed by the caller, or `hf:owner/name`."""

    path: Path
    """The file or folder; of no use for a hub dataset."""

    kind: Literal["file", "folder", "hub"] = "file"

    @property
    def suffix(self) -> str:
        """Last suffix in lower case, or an empty string."""
        return self.path.suffix.lower()

    @cached_property
    def suffixes(self) -> frozenset[str]:
        """All suffixes in lower case."""
        return frozenset(suffix.lower() for suffix in self.path.suffixes)

    @property
    def data_suffix(self) -> str:
        """Last suffix that names no compression, in lower case; `.csv` for `a.csv.gz`."""
        return data_suffix(self.path)

    @property
    def is_named_table(self) -> bool:
        """Whether the name is that of a table of delimited rows."""
        return not self.suffixes.isdisjoint(TABLE_SUFFIXES)

    @cached_property
    def head(self) -> bytes:
        """The first bytes of the file."""
        return read_head(self.path, 512)

    @cached_property
    def content(self) -> Content:
        """The file as decompressed text."""
        return open_content(self.path)

    @cached_property
    def first_character(self) -> str:
        """The first character of the text that is not blank."""
        with self.content.open() as stream:
            head = stream.read(1 << 16).removeprefix(codecs.BOM_UTF8).lstrip()
        return head[:1].decode("latin-1")

    @property
    def first_line(self) -> str:
        """The first line of the text that is not blank."""
        return self._lines[0]

    @property
    def has_more_lines(self) -> bool:
        """Whether another line that is not blank follows the first."""
        return self._lines[1]

    @cached_property
    def _lines(self) -> tuple[str, bool]:
        with self.content.open() as stream:
            stream.seek(len(self.content.bom))
            line = stream.readline(MAX_LINE)
            while line and not line.strip():
                line = stream.readline(MAX_LINE)
            more = stream.readline(1 << 16)
            while more and not more.strip():
                more = stream.readline(1 << 16)
        return line.decode("utf-8", "replace"), bool(more)


def data_suffix(path: Path) -> str:
    """Return the last suffix that names no compression, in lower case."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in COMPRESSIONS]
    return suffixes[-1] if suffixes else ""
