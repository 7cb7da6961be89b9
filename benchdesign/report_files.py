"""Reports on models and suites as files: all of them, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchdesign.errors import UsageError, WorkspaceError
from benchdesign.whole_files import whole_files

__all__ = ["refuse_existing", "write_together"]


def refuse_existing(folder: Path, names: Sequence[str], *, force: bool) -> None:
    """Refuse a folder that is none, or whose files would be replaced without having been told to.

    Raises `UsageError`.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder}: is a file; name a folder for the report.")
        if folder.is_symlink() and not folder.exists():
            raise UsageError(f"{folder}: a link that leads nowhere; name a folder for the report.")
        if next((one for one in folder.parents if one.exists()), folder.parent).is_file():
            raise UsageError(f"{folder}: lies below a file; name another folder for the report.")
        odd = [name for name in names if (folder / name).is_dir()]
        there = [name for name in names if (folder / name).exists()]
    except OSError as problem:
        raise UsageError(f"{folder}: no place for a report ({problem.strerror}).") from None
    if odd:
        raise UsageError(f"{folder / odd[0]}: is a folder; choose another for the report.")
    if there and not force:
        raise UsageError(f"{folder / there[0]}: is there already; use --force to replace it.")


def write_together(folder: Path, texts: Mapping[str, str]) -> tuple[Path, ...]:
    """Write files into a folder, which is made if need be; returns their paths.

    Every file is written beside its place before the first of them takes it, so a full disk leaves
    what was there. Raises `WorkspaceError`.
    """
    paths = tuple(folder / name for name in texts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_files(*paths, synced=True) as fresh:
            for made, text in zip(fresh, texts.values(), strict=True):
                made.write_text(text, encoding="utf-8", newline="\n")
    except OSError as problem:
        raise WorkspaceError(
            f"{folder}: the report was not written ({problem.strerror or problem}). Free space or "
            "choose another folder with --report."
        ) from None
    return paths
