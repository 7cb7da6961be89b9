"""Compressed files: recognise, open and write them, with a limit on what they may unpack to."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import zlib
from pathlib import Path
from typing import IO, Any, cast

from benchdesign.errors import FormatError, MissingExtraError

__all__ = ["COMPRESSIONS", "decompress", "open_output"]


COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}


MAGIC_BYTES = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}


CHUNK_BYTES = 1 << 20


MAX_RATIO = 250
"""Expansion ratio above which a file of over `MAX_UNCHECKED` unpacked bytes is refused."""


MAX_UNCHECKED = 256 << 20


def open_output(path: Path, compression: str | None) -> IO[bytes]:
    """Open a compressed file for writing; equal content gives equal bytes."""
    if compression == "gzip":
        return cast("IO[bytes]", gzip.GzipFile(path, "wb", mtime=0))
    if compression == "bz2":
        return bz2.open(path, "wb")
    if compression == "xz":
        return lzma.open(path, "wb")
    if compression == "zstd":
        stream: IO[bytes] = _zstandard().open(path, "wb")
        return stream
    return path.open("wb")


def decompress(path: Path, target: Path, compression: str) -> None:
    """Write the decompressed bytes of a file to `target`; raise if it expands too much."""
    n_packed = path.stat().st_size
    n_bytes = 0
    try:
        with _open_compressed(path, compression) as packed, target.open("wb") as out:
            while chunk := packed.read(CHUNK_BYTES):
                n_bytes += len(chunk)
                if n_bytes > MAX_UNCHECKED and n_bytes > MAX_RATIO * n_packed:
                    raise FormatError(
                        f"{path}: expands to over {MAX_RATIO} times its size. "
                        "If you trust it, decompress it first."
                    )
                out.write(chunk)
    except _damage_errors() as error:
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise FormatError(
                f"{path}: no space to decompress it in {target.parent}. Free some, "
                "or set TMPDIR to a folder on another disk."
            ) from None
        raise FormatError(
            f"{path}: the {compression} data are damaged or incomplete ({error}). "
            "Download the file again."
        ) from error


def _open_compressed(path: Path, compression: str) -> IO[bytes]:
    if compression == "gzip":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if compression == "bz2":
        return bz2.open(path, "rb")
    if compression == "xz":
        return lzma.open(path, "rb")
    stream: IO[bytes] = _zstandard().open(path, "rb")
    return stream


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise MissingExtraError("Reading .zst needs: pip install zstandard") from error
    return zstandard


def _damage_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that decompressors raise on damaged data."""
    errors: tuple[type[Exception], ...] = (EOFError, OSError, lzma.LZMAError, zlib.error)
    try:
        import zstandard
    except ImportError:
        return errors
    return (*errors, zstandard.ZstdError)
