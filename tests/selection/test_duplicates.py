"""Exact and near duplicates, and matches with lists to keep out."""

from __future__ import annotations

import numpy as np
import pytest

from benchdesign.benchmarks.items import Item
from benchdesign.errors import UsageError
from benchdesign.foundation import nearest as nearest_items
from benchdesign.foundation.nearest import nearest
from benchdesign.selection.contamination import KnownList, find_contamination
from benchdesign.selection.duplicates import duplicate_key, duplicate_threshold, find_duplicates


def make_item(text: str, row: int = 0, *, content: tuple[tuple[int, int], ...] = ()) -> Item:
    return Item(f"item-{row}", row, text, content, text)


def make_items(*texts: str) -> list[Item]:
    return [make_item(text, row) for row, text in enumerate(texts)]


def unit(*rows: tuple[float, ...]) -> np.ndarray:
    vectors = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / lengths, dtype=np.float16)


def make_choice_item(prompt: str, choices: tuple[str, ...], row: int = 0) -> Item:
    text, spans = prompt, [(0, len(prompt))]
    for letter, choice in zip("ABCD", choices, strict=False):
        text += f"\n{letter}. "
        spans.append((len(text), len(text) + len(choice)))
        text += choice
    return Item(f"item-{row}", row, text, tuple(spans), prompt, choices)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("What is gold?", "what  is\nGOLD"),
        ("the \ufb01rst caf\u00e9", "The first cafe\u0301".replace("e\u0301", "\u00e9")),
        ("\u201cyes,\u201d he said.", '"Yes" he said'),
    ],
)
def test_case_spacing_punctuation_and_compatibility_forms_do_not_make_a_difference(
    first: str, second: str
) -> None:
    assert duplicate_key(make_item(first)) == duplicate_key(make_item(second))


@pytest.mark.parametrize(
    ("first", "second"),
    [("2 + 3", "2 - 3"), ("3.5 apples", "35 apples"), ("a < b", "a > b"), ("?!", "...")],
)
def test_signs_and_numbers_do_make_a_difference(first: str, second: str) -> None:
    assert duplicate_key(make_item(first)) != duplicate_key(make_item(second))


def test_shuffled_choices_are_the_same_item() -> None:
    first = make_choice_item("Which is a metal?", ("iron", "wood", "silk"))
    second = make_choice_item("Which is a metal?", ("silk", "iron", "wood"))
    assert duplicate_key(first) == duplicate_key(second)


def test_other_choices_are_another_item() -> None:
    first = make_choice_item("Which is a metal?", ("iron", "wood"))
    second = make_choice_item("Which is a metal?", ("zinc", "wood"))
    assert duplicate_key(first) != duplicate_key(second)


def test_exact_duplicates_within_a_set_point_at_the_first() -> None:
    pairs = find_duplicates(make_items("One?", "two", "one", "ONE!"))
    assert [(pair.kind, pair.row_a, pair.row_b) for pair in pairs] == [
        ("exact", 0, 2),
        ("exact", 0, 3),
    ]


def test_exact_duplicates_across_sets_name_both_items() -> None:
    (pair,) = find_duplicates(make_items("red", "blue"), make_items("green", "Blue."))
    assert (pair.row_a, pair.row_b, pair.id_a, pair.id_b) == (1, 1, "item-1", "item-1")
    assert pair.similarity == 1.0


def test_near_duplicates_are_found_by_embedding_and_carry_the_threshold() -> None:
    (pair,) = find_duplicates(
        make_items("a", "b"),
        make_items("c", "d"),
        embeddings_a=unit((1, 0), (0, 1)),
        embeddings_b=unit((1, 0.1), (-1, 0)),
        threshold=0.9,
    )
    assert (pair.kind, pair.row_a, pair.row_b, pair.threshold) == ("near", 0, 0, 0.9)
    assert pair.similarity == pytest.approx(1 / np.sqrt(1.01), abs=1e-3)


def test_near_duplicates_within_a_set_are_listed_once_and_never_with_themselves() -> None:
    pairs = find_duplicates(make_items("a", "b", "c"), embeddings_a=unit((1, 0), (0, 1), (1, 0.01)))
    assert [(pair.row_a, pair.row_b) for pair in pairs] == [(0, 2)]


def test_an_exact_pair_is_not_listed_again_as_near() -> None:
    pairs = find_duplicates(make_items("a", "A"), embeddings_a=unit((1, 0), (1, 0)))
    assert [pair.kind for pair in pairs] == ["exact"]


def test_a_threshold_out_of_range_is_refused() -> None:
    with pytest.raises(UsageError, match=r"1\.5 is out of range"):
        find_duplicates([], threshold=1.5)


