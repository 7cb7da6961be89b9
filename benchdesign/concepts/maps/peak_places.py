"""Where each concept peaks in an item, read from a stored map on demand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow.parquet as pq

__all__ = [
    "MAP_COLUMNS",
    "count_entries",
    "count_row_entries",
    "find_peak_span",
]


def count_entries(path: Path) -> int:
    """Return the number of entries of a map file from its metadata; an empty item counts as one."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return count_row_entries(file)


def find_peak_span(path: Path, row: int, concept_id: int) -> tuple[int, int]:
    """Return start and end of a concept's peak in an item; (0, 0) if unknown."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                n = file.metadata.row_group(group).num_rows
                if row < n:
                    names = ["concept", "start", "end"]
                    item = file.read_row_group(group, columns=names).slice(row, 1).to_pydict()
                    index = item["concept"][0].index(concept_id)
                    return int(item["start"][0][index]), int(item["end"][0][index])
                row -= n
    except (pa.ArrowException, OSError, ValueError):
        # The file was deleted or replaced. Positions are shown only, so unknown is fine.
        pass
    return 0, 0


MAP_COLUMNS: dict[str, type[np.generic]] = {
    "concept": np.int32,
    "saliency": np.float32,
    "peak": np.float32,
    "start": np.int32,
    "end": np.int32,
}


def count_row_entries(file: pq.ParquetFile) -> int:
    """Return the number of entries of an open map file; an empty item counts as one."""
    names = [file.schema.column(index).path.partition(".")[0] for index in range(len(file.schema))]
    column = names.index("concept")
    metadata = file.metadata
    return sum(
        metadata.row_group(group).column(column).num_values
        for group in range(metadata.num_row_groups)
    )
