"""Folders of shards of one set, or of one file per task or split."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from benchdesign.benchmarks.formats.compression import COMPRESSIONS
from benchdesign.benchmarks.formats.format_reader import OpenFile
from benchdesign.benchmarks.formats.source import KNOWN_SUFFIXES, Record, Source, name_without
from benchdesign.benchmarks.formats.source_candidate import SourceCandidate, data_suffix
from benchdesign.benchmarks.formats.splits import SPLIT_NAMES, choose_split
from benchdesign.benchmarks.items import Finding
from benchdesign.errors import FormatError

__all__ = ["ShardFolder", "ShardFolderFormat"]

MAX_FILES = 10_000
_SHARD = re.compile(r"(?P<stem>.*?)[-_.]?\d+(?:-of-\d+)?\Z")
_DATA = KNOWN_SUFFIXES - {".txt", ".yaml", ".yml", *COMPRESSIONS}


class ShardFolderFormat:
    """Folders of files in other formats."""

    name = "folder"
    suffixes = frozenset[str]()
    has_splits = True

    def __init__(self, plug_in_suffixes: Callable[[], Collection[str]]) -> None:
        self._plug_in_suffixes = plug_in_suffixes
        """Suffixes of formats that plug-ins add, which count if no other file holds data."""

    def claims(self, candidate: SourceCandidate) -> bool:
        """Whether the candidate is a folder."""
        return candidate.kind == "folder"

    def open(
        self, candidate: SourceCandidate, *, split: str | None, open_file: OpenFile
    ) -> ShardFolder:
        """Open the folder's shards, tasks or splits."""
        files, findings = _data_files(candidate.path, _DATA)
        if not files:
            files, skipped = _data_files(candidate.path, self._plug_in_suffixes())
            findings += skipped
        return _open_files(candidate.path, files, findings, split=split, open_file=open_file)


def _open_files(
    path: Path,
    files: list[Path],
    findings: list[Finding],
    *,
    split: str | None,
    open_file: OpenFile,
) -> ShardFolder:
    if not files:
        raise FormatError(
            f"{path}: no data files in the folder. It needs JSONL, JSON, CSV, TSV or Parquet files."
        )
    by_split = _by_split(files)
    if split is not None or (by_split and sum(map(len, by_split.values())) == len(files)):
        name, chosen = choose_split(list(by_split) or ["(none)"], split, str(path))
        findings += chosen
        files = by_split[name]
    source = ShardFolder(path, [open_file(file) for file in files])
    source.start_findings.extend(findings)
    return source


def _data_files(path: Path, suffixes: Collection[str]) -> tuple[list[Path], list[Finding]]:
    """Return the data files, and findings on entries with such a name that cannot be read."""
    try:
        entries = [
            entry
            for entry in sorted(path.rglob("*"))
            if data_suffix(entry) in suffixes
            and not entry.is_dir()
            and not any(part.startswith(".") for part in entry.relative_to(path).parts)
        ]
        files = [entry for entry in entries if entry.is_file()]
    except OSError as error:
        raise FormatError(
            f"{path}: cannot be read ({error.strerror}). Check the permissions."
        ) from error
    if len(files) > MAX_FILES:
        raise FormatError(
            f"{path}: {len(files)} data files. Use a folder with at most {MAX_FILES}."
        )
    # Metadata is often stored as JSON beside data in another format: ignore it.
    if len({data_suffix(entry) for entry in files}) > 1:
        files = [entry for entry in files if data_suffix(entry) != ".json"]
    return files, [
        Finding(
            "skipped-file",
            f"{entry}: {'not a regular file' if entry.exists() else 'a link that leads nowhere'}. "
            "Skipped; a revision leaves it out.",
        )
        for entry in entries
        if not entry.is_file()
    ]


def _by_split(files: Sequence[Path]) -> dict[str, list[Path]]:
    """Group files by the split in their name or folder: train-00000-of-00002, test/a.jsonl."""
    groups: dict[str, list[Path]] = {}
    for file in files:
        stem = name_without(file, {*KNOWN_SUFFIXES, data_suffix(file)})
        words = [word for word in re.split(r"[-_.]", stem.lower()) if word]
        folder = file.parent.name.lower()
        names = [word for word in words if word in SPLIT_NAMES]
        name = folder if folder in SPLIT_NAMES else (names[0] if names else None)
        if name is not None:
            groups.setdefault(name, []).append(file)
    return groups


class ShardFolder(Source):
    """Records of all files in a folder, file by file."""

    format = "folder"
    suffix = ""

    def __init__(self, path: Path, shards: Sequence[Source]) -> None:
        super().__init__(path)
        self._shards = list(shards)
        self._firsts: list[int] = []
        stems = {shard.name for shard in shards}
        bases = {match["stem"] if (match := _SHARD.match(stem)) else stem for stem in stems}
        # Names of files are categories, unless they differ by a number only.
        self._names_tasks = len(bases) == len(shards) > 1

    @property
    def sha256(self) -> str:
        """Digest of the digests of all files in order."""
        digests = "".join(shard.sha256 for shard in self._shards)
        return hashlib.sha256(digests.encode("ascii")).hexdigest()

    def records(self) -> Iterator[Record]:
        """Yield the records, file by file."""
        self._restart_findings()
        self._firsts = []
        n_records = 0
        for shard in self._shards:
            self._firsts.append(n_records)
            shard.limit = None if self.limit is None else self.limit - n_records
            for record in shard.records():
                n_records += 1
                yield record
            first = self._firsts[-1]
            self._n_skipped += shard.n_skipped
            self.findings.extend(
                Finding(finding.kind, finding.message, tuple(row + first for row in finding.rows))
                for finding in shard.findings
            )

    def record(self, row: int) -> Record:
        """Read one record from its file."""
        shard, at = self._find(row)
        return self._shards[shard].record(at)

    def __len__(self) -> int:
        """Return the number of records in the last pass."""
        if not self._firsts:
            return 0
        return self._firsts[-1] + len(self._shards[len(self._firsts) - 1])

    def place(self, row: int) -> str:
        """Return the file and the place in it."""
        shard, at = self._find(row)
        return self._shards[shard].place(at)

    def default_category(self, row: int) -> str | None:
        """Return the file's name in a folder of one file per task."""
        if not self._names_tasks:
            return None
        return self._shards[self._find(row)[0]].name

    def write(self, path: Path, rows: Sequence[int], added: Sequence[Record]) -> None:
        """Write each file, with added records at the end of the last one."""
        by_shard: list[list[int]] = [[] for _ in self._shards]
        for row in rows:
            shard, at = self._find(row)
            by_shard[shard].append(at)
        path.mkdir()
        for number, (shard_source, kept_rows) in enumerate(
            zip(self._shards, by_shard, strict=True)
        ):
            target = path / shard_source.path.relative_to(self.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            is_last = number == len(self._shards) - 1
            shard_source.write(target, kept_rows, added if is_last else ())

    def _find(self, row: int) -> tuple[int, int]:
        # Empty files share their first row with the next file: use the last of them.
        shard = bisect_right(self._firsts, row) - 1
        return shard, row - self._firsts[shard]
