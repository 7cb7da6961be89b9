"""`open` and `serve`: start the terminal interface."""

from __future__ import annotations

import os
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

from benchdesign.cli.output import Messages
from benchdesign.errors import MissingExtraError, UsageError
from benchdesign.foundation.paths import path_exists
from benchdesign.tui.browser_server import LocalServer, free_port
from benchdesign.tui.launch import run_interface
from benchdesign.workspace.workspace import Workspace

__all__ = ["open_job", "serve_job"]


def open_job(path: str | None, *, pool: str | None, chat: bool = False) -> None:
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
    if is_workspace and chat:
        raise UsageError(f"{path}: is a workspace with its own reading; leave --chat out.")
    run_interface(path, pool=pool, chat=chat)


def serve_job(folder: Path, *, port: int) -> None:
    """Serve the interface on loopback."""
    # Opening it here shows its errors in this terminal, not in the browser.
    with Workspace.open(folder, access="read"):
        pass
    if find_spec("textual_serve") is None:
        raise MissingExtraError("`serve` needs an extra: pip install 'benchdesign[web]'")
    command = shlex.join([sys.executable, "-m", "benchdesign", "open", str(folder.resolve())])
    server = LocalServer(command, port=free_port(port))
    Messages().say(f"Open {server.address} in a browser on this machine; Ctrl-C stops it.")
    server.serve()
