"""`open` and `serve`: starting the terminal interface."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

from benchdesign.cli.output import Talk
from benchdesign.errors import MissingExtraError, UsageError, WorkspaceError

__all__ = ["open_job", "serve_job"]


def open_job(path: str | None, *, pool: str | None) -> None:
    """Open the interface on a workspace, a benchmark, or nothing."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "The interface needs a terminal. Without one use `benchdesign run`, `proposals`, "
            "`decide` and `export`."
        )
    workspace, benchmark = None, None
    if path is not None:
        folder = Path(path)
        if (folder / "workspace.json").is_file():
            workspace = folder
        elif path.startswith("hf:") or folder.exists():
            benchmark = path
        else:
            raise UsageError(f"{path}: no such file or folder.")
    if workspace is not None and pool is not None:
        raise UsageError(
            f"{path}: is a workspace and has its own pool; change it on its first screen."
        )
    from benchdesign.tui import run

    run(workspace=workspace, benchmark=benchmark, pool=pool)


def serve_job(folder: Path, *, port: int) -> None:
    """Serve the interface on loopback."""
    if not (folder / "workspace.json").is_file():
        raise WorkspaceError(f"{folder}: not a workspace (no workspace.json).")
    if find_spec("textual_serve") is None:
        raise MissingExtraError("Serving needs an extra: pip install 'benchdesign[web]'")
    from textual_serve.server import Server

    command = shlex.join([sys.executable, "-m", "benchdesign", "open", str(folder.resolve())])
    Talk().say(f"Open http://127.0.0.1:{port} in a browser on this machine; Ctrl-C ends it.")
    Server(command, host="127.0.0.1", port=port, title="benchdesign").serve()
