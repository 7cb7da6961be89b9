"""What the footer of a Parquet file says of its column chunks, read without the library.

The library ends the whole process where a damaged footer contradicts itself and one of its column
chunks is looked at; what is wrong there must be a line, so the few fields needed are read here.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, NamedTuple

from benchdesign.errors import FormatError

__all__ = ["Chunk", "read_chunks"]

_DEEPEST = 16
_CODECS = ("none", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4")
_BYTE_ARRAY = 6


class Chunk(NamedTuple):
    """One column of one row group."""

    path_in_schema: str
    physical_type: str
    """`BYTE_ARRAY` or something of bounded size."""

    compression: str
    num_values: int
    total_uncompressed_size: int
    has_dictionary_page: bool


def read_chunks(path: Path) -> list[list[Chunk]]:
    """Return the column chunks of each row group."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - 8))
        (length,) = struct.unpack("<I", stream.read(8)[:4].rjust(4, b"\0"))
        if not 0 < length <= size - 8:
            raise FormatError(f"{path}: not a readable Parquet file (its end is damaged).")
        stream.seek(size - 8 - length)
        footer = stream.read(length)
    try:
        groups = _Reader(footer).record(0).get(4, [])
        return [[_chunk(column.get(3, {})) for column in group.get(1, [])] for group in groups]
    except (IndexError, ValueError, TypeError, AttributeError) as error:
        raise FormatError(
            f"{path}: not a readable Parquet file ({error}). Fetch it again."
        ) from error


def _chunk(said: dict[int, Any]) -> Chunk:
    codec = said.get(4, 0)
    if not said.get(3):
        raise ValueError("a column without a name")
    return Chunk(
        path_in_schema=".".join(part.decode("utf-8") for part in said[3]),
        physical_type="BYTE_ARRAY" if said.get(1) == _BYTE_ARRAY else "",
        compression=_CODECS[codec] if 0 <= codec < len(_CODECS) else "none",
        num_values=max(0, said.get(5, 0)),
        total_uncompressed_size=max(0, said.get(6, 0)),
        has_dictionary_page=said.get(11) is not None,
    )


class _Reader:
    """Thrift's compact protocol, as records of values by field number."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def record(self, depth: int) -> dict[int, Any]:
        """Read one record up to its end."""
        found: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            step, kind = head >> 4, head & 15
            number = number + step if step else self._signed()
            found[number] = kind == 1 if kind in (1, 2) else self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError("nested too deeply")
        if kind in (1, 2, 3):
            return self._byte()
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 7:
            return self._take(8)
        if kind == 8:
            return self._take(self._number())
        if kind in (9, 10):
            head = self._byte()
            n_values = head >> 4 if head >> 4 != 15 else self._number()
            if n_values > len(self._data):
                raise ValueError("a list that cannot be as long as it says")
            return [self._value(head & 15, depth + 1) for _ in range(n_values)]
        if kind == 12:
            return self.record(depth + 1)
        raise ValueError(f"unknown kind of value {kind}")

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, n_bytes: int) -> bytes:
        taken = self._data[self._at : self._at + n_bytes]
        if len(taken) < n_bytes:
            raise ValueError("cut off")
        self._at += n_bytes
        return taken

    def _number(self) -> int:
        found = shift = 0
        while (byte := self._byte()) & 0x80:
            found |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise ValueError("a number that is too long")
        return found | byte << shift

    def _signed(self) -> int:
        number = self._number()
        return number >> 1 ^ -(number & 1)
