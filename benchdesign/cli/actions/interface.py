"""`open`: start the terminal interface."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchdesign.errors import UsageError
from benchdesign.foundation.paths import path_exists
from benchdesign.tui.launch import run_interface

__all__ = ["open_job"]


def open_job(path: str | None, *, pool: str | None, scope: str = "", chat: bool = False) -> None:
    """Open the interface on a workspace, a benchmark, or the list of recent workspaces."""
    # Under `serve` there is no terminal: textual-serve sets this variable.
    if "TEXTUAL_DRIVER" not in os.environ and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "The interface needs a terminal. Without one, use `benchdesign run`, `proposals`, "
            "`decide` and `export`."
        )
    if path is not None and not path.startswith("hf:") and not path_exists(path):
        raise UsageError(f"{path}: no such file or folder.")
    is_workspace = path is not None and path_exists(Path(path) / "workspace.json")
    if is_workspace and pool is not None:
        raise UsageError(
            f"{path}: is a workspace and has its own pool; change it on its first screen."
        )
    if is_workspace and scope:
        raise UsageError(
            f"{path}: is a workspace and has its own scope; change it on its first screen."
        )
    if is_workspace and chat:
        raise UsageError(f"{path}: is a workspace with its own reading; leave --chat out.")
    run_interface(path, pool=pool, scope=scope, chat=chat)
