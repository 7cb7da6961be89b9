"""Export records to another format: same values, new layout."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchdesign.benchmarks.fields.values import as_cell
from benchdesign.benchmarks.formats.csv_dialect import Dialect
from benchdesign.benchmarks.formats.spreadsheet_formulas import guard_formula
from benchdesign.errors import FormatError

__all__ = ["EXPORTS", "export_records", "json_text"]

EXPORTS = ("jsonl", "json", "csv", "tsv", "parquet")


def export_records(path: Path, format: str, records: Iterable[Mapping[str, Any]]) -> None:
    """Write records in one of `EXPORTS`."""
    if format == "jsonl":
        with path.open("w", encoding="utf-8", newline="\n") as out:
            for record in records:
                out.write(json_text(record) + "\n")
    elif format == "json":
        with path.open("w", encoding="utf-8", newline="\n") as out:
            out.write("[")
            for at, record in enumerate(records):
                out.write((",\n  " if at else "\n  ") + json_text(record))
            out.write("\n]\n")
    elif format == "parquet":
        _export_parquet(path, records)
    else:
        _export_table(path, list(records), delimiter="\t" if format == "tsv" else ",")


def json_text(value: Any) -> str:
    """Return a value as JSON; characters are escaped only if UTF-8 cannot encode them."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, default=str)
    return text


def _export_table(path: Path, records: list[Mapping[str, Any]], *, delimiter: str) -> None:
    columns = list(dict.fromkeys(key for record in records for key in record))
    with path.open("w", encoding="utf-8", newline="", errors="replace") as out:
        dialect = Dialect(delimiter)
        rows = ([as_cell(record.get(column)) for column in columns] for record in records)
        for cells in (columns, *rows):
            out.write(dialect.row([guard_formula(cell) for cell in cells]) + "\n")


def _export_parquet(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pa.Table.from_pylist([dict(record) for record in records])
        pq.write_table(table, path)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError) as error:
        problem = str(error).splitlines()[0]
        raise FormatError(
            f"{path}: the records do not fit in one Parquet table ({problem}). Use --format jsonl."
        ) from error
