"""Small files for the tests of readers and writers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchdesign.benchmarks.items import Benchmark
from benchdesign.benchmarks.load import load_benchmark
from benchdesign.benchmarks.record_builder import AddedItem
from benchdesign.benchmarks.write import WriteReport, write_benchmark

Rows = Sequence[Mapping[str, Any]]

QUIZ: Rows = [
    {
        "id": f"quiz/{at}",
        "prompt": f"Which number follows {at}?",
        "choices": [str(at + 1), str(at - 1), "none of them"],
        "answer": str(at + 1),
        "category": "numbers",
    }
    for at in range(3)
]


def write_jsonl(path: Path, rows: Rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def load_rows(tmp_path: Path, rows: Rows, **options: Any) -> Benchmark:
    return load_benchmark(write_jsonl(tmp_path / "set.jsonl", rows), **options)


def load_quiz(tmp_path: Path) -> Benchmark:
    """A pool of multiple choice items with keys as text."""
    return load_benchmark(write_jsonl(tmp_path / "quiz.jsonl", QUIZ))


def add_quiz(
    benchmark: Benchmark, tmp_path: Path, *, rows: Sequence[int] = (1,), **options: Any
) -> tuple[Benchmark, WriteReport]:
    """Write the benchmark with items of the quiz added, and load it again."""
    pool = load_quiz(tmp_path)
    added = [AddedItem(pool.items[row], pool.record(pool.items[row]), pool) for row in rows]
    path = tmp_path / f"revised{benchmark.source.suffix}"
    keep = [item.row for item in benchmark]
    report = write_benchmark(benchmark, path, keep=keep, added=added, **options)
    return load_benchmark(path), report
