"""The file of a workspace that holds the paths of its sets and its settings: `workspace.json`."""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchdesign.errors import WorkspaceError, WorkspaceMissingError
from benchdesign.foundation.serialization import from_json, read_json, to_json, write_json
from benchdesign.workspace.set_file import SetFile
from benchdesign.workspace.settings import Settings, settings_from_json, settings_to_json

__all__ = ["FORMAT_VERSION", "WorkspaceContent", "read_content", "write_content"]


FORMAT_VERSION = 1


_MISSING_ERRNOS = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


@dataclass(frozen=True, slots=True)
class WorkspaceContent:
    """What `workspace.json` holds."""

    version: int
    name: str
    created: str
    benchmark: SetFile
    pool: SetFile | None
    settings: Settings


def write_content(folder: Path, content: WorkspaceContent) -> None:
    """Write `workspace.json`, atomically."""
    stored = {**to_json(content), "settings": settings_to_json(content.settings)}
    write_json(folder / "workspace.json", stored)


def read_content(folder: Path) -> WorkspaceContent:
    """Read `workspace.json`; raises WorkspaceError."""
    path = folder / "workspace.json"
    try:
        data = _check_format_version(read_json(path), path)
        settings = settings_from_json(data["settings"])
        return replace(from_json(WorkspaceContent, {**data, "settings": {}}), settings=settings)
    except OSError as problem:
        if problem.errno in _MISSING_ERRNOS:
            raise WorkspaceMissingError(
                f"{folder}: not a workspace (no workspace.json). "
                "Create one with `benchdesign run` or `benchdesign open BENCHMARK`."
            ) from None
        raise WorkspaceError(f"{path}: cannot be read ({problem.strerror}).") from None
    except (ValueError, KeyError, TypeError, OverflowError) as problem:
        raise WorkspaceError(
            f"{path}: damaged ({problem}). Restore it from a backup; decisions.jsonl and maps/ "
            "beside it are not affected."
        ) from None


def _check_format_version(data: Any, path: Path) -> Any:
    if not isinstance(data, dict):
        raise ValueError("not an object")
    if int(data.get("version", 0)) > FORMAT_VERSION:
        raise WorkspaceError(
            f"{path}: made by a newer version of benchdesign (format {data['version']}); "
            "upgrade benchdesign to open it."
        )
    return data
