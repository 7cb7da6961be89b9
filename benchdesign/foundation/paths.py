"""Paths that users type, and safe opening of regular files.

Opening a named pipe can block forever, and a device can be endless. Unchecked files (settings,
templates, corpora, files of a workspace or a dictionary) are opened through this module;
benchmarks and results are opened through `formats.files`. An invalid path (too long, a symlink
loop, an unknown `~user`) raises only when it is opened.
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
    "MAX_FILE_BYTES",
    "expand_home",
    "is_folder",
    "is_gzip",
    "open_lines",
    "open_regular",
    "path_exists",
    "read_regular",
    "read_regular_text",
    "resolve_path",
]

MAX_FILE_BYTES = 256 << 20
"""Default maximum size in bytes of a file that is read at once."""


def expand_home(path: str | Path) -> Path:
    """Return a path with `~` expanded if the user exists."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def resolve_path(path: str | Path) -> Path:
    """Return the absolute path, with symlinks resolved unless they loop."""
    full = expand_home(path)
    try:
        return full.resolve()
    except (OSError, RuntimeError, ValueError):
        return full.absolute()


def path_exists(path: str | Path) -> bool:
    """Whether a path exists; False also for an invalid path."""
    try:
        return expand_home(path).exists()
    except (OSError, ValueError):
        return False


def is_folder(path: str | Path) -> bool:
    """Whether a path is a folder; False also for an invalid path."""
    try:
        return expand_home(path).is_dir()
    except (OSError, ValueError):
        return False


def open_regular(path: Path) -> IO[bytes]:
    """Open a file for reading; raises OSError for a pipe, a device or a folder."""
    # O_NONBLOCK: a pipe must not block. Check the open descriptor, so that the file cannot be
    # replaced between check and use.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        raise OSError(errno.EINVAL, "not a regular file")
    return os.fdopen(descriptor, "rb")


def is_gzip(path: Path) -> bool:
    """Whether a file name ends in `.gz`."""
    return path.suffix.lower() == ".gz"


@contextmanager
def open_lines(path: Path) -> Iterator[IO[bytes]]:
    """Open a file of lines, gzipped or not, for reading; raises OSError like `open_regular`."""
    with open_regular(path) as raw:
        if is_gzip(path):
            with gzip.GzipFile(fileobj=raw, mode="rb") as unpacked:
                yield cast("IO[bytes]", unpacked)
        else:
            yield raw


def read_regular(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Return the content of a file; raises OSError if it is not regular or too large."""
    with open_regular(path) as stream:
        data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"larger than {max_bytes >> 20} MB")
    return data


def read_regular_text(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> str:
    """Return a UTF-8 file as text with LF line endings; raises OSError or UnicodeDecodeError."""
    text = read_regular(path, max_bytes=max_bytes).decode("utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")
