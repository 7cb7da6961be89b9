"""Write the rows of a list as a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from benchdesign.benchmarks.formats.spreadsheet_formulas import guard_formula
from benchdesign.foundation.atomic_files import whole_files
from benchdesign.tui.widgets.line_table import LineTable

__all__ = ["write_table"]


def write_table(folder: Path, name: str, table: LineTable, rows: Sequence[int]) -> Path:
    """Write rows in the given order to a new file and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path, number = folder / f"{name}.csv", 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.csv"
    columns = [column for column in table.columns if column.title]
    with (
        whole_files(path) as (temporary,),
        temporary.open("w", encoding="utf-8", errors="replace", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", *(column.title.lower() for column in columns)])
        for row in rows:
            cells = (table.rows.cell(row, column.key).text.strip() for column in columns)
            writer.writerow([guard_formula(text) for text in (table.rows.row_id(row), *cells)])
    return path
