"""All formats: the built-in ones in order, and those that installed packages add."""

from __future__ import annotations

from collections.abc import Iterator

from benchdesign.benchmarks.formats.arrow_files import ArrowFormat, DatasetFolderFormat
from benchdesign.benchmarks.formats.compression import COMPRESSIONS
from benchdesign.benchmarks.formats.csv_file import CsvFormat
from benchdesign.benchmarks.formats.format_reader import FormatReader
from benchdesign.benchmarks.formats.hub_dataset import HubFormat
from benchdesign.benchmarks.formats.json_file import JsonFormat
from benchdesign.benchmarks.formats.json_lines import JsonLinesFormat
from benchdesign.benchmarks.formats.lm_eval_task import TaskFormat
from benchdesign.benchmarks.formats.parquet_file import ParquetFormat
from benchdesign.benchmarks.formats.plug_ins import load_plug_ins
from benchdesign.benchmarks.formats.shard_folder import ShardFolderFormat
from benchdesign.benchmarks.formats.source_candidate import SourceCandidate

__all__ = ["readers_of"]


def readers_of(candidate: SourceCandidate) -> Iterator[FormatReader]:
    """Yield the readers to ask, in order.

    Plug-ins come first for files with a suffix of their own; they are not asked about others, so
    they are not even loaded.
    """
    if candidate.kind == "file" and candidate.data_suffix not in _BUILT_IN_SUFFIXES:
        for reader in _plug_ins():
            if candidate.data_suffix in reader.suffixes:
                yield reader
    yield from _BUILT_IN


def _plug_ins() -> tuple[FormatReader, ...]:
    return load_plug_ins(_BUILT_IN_NAMES, _BUILT_IN_SUFFIXES)


def _plug_in_suffixes() -> frozenset[str]:
    return frozenset(suffix for reader in _plug_ins() for suffix in reader.suffixes)


_BUILT_IN: tuple[FormatReader, ...] = (
    HubFormat(),
    DatasetFolderFormat(),
    ShardFolderFormat(_plug_in_suffixes),
    ParquetFormat(),
    ArrowFormat(),
    TaskFormat(),
    JsonLinesFormat(),
    JsonFormat(),
    CsvFormat(),
)
"""The first that claims a candidate opens it: names before contents, CSV as the last resort."""

_BUILT_IN_NAMES = frozenset(reader.name for reader in _BUILT_IN) | {"tsv"}
_BUILT_IN_SUFFIXES = frozenset({"", *COMPRESSIONS}).union(
    *(reader.suffixes for reader in _BUILT_IN)
)
"""Suffixes that no plug-in can claim."""
