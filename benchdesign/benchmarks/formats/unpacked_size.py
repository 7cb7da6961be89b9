"""Size of a typed table after unpacking, to refuse decompression bombs.

A few kilobytes of Parquet or Arrow can refer to one long text a million times. Compute the size of
the plain values from lengths and references, before any of them is unpacked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.formats import compression
from benchdesign.errors import FormatError

__all__ = ["check_unpacked", "may_repeat", "unpacked_bytes"]

_ROW_BYTES = 64
"""Memory of a row once read, even if it is empty."""


def check_unpacked(path: Path, n_unpacked: int, *, n_packed: int) -> None:
    """Raise if a file is small on disk and too large once read."""
    if n_unpacked > compression.MAX_UNCHECKED and n_unpacked > compression.MAX_RATIO * n_packed:
        raise FormatError(
            f"{path}: expands to over {compression.MAX_RATIO} times its size. "
            "If you trust it, convert it to JSONL."
        )


def may_repeat(column: Any) -> bool:
    """Whether a Parquet column chunk could unpack to more than `MAX_UNCHECKED` bytes."""
    if column.physical_type != "BYTE_ARRAY" or not column.has_dictionary_page:
        return False
    return bool(column.num_values * column.total_uncompressed_size > compression.MAX_UNCHECKED)


def unpacked_bytes(array: Any) -> int:
    """Count the bytes of an Arrow array or column as plain values."""
    import pyarrow as pa

    if isinstance(array, pa.Table):
        # A table without columns, or with empty ones, can have any number of rows.
        n_bytes = sum(unpacked_bytes(column) for column in array.columns)
        return n_bytes + _ROW_BYTES * int(array.num_rows)
    if isinstance(array, pa.ChunkedArray):
        return sum(unpacked_bytes(chunk) for chunk in array.chunks)
    kind, types = array.type, pa.types
    if isinstance(array, pa.ExtensionArray):
        return unpacked_bytes(array.storage)
    if types.is_dictionary(kind):
        lengths = _lengths(array.dictionary)
        # Avoid `to_numpy`, which imports pandas, and `fill_null` below unless there are nulls.
        used = np.from_dlpack(array.indices.drop_null())
        if len(used) and not 0 <= int(used.min()) <= int(used.max()) < len(lengths):
            raise pa.ArrowInvalid("an index outside the dictionary of the column")
        return len(array) + int(lengths[used].sum())
    if types.is_run_end_encoded(kind):
        return _reference_bytes(array.values, len(array))
    if types.is_list_view(kind) or types.is_large_list_view(kind):
        n_values = int(array.sizes.to_numpy().sum())
        return len(array) + _reference_bytes(array.values, n_values)
    if types.is_map(kind):
        return len(array) + unpacked_bytes(array.keys) + unpacked_bytes(array.items)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return len(array) + unpacked_bytes(array.flatten())
    if types.is_struct(kind):
        return len(array) + sum(unpacked_bytes(array.field(at)) for at in range(kind.num_fields))
    if types.is_string_view(kind) or types.is_binary_view(kind):
        return len(array) + int(_view_lengths(array).sum())
    return len(array) + int(array.nbytes)


def _lengths(values: Any) -> NDArray[np.int64]:
    """Return the bytes of each value, or the mean for nested values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        lengths = pc.binary_length(values)
    except pa.ArrowNotImplementedError:
        if pa.types.is_string_view(values.type) or pa.types.is_binary_view(values.type):
            return _view_lengths(values)
        return np.full(len(values), unpacked_bytes(values) // max(1, len(values)), dtype=np.int64)
    if lengths.null_count:
        lengths = pc.fill_null(lengths, 0)
    return np.from_dlpack(lengths).astype(np.int64)


def _view_lengths(array: Any) -> NDArray[np.int64]:
    # A view has 16 bytes and starts with the length of its text.
    views = np.frombuffer(array.buffers()[1], dtype=np.int32)
    return views[::4][array.offset : array.offset + len(array)].astype(np.int64)


def _reference_bytes(values: Any, n_values: int) -> int:
    """Return an upper bound for `n_values` references, by the largest of the values."""
    largest = int(_lengths(values).max(initial=0))
    return n_values * (1 + largest)
