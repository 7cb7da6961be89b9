"""Folders: saved datasets, shards of one set, or one file per task or split."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchdesign.benchmarks.formats.arrow_files import is_dataset_folder, open_dataset_folder
from benchdesign.benchmarks.formats.compression import COMPRESSIONS
from benchdesign.benchmarks.formats.source import KNOWN_SUFFIXES, Record, Source
from benchdesign.benchmarks.formats.splits import SPLIT_NAMES, choose_split
from benchdesign.benchmarks.items import Finding
from benchdesign.errors import FormatError

__all__ = ["ShardFolder", "open_folder"]

MAX_FILES = 10_000
_SHARD = re.compile(r"(?P<stem>.*?)[-_.]?\d+(?:-of-\d+)?\Z")
_DATA = KNOWN_SUFFIXES - {".txt", ".yaml", ".yml", *COMPRESSIONS}


def open_folder(path: Path, *, split: str | None = None) -> Source:
    """Open a saved dataset or a folder of shards, tasks or splits."""
    if is_dataset_folder(path):
        return open_dataset_folder(path, split=split)
    files, findings = _data_files(path)
    if not files:
        raise FormatError(
            f"{path}: no data files in the folder. It needs JSONL, JSON, CSV, TSV or Parquet files."
        )
    by_split = _by_split(files)
    if split is not None or (by_split and sum(map(len, by_split.values())) == len(files)):
        name, chosen = choose_split(list(by_split) or ["(none)"], split, str(path))
        findings += chosen
        files = by_split[name]
    source = ShardFolder(path, files)
    source.start_findings.extend(findings)
    return source


def _data_files(path: Path) -> tuple[list[Path], list[Finding]]:
    """Return the data files, and findings on entries with such a name that cannot be read."""
    try:
        entries = [
            entry
            for entry in sorted(path.rglob("*"))
            if _is_data(entry)
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
    suffixes = {_data_suffix(entry) for entry in files}
    # Metadata is often stored as JSON beside data in another format: ignore it.
    if len(suffixes) > 1 and ".json" in suffixes:
        files = [entry for entry in files if _data_suffix(entry) != ".json"]
    return files, [
        Finding(
            "skipped-file",
            f"{entry}: {'not a regular file' if entry.exists() else 'a link that leads nowhere'}. "
            "Skipped; a revision leaves it out.",
        )
        for entry in entries
        if not entry.is_file()
    ]


def _is_data(path: Path) -> bool:
    return _data_suffix(path) in _DATA


def _data_suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in COMPRESSIONS]
    return suffixes[-1] if suffixes else ""


def _stem(path: Path) -> str:
    name = path.name
    for suffix in reversed(path.suffixes):
        if suffix.lower() not in KNOWN_SUFFIXES:
            break
        name = name[: -len(suffix)]
    return name


def _by_split(files: Sequence[Path]) -> dict[str, list[Path]]:
    """Group files by the split in their name or folder: train-00000-of-00002, test/a.jsonl."""
    groups: dict[str, list[Path]] = {}
    for file in files:
        words = [word for word in re.split(r"[-_.]", _stem(file).lower()) if word]
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

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        super().__init__(path)
        from benchdesign.benchmarks.formats.open_source import open_file

        self._shards = [open_file(file) for file in files]
        self._firsts: list[int] = []
        stems = {_stem(file) for file in files}
        bases = {match["stem"] if (match := _SHARD.match(stem)) else stem for stem in stems}
        # Names of files are categories, unless they differ by a number only.
        self._names_tasks = len(bases) == len(files) > 1

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
