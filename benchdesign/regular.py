"""Paths that people type, and the files that they and other programs put in place.

Opening a named pipe waits for a writer that may never come, and a device may have no end. A file
that nothing has looked at before (settings, templates, corpora, what lies in a workspace or a
dictionary) is opened through here; those of benchmarks and results are by `formats.files`.
A name may be too long, lead to itself or to nobody's home: that is no error until it is opened.
"""

from __future__ import annotations

import errno
import gzip
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

__all__ = [
    "LARGEST",
    "expanded",
    "full_path",
    "is_folder",
    "is_gzip",
    "is_there",
    "open_lines",
    "open_regular",
    "read_regular",
    "read_regular_text",
]

LARGEST = 256 << 20
"""Bytes of a file that is read whole, unless its reader allows more."""


def expanded(path: str | Path) -> Path:
    """Return a path with its `~` written out, where somebody has that name."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def full_path(path: str | Path) -> Path:
    """Return a path from the root, its links followed unless they lead to themselves."""
    there = expanded(path)
    try:
        return there.resolve()
    except (OSError, RuntimeError, ValueError):
        return there.absolute()


def is_there(path: str | Path) -> bool:
    """Say whether something has this name; False also for what can be no name."""
    try:
        return expanded(path).exists()
    except (OSError, ValueError):
        return False


def is_folder(path: str | Path) -> bool:
    """Say whether a folder has this name; False also for what can be no name."""
    try:
        return expanded(path).is_dir()
    except (OSError, ValueError):
        return False


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


def is_gzip(path: Path) -> bool:
    """Say whether a file is packed, by its name."""
    return path.suffix.lower() == ".gz"


@contextmanager
def open_lines(path: Path) -> Iterator[IO[bytes]]:
    """Open a file of lines, packed or not, for reading; raises OSError as `open_regular` does."""
    with open_regular(path) as raw:
        if is_gzip(path):
            with gzip.GzipFile(fileobj=raw, mode="rb") as unpacked:
                yield cast("IO[bytes]", unpacked)
        else:
            yield raw


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
