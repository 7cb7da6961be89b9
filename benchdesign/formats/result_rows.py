"""What every reader of results gives: one row an answer of a model, with its scores as written."""

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
"""Not all that `float` takes: 0_1, other digits and infinities are no scores."""


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One answer of one model to one item."""

    model: str
    place: str
    """File and line or sample, for messages."""

    scores: Mapping[str, Any]
    """By metric, as written; empty or None where there is none: missing, not 0."""

    ids: tuple[str, ...] = ()
    """Names the item may have in the benchmark."""

    row: int | None = None
    """0-based row of the set it was asked from."""

    record: Mapping[str, Any] | None = None
    """The item's own record, where the log keeps it."""

    texts: tuple[str, ...] = ()
    """What may be the question or the whole text of the item, most telling first."""

    choices: tuple[str, ...] = ()
    repeat: str = ""
    """Which of several asked-for answers it is (epoch, trial); those are averaged."""

    answer: str = ""
    """What the model said, where the log tells it: the choice's text, or what was extracted."""

    failure: str = ""
    """Why there is no score, where the log says so."""


@dataclass(frozen=True, slots=True)
class ResultSet:
    """The rows of some files, and what was odd about the files."""

    rows: tuple[ResultRow, ...]
    unreadable: tuple[str, ...] = ()
    """Rows that could not be read, one line each."""

    notes: tuple[str, ...] = field(default=())
    """What a person should know of a file: it stopped early, an older run was left out."""

    @classmethod
    def together(cls, sets: Sequence[ResultSet]) -> ResultSet:
        """Return several sets as one."""
        return cls(
            tuple(row for one in sets for row in one.rows),
            tuple(line for one in sets for line in one.unreadable),
            tuple(line for one in sets for line in one.notes),
        )


def parse_score(value: Any) -> float | None:
    """Return a score in [0, 1], NaN for a value that says nothing, None for what is no score."""
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
    """Return a score, NaN where there is none; refuse anything else with its place."""
    score = parse_score(value)
    if score is None:
        raise FormatError(
            f"{place}: {metric} {str(value)[:40]!r} is not a score: a number from 0 to 1, true or "
            "false, or C, I, P, N. Convert it first."
        )
    return score
