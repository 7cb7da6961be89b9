"""What a list shows, as a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from benchdesign.formats.formulas import guarded
from benchdesign.tui.widgets.line_table import LineTable
from benchdesign.whole_files import whole_files

__all__ = ["write_table"]


def write_table(folder: Path, name: str, table: LineTable, rows: Sequence[int]) -> Path:
    """Write some rows, in the order given, into a new file; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path, number = folder / f"{name}.csv", 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.csv"
    columns = [one for one in table.columns if one.title]
    with (
        whole_files(path) as (fresh,),
        fresh.open("w", encoding="utf-8", errors="replace", newline="") as handle,
    ):
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["id", *(one.title.lower() for one in columns)])
        for row in rows:
            cells = (table.rows.cell(row, one.key).text.strip() for one in columns)
            writer.writerow([guarded(one) for one in (table.rows.row_id(row), *cells)])
    return path
