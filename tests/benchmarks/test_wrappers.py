"""Text that most items share is found in the items and cut out of what the model reads."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchdesign.benchmarks.content_marks import render_default
from benchdesign.benchmarks.cut_text import cut_text
from benchdesign.benchmarks.items import Item, Wrappers
from benchdesign.benchmarks.load import load_benchmark, reread_item
from benchdesign.benchmarks.results.match_items import ItemIndex
from benchdesign.benchmarks.results.rows import ResultRow
from benchdesign.benchmarks.wrappers import find_wrappers, mask_wrappers
from tests.benchmarks.builders import load_rows, write_jsonl

_NAMES = "volcano harbour violin glacier tariff enzyme cathedral orbit sonnet verdict monsoon"
SUBJECTS = (*_NAMES.split(), "ledger", "falcon", "mosaic", "turbine")
VERBS = ("formed", "described", "measured", "lost", "restored", "copied")


def question(at: int) -> str:
    subject, other = SUBJECTS[at % len(SUBJECTS)], SUBJECTS[(at * 7 + 3) % len(SUBJECTS)]
    openings = ("Who", "When was it that somebody", "For what reason have people")
    return f"{openings[at % 3]} {VERBS[at % 6]} the {subject} near one {other} {'ab' * (at % 9)}x?"


def items_of(
    dress: Callable[[str, int], str], n: int = 60, choices: tuple[str, ...] = ()
) -> list[Item]:
    items = []
    for at in range(n):
        prompt = dress(question(at), at)
        rendered = render_default(prompt, choices=choices)
        items.append(Item(str(at), at, rendered.text, rendered.content, prompt, choices))
    return items


def masked_of(items: list[Item]) -> list[Item]:
    return list(mask_wrappers(items, find_wrappers(items)))


def contents(items: list[Item]) -> list[str]:
    return [
        "|".join(item.text[low:high] for low, high in item.content) for item in masked_of(items)
    ]


PLAIN = [question(at) for at in range(60)]


@pytest.mark.parametrize(
    "dress",
    [
        lambda text, _: f"You are a helpful assistant.\nBe brief. User: {text}",
        lambda text, _: f"System: be helpful\nUser: {text}\nAssistant:",
        lambda text, _: f"{text} Thank you very much for your help!",
        lambda text, _: f"Could you tell me please: {text}\nI would be glad, really.",
        lambda text, at: f"Question {at + 1}. {text}",
        lambda text, _: f"Question: {text}\nAnswer: ____",
        lambda text, _: f"Fill in: {text} ____",
        lambda text, _: f"```\n{text}\n```",
        lambda text, at: f"{text}\nItem {at} of 60: reply with one letter.",
    ],
)
@pytest.mark.parametrize("choices", [(), ("yes", "no", "never")])
def test_what_stands_round_every_question_is_masked(
    dress: Callable[[str, int], str], choices: tuple[str, ...]
) -> None:
    items = items_of(dress, choices=choices)
    assert contents(items) == ["|".join((text, *choices)) for text in PLAIN]


def test_cut_items_are_read_as_if_they_had_no_wrapper() -> None:
    choices = ("yes", "no", "never")
    plain = items_of(lambda text, _: text, choices=choices)
    dressed = items_of(lambda text, _: f"Be helpful.\n\nUser: {text}\nAssistant:", choices=choices)
    masked = masked_of(dressed)
    assert [item.text for item in masked] == [item.text for item in plain]
    assert [item.digest for item in masked] == [item.digest for item in plain]


@pytest.mark.parametrize(
    ("seam", "joint"), [(" ", " "), ("\n", "\n"), (" \n\n", "\n"), ("\t ", " ")]
)
def test_white_space_round_a_cut_becomes_one_space_or_line_break(seam: str, joint: str) -> None:
    items = items_of(
        lambda text, at: f"{text}{seam}Take your time, please.{seam}Mind the {SUBJECTS[at % 15]}!"
    )
    assert masked_of(items)[3].text == f"{PLAIN[3]}{joint}Mind the {SUBJECTS[3]}!"


@pytest.mark.parametrize(
    ("text", "content", "cuts", "expected", "moved"),
    [
        ("ab", [(0, 2)], [], "ab", ["ab"]),
        ("one two three", [(0, 3), (8, 13)], [(4, 7)], "one three", ["one", "three"]),
        ("one \n two", [(5, 9)], [(0, 3)], "two", ["two"]),
        ("one. two", [(0, 4)], [(5, 8)], "one.", ["one."]),
        ("一。二。三", [(0, 2), (4, 5)], [(2, 4)], "一。三", ["一。", "三"]),
        ("a  b  c", [(0, 3), (5, 7)], [(3, 4)], "a c", ["a", "c"]),
        ("a b c d", [(0, 1), (6, 7)], [(4, 5), (2, 3), (2, 4)], "a d", ["a", "d"]),
        ("Q: a\nA: b", [(3, 4)], [(8, 9)], "Q: a\nA:", ["a"]),
    ],
)
def test_content_keeps_its_text_round_cuts(
    text: str,
    content: list[tuple[int, int]],
    cuts: list[tuple[int, int]],
    expected: str,
    moved: list[str],
) -> None:
    cut, places = cut_text(text, content, cuts)
    assert cut == expected
    assert [cut[low:high] for low, high in places] == moved


def test_a_sentence_in_the_middle_is_masked_wherever_it_stands() -> None:
    middle = "Give the best answer you can."
    items = items_of(lambda text, at: f"{text} {middle} Mind the {SUBJECTS[at % 15]} {at}, too.")
    assert all(
        content == f"{PLAIN[at]}|Mind the {SUBJECTS[at % 15]} {at}, too."
        for at, content in enumerate(contents(items))
    )


def test_choices_that_most_items_share_are_masked() -> None:
    items = items_of(lambda text, _: text, choices=("It is true.", "ice", "It cannot be told."))
    assert contents(items)[0] == f"{PLAIN[0]}|ice"


def test_labels_of_inline_options_are_masked() -> None:
    items = items_of(lambda text, at: f"{text} Options: (A) {VERBS[at % 6]} (B) {SUBJECTS[at % 7]}")
    assert contents(items)[4] == f"{PLAIN[4]}|{VERBS[4]}|{SUBJECTS[4]}"


def test_a_letter_that_stands_alone_is_no_label() -> None:
    items = items_of(lambda text, _: f"Vitamin A. {text}")
    assert "A." not in find_wrappers(items).labels


def test_options_without_words_stay_in_the_text() -> None:
    items = items_of(lambda text, at: f"{text} (A) {'+<*'[at % 3]} (B) {'-/>'[at % 3]}")
    assert masked_of(items)[0].text == f"{PLAIN[0]} + -"


def test_prompt_and_id_stay_and_text_changes_only_where_the_wrapper_stands() -> None:
    items = items_of(
        lambda text, at: text if at % 4 == 0 else f"Answer this question carefully: {text}"
    )
    masked = mask_wrappers(items, find_wrappers(items))
    for before, after in zip(items, masked, strict=True):
        assert (before is after) == (before.row % 4 == 0)
        assert after.text == PLAIN[before.row]
        assert (before.prompt, before.choices, before.id) == (after.prompt, after.choices, after.id)


@pytest.mark.parametrize("share", [2, 3])
def test_text_that_fewer_than_half_share_is_content(share: int) -> None:
    items = items_of(
        lambda text, at: f"Answer this carefully: {text}" if at % share == 0 else f"{text}"
    )
    assert bool(find_wrappers(items)) == (share == 2)


def test_sets_without_wrappers_stay_the_same() -> None:
    items = items_of(lambda text, _: text, choices=("yes", "no"))
    assert find_wrappers(items) == Wrappers()
    assert all(map(lambda one, other: one is other, items, mask_wrappers(items, Wrappers())))


def test_a_stem_within_a_sentence_is_content() -> None:
    items = items_of(lambda text, _: f"What is the {text}")
    assert not find_wrappers(items)


@pytest.mark.parametrize(("n", "found"), [(19, False), (20, True)])
def test_wrappers_need_twenty_texts(n: int, found: bool) -> None:
    items = items_of(lambda text, at: f"Answer this question carefully: {text} {'z' * at}", n)
    assert bool(find_wrappers(items)) is found


def test_copies_of_one_text_share_nothing_but_their_subject() -> None:
    items = items_of(lambda _text, _at: "Be careful. Which volcano is the tallest one?")
    assert not find_wrappers(items)
    copies = [*items * 3, *items_of(lambda text, _: text)]
    assert not find_wrappers(copies)


@pytest.mark.parametrize(
    "template",
    [
        "If X has {n} apples and eats {m}, how many apples are left?",
        "If {name} has {n} apples, how many are left when {name} eats {m}?",
        "{name} has {n} apples. {name} eats {m}. How many are left?",
        "Tom has {n} apples. He eats {m}. How many are left?",
        "{n} + {m} = ?",
    ],
)
def test_a_template_keeps_its_subject(template: str) -> None:
    items = items_of(
        lambda _, at: template.format(n=at + 9, m=at % 5, name=SUBJECTS[at % 15].title())
    )
    subject = "apples" if "apples" in template else "="
    assert all(subject in content for content in contents(items))


def test_text_that_is_most_of_every_item_is_told_and_stays() -> None:
    long = " ".join(f"Rule {name} holds in all cases, always." for name in SUBJECTS)
    wrappers = find_wrappers(items_of(lambda text, _: f"{long}\n{text}"))
    assert not wrappers
    assert wrappers.is_most_of_text


def test_an_item_that_is_nothing_but_the_wrapper_keeps_its_content() -> None:
    def dress(text: str, at: int) -> str:
        return f"Answer this question carefully: {'' if at == 5 else text}".strip()

    items = items_of(dress)
    assert mask_wrappers(items, find_wrappers(items))[5] is items[5]


@given(
    st.lists(
        st.text(st.sampled_from("ab A.:?\n\t`_()0\u202e\ud800\ufdd0")), min_size=20, max_size=40
    )
)
def test_masked_content_is_part_of_the_content(texts: list[str]) -> None:
    items = [
        Item(str(at), at, text, ((0, len(text)),) if text else (), text)
        for at, text in enumerate(texts)
    ]
    for before, after in zip(items, mask_wrappers(items, find_wrappers(items)), strict=True):
        assert bool(before.content) == bool(after.content)
        ends = [end for span in after.content for end in span]
        assert ends == sorted(ends)
        assert all(0 <= end <= len(after.text) for end in ends)
        assert all(after.text[low:high].strip() for low, high in after.content) or after is before
        letters = iter("".join(before.text.split()))
        assert all(letter in letters for letter in "".join(after.text.split()))


@pytest.mark.parametrize(
    "text",
    ["." * 20_000, "A " * 10_000, '."' * 10_000, "\n " * 10_000],
    ids=["dots", "letters", "quotes", "lines"],
)
def test_hostile_text_takes_no_longer_than_its_length(text: str) -> None:
    items = items_of(lambda one, _: f"Answer this carefully: {one} {text}x", 20)
    started = time.process_time()
    mask_wrappers(items, find_wrappers(items))
    assert time.process_time() - started < 10


def rows(n: int = 40) -> list[dict[str, str]]:
    return [{"id": str(at), "question": f"Be helpful, please.\n{question(at)}"} for at in range(n)]


def test_load_masks_where_asked_and_says_so(tmp_path: Path) -> None:
    as_read = load_rows(tmp_path, rows())
    assert as_read.wrappers is None
    assert not [one for one in as_read.findings if one.kind == "wrapper"]
    masked = load_benchmark(as_read.path, mask_wrappers=True)
    (finding,) = [one for one in masked.findings if one.kind == "wrapper"]
    assert finding.message == (
        f"{as_read.path}: text that most items share ('Be helpful, please.') is in 40 of 40 "
        "items; it does not count as content and is left out of what the reference model reads."
    )
    assert [item.text for item in masked] == [question(at) for at in range(40)]
    assert [item.prompt for item in masked] == [item.prompt for item in as_read]
    assert masked.record(masked.items[0]) == rows()[0]
    assert not set(masked.digests) & set(as_read.digests)


def test_results_are_joined_by_the_text_with_its_wrapper(tmp_path: Path) -> None:
    contexts = [
        {"context": f"Read this report first.\n{question(at)}", "question": "Who is right in it?"}
        for at in range(40)
    ]
    masked = load_benchmark(write_jsonl(tmp_path / "set.jsonl", contexts), mask_wrappers=True)
    as_read = render_default(contexts[7]["question"], contexts[7]["context"]).text
    assert masked.items[7].text != as_read
    row = ResultRow("model", "results.jsonl", {"accuracy": 1}, texts=(as_read,))
    assert ItemIndex(masked).find(row).place == 7


def test_an_item_read_again_is_masked_alike(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "set.jsonl", rows())
    masked = load_benchmark(path, mask_wrappers=True)
    item = masked.items[3]
    assert reread_item(masked, item, masked.record(item)) == item
    changed = reread_item(masked, item, {"id": "3", "question": "Be helpful, please. Why?"})
    assert [changed.text[low:high] for low, high in changed.content] == ["Why?"]
