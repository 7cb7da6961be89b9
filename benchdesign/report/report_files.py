"""Atomic writing of the report files on models and suites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchdesign.errors import UsageError, WorkspaceError
from benchdesign.foundation.atomic_files import whole_files

__all__ = ["check_report_folder", "write_report_files"]


def check_report_folder(folder: Path, names: Sequence[str], *, force: bool) -> None:
    """Raise `UsageError` if the folder cannot be used or its files would be replaced.

    With `force`, existing files may be replaced.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder}: is a file; choose a folder for the report.")
        if folder.is_symlink() and not folder.exists():
            raise UsageError(f"{folder}: a broken symbolic link; choose a folder for the report.")
        if next((path for path in folder.parents if path.exists()), folder.parent).is_file():
            raise UsageError(f"{folder}: is inside a file; choose another folder for the report.")
        folders = [name for name in names if (folder / name).is_dir()]
        existing = [name for name in names if (folder / name).exists()]
    except OSError as problem:
        raise UsageError(f"{folder}: cannot be used for a report ({problem.strerror}).") from None
    if folders:
        raise UsageError(
            f"{folder / folders[0]}: is a folder; choose another folder for the report."
        )
    if existing and not force:
        raise UsageError(f"{folder / existing[0]}: already exists; use --force to replace it.")


def write_report_files(folder: Path, texts: Mapping[str, str]) -> tuple[Path, ...]:
    """Write text files into a folder and return their paths; raise `WorkspaceError` on failure.

    Creates the folder if needed. All temporary files are written before the first is renamed, so a
    full disk leaves the existing files unchanged.
    """
    paths = tuple(folder / name for name in texts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_files(*paths, synced=True) as temporary_paths:
            for temporary, text in zip(temporary_paths, texts.values(), strict=True):
                temporary.write_text(text, encoding="utf-8", newline="\n")
    except OSError as problem:
        raise WorkspaceError(
            f"{folder}: the report was not written ({problem.strerror or problem}). Free space or "
            "choose another folder with --report."
        ) from None
    return paths
