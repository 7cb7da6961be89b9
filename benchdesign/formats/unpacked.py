"""How large a typed table is once everything it says by reference is written out.

A few kilobytes of Parquet or Arrow can say one long text a million times over. What a table would
take as plain values is counted here, from lengths and references, before anything is written out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchdesign.errors import FormatError
from benchdesign.formats import files

__all__ = ["check_unpacked", "may_repeat", "unpacked_bytes"]

_ROW_BYTES = 64
"""What a row takes once read, however little it holds."""


def check_unpacked(path: Path, n_unpacked: int, *, n_packed: int) -> None:
    """Refuse a file that is small on disk and enormous once read."""
    if n_unpacked > files.MAX_UNCHECKED and n_unpacked > files.MAX_RATIO * n_packed:
        raise FormatError(
            f"{path}: expands to over {files.MAX_RATIO} times its size. "
            "If that is meant, write it again as JSONL."
        )


def may_repeat(column: Any) -> bool:
    """Say whether a Parquet column chunk could be far larger than it says (it gives a bound)."""
    if column.physical_type != "BYTE_ARRAY" or not column.has_dictionary_page:
        return False
    return bool(column.num_values * column.total_uncompressed_size > files.MAX_UNCHECKED)


def unpacked_bytes(array: Any) -> int:
    """Count the bytes of an Arrow array or column as plain values."""
    import pyarrow as pa

    if isinstance(array, pa.Table):
        # Without columns, or with empty ones, a table can have any number of rows for nothing.
        n_bytes = sum(unpacked_bytes(column) for column in array.columns)
        return n_bytes + _ROW_BYTES * int(array.num_rows)
    if isinstance(array, pa.ChunkedArray):
        return sum(unpacked_bytes(chunk) for chunk in array.chunks)
    kind, types = array.type, pa.types
    if isinstance(array, pa.ExtensionArray):
        return unpacked_bytes(array.storage)
    if types.is_dictionary(kind):
        lengths = _lengths(array.dictionary)
        # Not `to_numpy`, which imports pandas; nor `fill_null` below, where it can be helped.
        used = np.from_dlpack(array.indices.drop_null())
        if len(used) and not 0 <= int(used.min()) <= int(used.max()) < len(lengths):
            raise pa.ArrowInvalid("a value that is not among those the column refers to")
        return len(array) + int(lengths[used].sum())
    if types.is_run_end_encoded(kind):
        return _spread(array.values, len(array))
    if types.is_list_view(kind) or types.is_large_list_view(kind):
        n_values = int(array.sizes.to_numpy().sum())
        return len(array) + _spread(array.values, n_values)
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
    """Return the bytes of each value; of nested values the mean."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        found = pc.binary_length(values)
    except pa.ArrowNotImplementedError:
        if pa.types.is_string_view(values.type) or pa.types.is_binary_view(values.type):
            return _view_lengths(values)
        return np.full(len(values), unpacked_bytes(values) // max(1, len(values)), dtype=np.int64)
    if found.null_count:
        found = pc.fill_null(found, 0)
    return np.from_dlpack(found).astype(np.int64)


def _view_lengths(array: Any) -> NDArray[np.int64]:
    # A view is 16 bytes and starts with the length of its text.
    views = np.frombuffer(array.buffers()[1], dtype=np.int32)
    return views[::4][array.offset : array.offset + len(array)].astype(np.int64)


def _spread(values: Any, n_values: int) -> int:
    """Bound what `n_values` references to some values take, by the largest of them."""
    largest = int(_lengths(values).max(initial=0))
    return n_values * (1 + largest)
