"""Text encodings of files: detect them, decode lines, and write in the encoding of the source."""

from __future__ import annotations

import codecs
import io
from pathlib import Path
from typing import IO, Any, cast

from benchdesign.benchmarks.formats.compression import CHUNK_BYTES
from benchdesign.errors import FormatError

__all__ = ["decode_line", "encoder", "recoding_stream", "transcode", "unicode_encoding"]


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


def unicode_encoding(head: bytes) -> str:
    """Return the encoding of a file, by its first bytes."""
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


def transcode(path: Path, readable: Path, target: Path, encoding: str) -> None:
    """Write a UTF-16 or UTF-32 file to `target` as UTF-8."""
    codec, mark = encoder(encoding)
    decoder = codecs.getincrementaldecoder(codec)(errors="surrogatepass")
    try:
        with readable.open("rb") as source, target.open("wb") as out:
            source.seek(len(mark))
            while chunk := source.read(CHUNK_BYTES):
                out.write(decoder.decode(chunk).encode("utf-8", "surrogatepass"))
            out.write(decoder.decode(b"", final=True).encode("utf-8", "surrogatepass"))
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{path}: looks like {codec.upper()} but is not valid ({error.reason}). "
            "Save it as UTF-8."
        ) from error


def recoding_stream(stream: IO[bytes], encoding: str) -> IO[bytes]:
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
