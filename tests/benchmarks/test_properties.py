"""Whatever loads writes back identical, for records that nobody would think of."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.benchmarks.write import write_benchmark
from benchdesign.errors import InputError

QUIET = settings(max_examples=60)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
RECORDS = st.lists(
    st.fixed_dictionaries({"question": st.text(min_size=1, max_size=30)}, optional={"x": VALUES}),
    min_size=1,
    max_size=6,
)
CELLS = st.text(st.characters(codec="utf-8"), max_size=12)
TABLES = st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6)


def check_round_trip(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            benchmark = load_benchmark(path)
        except InputError as error:
            assert "\n" not in str(error).replace(str(path), "")
            return
        records = [benchmark.record(item) for item in benchmark]
        assert len({item.id for item in benchmark}) == len(benchmark)
        out = Path(folder) / f"out{benchmark.source.suffix}"
        write_benchmark(benchmark, out, keep=[item.row for item in benchmark])
        again = load_benchmark(out)
        assert [item.text for item in again] == [item.text for item in benchmark]
        assert repr([again.record(item) for item in again]) == repr(records)


@QUIET
@given(RECORDS, st.booleans(), st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_lines_of_json_come_back(rows: list[Any], ascii_only: bool, end: str) -> None:
    text = "".join(json.dumps(row, ensure_ascii=ascii_only) + end for row in rows)
    check_round_trip("a.jsonl", text.encode("utf-8", "surrogatepass"))


@QUIET
@given(RECORDS, st.sampled_from([None, 0, 2, "\t"]))
def test_json_arrays_come_back(rows: list[Any], indent: Any) -> None:
    check_round_trip("a.json", json.dumps(rows, indent=indent).encode())


@QUIET
@given(TABLES, st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]))
def test_tables_come_back(rows: list[Any], delimiter: str, end: str) -> None:
    with tempfile.TemporaryFile("w+", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
        writer.writerow(["question", "answer"])
        writer.writerows(rows)
        out.seek(0)
        check_round_trip("a.csv", out.read().encode())


@QUIET
@given(st.binary(max_size=200), st.sampled_from(["a.jsonl", "a.json", "a.csv", "a.tsv", "a.yaml"]))
def test_any_bytes_load_or_are_refused(content: bytes, name: str) -> None:
    check_round_trip(name, content)
