"""`serve`: show the interface in a browser."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from benchdesign.cli.output import Messages
from benchdesign.tui.browser_server import LocalServer, free_port
from benchdesign.workspace.workspace import Workspace

__all__ = ["serve_job"]


def serve_job(folder: Path, *, port: int) -> None:
    """Serve the interface on loopback."""
    # Opening it here shows its errors in this terminal, not in the browser.
    with Workspace.open(folder, access="read"):
        pass
    command = shlex.join([sys.executable, "-m", "benchdesign", "open", str(folder.resolve())])
    server = LocalServer(command, port=free_port(port))
    Messages().say(f"Open {server.address} in a browser on this machine; Ctrl-C stops it.")
    server.serve()
