"""Where dictionaries are written: checked before the work, replaced in one step after it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchdesign.errors import OutputExistsError, UsageError

__all__ = ["check_file", "check_folder", "last_in_place", "put_in_place"]

_MARKS = ("dictionary.json", "cfg.json")


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that cannot be written, before anything is spent on its content.

    Only a dictionary or an empty folder is ever replaced: a mistyped path must not cost more.
    """
    if folder.exists() or folder.is_symlink():
        if not overwrite:
            raise OutputExistsError(f"{folder}: exists; choose another --out or give --force.")
        if not folder.is_dir() or folder.is_symlink():
            raise OutputExistsError(f"{folder}: exists and is not a folder; choose another --out.")
        inside = [path.name for path in folder.iterdir()]
        if inside and not any(mark in inside for mark in _MARKS):
            raise OutputExistsError(
                f"{folder}: holds no dictionary, so it is not replaced; choose another --out."
            )
    check_file(folder, option="--out")


def check_file(path: Path, *, option: str) -> None:
    """Refuse a path that cannot be written to; nothing is made yet."""
    above = path.absolute().parent
    while not above.exists():
        above = above.parent
    if not above.is_dir():
        raise UsageError(f"{option} {path}: {above} is not a folder; choose another.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise UsageError(f"{option} {path}: {above} cannot be written to; choose another.")


def put_in_place(fresh: Path, folder: Path) -> None:
    """Give a finished folder its name; what had the name goes only once the new one is there."""
    old = _set_aside(folder)
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def last_in_place(folder: Path) -> Path:
    """Return where what `put_in_place` put there last is, even if it was killed in the middle."""
    old = _set_aside(folder)
    return old if old.exists() and not folder.exists() else folder


def _set_aside(folder: Path) -> Path:
    """Return the name that a folder has while its successor takes its place."""
    return folder.with_name(f".{folder.name}.old")
