"""Fields found, items rendered, oddities told."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.errors import FormatError, TemplateError
from tests.benchmarks.builders import load_quiz, load_rows, write_jsonl


def test_default_text_shows_choices_and_not_the_key(tmp_path: Path) -> None:
    item = load_quiz(tmp_path).items[1]
    assert item.text == "Which number follows 1?\nA. 2\nB. 0\nC. none of them"
    assert (item.id, item.answer, item.answer_index, item.category) == ("quiz/1", "2", 0, "numbers")


def test_fields_set_by_hand_win_and_are_recorded(tmp_path: Path) -> None:
    rows = [{"question": f"Q{at}", "title": f"Who wrote {at}?", "x": "me"} for at in range(3)]
    benchmark = load_rows(tmp_path, rows, fields={"prompt": "title", "answer": "x"})
    assert benchmark.items[0].prompt == "Who wrote 0?"
    assert benchmark.items[0].answer == "me"
    assert benchmark.mapping.origin == {"prompt": "set", "answer": "set"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt": "qestion"}, "Did you mean 'question'"),
        ({"colour": "question"}, "not a role that a field can have"),
    ],
)
def test_unknown_field_or_role_is_refused_with_a_hint(
    fields: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(FormatError, match=message):
        load_rows(tmp_path, [{"question": "Who?"}], fields=fields)


def test_template_decides_the_text_and_names_the_row_it_fails_on(tmp_path: Path) -> None:
    rows = [{"stem": "Who?", "hint": "me"}, {"stem": "Why?"}]
    ok = load_rows(tmp_path, rows, template="Asked: {{ stem }}")
    assert ok.items[1].text == "Asked: Why?"
    assert ok.items[1].content == ((7, 11),)
    with pytest.raises(TemplateError, match=r"set\.jsonl:2: template: 'hint' is undefined"):
        load_rows(tmp_path, rows, template="{{ stem }} {{ hint }}")


def test_items_without_ids_are_named_after_file_and_row(tmp_path: Path) -> None:
    benchmark = load_rows(tmp_path, [{"question": "Who?"}, {"question": "Why?"}])
    assert [item.id for item in benchmark] == ["set-00001", "set-00002"]


def test_repeated_ids_get_a_suffix_that_is_free(tmp_path: Path) -> None:
    rows = [{"id": name, "question": f"Who is {at}?"} for at, name in enumerate("abca")]
    rows[1]["id"] = "a-2"
    assert [item.id for item in load_rows(tmp_path, rows)] == ["a", "a-2", "c", "a-3"]


def test_limit_reads_the_first_items_only(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"question": f"Who is {at}?"} for at in range(9)])
    assert len(load_benchmark(path, limit=4)) == 4


def test_findings_name_kind_and_rows(tmp_path: Path) -> None:
    rows = [
        {"question": f"Which of these is number {at}?", "choices": ["this", "that"], "answer": "A"}
        for at in range(40)
    ]
    rows[3]["question"] = rows[2]["question"]
    rows[5]["answer"] = "F"
    rows[7] = {
        "question": "The long answer is the green book; which?",
        "choices": ["the green book", "that"],
        "answer": "A",
    }
    findings = {finding.kind: finding for finding in load_rows(tmp_path, rows).findings}
    assert findings["duplicate-text"].rows == (3,)
    assert findings["answer-not-in-choices"].rows == (5,)
    assert findings["answer-in-prompt"].rows == (7,)
    assert "A 39, B 0" in findings["answer-imbalance"].message
    assert all("set.jsonl" in finding.message for finding in findings.values())


def test_even_keys_are_not_called_uneven(tmp_path: Path) -> None:
    rows = [
        {"question": f"Which is {at}?", "choices": ["this", "that"], "answer": "AB"[at % 2]}
        for at in range(60)
    ]
    assert load_rows(tmp_path, rows).findings == ()


def test_large_files_take_the_memory_of_their_text_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    extra = "x" * 20_000
    with path.open("w", encoding="utf-8") as out:
        for at in range(1500):
            out.write(f'{{"question": "Who is {at}?", "extra": "{extra}"}}\n')
    load_quiz(tmp_path)
    tracemalloc.start()
    benchmark = load_benchmark(path)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < path.stat().st_size / 10
    assert benchmark.record(benchmark.items[1234])["question"] == "Who is 1234?"


def test_single_keys_among_lists_of_keys_are_found_among_the_choices(tmp_path: Path) -> None:
    lists = [{"prompt": f"Name word {at}?", "choices": None, "answer": ["a", "b"]} for at in "xyz"]
    single = [
        {"prompt": f"Is {at} even?", "choices": ["yes", "no"], "answer": "no"} for at in (1, 3)
    ]
    benchmark = load_rows(tmp_path, [*lists, *single])
    assert [(item.answer, item.answer_index) for item in benchmark.items[-2:]] == [("no", 1)] * 2
    assert "answer-not-in-choices" not in {finding.kind for finding in benchmark.findings}


def test_a_split_is_refused_where_a_file_has_none_and_is_not_named_after_it(tmp_path: Path) -> None:
    rows = [{"question": "Who?"}, {"question": "Why?"}]
    write_jsonl(tmp_path / "quiz.test.jsonl", rows)
    assert len(load_benchmark(tmp_path / "quiz.test.jsonl", split="test")) == 2
    with pytest.raises(FormatError, match=r"one set without splits, so no 'train'"):
        load_benchmark(tmp_path / "quiz.test.jsonl", split="train")


CHINESE = "下列哪一项最能支持上述结论？"


@pytest.mark.parametrize(
    ("texts", "share"),
    [
        ([CHINESE] * 3, "100%"),
        (["Какой город — столица?", "Which one?"], "68%"),
        (["हिन्दी में प्रश्न क्या है?"], "100%"),
        (["Ποια είναι η πρωτεύουσα της χώρας;"], "100%"),
        ([CHINESE, "Which of the following most supports the conclusion?"], None),
        (["Où est né l’élève ? Łódź, Übergröße, Việt Nam, ẞ"], None),
        (["Let α ∈ ℝ, β ∈ ℂ and αβ = γ², ∑ 𝑥 = 𝒇(θ)."], None),
        (["∀α∃β: Γ ⊢ φ → ψ", "3 + 4 = 7", "λ = 2π/κ, Δω ≥ 0; so: x"], None),
        (["def f(x):\n    return {k: v for k, v in x.items()}  # 値"], None),
        (["12 × 12 = 144"], None),
    ],
)
def test_a_set_in_another_script_is_told_and_nothing_else_is(
    tmp_path: Path, texts: list[str], share: str | None
) -> None:
    records = [{"question": f"{text} {n}"} for n, text in enumerate(texts)]
    benchmark = load_benchmark(write_jsonl(tmp_path / "set.jsonl", records))
    messages = [finding.message for finding in benchmark.findings if finding.kind == "other-script"]
    if share is None:
        assert messages == []
        return
    assert benchmark.findings[0].message == messages[0]
    assert f"{share} of the letters are not Latin" in messages[0]
    assert "--model and --dictionary" in messages[0]
