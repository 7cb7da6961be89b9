"""Read benchmarks and pools in many formats, and write a benchmark back in its own."""

from __future__ import annotations

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.benchmarks.record_builder import AddedItem
from benchdesign.benchmarks.write import WriteReport, find_empty_fields, write_benchmark

__all__ = [
    "AddedItem",
    "WriteReport",
    "find_empty_fields",
    "load_benchmark",
    "write_benchmark",
]
