"""Each form a set comes in: read, written back with a row left out and one added, read again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchdesign.benchmarks.items import Benchmark
from benchdesign.benchmarks.load import load_benchmark
from benchdesign.benchmarks.record_builder import AddedItem
from benchdesign.benchmarks.write import write_benchmark
from benchdesign.errors import FormatError
from tests.benchmarks.builders import add_quiz, write_jsonl

ROWS: list[dict[str, Any]] = [
    {
        "id": at,
        "question": f"What is {at} plus {at}?",
        "choices": {"text": [str(2 * at), "-1", "none"], "label": ["A", "B", "C"]},
        "answerKey": "ABC"[at % 3],
        "score": at / 3,
    }
    for at in range(12)
]
FLAT = [{"question": f"Who is {at}, please?", "answer": f"number {at}"} for at in range(12)]


def as_parquet(folder: Path) -> Path:
    table = pa.Table.from_pylist(ROWS).replace_schema_metadata({"made": "by hand"})
    pq.write_table(table, folder / "a.parquet", row_group_size=5, compression="zstd")
    return folder / "a.parquet"


def save_arrow(folder: Path, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True)
    table = pa.Table.from_pylist(rows)
    with pa.ipc.new_stream(str(folder / "data-00000-of-00001.arrow"), table.schema) as out:
        out.write_table(table)
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_fingerprint": "f"}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"splits": {"x": 1}, "license": "MIT"}))


def as_saved_dataset(folder: Path) -> Path:
    save_arrow(folder / "saved", ROWS)
    return folder / "saved"


def as_saved_splits(folder: Path) -> Path:
    save_arrow(folder / "dict" / "train", ROWS[:2])
    save_arrow(folder / "dict" / "test", ROWS)
    (folder / "dict" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    return folder / "dict"


def as_shards(folder: Path) -> Path:
    (folder / "shards").mkdir()
    write_jsonl(folder / "shards" / "part-0.jsonl", ROWS[:7])
    write_jsonl(folder / "shards" / "part-1.jsonl", ROWS[7:])
    return folder / "shards"


def as_task(folder: Path) -> Path:
    write_jsonl(folder / "data.jsonl", ROWS)
    (folder / "task.yaml").write_text(
        "task: sums\ndataset_path: json\ndataset_kwargs:\n  data_files: data.jsonl\n"
        "doc_to_text: '{{question}} Answer:'\ndoc_to_target: answerKey\n"
        "process_docs: !function utils.clean\n"
    )
    return folder / "task.yaml"


def as_json(layout: Callable[[], Any], **style: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "a.json"
        path.write_text(json.dumps(layout(), **style), encoding="utf-8")
        return path

    return make


def as_inspect(folder: Path) -> Path:
    rows = [
        {
            "input": [{"role": "user", "content": row["question"]}],
            "choices": row["choices"]["text"],
            "target": row["answerKey"],
        }
        for row in ROWS
    ]
    return as_json(lambda: rows, indent=1)(folder)


FORMS: dict[str, Callable[[Path], Path]] = {
    "parquet": as_parquet,
    "saved dataset": as_saved_dataset,
    "saved splits": as_saved_splits,
    "shards": as_shards,
    "lm-eval task": as_task,
    "Inspect": as_inspect,
    "array": as_json(lambda: ROWS, indent=2),
    "compact array": as_json(lambda: ROWS, separators=(",", ":")),
    "wrapped list": as_json(lambda: {"version": 1, "data": ROWS, "end": True}, indent=4),
    "list wrapped twice": as_json(lambda: {"set": {"name": "x", "questions": ROWS}}),
    "columns": as_json(lambda: {key: [row[key] for row in FLAT] for key in FLAT[0]}),
    "columns of rows": as_json(
        lambda: {key: {str(at): row[key] for at, row in enumerate(FLAT)} for key in FLAT[0]},
    ),
    "keyed": as_json(lambda: {f"item{at}": row for at, row in enumerate(FLAT)}, indent=2),
}


def records_of(benchmark: Benchmark) -> list[Any]:
    return [dict(benchmark.record(item)) for item in benchmark]


@pytest.mark.parametrize("form", FORMS)
def test_form_keeps_its_rows_and_takes_another(form: str, tmp_path: Path) -> None:
    benchmark = load_benchmark(FORMS[form](tmp_path))
    assert len(benchmark) == 12
    path = tmp_path / f"less{benchmark.source.suffix}"
    write_benchmark(benchmark, path, keep=range(1, 12))
    assert records_of(load_benchmark(path)) == records_of(benchmark)[1:]
    revised, _ = add_quiz(benchmark, tmp_path)
    assert records_of(revised)[:-1] == records_of(benchmark)
    assert revised.items[-1].prompt.startswith("Which number follows 1?")
    assert revised.items[-1].answer == "2"
    assert revised.mapping == benchmark.mapping


@pytest.mark.parametrize("form", [form for form in FORMS if FORMS[form].__name__ == "make"])
def test_json_file_that_loses_nothing_is_the_same_file(form: str, tmp_path: Path) -> None:
    benchmark = load_benchmark(FORMS[form](tmp_path))
    write_benchmark(benchmark, tmp_path / "same.json", keep=range(12))
    assert (tmp_path / "same.json").read_bytes() == benchmark.path.read_bytes()


def test_added_json_record_is_laid_out_like_its_neighbours(tmp_path: Path) -> None:
    benchmark = load_benchmark(as_json(lambda: {"data": FLAT}, indent=4)(tmp_path))
    revised, _ = add_quiz(benchmark, tmp_path)
    text = revised.path.read_text(encoding="utf-8")
    assert text == json.dumps({"data": records_of(revised)}, indent=4)


def test_parquet_keeps_schema_metadata_and_compression(tmp_path: Path) -> None:
    benchmark = load_benchmark(as_parquet(tmp_path))
    revised, _ = add_quiz(benchmark, tmp_path)
    assert pq.read_schema(revised.path).equals(pq.read_schema(benchmark.path), check_metadata=True)
    assert pq.read_metadata(revised.path).row_group(0).column(0).compression == "ZSTD"


def test_other_splits_are_copied(tmp_path: Path) -> None:
    benchmark = load_benchmark(as_saved_splits(tmp_path))
    assert benchmark.findings[0].kind == "split"
    write_benchmark(benchmark, tmp_path / "less", keep=[0])
    assert len(load_benchmark(tmp_path / "less", split="train")) == 2
    assert len(load_benchmark(tmp_path / "less", split="test")) == 1


def test_task_is_written_with_its_data_beside_it(tmp_path: Path) -> None:
    benchmark = load_benchmark(as_task(tmp_path))
    write_benchmark(benchmark, tmp_path / "task.revised.yaml", keep=[0])
    text = (tmp_path / "task.revised.yaml").read_text()
    assert "data_files: task.revised.jsonl" in text
    assert "!function utils.clean" in text


@pytest.mark.parametrize(
    ("split", "n_items"), [(None, 3), ("test", 3), ("train", 12), ("validation", None)]
)
def test_split_is_named_or_the_most_test_like(
    split: str | None, n_items: int | None, tmp_path: Path
) -> None:
    (tmp_path / "set").mkdir()
    write_jsonl(tmp_path / "set" / "train-00000-of-00001.jsonl", FLAT)
    write_jsonl(tmp_path / "set" / "test-00000-of-00001.jsonl", FLAT[:3])
    if n_items is None:
        with pytest.raises(FormatError, match="Use one of test, train"):
            load_benchmark(tmp_path / "set", split=split)
    else:
        assert len(load_benchmark(tmp_path / "set", split=split)) == n_items


def test_folder_of_tasks_gives_each_item_its_file_as_category(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    write_jsonl(tmp_path / "tasks" / "sums.jsonl", FLAT[:2])
    write_jsonl(tmp_path / "tasks" / "names.jsonl", FLAT[2:4])
    benchmark = load_benchmark(tmp_path / "tasks")
    assert [item.category for item in benchmark] == ["names", "names", "sums", "sums"]


CSV_FILES = {
    "minimal": 'question,answer\n"Who, you?",me\nWhy?,"he said ""no"""\n',
    "all quoted": '"question","answer"\n"Who?","me"\n"Why?","no"\n',
    "line end in a cell": 'question,answer\n"Who\nis it?",me\nWhy?,no\n',
    "carriage returns": "question,answer\r\nWho?,me\r\nWhy?,no\r\n",
    "tabs without quotes": 'question\tanswer\nWho said "so?\tme\nWhy " two?\tno\n',
    "backslashes": 'question,answer\n"Who said \\"so\\", then?",me\n"Why, \\"two\\"?",no\n',
    "empty first name": ",question,answer\n0,Who?,me\n1,Why?,no\n",
    "pipes": "question|answer\nWho?|me\nWhy?|no\n",
    "formulas": 'question,answer\n=cmd()?,@x\n"+1, or -1?",=2\n',
}


