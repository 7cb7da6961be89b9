"""Files opened for text formats: decompressed, in an encoding that can be split at line ends.

Compressed and UTF-16/32 files are spooled once to a temporary file, so that single records can
be read by offset. The original is never written to.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import stat
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from benchdesign.benchmarks.formats.compression import MAGIC_BYTES, decompress
from benchdesign.benchmarks.formats.encoding import decode_line, transcode, unicode_encoding
from benchdesign.errors import FormatError

__all__ = ["MAX_LINE", "Content", "digest_file", "open_content", "read_head", "reject_non_data"]

MAX_LINE = 64 << 20
"""Longest line read, in bytes."""


@dataclass(frozen=True)
class Content:
    """One file, readable by byte range."""

    path: Path
    """Path as the caller passed it."""

    compression: str | None
    encoding: str
    """Encoding of the file on disk: utf-8, utf-8-sig, utf-16-le, ...; single lines may differ."""

    _readable: Path = field(repr=False)
    """The file, or its decompressed and transcoded copy."""

    _stamp: tuple[int, int] = field(repr=False)

    @property
    def bom(self) -> bytes:
        """Byte order mark at the start of the readable bytes."""
        return codecs.BOM_UTF8 if self.encoding == "utf-8-sig" else b""

    @property
    def size(self) -> int:
        """Number of readable bytes."""
        return self._readable.stat().st_size

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the readable bytes, byte order mark included; raise if the file has changed."""
        self._check()
        with self._readable.open("rb") as stream:
            yield stream

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes of a range."""
        with self.open() as stream:
            stream.seek(start)
            return stream.read(end - start)

    def text(self) -> str:
        """Return everything as text, without the byte order mark."""
        with self.open() as stream:
            raw = stream.read()
        return decode_line(raw.removeprefix(codecs.BOM_UTF8))[0]

    def _check(self) -> None:
        try:
            stamp = _stamp(self.path)
        except OSError as error:
            raise FormatError(
                f"{self.path}: cannot be read again ({error.strerror}). Restore the file."
            ) from error
        if stamp != self._stamp:
            raise FormatError(f"{self.path}: changed since it was read. Load it again.")


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}). Check the path.") from error


def open_content(path: Path) -> Content:
    """Open a text file of any supported compression and Unicode encoding."""
    head = read_head(path)
    if not head:
        raise FormatError(f"{path}: the file is empty. Check that it was written completely.")
    compression = next(
        (name for magic, name in MAGIC_BYTES.items() if head.startswith(magic)), None
    )
    stamp = _stamp(path)
    spooled: list[Path] = []
    readable = path
    try:
        if compression:
            readable = _temporary(spooled)
            decompress(path, readable, compression)
            head = read_head(readable)
            if not head.strip():
                raise FormatError(
                    f"{path}: the {compression} file contains no data. Check how it was written."
                )
            if any(head.startswith(magic) for magic in MAGIC_BYTES):
                raise FormatError(f"{path}: compressed twice. Decompress it once.")
        reject_non_data(path, head)
        encoding = unicode_encoding(head)
        if encoding.startswith(("utf-16", "utf-32")):
            source, readable = readable, _temporary(spooled)
            transcode(path, source, readable, encoding)
    except BaseException:
        _remove(spooled)
        raise
    content = Content(path, compression, encoding, readable, stamp)
    if spooled:
        weakref.finalize(content, _remove, spooled)
    return content


def read_head(path: Path, n_bytes: int = 4096) -> bytes:
    """Return the first bytes of a file."""
    try:
        kind = path.stat().st_mode
        # Opening a pipe blocks until it has a writer; a device may have no end.
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            raise FormatError(f"{path}: not a regular file. Save its content to a file.")
        with path.open("rb") as stream:
            return stream.read(n_bytes)
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file. Check the path.") from None
    except ValueError as error:
        raise FormatError(f"{path}: not a valid file name ({error}). Check the path.") from None
    except OSError as error:
        raise FormatError(
            f"{path}: cannot be read ({error.strerror}). Check path and permissions."
        ) from error


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def reject_non_data(path: Path, head: bytes) -> None:
    """Raise if a file is not data but a Git LFS pointer, an error page or an archive."""
    start = head.lstrip(codecs.BOM_UTF8).lstrip()[:200].lower()
    if start.startswith(b"version https://git-lfs"):
        raise FormatError(f"{path}: a Git LFS pointer, not the data. Run 'git lfs pull'.")
    if start.startswith((b"<!doctype html", b"<html")):
        raise FormatError(
            f"{path}: an HTML page, not data (a failed download?). Download the file itself."
        )
    if start.startswith(b"<?xml"):
        raise FormatError(
            f"{path}: an XML document, not data (a failed download?). Download the file itself."
        )
    if head.startswith(b"PK\x03\x04"):
        raise FormatError(f"{path}: a ZIP archive. Unpack it and open a file from it.")
    if head[257:262] == b"ustar":
        raise FormatError(f"{path}: a tar archive. Unpack it and open a file from it.")


def _temporary(spooled: list[Path]) -> Path:
    handle, name = tempfile.mkstemp(prefix="benchdesign-")
    os.close(handle)
    spooled.append(Path(name))
    return spooled[-1]


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
