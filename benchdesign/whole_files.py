"""Files that take their places whole: written beside them first, so that nobody reads half of one.

A full disk or a process that is killed leaves what was there.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

__all__ = ["sync", "whole_files", "write_whole"]

_LONGEST_NAME = 40
"""Characters of a name that its temporary file keeps: with more it could be too long."""


@contextlib.contextmanager
def whole_files(*paths: Path, synced: bool = False) -> Iterator[tuple[Path, ...]]:
    """Yield a path to write to for each file; when the block ends they take its place together.

    None does if it ends by an exception. With `synced` they are on the disk before the first one
    does, and in their places when this returns, which takes time: for what nobody could make again.
    """
    # Machines and containers that share a folder have processes of the same number.
    mark = f"{os.getpid()}-{secrets.token_hex(4)}"
    fresh = tuple(
        path.with_name(f".{path.name[:_LONGEST_NAME]}.{mark}-{place}.tmp")
        for place, path in enumerate(paths)
    )
    try:
        yield fresh
        if synced:
            for made in fresh:
                sync(made)
        for made, path in zip(fresh, paths, strict=True):
            made.replace(path)
        if synced:
            for folder in {path.parent for path in paths}:
                sync(folder)
    finally:
        for made in fresh:
            made.unlink(missing_ok=True)


def write_whole(path: Path, text: str, *, synced: bool = False) -> None:
    """Write a text file, all or nothing."""
    with whole_files(path, synced=synced) as (fresh,):
        fresh.write_text(text, encoding="utf-8", newline="\n")


def sync(path: Path) -> None:
    """Wait until a file, or what a folder says of its files, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
