"""Files opened for text formats: decompressed, in an encoding that can be split at line ends.

Compressed and UTF-16/32 files are spooled once to a temporary file, so that single records can
be read by offset. The original is never written to.
"""

from __future__ import annotations

import bz2
import codecs
import errno
import gzip
import hashlib
import io
import lzma
import os
import stat
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from benchdesign.errors import FormatError, MissingExtraError

__all__ = [
    "COMPRESSIONS",
    "Content",
    "digest_file",
    "open_content",
    "open_output",
    "recoding",
    "reject_other_things",
]

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_CHUNK = 1 << 20
MAX_RATIO = 250
"""Expansion ratio above which a file of over `MAX_UNCHECKED` unpacked bytes is refused."""
MAX_UNCHECKED = 256 << 20


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


def decode_line(raw: bytes) -> tuple[str, bool]:
    """Return a line decoded as UTF-8, windows-1252 or Latin-1, and whether it was not UTF-8."""
    try:
        return raw.decode("utf-8"), False
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("cp1252"), True
    except UnicodeDecodeError:
        return raw.decode("latin-1"), True


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
    compression = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)
    stamp = _stamp(path)
    spooled: list[Path] = []
    readable = path
    try:
        if compression:
            readable = _temporary(spooled)
            _decompress(path, readable, compression)
            head = read_head(readable)
            if not head.strip():
                raise FormatError(
                    f"{path}: the {compression} file contains no data. Check how it was written."
                )
            if any(head.startswith(magic) for magic in _MAGIC):
                raise FormatError(f"{path}: compressed twice. Decompress it once.")
        reject_other_things(path, head)
        encoding = _unicode_encoding(head)
        if encoding.startswith(("utf-16", "utf-32")):
            source, readable = readable, _temporary(spooled)
            _transcode(path, source, readable, encoding)
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


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def reject_other_things(path: Path, head: bytes) -> None:
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


def _unicode_encoding(head: bytes) -> str:
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    # The mark of UTF-32-LE begins with that of UTF-16-LE: test UTF-32 first.
    for mark, name in (
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if head.startswith(mark):
            return name
    sample = head[: len(head) // 2 * 2][:512]
    # Data start with an ASCII character, so UTF-16 has a NUL in the first two bytes; eight-bit text
    # may contain NUL later.
    if len(sample) >= 8 and 0 in sample[:2]:
        if sample[1::2].count(0) > 0.4 * len(sample) / 2 and not sample[::2].count(0):
            return "utf-16-le-bare"
        if sample[::2].count(0) > 0.4 * len(sample) / 2 and not sample[1::2].count(0):
            return "utf-16-be-bare"
    return "utf-8"


def encoder(encoding: str) -> tuple[str, bytes]:
    """Return the codec that writes an encoding, and its byte order mark."""
    codec = encoding.removesuffix("-bare")
    if encoding == "utf-8-sig":
        return "utf-8", codecs.BOM_UTF8
    marks = {
        "utf-32-le": codecs.BOM_UTF32_LE,
        "utf-32-be": codecs.BOM_UTF32_BE,
        "utf-16-le": codecs.BOM_UTF16_LE,
        "utf-16-be": codecs.BOM_UTF16_BE,
    }
    return codec, marks.get(encoding, b"")


def _temporary(spooled: list[Path]) -> Path:
    handle, name = tempfile.mkstemp(prefix="benchdesign-")
    os.close(handle)
    spooled.append(Path(name))
    return spooled[-1]


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _decompress(path: Path, target: Path, compression: str) -> None:
    n_packed = path.stat().st_size
    n_bytes = 0
    try:
        with _open_compressed(path, compression) as packed, target.open("wb") as out:
            while chunk := packed.read(_CHUNK):
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


def _transcode(path: Path, readable: Path, target: Path, encoding: str) -> None:
    codec, mark = encoder(encoding)
    decoder = codecs.getincrementaldecoder(codec)(errors="surrogatepass")
    try:
        with readable.open("rb") as source, target.open("wb") as out:
            source.seek(len(mark))
            while chunk := source.read(_CHUNK):
                out.write(decoder.decode(chunk).encode("utf-8", "surrogatepass"))
            out.write(decoder.decode(b"", final=True).encode("utf-8", "surrogatepass"))
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{path}: looks like {codec.upper()} but is not valid ({error.reason}). "
            "Save it as UTF-8."
        ) from error


def recoding(stream: IO[bytes], encoding: str) -> IO[bytes]:
    """Return a stream that takes UTF-8 and writes it to `stream` in another encoding."""
    if encoding.startswith(("utf-16", "utf-32")):
        return cast("IO[bytes]", _RecodingWriter(stream, encoding))
    return stream


class _RecodingWriter(io.RawIOBase):
    """Stream that takes UTF-8 and writes it in another encoding."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        super().__init__()
        self._stream = stream
        self._codec, mark = encoder(encoding)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogatepass")
        stream.write(mark)

    def writable(self) -> bool:
        """Return True: the stream is writable."""
        return True

    def write(self, data: Any) -> int:
        """Write UTF-8 bytes in the other encoding."""
        text = self._decoder.decode(bytes(data))
        self._stream.write(text.encode(self._codec, "surrogatepass"))
        return len(data)
