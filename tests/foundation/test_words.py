"""Forms of a word, and words that say nothing about a subject."""

from __future__ import annotations

import pytest

from benchdesign.foundation.words import (
    EMPTY_LABEL_WORDS,
    EMPTY_SUBJECT_WORDS,
    are_forms,
    is_form,
)


@pytest.mark.parametrize("other", ["activate", "activates", "activation"])
def test_an_inflected_word_is_a_form(other: str) -> None:
    assert is_form("activate", other)


@pytest.mark.parametrize(("word", "other"), [("eat", "eating"), ("cell", "cabinet")])
def test_a_short_word_has_no_other_forms(word: str, other: str) -> None:
    assert not is_form(word, other)


@pytest.mark.parametrize(("word", "other"), [("eat", "eating"), ("eating", "eat")])
def test_two_words_are_forms_if_one_starts_the_other(word: str, other: str) -> None:
    assert are_forms(word, other)
    assert not are_forms("eat", "drink")


def test_a_concept_can_be_a_word_that_names_no_subject() -> None:
    assert "not" in EMPTY_SUBJECT_WORDS - EMPTY_LABEL_WORDS
    assert "prefix" in EMPTY_LABEL_WORDS - EMPTY_SUBJECT_WORDS
