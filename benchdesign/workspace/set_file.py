"""A benchmark or pool file as a workspace remembers it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchdesign.foundation.paths import path_exists, resolve_path

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark

__all__ = ["SetFile"]


@dataclass(frozen=True, slots=True)
class SetFile:
    """Path of a benchmark or pool, with its state when it was last read."""

    path: str
    sha256: str = ""
    """Empty until the read stage has run."""

    n_items: int = 0
    size: int = 0
    modified_ns: int = 0
    """With `size`, a cheap check whether the file may have changed."""

    name: str = ""
    given: str = ""
    """The path as typed by the user; manifests show it."""


def remember_set(path: str | Path) -> SetFile:
    text = str(path)
    if text.startswith("hf:"):
        return SetFile(path=text, name=text.rpartition("/")[2], given=text)
    resolved = resolve_path(text)
    return SetFile(path=str(resolved), name=resolved.name, given=text)


def set_exists(path: str | Path) -> bool:
    return str(path).startswith("hf:") or path_exists(path)


def with_read_state(source: SetFile, benchmark: Benchmark) -> SetFile:
    size, modified = file_stamp(Path(source.path))
    return replace(
        source,
        sha256=benchmark.sha256,
        n_items=len(benchmark),
        size=size,
        modified_ns=modified,
        name=benchmark.name,
    )


def file_identity(source: SetFile) -> list[object]:
    """Return path and digest, marked as changed if size or time differ from the last read."""
    stamp = file_stamp(Path(source.path))
    changed = source.size and stamp != (0, 0) and stamp != (source.size, source.modified_ns)
    return [source.path, source.sha256, "changed" if changed else ""]


def file_stamp(path: Path) -> tuple[int, int]:
    try:
        if path.is_dir():
            stats = [file.stat() for file in sorted(path.rglob("*")) if file.is_file()]
        else:
            stats = [path.stat()]
    except (OSError, ValueError):
        # Missing file or invalid path; the error is reported when the file is read.
        return 0, 0
    return sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)
