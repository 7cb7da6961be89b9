"""Check and replace output folders of dictionaries."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchdesign.errors import OutputExistsError, UsageError

__all__ = ["check_file", "check_folder", "latest_folder", "replace_folder"]

_MARKS = ("dictionary.json", "cfg.json")


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Raise if a folder cannot be written, before the work on its content starts.

    Only a dictionary or an empty folder is replaced, in case the path is mistyped.
    """
    if folder.exists() or folder.is_symlink():
        if not overwrite:
            raise OutputExistsError(
                f"{folder}: already exists; choose another --out or add --force."
            )
        if not folder.is_dir() or folder.is_symlink():
            raise OutputExistsError(f"{folder}: exists and is not a folder; choose another --out.")
        names = [path.name for path in folder.iterdir()]
        if names and not any(mark in names for mark in _MARKS):
            raise OutputExistsError(
                f"{folder}: not a dictionary, so it is not replaced; choose another --out."
            )
    check_file(folder, option="--out")


def check_file(path: Path, *, option: str) -> None:
    """Raise if a path cannot be written; create nothing."""
    ancestor = path.absolute().parent
    while not ancestor.exists():
        ancestor = ancestor.parent
    if not ancestor.is_dir():
        raise UsageError(f"{option} {path}: {ancestor} is not a folder; choose another path.")
    if not os.access(ancestor, os.W_OK | os.X_OK):
        raise UsageError(f"{option} {path}: {ancestor} is not writable; choose another path.")


def replace_folder(fresh: Path, folder: Path) -> None:
    """Replace `folder` by a finished one; the old one is deleted only after the new one exists."""
    backup = _backup_path(folder)
    if folder.exists():
        shutil.rmtree(backup, ignore_errors=True)
        folder.rename(backup)
    fresh.rename(folder)
    shutil.rmtree(backup, ignore_errors=True)


def latest_folder(folder: Path) -> Path:
    """Return the folder that `replace_folder` wrote last, even if it was killed halfway."""
    backup = _backup_path(folder)
    return backup if backup.exists() and not folder.exists() else folder


def _backup_path(folder: Path) -> Path:
    """Return the temporary path of a folder while it is being replaced."""
    return folder.with_name(f".{folder.name}.old")
