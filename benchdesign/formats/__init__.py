"""Read benchmarks and pools in many formats, and write a benchmark back in its own."""

from __future__ import annotations

from benchdesign.formats.load import load_benchmark
from benchdesign.formats.write import (
    AddedItem,
    WriteReport,
    find_empty_fields,
    write_benchmark,
)

__all__ = [
    "AddedItem",
    "WriteReport",
    "find_empty_fields",
    "load_benchmark",
    "write_benchmark",
]
