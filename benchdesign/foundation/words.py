"""Words of English text: forms of a word, and words that say nothing about a subject."""

from __future__ import annotations

import re

__all__ = [
    "EMPTY_LABEL_WORDS",
    "EMPTY_SUBJECT_WORDS",
    "TASK_WORDS",
    "WORD",
    "are_forms",
    "is_form",
]

WORD = re.compile(r"[^\W_]+")
"""A run of letters and digits."""

_FUNCTION_WORDS = frozenset(
    """
    a an and any are as at before by for from in into is it its like of on or other out over some
    such than that the their this to up with
    """.split()  # noqa: SIM905 - a long list of quoted words is harder to read
)

EMPTY_LABEL_WORDS = _FUNCTION_WORDS | frozenset(
    """
    ending endings form forms letter letters name names piece pieces plural prefix sense senses
    suffix tense use used uses using verb verbs word words
    """.split()  # noqa: SIM905
)
"""Words of a label that are not what the concept is about: `verbs with the prefix un`."""

EMPTY_SUBJECT_WORDS = _FUNCTION_WORDS | frozenset(
    """
    all but can had has have her his how many much not one our she them then there they was what
    when where which who why will you your
    """.split()  # noqa: SIM905
)
"""Words that never name a subject, though one of them may well be a concept by itself."""


TASK_WORDS = frozenset(
    """
    according answer answers asked asks best choose choices complete correct correctly describe
    describes did do does doing done don't example explain false find following get gets getting
    give given gives go going got happen happened help i'm it's just know known let like likely
    listed look make makes mean meaning means need needs new number option options people person
    please question questions result right said say says seen select sentence statement statements
    tell term text thing things think true type used uses using want way ways what's whats word
    words work works write wrong yes
    """.split()  # noqa: SIM905
)
"""Words of tasks and questions whatever their subject; a phrase may hold one."""


def is_form(word: str, other: str) -> bool:
    """Whether `other` is the word or an inflected form of it: activate, activation."""
    return word == other or (len(word) >= 4 and other.startswith(_stem(word)))


def are_forms(word: str, other: str) -> bool:
    """Whether either word is the start or the stem of the other: eat, eating."""
    return other.startswith(_stem(word)) or word.startswith(other)


def _stem(word: str) -> str:
    return word[: max(4, len(word) - 2)]
