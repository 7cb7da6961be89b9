"""The lock of a workspace, which lets one process change it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from pathlib import Path

from benchdesign.errors import WorkspaceLockedError

__all__ = ["acquire_lock"]


def acquire_lock(folder: Path, *, who: str) -> int:
    """Return the open lock file; closing it releases the lock.

    Raises WorkspaceLockedError if another process holds it, and OSError if it cannot be created.
    """
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(handle, 200).decode("utf-8", "replace").strip()
        os.close(handle)
        raise WorkspaceLockedError(
            f"{folder}: in use by {holder or 'another process'}. Close it there and try again."
        ) from None
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        user = f" ({who})" if who else ""
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}{user}".encode())
    return handle
