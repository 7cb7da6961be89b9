"""Column chunks in the footer of a Parquet file, parsed without pyarrow.

pyarrow aborts the process when it reads the column chunks of an inconsistent footer. Parse the few
fields needed here, so that the user gets an error message.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, NamedTuple

from benchdesign.errors import FormatError

__all__ = ["Chunk", "read_chunks"]

_MAX_NESTING = 16
_CODECS = ("none", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4")
_BYTE_ARRAY = 6


class Chunk(NamedTuple):
    """One column of one row group."""

    path_in_schema: str
    physical_type: str
    """`BYTE_ARRAY`, or empty for types of bounded size."""

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
            raise FormatError(
                f"{path}: not a readable Parquet file (damaged end of file). Download it again."
            )
        stream.seek(size - 8 - length)
        footer = stream.read(length)
    try:
        groups = _Reader(footer).record(0).get(4, [])
        return [[_chunk(column.get(3, {})) for column in group.get(1, [])] for group in groups]
    except (IndexError, ValueError, TypeError, AttributeError) as error:
        raise FormatError(
            f"{path}: not a readable Parquet file ({error}). Download it again."
        ) from error


def _chunk(fields: dict[int, Any]) -> Chunk:
    codec = fields.get(4, 0)
    if not fields.get(3):
        raise ValueError("column without a name")
    return Chunk(
        path_in_schema=".".join(part.decode("utf-8") for part in fields[3]),
        physical_type="BYTE_ARRAY" if fields.get(1) == _BYTE_ARRAY else "",
        compression=_CODECS[codec] if 0 <= codec < len(_CODECS) else "none",
        num_values=max(0, fields.get(5, 0)),
        total_uncompressed_size=max(0, fields.get(6, 0)),
        has_dictionary_page=fields.get(11) is not None,
    )


class _Reader:
    """Reader of Thrift's compact protocol; a record maps field numbers to values."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def record(self, depth: int) -> dict[int, Any]:
        """Read one record to its end."""
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            step, kind = head >> 4, head & 15
            number = number + step if step else self._signed()
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _MAX_NESTING:
            raise ValueError("nested too deeply")
        if kind in (1, 2, 3):
            return self._byte()
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 7:
            return self._read(8)
        if kind == 8:
            return self._read(self._number())
        if kind in (9, 10):
            head = self._byte()
            n_values = head >> 4 if head >> 4 != 15 else self._number()
            if n_values > len(self._data):
                raise ValueError("a list longer than the footer")
            return [self._value(head & 15, depth + 1) for _ in range(n_values)]
        if kind == 12:
            return self.record(depth + 1)
        raise ValueError(f"unknown type {kind}")

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _read(self, n_bytes: int) -> bytes:
        data = self._data[self._at : self._at + n_bytes]
        if len(data) < n_bytes:
            raise ValueError("truncated")
        self._at += n_bytes
        return data

    def _number(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise ValueError("number too long")
        return value | byte << shift

    def _signed(self) -> int:
        number = self._number()
        return number >> 1 ^ -(number & 1)
