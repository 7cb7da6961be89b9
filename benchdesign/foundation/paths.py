"""Paths that users type, and safe opening of regular files.

Opening a named pipe can block forever, and reading a device may never end. Settings, templates,
corpora and the files of workspaces and dictionaries are therefore opened here, where anything but a
regular file raises OSError. Benchmarks are opened in `benchmarks.formats.text_content`.

An invalid path (too long, a symlink loop, an unknown `~user`) raises only when it is opened.
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
"""Default maximum size, in bytes, of a file that is read at once."""


def expand_home(path: str | Path) -> Path:
    """Return the path with `~` expanded; unchanged if the user does not exist."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def resolve_path(path: str | Path) -> Path:
    """Return the absolute path with symlinks resolved; they stay if they form a loop."""
    full = expand_home(path)
    try:
        return full.resolve()
    except (OSError, RuntimeError, ValueError):
        return full.absolute()


def path_exists(path: str | Path) -> bool:
    """Whether the path exists; False if it is invalid."""
    try:
        return expand_home(path).exists()
    except (OSError, ValueError):
        return False


def is_folder(path: str | Path) -> bool:
    """Whether the path is a folder; False if it is invalid."""
    try:
        return expand_home(path).is_dir()
    except (OSError, ValueError):
        return False


def open_regular(path: Path) -> IO[bytes]:
    """Open a file for reading; raise OSError for a pipe, a device or a folder."""
    # With O_NONBLOCK, opening a pipe returns at once. The check uses the open descriptor, because
    # the file at this path could be replaced between a check and the opening.
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
    """Open a plain or gzipped file of lines for reading; raise OSError like `open_regular`."""
    with open_regular(path) as raw:
        if is_gzip(path):
            with gzip.GzipFile(fileobj=raw, mode="rb") as unpacked:
                yield cast("IO[bytes]", unpacked)
        else:
            yield raw


def read_regular(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Return the content of a file; raise OSError if it is too large or not a regular file."""
    with open_regular(path) as stream:
        data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"larger than {max_bytes >> 20} MB")
    return data


def read_regular_text(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> str:
    """Return the text of a UTF-8 file with LF line endings; raise OSError or UnicodeDecodeError."""
    text = read_regular(path, max_bytes=max_bytes).decode("utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")
