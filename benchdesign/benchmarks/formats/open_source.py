"""Open a set: the first format that claims the path reads it."""

from __future__ import annotations

import re
from pathlib import Path

from benchdesign.benchmarks.formats.format_registry import readers_of
from benchdesign.benchmarks.formats.hub_dataset import HUB_PREFIX
from benchdesign.benchmarks.formats.source import Source
from benchdesign.benchmarks.formats.source_candidate import SourceCandidate
from benchdesign.errors import FormatError
from benchdesign.foundation.paths import expand_home, is_folder

__all__ = ["open_source"]


def open_source(path: str | Path, *, split: str | None = None) -> Source:
    """Open a file, a folder or a hub dataset (`hf:owner/name`)."""
    name = str(path)
    if name.startswith(HUB_PREFIX):
        return _open(SourceCandidate(name, Path(name), "hub"), split=split)
    if not name.strip():
        raise FormatError("The name is empty. Use a file, a folder or hf:owner/name.")
    path = expand_home(path)
    return _open(SourceCandidate(name, path, "folder" if is_folder(path) else "file"), split=split)


def _open_file(path: Path) -> Source:
    return _open(SourceCandidate(str(path), path), split=None)


def _open(candidate: SourceCandidate, *, split: str | None) -> Source:
    """Open a candidate; raise if it has no split of that name and is not named after it."""
    path = candidate.path
    for reader in readers_of(candidate):
        if reader.claims(candidate):
            source = reader.open(candidate, split=split, open_file=_open_file)
            if not (split is None or reader.has_splits or split in re.split(r"[._-]", path.name)):
                raise FormatError(f"{path}: one set without splits, so no {split!r}. Omit --split.")
            return source
    raise FormatError(
        f"{path}: unsupported file format. Use JSONL, JSON, CSV, TSV, Parquet or a datasets folder."
    )
