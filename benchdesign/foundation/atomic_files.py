"""Atomic writing of files: write a temporary file beside the target, then rename it.

A full disk or a killed process leaves the existing file unchanged.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

__all__ = ["flush_to_disk", "whole_files", "write_atomically"]

_MAX_NAME_CHARACTERS = 40
"""Characters of the target name in the temporary name, to stay below the length limit."""


@contextlib.contextmanager
def whole_files(*paths: Path, synced: bool = False) -> Iterator[tuple[Path, ...]]:
    """Yield a temporary path for each file; rename them all when the block ends.

    If the block raises, no file is replaced. With `synced`, data and renames are flushed to the
    disk (fsync). This is slow; use it for data that cannot be recomputed.
    """
    # Process IDs are not unique among machines and containers that share a folder.
    mark = f"{os.getpid()}-{secrets.token_hex(4)}"
    temporary_paths = tuple(
        path.with_name(f".{path.name[:_MAX_NAME_CHARACTERS]}.{mark}-{number}.tmp")
        for number, path in enumerate(paths)
    )
    try:
        yield temporary_paths
        if synced:
            for temporary in temporary_paths:
                flush_to_disk(temporary)
        for temporary, path in zip(temporary_paths, paths, strict=True):
            temporary.replace(path)
        if synced:
            for folder in {path.parent for path in paths}:
                flush_to_disk(folder)
    finally:
        for temporary in temporary_paths:
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str, *, synced: bool = False) -> None:
    """Write a text file atomically."""
    with whole_files(path, synced=synced) as (temporary,):
        temporary.write_text(text, encoding="utf-8", newline="\n")


def flush_to_disk(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk (fsync)."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
