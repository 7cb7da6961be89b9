from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchdesign.benchmarks.items import Benchmark
from benchdesign.benchmarks.load import load_benchmark
from benchdesign.benchmarks.results.join import join_results, load_results
from benchdesign.benchmarks.results.read_results import read_results
from benchdesign.errors import FormatError
from tests.keywords import write_sets


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    return load_benchmark(write_sets(tmp_path)[0])


def results(tmp_path: Path, text: str, name: str = "m.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def test_results_are_joined_by_id(tmp_path: Path, benchmark: Benchmark) -> None:
    rows = read_results(results(tmp_path, "id,score\nb-1,1\nb-0,0.25\n"))
    joined = join_results(rows, benchmark)
    assert joined.scores["m"][:2].tolist() == [0.25, 1.0]
    assert np.isnan(joined.scores["m"][2:]).all()


def test_ids_are_compared_as_items_have_them(tmp_path: Path) -> None:
    from benchdesign.benchmarks.load import load_benchmark

    path = tmp_path / "items.jsonl"
    path.write_text('{"id": "a \\ud800 ", "question": "What?", "answer": "x"}\n')
    text = '{"id": "a \\ud800 ", "score": 1}\n'
    joined = join_results(read_results(results(tmp_path, text, "m.jsonl")), load_benchmark(path))
    assert joined.scores["m"].tolist() == [1.0]


def test_results_are_joined_by_row_and_model(tmp_path: Path, benchmark: Benchmark) -> None:
    text = '{"row": 0, "model": "a", "correct": true}\n{"row": 0, "model": "b", "correct": false}\n'
    joined = join_results(read_results(results(tmp_path, text, "m.jsonl")), benchmark)
    assert (joined.scores["a"][0], joined.scores["b"][0]) == (1.0, 0.0)


def test_results_are_joined_by_text(tmp_path: Path, benchmark: Benchmark) -> None:
    text = f'question,score\n"{benchmark.items[4].prompt}",C\n'
    joined = join_results(read_results(results(tmp_path, text)), benchmark)
    assert joined.scores["m"][4] == 1.0


def test_what_cannot_be_joined_is_counted(tmp_path: Path, benchmark: Benchmark) -> None:
    text = "id,score\nb-0,1\nb-0,1\nb-1,1\nb-1,0\nb-2,\nnobody,1\n"
    joined = join_results(read_results(results(tmp_path, text)), benchmark)
    assert (joined.n_repeated, joined.n_conflicting, joined.n_missing, joined.n_unmatched) == (
        *(1, 1),
        *(1, 1),
    )
    assert joined.scores["m"][1] == 0.5
    assert [problem.kind for problem in joined.problems] == [
        *("missing", "unmatched", "repeated", "conflicting")
    ]


@pytest.mark.parametrize("score", ["2", "-0.1", "maybe", "nan", "inf"])
def test_a_score_that_is_none_names_its_row(
    tmp_path: Path, benchmark: Benchmark, score: str
) -> None:
    with pytest.raises(FormatError, match=r"m\.csv.*3.*score"):
        load_results([results(tmp_path, f"id,score\nb-0,1\nb-1,{score}\n")], benchmark)


@pytest.mark.parametrize(
    ("text", "message"),
    [("id,points\nb-0,1\n", "no score"), ("name,score\nb-0,1\n", "names no item")],
)
def test_a_table_without_items_or_scores_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(FormatError, match=message):
        read_results(results(tmp_path, text))


def test_results_of_another_benchmark_are_refused(tmp_path: Path, benchmark: Benchmark) -> None:
    with pytest.raises(FormatError, match="no result belongs to any of its items"):
        join_results(read_results(results(tmp_path, "id,score\nx,1\n")), benchmark)