@pytest.mark.parametrize("case", CSV_FILES)
def test_table_is_written_back_identical_and_takes_another_row(case: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.tsv" if "\t" in CSV_FILES[case] else "a.csv")
    path.write_bytes(CSV_FILES[case].encode())
    benchmark = load_benchmark(path)
    assert (len(benchmark), benchmark.mapping.prompt) == (2, "question")
    out = tmp_path / f"same{path.suffix}"
    write_benchmark(benchmark, out, keep=[0, 1])
    assert out.read_bytes() == path.read_bytes()
    pool_rows = [{"prompt": 'Is "this", so?', "answer": "it, is"}] * 2
    pool = load_benchmark(write_jsonl(tmp_path / "pool.jsonl", pool_rows))
    added = [AddedItem(pool.items[0], pool.record(pool.items[0]), pool)]
    more = tmp_path / f"more{path.suffix}"
    write_benchmark(benchmark, more, keep=[1], added=added)
    revised = load_benchmark(more, fields={"prompt": "question", "answer": "answer"})
    assert records_of(revised)[0] == records_of(benchmark)[1]
    assert (revised.items[1].prompt, revised.items[1].answer) == ('Is "this", so?', "it, is")


def test_table_without_header_has_the_columns_of_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "mmlu.csv"
    path.write_text("".join(f'"What is {at}, then?",{at},7,8,9,A\n' for at in range(10)))
    benchmark = load_benchmark(path)
    assert benchmark.items[3].choices == ("3", "7", "8", "9")
    assert benchmark.items[3].answer == "3"
