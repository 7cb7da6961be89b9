"""The shipped example sets are what people see first: well formed, balanced, with the holes the
README names."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HOLES = {"medicine": 0, "music": 1, "cooking": 1}
FREE_HOLES = {"astronomy": 0, "medicine": 0, "music": 1}


def read_choices(name: str) -> list[dict[str, Any]]:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def read_free(name: str) -> list[dict[str, str]]:
    with (EXAMPLES / name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def key_of(question: str) -> str:
    return re.sub(r"\W+", " ", question).casefold().strip()


def test_example_sets_are_large_enough_and_broad() -> None:
    benchmark, pool = read_choices("benchmark.jsonl"), read_choices("pool.jsonl")
    assert len(benchmark) >= 120
    assert len(pool) >= 600
    assert len({record["subject"] for record in pool}) >= 15


def test_example_benchmark_has_the_holes_the_pool_can_fill() -> None:
    benchmark = Counter(record["subject"] for record in read_choices("benchmark.jsonl"))
    pool = Counter(record["subject"] for record in read_choices("pool.jsonl"))
    assert {subject: benchmark[subject] for subject in HOLES} == HOLES
    assert min(pool[subject] for subject in HOLES) >= 80
    assert min(count for subject, count in benchmark.items() if subject not in HOLES) == 13


def test_free_answer_example_has_holes_of_its_own() -> None:
    benchmark = Counter(record["topic"] for record in read_free("benchmark_free.csv"))
    pool = Counter(record["topic"] for record in read_free("pool_free.csv"))
    assert sum(benchmark.values()) >= 40
    assert {topic: benchmark[topic] for topic in FREE_HOLES} == FREE_HOLES
    assert min(pool[topic] for topic in FREE_HOLES) >= 20


@pytest.mark.parametrize("name", ["benchmark.jsonl", "pool.jsonl"])
def test_every_choice_item_has_four_different_choices_and_a_key(name: str) -> None:
    for record in read_choices(name):
        assert list(record) == ["id", "subject", "question", "choices", "answer"]
        assert len(set(record["choices"])) == 4, record["id"]
        assert record["answer"] in "ABCD"


@pytest.mark.parametrize("name", ["benchmark.jsonl", "pool.jsonl"])
def test_keys_are_spread_evenly_over_the_positions(name: str) -> None:
    counts = Counter(record["answer"] for record in read_choices(name))
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize(
    ("benchmark", "pool"),
    [
        (read_choices("benchmark.jsonl"), read_choices("pool.jsonl")),
        (read_free("benchmark_free.csv"), read_free("pool_free.csv")),
    ],
    ids=["choices", "free"],
)
def test_no_question_or_id_occurs_twice(
    benchmark: list[dict[str, Any]], pool: list[dict[str, Any]]
) -> None:
    records = benchmark + pool
    assert max(Counter(key_of(record["question"]) for record in records).values()) == 1
    assert max(Counter(record["id"] for record in records).values()) == 1


def test_choice_and_free_form_of_a_question_agree_on_the_answer() -> None:
    answers = {
        record["question"]: record["choices"]["ABCD".index(record["answer"])]
        for record in read_choices("benchmark.jsonl") + read_choices("pool.jsonl")
    }
    for record in read_free("benchmark_free.csv") + read_free("pool_free.csv"):
        assert record["answer"] == answers[record["question"]]
