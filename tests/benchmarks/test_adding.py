"""Items of a pool written in the shape of a benchmark's own records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.benchmarks.record_builder import AddedItem
from benchdesign.benchmarks.write import write_benchmark
from benchdesign.errors import FormatError, OutputExistsError
from tests.benchmarks.builders import add_quiz, load_quiz, load_rows, write_jsonl

ASK = "Is this question number {} of the set?"


def rows_with(n_rows: int = 4, **fields: Any) -> list[dict[str, Any]]:
    """Rows with a question and the fields given; `{}` in a text becomes the row number."""
    return [
        {
            "question": ASK.format(at),
            **{
                name: value.format(at) if isinstance(value, str) else value
                for name, value in fields.items()
            },
        }
        for at in range(n_rows)
    ]


CHOICES = ["yes {}", "no", "perhaps"]
SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "list and letter": (
        {"choices": ["yes", "no", "perhaps"], "answer": "B"},
        {"choices": ["2", "0", "none of them"], "answer": "A"},
    ),
    "list and bracketed letter": (
        {"choices": ["yes", "no", "perhaps"], "answer": " (C)"},
        {"choices": ["2", "0", "none of them"], "answer": " (A)"},
    ),
    "list and index": (
        {"choices": ["yes", "no", "perhaps"], "label": 0},
        {"choices": ["2", "0", "none of them"], "label": 0},
    ),
    "list and number": (
        {"choices": ["yes", "no", "perhaps"], "label": 3},
        {"choices": ["2", "0", "none of them"], "label": 1},
    ),
    "list and number as text": (
        {"choices": ["yes", "no", "perhaps"], "answer": "option3"},
        {"choices": ["2", "0", "none of them"], "answer": "option1"},
    ),
    "list and text": (
        {"choices": ["yes", "no", "perhaps"], "answer": "no"},
        {"choices": ["2", "0", "none of them"], "answer": "2"},
    ),
    "lettered list": (
        {"options": ["(A)yes", "(B)no"], "label": "B"},
        {"options": ["(A)2", "(B)0", "(C)none of them"], "label": "A"},
    ),
    "lettered cell": (
        {"choices": "(A) yes (B) no", "answer": "B"},
        {"choices": "(A) 2 (B) 0 (C) none of them", "answer": "A"},
    ),
    "objects": (
        {
            "choices": [{"label": "A", "text": "yes"}, {"label": "B", "text": "no"}],
            "answerKey": "B",
        },
        {
            "choices": [
                {"label": "A", "text": "2"},
                {"label": "B", "text": "0"},
                {"label": "C", "text": "none of them"},
            ],
            "answerKey": "A",
        },
    ),
    "texts and labels": (
        {"choices": {"text": ["yes", "no"], "label": ["1", "2"]}, "answerKey": "2"},
        {
            "choices": {"text": ["2", "0", "none of them"], "label": ["1", "2", "3"]},
            "answerKey": "1",
        },
    ),
    "target scores": (
        {"target_scores": {"yes": 0, "no": 1}},
        {"target_scores": {"2": 1, "0": 0, "none of them": 0}},
    ),
    "columns": (
        {"ans0": "yes", "ans1": "no", "ans2": "perhaps", "label": 2},
        {"ans0": "2", "ans1": "0", "ans2": "none of them", "label": 0},
    ),
    "separated": (
        {"options": "yes; no; perhaps", "answer": "no"},
        {"options": "2; 0; none of them", "answer": "2"},
    ),
    "incorrect answers": (
        {"correct_answer": "yes", "incorrect_answers": ["no", "perhaps"]},
        {"correct_answer": "2", "incorrect_answers": ["0", "none of them"]},
    ),
    "list of keys": (
        {"choices": ["yes", "no", "perhaps"], "answer": ["B"]},
        {"choices": ["2", "0", "none of them"], "answer": ["A"]},
    ),
    "free answer": ({"answer": "It is number {}."}, {"answer": "2"}),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_choices_and_key_are_written_as_the_benchmark_writes_them(
    shape: str, tmp_path: Path
) -> None:
    own, expected = SHAPES[shape]
    benchmark = load_rows(tmp_path, rows_with(**own))
    revised, report = add_quiz(benchmark, tmp_path)
    record = dict(revised.record(revised.items[-1]))
    question = record.pop("question")
    assert record == expected
    assert question.startswith("Which number follows 1?")
    assert revised.items[-1].answer == "2"
    assert report.empty_fields == {}


def test_choices_inside_the_prompt_are_written_inside_the_prompt(tmp_path: Path) -> None:
    rows = [
        {"input": f"{ASK.format(at)}\nOptions:\n(A) yes\n(B) no", "target": "(B)"}
        for at in range(4)
    ]
    revised, _ = add_quiz(load_rows(tmp_path, rows), tmp_path)
    assert revised.record(revised.items[-1]) == {
        "input": "Which number follows 1?\nOptions:\n(A) 2\n(B) 0\n(C) none of them",
        "target": "(A)",
    }


def test_key_format_named_in_the_prompt_follows_the_number_of_choices(tmp_path: Path) -> None:
    ask = "Choose: {}\n\nAnswer1: yes Answer2: no\n\nAnswer format: answer1/answer2"
    rows = [{"instruction": ask.format(at), "answer": "answer1"} for at in range(4)]
    rows[0]["answer"] = "answer2"
    revised, _ = add_quiz(load_rows(tmp_path, rows), tmp_path)
    written = revised.record(revised.items[-1])
    assert str(written["instruction"]).endswith(
        "Answer1: 2 Answer2: 0 Answer3: none of them\n\nAnswer format: answer1/answer2/answer3"
    )
    assert written["answer"] == "answer1"


def test_what_a_pool_item_lacks_is_left_empty_and_counted(tmp_path: Path) -> None:
    rows = rows_with(answer="It is number {}.", hint="Look at {}", meta={"stage": "easy"})
    revised, report = add_quiz(load_rows(tmp_path, rows), tmp_path, rows=(0, 1))
    assert report.empty_fields == {"hint": 2, "meta.stage": 2}
    assert revised.record(revised.items[-1])["hint"] is None
    assert revised.record(revised.items[-1])["meta"] == {"stage": None}


def test_choices_without_a_column_are_left_out_and_counted_but_never_the_key(
    tmp_path: Path,
) -> None:
    benchmark = load_rows(tmp_path, rows_with(option1="yes", option2="no", answer="no"))
    pool_file = write_jsonl(
        tmp_path / "pool.jsonl",
        [{"prompt": "Which?", "choices": ["a", "b", "c"], "answer": "c", "id": "p"}] * 2,
    )
    pool = load_benchmark(pool_file)
    report = write_benchmark(
        benchmark,
        tmp_path / "out.jsonl",
        keep=[0],
        added=[AddedItem(pool.items[0], pool.record(pool.items[0]), pool)],
    )
    revised = load_benchmark(tmp_path / "out.jsonl", fields={"choices": "option1,option2"})
    assert revised.items[-1].choices == ("a", "c")
    assert revised.items[-1].answer == "c"
    assert report.dropped_parts == {"choices": 1}


@pytest.mark.parametrize(
    ("own", "added"),
    [
        ([3, 5, 9], [10, 11]),
        (["3", "5", "9"], ["10", "11"]),
        (["q-007", "q-008", "q-009"], ["q-010", "q-011"]),
        (["Set/7", "Set/8", "Set/12"], ["Set/13", "Set/14"]),
        (["one", "two", "three"], ["quiz/0", "quiz/1"]),
        (["quiz/0", "two", "three"], ["quiz/0-2", "quiz/1"]),
    ],
)
def test_ids_of_added_items_follow_the_benchmark(
    own: list[Any], added: list[Any], tmp_path: Path
) -> None:
    rows = [{"id": name, "question": f"Who is {name}?"} for name in own]
    revised, report = add_quiz(load_rows(tmp_path, rows), tmp_path, rows=(0, 1))
    assert [revised.record(item)["id"] for item in revised.items[-2:]] == added
    assert report.added_ids == tuple(map(str, added))


def test_hash_ids_are_continued_by_hashes(tmp_path: Path) -> None:
    rows = [{"uid": f"{at:08x}ab", "question": f"Who is {at}?"} for at in range(3)]
    _, report = add_quiz(load_rows(tmp_path, rows), tmp_path)
    assert len(report.added_ids[0]) == 10
    assert int(report.added_ids[0], 16) >= 0


def test_edits_replace_what_the_pool_said(tmp_path: Path) -> None:
    benchmark = load_rows(tmp_path, rows_with(choices=["yes", "no"], answer="B"))
    pool = load_quiz(tmp_path)
    edits = {"prompt": "Which one?", "choices": ["this", "that"], "answer": "that"}
    added = [AddedItem(pool.items[0], pool.record(pool.items[0]), pool, edits=edits)]
    write_benchmark(benchmark, tmp_path / "out.jsonl", keep=[], added=added)
    assert load_benchmark(tmp_path / "out.jsonl").record(
        load_benchmark(tmp_path / "out.jsonl").items[0]
    ) == {"question": "Which one?", "choices": ["this", "that"], "answer": "B"}


def test_provenance_is_written_where_the_designer_named_a_field(tmp_path: Path) -> None:
    rows = rows_with(answer="It is number {}.", notes="")
    benchmark = load_rows(tmp_path, rows, fields={"provenance": "notes"})
    revised, _ = add_quiz(benchmark, tmp_path)
    assert revised.record(revised.items[-1])["notes"] == "quiz.jsonl, row 2, id quiz/1"


@pytest.mark.parametrize("format", ["jsonl", "json", "csv", "tsv", "parquet"])
def test_another_form_holds_the_same_items(format: str, tmp_path: Path) -> None:
    benchmark = load_quiz(tmp_path)
    path = tmp_path / f"out.{format}"
    write_benchmark(benchmark, path, keep=[2, 0], format=format)
    written = load_benchmark(path)
    assert [item.prompt for item in written] == [benchmark.items[at].prompt for at in (2, 0)]
    assert [item.choices for item in written] == [benchmark.items[at].choices for at in (2, 0)]


def test_existing_files_and_unknown_forms_and_rows_are_refused(tmp_path: Path) -> None:
    benchmark = load_quiz(tmp_path)
    with pytest.raises(OutputExistsError, match="already exists"):
        write_benchmark(benchmark, benchmark.path, keep=[0])
    with pytest.raises(FormatError, match="cannot write 'xlsx'"):
        write_benchmark(benchmark, tmp_path / "out.xlsx", keep=[0], format="xlsx")
    with pytest.raises(FormatError, match="no record 10"):
        write_benchmark(benchmark, tmp_path / "out.jsonl", keep=[9])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["quiz.jsonl"]
