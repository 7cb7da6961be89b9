"""Interface of all readers: records in order, one record by row, and writing in the same format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchdesign.benchmarks.formats.text_content import digest_file
from benchdesign.benchmarks.items import Finding

__all__ = ["KNOWN_SUFFIXES", "Record", "Source", "name_without"]

Record = Mapping[str, Any]

SAMPLE_STRIDE = 101

MAX_SKIP_FINDINGS = 100
"""Skipped rows with a finding each; the others share one."""


KNOWN_SUFFIXES = frozenset(
    {
        *(".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".tab", ".txt", ".parquet", ".arrow"),
        *(".yaml", ".yml", ".gz", ".bz2", ".xz", ".zst"),
    }
)
"""Suffixes that the name of a set leaves out."""


def name_without(path: Path, suffixes: Collection[str]) -> str:
    """Return the name of a file or folder without these suffixes at its end."""
    name = path.name
    for suffix in reversed(path.suffixes):
        if suffix.lower() not in suffixes:
            break
        name = name[: -len(suffix)]
    return name or path.name


class Source(ABC):
    """Records of one benchmark or pool, in their file or folder.

    Rows number the readable records from 0; unreadable ones have no row but a finding.
    """

    format: str
    """Short name: jsonl, json, csv, tsv, parquet, datasets, ..."""

    suffix: str
    """Suffix of files in this format, compression included; empty for folders."""

    own_suffixes: frozenset[str] = frozenset()
    """Suffixes of a plug-in's files, which the name of a set leaves out as well."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.findings: list[Finding] = []
        self.start_findings: list[Finding] = []
        """Findings on opening; they stay over all passes."""
        self.limit: int | None = None
        self._n_skipped = 0
        self._digest: str | None = None

    @property
    def name(self) -> str:
        """Name of the set: its file name without suffixes."""
        return name_without(self.path, KNOWN_SUFFIXES | self.own_suffixes)

    def companions(self, name: str) -> tuple[str, ...]:
        """Return the names of the files that `write` adds beside one of this name."""
        return ()

    def known_fields(self) -> dict[str, str]:
        """Return the fields that the format defines, such as those of an lm-eval task."""
        return {}

    @property
    def sha256(self) -> str:
        """Digest of the bytes on disk."""
        if self._digest is None:
            self._digest = digest_file(self.path)
        return self._digest

    @abstractmethod
    def records(self) -> Iterator[Record]:
        """Yield the records in order; the first complete pass also indexes them."""

    def sample(self, n_records: int) -> list[Record]:
        """Return a sample of records: the first ones, and some from all over the set."""
        n_first = n_records // 2
        records = []
        for row, record in enumerate(self.records()):
            if row < n_first or row % SAMPLE_STRIDE == 0:
                records.append(record)
            if len(records) >= n_records:
                break
        return records

    @abstractmethod
    def record(self, row: int) -> Record:
        """Return the record at a 0-based row."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of records, after the first complete pass."""

    @abstractmethod
    def write(self, path: Path, rows: Sequence[int], added: Sequence[Record]) -> None:
        """Write the records of `rows`, then `added`, in the source's own format."""

    def place(self, row: int) -> str:
        """Return where the user finds a row: file and line, or file and record number."""
        return f"{self.path}: record {row + 1}"

    def default_category(self, row: int) -> str | None:
        """Return a category from the place of a record, such as its file in a folder of tasks."""
        return None

    @property
    def n_skipped(self) -> int:
        """Number of records that could not be read."""
        return self._n_skipped

    def _skip(self, place: str, problem: str) -> None:
        self._n_skipped += 1
        if self._n_skipped <= MAX_SKIP_FINDINGS:
            self.findings.append(
                Finding("skipped-row", f"{place}: {problem}. Skipped; a revision leaves it out.")
            )

    def _finish_findings(self) -> None:
        n_more = self._n_skipped - MAX_SKIP_FINDINGS
        if n_more > 0:
            self.findings.append(
                Finding("skipped-row", f"{self.path}: {n_more} more unreadable rows were skipped.")
            )

    def _restart_findings(self) -> None:
        self.findings[:] = self.start_findings
        self._n_skipped = 0