def test_sets_without_items_have_no_duplicates() -> None:
    empty = np.zeros((0, 4), dtype=np.float16)
    assert find_duplicates([], [], embeddings_a=empty, embeddings_b=empty) == ()


@pytest.mark.parametrize("cells", [40, 16_000_000])
def test_nearest_gives_what_a_full_comparison_gives_whatever_the_blocks(
    cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    queries, targets = unit(*rng.normal(size=(30, 6))), unit(*rng.normal(size=(50, 6)))
    monkeypatch.setattr(nearest_items, "_BLOCK_CELLS", cells)
    monkeypatch.setattr(nearest_items, "_TARGET_BLOCK", 16 if cells == 40 else 16_384)
    neighbours = nearest(queries, targets, k=4)
    full = queries.astype(np.float32) @ targets.astype(np.float32).T
    assert np.array_equal(neighbours.rows, np.argsort(-full, axis=1, kind="stable")[:, :4])
    assert np.allclose(neighbours.similarities, -np.sort(-full, axis=1)[:, :4])


def test_nearest_says_where_there_are_too_few_targets() -> None:
    neighbours = nearest(unit((1, 0)), unit((0, 1)), k=3)
    assert neighbours.rows.tolist() == [[0, -1, -1]]
    assert neighbours.similarities.tolist() == [[0.0, -1.0, -1.0]]


def test_the_threshold_rises_with_a_templated_set_and_not_otherwise() -> None:
    rng = np.random.default_rng(0)
    apart = unit(*rng.normal(size=(60, 32)))
    template = unit(*(np.ones((60, 32)) + rng.normal(size=(60, 32)) * 0.05))
    assert duplicate_threshold(apart) == 0.95
    assert duplicate_threshold(template) > 0.99
    assert duplicate_threshold(None) == 0.95


LONG = "the quick brown fox jumps over the lazy dog while seven old wizards quietly juggle stones"


def test_a_long_common_run_is_contamination_with_the_items_own_words_as_evidence() -> None:
    item = make_item(f"Complete this: {LONG.title()}! And then?")
    (match,) = find_contamination([item], [KnownList("pangrams", ["nothing", f"So {LONG} today"])])
    assert (match.list_name, match.known_row, match.kind, match.n_words) == (
        "pangrams",
        1,
        "words",
        16,
    )
    assert match.matched_text == LONG.title()
    assert item.text[slice(*match.span)] == match.matched_text
    assert match.similarity == pytest.approx(16 / 20)


def test_a_run_shorter_than_the_n_gram_is_no_contamination() -> None:
    words = " ".join(LONG.split()[:12])
    known = [KnownList("known", [LONG])]
    assert find_contamination([make_item(f"{words} something else entirely")], known) == ()


def test_rulers_and_tables_are_no_contamination() -> None:
    ruler = "- " * 40
    assert find_contamination([make_item(ruler)], [KnownList("known", [ruler])]) == ()


def test_what_many_known_texts_begin_with_is_a_template_and_no_contamination() -> None:
    known = [KnownList("known", [f"{LONG} and then number {number}" for number in range(9)])]
    assert find_contamination([make_item(f"{LONG} and finally")], known) == ()


def test_a_short_known_text_counts_only_whole_and_a_tiny_one_never() -> None:
    known = [KnownList("known", ["Who wrote the play about two clowns?", "What is this?"])]
    matches = find_contamination(
        make_items(
            "Tell me, who wrote the play about two clowns?",
            "Who wrote the play about two kings?",
            "What is this?",
        ),
        known,
    )
    assert [(match.row, match.n_words) for match in matches] == [(0, 7)]


def test_contamination_by_embedding_shows_the_known_text() -> None:
    (match,) = find_contamination(
        make_items("something put differently"),
        [KnownList("known", ["x", "put another way"], unit((0, 1), (1, 0)))],
        embeddings=unit((1, 0.01)),
    )
    assert (match.kind, match.known_row, match.matched_text) == ("near", 1, "put another way")


def test_scripts_without_spaces_match_sign_by_sign() -> None:
    text = "\u4eca\u5929\u5929\u6c14\u5f88\u597d\u6211\u4eec\u4e00\u8d77\u53bb\u516c\u56ed"
    (match,) = find_contamination([make_item("x " + text)], [KnownList("zh", [text])])
    assert match.matched_text == text


def test_an_n_gram_below_the_shortest_match_is_refused() -> None:
    with pytest.raises(UsageError, match="below the minimum match length"):
        find_contamination([], [], n_gram=3)
