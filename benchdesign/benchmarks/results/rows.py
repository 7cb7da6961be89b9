"""Output of the readers of results: a row per answer of a model, with its scores as written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchdesign.errors import FormatError

__all__ = ["ResultRow", "ResultSet", "parse_score", "read_score"]

_WORDS = {
    "c": 1.0,
    "i": 0.0,
    "p": 0.5,
    "n": 0.0,
    "true": 1.0,
    "false": 0.0,
    "yes": 1.0,
    "no": 0.0,
}

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
"""Stricter than `float`: 0_1, non-ASCII digits and infinities are not scores."""


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One answer of one model to one item."""

    model: str
    place: str
    """File, and line or sample, for messages."""

    scores: Mapping[str, Any]
    """By metric, as written; empty or None is a missing score, not 0."""

    ids: tuple[str, ...] = ()
    """Ids that the item may have in the benchmark."""

    row: int | None = None
    """0-based row of the item in the set that was evaluated."""

    record: Mapping[str, Any] | None = None
    """The item's record, if the log has it."""

    texts: tuple[str, ...] = ()
    """Candidates for the question or the whole text of the item, most specific first."""

    choices: tuple[str, ...] = ()
    repeat: str = ""
    """Epoch or trial, if each item was asked several times; repeats are averaged."""

    answer: str = ""
    """The model's answer, if logged: the text of a choice, or the extracted answer."""

    failure: str = ""
    """Why there is no score, if the log gives the reason."""


@dataclass(frozen=True, slots=True)
class ResultSet:
    """Rows of some files, with problems of the files."""

    rows: tuple[ResultRow, ...]
    unreadable: tuple[str, ...] = ()
    """Rows that could not be read, one line each."""

    notes: tuple[str, ...] = field(default=())
    """Remarks on files: a run did not finish, an older run was ignored."""

    @classmethod
    def join_sets(cls, sets: Sequence[ResultSet]) -> ResultSet:
        """Join several sets into one."""
        return cls(
            tuple(row for result_set in sets for row in result_set.rows),
            tuple(line for result_set in sets for line in result_set.unreadable),
            tuple(note for result_set in sets for note in result_set.notes),
        )


def parse_score(value: Any) -> float | None:
    """Return a score in [0, 1], NaN for an empty value, or None for an invalid one."""
    if value is None or value != value or (isinstance(value, str) and not value.strip()):
        return float("nan")
    if isinstance(value, str) and value.strip().lower() in _WORDS:
        return _WORDS[value.strip().lower()]
    if not isinstance(value, (str, int, float)):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        return None
    try:
        score = float(value)
    except OverflowError:
        return None
    return score if 0 <= score <= 1 else None


def read_score(value: Any, place: str, metric: str) -> float:
    """Return a score, or NaN for an empty value; raise on an invalid one."""
    score = parse_score(value)
    if score is None:
        raise FormatError(
            f"{place}: {metric} {str(value)[:40]!r} is not a score. Use a number from 0 to 1, "
            "true or false, or C, I, P or N."
        )
    return score
