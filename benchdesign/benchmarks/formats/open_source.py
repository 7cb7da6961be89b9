"""Choose the reader for a path: by the contents of the file, then by its name."""

from __future__ import annotations

import codecs
import json
import re
from pathlib import Path

from benchdesign.benchmarks.formats.arrow_files import ArrowFiles
from benchdesign.benchmarks.formats.csv_file import CsvFile
from benchdesign.benchmarks.formats.hub_dataset import open_hub
from benchdesign.benchmarks.formats.json_file import JsonFile
from benchdesign.benchmarks.formats.json_lines import MAX_LINE, JsonLines, parse_object
from benchdesign.benchmarks.formats.parquet_file import ParquetFile
from benchdesign.benchmarks.formats.shard_folder import open_folder
from benchdesign.benchmarks.formats.source import Source
from benchdesign.benchmarks.formats.text_content import (
    Content,
    open_content,
    read_head,
    reject_non_data,
)
from benchdesign.errors import FormatError
from benchdesign.foundation.paths import expand_home, is_folder

__all__ = ["HUB_PREFIX", "open_source"]

HUB_PREFIX = "hf:"
TABLE_SUFFIXES = {".csv", ".tsv", ".tab"}
_FORMATS_WITH_SPLITS = {"json", "lm-eval"}


def open_source(path: str | Path, *, split: str | None = None) -> Source:
    """Open a file, a folder or a hub dataset (`hf:owner/name`)."""
    if str(path).startswith(HUB_PREFIX):
        return open_hub(str(path), split=split)
    if not str(path).strip():
        raise FormatError("The name is empty. Use a file, a folder or hf:owner/name.")
    path = expand_home(path)
    if is_folder(path):
        return open_folder(path, split=split)
    return open_file(path, split=split)


def open_file(path: Path, *, split: str | None = None) -> Source:
    """Open one file; raise if it has no split of that name and is not named after it."""
    source = _open_file(path, split=split)
    holds_splits = source.format in _FORMATS_WITH_SPLITS
    if split is not None and not holds_splits and split not in re.split(r"[._-]", path.name):
        raise FormatError(f"{path}: one set without splits, so no {split!r}. Omit --split.")
    return source


def _open_file(path: Path, *, split: str | None) -> Source:
    head = read_head(path, 512)
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if head.startswith(b"PAR1"):
        return ParquetFile(path)
    if head.startswith(b"ARROW1") or path.suffix.lower() == ".arrow":
        return ArrowFiles(path, [path])
    if path.suffix.lower() == ".parquet":
        reject_non_data(path, head)
        raise FormatError(f"{path}: not a Parquet file. Check that it was written completely.")
    if path.suffix.lower() in {".yaml", ".yml"}:
        from benchdesign.benchmarks.formats.lm_eval_task import open_task

        return open_task(path, split=split)
    content = open_content(path)
    start = _first_character(content)
    if suffixes & TABLE_SUFFIXES:
        if start == "{" and parse_object(_first_line(content)[0])[0] is not None:
            return JsonLines(path, content=content)
        return CsvFile(path, content=content)
    if start in {"{", "["}:
        is_lines = bool(suffixes & {".jsonl", ".ndjson"})
        return _open_json(path, content, start=start, is_lines=is_lines, split=split)
    if suffixes & {".jsonl", ".ndjson"}:
        return JsonLines(path, content=content)
    if ".json" in suffixes:
        raise FormatError(f"{path}: not JSON: it starts with neither '{{' nor '['. Check the file.")
    if suffixes & {".txt", ".data"} or not suffixes:
        return CsvFile(path, content=content)
    raise FormatError(
        f"{path}: unsupported file format. Use JSONL, JSON, CSV, TSV, Parquet or a datasets folder."
    )


def _first_character(content: Content) -> str:
    with content.open() as stream:
        head = stream.read(1 << 16).removeprefix(codecs.BOM_UTF8).lstrip()
    return head[:1].decode("latin-1")


def _open_json(
    path: Path, content: Content, *, start: str, is_lines: bool, split: str | None
) -> Source:
    """Open JSON Lines or a single JSON value, by the contents of the file."""
    first, has_more = _first_line(content)
    if start == "{":
        record, _ = parse_object(first)
        if record is not None and (has_more or is_lines):
            return JsonLines(path, content=content)
        if record is None and is_lines and not _is_incomplete_line(first):
            return JsonLines(path, content=content)
    elif is_lines and has_more and not _is_incomplete_line(first) and not _is_element(first):
        return JsonLines(path, content=content)
    return JsonFile(path, content=content, split=split)


def _first_line(content: Content) -> tuple[str, bool]:
    with content.open() as stream:
        stream.seek(len(content.bom))
        line = stream.readline(MAX_LINE)
        while line and not line.strip():
            line = stream.readline(MAX_LINE)
        more = stream.readline(1 << 16)
        while more and not more.strip():
            more = stream.readline(1 << 16)
    return line.decode("utf-8", "replace"), bool(more)


def _is_incomplete_line(line: str) -> bool:
    """Whether a line is the start of a JSON value that spans several lines."""
    text = line.strip()
    return text in {"{", "[", "[{", "{}", "[]"} or text.endswith(("{", "[", ",", ":"))


def _is_element(line: str) -> bool:
    """Whether a line starts an array of records, with one record per line."""
    try:
        value = json.loads(line.strip().rstrip(",") + "]")
    except (ValueError, RecursionError):
        return False
    return isinstance(value, list) and all(isinstance(element, dict) for element in value)
