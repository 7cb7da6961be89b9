"""Every real benchmark that lies beside the checkout loads sensibly and writes back identical."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import pytest

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.benchmarks.record_builder import AddedItem
from benchdesign.benchmarks.write import write_benchmark

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
BENCHMARKS = DATA / "benchmarks"
FILES = sorted(
    path
    for path in BENCHMARKS.glob("*/*")
    if path.suffix in {".jsonl", ".json", ".csv", ".tsv", ".gz"}
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FILES, reason="no real benchmarks beside the checkout"),
]

# file or folder: items, prompt, choices, kind of choices, answer, kind of answer, id, category
EXPECTED = {
    "advanced_ai_risk": (
        None,
        "question",
        "question",
        "inline",
        "answer_matching_behavior",
        "letter",
        None,
        None,
    ),
    "agieval": (None, "question", "options", "lettered", "label", "letter", None, None),
    "arena_hard": (750, "prompt", None, None, None, None, "uid", "category"),
    "bbh": (250, "input", "input", "inline", "target", "letter", None, None),
    "bbh/boolean_expressions.json": (250, "input", None, None, "target", "text", None, None),
    "bbh/navigate.json": (250, "input", "input", "inline", "target", "text", None, None),
    "bbh/web_of_lies.json": (250, "input", None, None, "target", "text", None, None),
    "bbh/word_sorting.json": (250, "input", None, None, "target", "text", None, None),
    "bbq": (
        None,
        "question",
        "ans0,ans1,ans2",
        "columns",
        "label",
        "index",
        "example_id",
        "category",
    ),
    "bigbench_strategyqa": (
        2290,
        "input",
        "target_scores",
        "targets",
        "target_scores",
        "targets",
        None,
        None,
    ),
    "commonsense_qa": (
        1221,
        "question.stem",
        "question.choices",
        "objects",
        "answerKey",
        "letter",
        "id",
        None,
    ),
    "crows_pairs": (1508, "sent_more", None, None, None, None, "", "bias_type"),
    "folio": (204, "conclusion", None, None, "label", "text", None, None),
    "gsm8k": (1319, "question", None, None, "answer", "text", None, None),
    "humaneval": (164, "prompt", None, None, "canonical_solution", "text", "task_id", None),
    "mbpp": (974, "text", None, None, "code", "text", "task_id", None),
    "mt_bench": (80, "turns", None, None, "reference", "list", "question_id", "category"),
    "openbookqa": (500, "Question Stem", "Choices", "lettered", "Answer Key", "letter", "ID", None),
    "social_i_qa": (1954, "instruction", "instruction", "inline", "answer", "number", None, None),
    "truthfulqa/TruthfulQA.csv": (
        790,
        "Question",
        "Incorrect Answers",
        "distractors",
        "Best Answer",
        "text",
        None,
        "Category",
    ),
    "truthfulqa/mc_task.json": (
        790,
        "question",
        "mc1_targets",
        "targets",
        "mc1_targets",
        "targets",
        None,
        None,
    ),
    "winogender": (720, "sentence", None, None, None, None, "sentid", None),
    "winogrande": (1267, "instruction", "instruction", "inline", "answer", "number", None, None),
}


def name_of(path: Path) -> str:
    return str(path.relative_to(BENCHMARKS))


def content_of(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_fields_of_a_real_benchmark_are_found(path: Path) -> None:
    benchmark = load_benchmark(path)
    mapping = benchmark.mapping
    expected = EXPECTED.get(name_of(path)) or EXPECTED[path.parent.name]
    assert (
        mapping.prompt,
        mapping.choices,
        mapping.choices_kind,
        mapping.answer,
        mapping.answer_kind,
        mapping.id,
        mapping.category,
    ) == expected[1:]
    if expected[0] is not None:
        assert len(benchmark) == expected[0]
    assert all(item.content for item in benchmark)
    if mapping.choices is not None:
        n_keyed = sum(item.answer_index is not None for item in benchmark)
        assert n_keyed >= 0.99 * len(benchmark)
        assert all(len(item.choices) > 1 for item in benchmark)
    assert not [finding for finding in benchmark.findings if finding.kind == "skipped-row"]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_real_benchmark_is_written_back_identical(path: Path, tmp_path: Path) -> None:
    benchmark = load_benchmark(path)
    out = tmp_path / f"revised{benchmark.source.suffix}"
    write_benchmark(benchmark, out, keep=[item.row for item in benchmark])
    assert content_of(out) == content_of(path)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_items_of_another_benchmark_fit_in_and_read_back(path: Path, tmp_path: Path) -> None:
    benchmark = load_benchmark(path)
    pool = load_benchmark(BENCHMARKS / "commonsense_qa" / "dev_rand_split.jsonl", limit=5)
    # The key of the first and its position differ from those of the second.
    added = [AddedItem(item, pool.record(item), pool) for item in pool.items[:3]]
    out = tmp_path / f"revised{benchmark.source.suffix}"
    keep = [item.row for item in benchmark][1:]
    report = write_benchmark(benchmark, out, keep=keep, added=added)
    revised = load_benchmark(out)
    assert len(revised) == len(keep) + 3
    assert revised.mapping == benchmark.mapping
    assert [revised.record(item) for item in revised.items[:-3]] == [
        benchmark.record(item) for item in benchmark.items[1:]
    ]
    assert len(set(report.added_ids)) == 3
    mapping = benchmark.mapping
    for item, original in zip(revised.items[-3:], pool.items[:3], strict=True):
        assert original.prompt in item.prompt
        if mapping.choices_kind in {"columns", "distractors"} or mapping.choices is None:
            continue
        assert item.choices == original.choices
        assert item.answer == original.answer
        assert item.answer_index == original.answer_index


def test_a_compressed_pool_loads_whatever_comes_first(tmp_path: Path) -> None:
    pool_file = DATA / "pool" / "pool.jsonl.gz"
    with gzip.open(pool_file, "rb") as packed:
        lines = [next(packed) for _ in range(400)]
    target = tmp_path / "pool.jsonl.bz2"
    with bz2.open(target, "wb") as out:
        out.writelines(lines)
    pool = load_benchmark(target)
    assert len(pool) == 400
    assert (pool.mapping.prompt, pool.mapping.answer, pool.mapping.id) == ("prompt", "answer", "id")
