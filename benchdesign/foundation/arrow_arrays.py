"""Arrow arrays as numpy arrays, and Parquet files as tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["numbers", "read_parquet"]


def read_parquet(path: Path, *, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file as one chunk; raise ArrowException or OSError on failure."""
    import pyarrow.parquet as pq

    # Avoid `pq.read_table`: it uses pyarrow.dataset, which imports pandas (0.3 s).
    with pq.ParquetFile(path) as file:
        return file.read(columns=None if columns is None else list(columns)).combine_chunks()


def numbers(column: pa.Array | pa.ChunkedArray) -> NDArray[Any]:
    """Return a numeric column as a read-only array that shares memory; nulls become NaN."""
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if column.null_count:
        column = column.fill_null(float("nan"))
    # Avoid `to_numpy`: it imports pandas.
    return np.from_dlpack(column)
