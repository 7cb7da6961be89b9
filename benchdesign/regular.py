"""Reads files that people and other programs put in place, unless they are no files at all.

Opening a named pipe waits for a writer that may never come, and a device may have no end. Every
small file (settings, templates, what lies in a workspace or a dictionary) is read through here.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO

__all__ = ["LARGEST", "open_regular", "read_regular", "read_regular_text"]

LARGEST = 256 << 20
"""Bytes of a file that is read whole, unless its reader allows more."""


def open_regular(path: Path) -> IO[bytes]:
    """Open a file for reading; raises OSError where it is a pipe, a device or a folder."""
    # Without waiting, and looked at once it is open, so that nothing can take its place.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    kind = os.fstat(handle).st_mode
    if not stat.S_ISREG(kind):
        os.close(handle)
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        raise OSError(errno.EINVAL, "not a regular file")
    return os.fdopen(handle, "rb")


def read_regular(path: Path, *, most: int = LARGEST) -> bytes:
    """Return what is in a file; raises OSError where it is none or larger than `most`."""
    with open_regular(path) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"larger than {most >> 20} MB")
    return data


def read_regular_text(path: Path, *, most: int = LARGEST) -> str:
    """Return a file as text with plain line ends; raises OSError or UnicodeDecodeError."""
    text = read_regular(path, most=most).decode("utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")
