"""Records of added items are built once, from one sample of the benchmark."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchdesign.benchmarks import record_sample
from benchdesign.benchmarks.formats.json_lines import JsonLines
from benchdesign.benchmarks.items import Benchmark
from benchdesign.benchmarks.load import load_benchmark
from benchdesign.benchmarks.record_builder import AddedItem, build_records
from benchdesign.benchmarks.write import write_benchmark, write_records
from tests.benchmarks.builders import write_jsonl

N_ROWS = 30
N_ADDED = 20


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count reads of records, by file name, and of choices in sampled records."""
    counts: Counter[str] = Counter()
    read_record, read_choices = JsonLines.record, record_sample.read_choices

    def count_record(source: JsonLines, row: int) -> Any:
        counts[source.path.name] += 1
        return read_record(source, row)

    def count_choices(*arguments: Any) -> Any:
        counts["choices"] += 1
        return read_choices(*arguments)

    monkeypatch.setattr(JsonLines, "record", count_record)
    monkeypatch.setattr(record_sample, "read_choices", count_choices)
    return counts


def load_lettered(path: Path) -> Benchmark:
    rows = [
        {
            "id": f"{path.stem}-{at}",
            "question": f"Which number follows {at}?",
            "choices": [str(at + 1), str(at - 1), "none of them"],
            "answer": "A",
        }
        for at in range(N_ROWS)
    ]
    return load_benchmark(write_jsonl(path, rows))


def added_items(pool: Benchmark) -> list[AddedItem]:
    return [AddedItem(item, pool.record(item), pool) for item in pool.items[:N_ADDED]]


def test_a_benchmark_is_sampled_once_for_all_added_items(
    tmp_path: Path, reads: Counter[str]
) -> None:
    benchmark, pool = load_lettered(tmp_path / "a.jsonl"), load_lettered(tmp_path / "p.jsonl")
    added = added_items(pool)
    reads.clear()
    built = build_records(benchmark, added)
    assert len(built.records) == len(built.ids) == N_ADDED
    assert {record["answer"] for record in built.records} == {"A"}
    assert reads == {"a.jsonl": N_ROWS, "choices": N_ROWS}


def test_built_records_are_written_without_reading_the_sample_again(
    tmp_path: Path, reads: Counter[str]
) -> None:
    benchmark, pool = load_lettered(tmp_path / "a.jsonl"), load_lettered(tmp_path / "p.jsonl")
    built = build_records(benchmark, added_items(pool))
    reads.clear()
    report = write_records(benchmark, tmp_path / "b.jsonl", keep=range(N_ROWS), built=built)
    assert report.added_ids == built.ids
    assert reads == {}
    write_benchmark(benchmark, tmp_path / "c.jsonl", keep=range(N_ROWS), added=added_items(pool))
    assert (tmp_path / "c.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_nothing_is_read_if_nothing_is_added(tmp_path: Path, reads: Counter[str]) -> None:
    benchmark = load_lettered(tmp_path / "a.jsonl")
    reads.clear()
    write_benchmark(benchmark, tmp_path / "b.jsonl", keep=range(N_ROWS))
    assert reads == {}
