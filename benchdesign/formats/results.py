"""Per-item results of models as plain tables: JSONL or CSV with an item, a score, maybe a model.

Scores are numbers in [0, 1], booleans, or the letters C, I, P and N; anything else is refused with
its row. Joining results to a benchmark never guesses: what has no item, or two answers, is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchdesign.errors import FormatError
from benchdesign.formats.opening import open_source
from benchdesign.items import Benchmark

__all__ = ["JoinedResults", "ResultRow", "join_results", "read_results"]

_ID_FIELDS = ("item_id", "item", "id", "example_id", "question_id", "instance_id", "sample_id")
_ROW_FIELDS = ("row", "index", "doc_id", "idx")
_TEXT_FIELDS = ("text", "prompt", "question", "input")
_MODEL_FIELDS = ("model", "model_name", "model_id")
_SCORE_FIELDS = ("score", "correct", "is_correct", "acc", "accuracy", "exact_match", "value")
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
_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One score of one model on one item."""

    model: str
    item_id: str | None
    row: int | None
    """0-based row of the benchmark."""

    text: str | None
    score: float | None
    """None where the file says nothing (an empty cell): missing, not 0."""

    place: str
    """File and line or record, for messages."""


@dataclass(frozen=True, eq=False)
class JoinedResults:
    """Scores of each model in the order of the benchmark's items."""

    scores: Mapping[str, NDArray[np.float64]]
    """By model: (n_items,), NaN where it has no result."""

    n_rows: int
    n_joined: int
    n_unmatched: int
    """Rows about no item of the benchmark."""

    n_missing: int
    """Rows without a score."""

    n_repeated: int
    """Rows that say again what another said; averaged, which changes nothing."""

    n_conflicting: int
    """Items with different scores of one model; their mean is used."""

    problems: tuple[str, ...] = field(default=())
    """The first of them, one line each."""


def read_results(path: str | Path, *, model: str | None = None) -> tuple[ResultRow, ...]:
    """Read a table of results; without a model column, `model` or the file's name is used."""
    source = open_source(path)
    rows = list(_rows(source.records(), source.place, Path(path), model or source.name))
    if not rows:
        raise FormatError(f"{path}: no results in it; check the file.")
    return tuple(rows)


def join_results(rows: Sequence[ResultRow], benchmark: Benchmark) -> JoinedResults:
    """Line results up with items: by id, else by row, else by text."""
    by_id = {item.id: place for place, item in enumerate(benchmark.items)}
    by_row = {item.row: place for place, item in enumerate(benchmark.items)}
    by_text: dict[str, int] = {}
    for place, item in enumerate(benchmark.items):
        by_text.setdefault(item.text, place)
        by_text.setdefault(item.prompt, place)
    found: dict[str, dict[int, list[float]]] = {}
    problems: list[str] = []
    n_unmatched = n_missing = 0
    for one in rows:
        spot = _place_of(one, by_id, by_row, by_text)
        scores = found.setdefault(one.model, {})
        if spot is None:
            n_unmatched += 1
            problems.append(f"{one.place}: no such item in {benchmark.path}")
        elif one.score is None:
            n_missing += 1
        else:
            scores.setdefault(spot, []).append(one.score)
    n_repeated = n_conflicting = 0
    table: dict[str, NDArray[np.float64]] = {}
    for model, by_place in found.items():
        values = np.full(len(benchmark), np.nan)
        for at, scores_of_item in by_place.items():
            values[at] = float(np.mean(scores_of_item))
            if len(set(scores_of_item)) > 1:
                n_conflicting += 1
                problems.append(
                    f"{model}, item {benchmark.items[at].id}: {len(scores_of_item)} results "
                    "that differ; their mean is used"
                )
            else:
                n_repeated += len(scores_of_item) - 1
        table[model] = values
    n_joined = len(rows) - n_unmatched - n_missing
    if not n_joined:
        first = f" ({problems[0]})" if problems else ""
        raise FormatError(
            f"{benchmark.path}: no result belongs to any of its items{first}. "
            "Results are joined by id, else by row, else by text."
        )
    return JoinedResults(
        {model: values for model, values in table.items() if not np.isnan(values).all()},
        len(rows),
        n_joined,
        n_unmatched,
        n_missing,
        n_repeated,
        n_conflicting,
        tuple(problems[:_MOST_PROBLEMS]),
    )


def _rows(
    records: Iterator[Mapping[str, Any]], place_of: Any, path: Path, default_model: str
) -> Iterator[ResultRow]:
    for number, record in enumerate(records):
        named = {str(name).strip().lower(): value for name, value in record.items()}
        score_field = next((name for name in _SCORE_FIELDS if name in named), None)
        item_id = _first(named, _ID_FIELDS)
        row = _first(named, _ROW_FIELDS)
        text = _first(named, _TEXT_FIELDS)
        where = place_of(number)
        if score_field is None:
            raise FormatError(
                f"{where}: no score; one of the fields {', '.join(_SCORE_FIELDS)} is needed."
            )
        if item_id is None and row is None and text is None:
            raise FormatError(
                f"{where}: says of no item what it is about; one of the fields "
                f"{', '.join((*_ID_FIELDS, *_ROW_FIELDS))} is needed."
            )
        model = _first(named, _MODEL_FIELDS)
        yield ResultRow(
            model=default_model if model is None else str(model),
            item_id=None if item_id is None else str(item_id),
            row=_whole(row),
            text=None if text is None else str(text),
            score=_score(named[score_field], where),
            place=where,
        )


def _first(named: Mapping[str, Any], fields: Sequence[str]) -> Any:
    return next((named[name] for name in fields if named.get(name) not in (None, "")), None)


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _score(value: Any, where: str) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str) and value.strip().lower() in _WORDS:
        return _WORDS[value.strip().lower()]
    try:
        score = float(value)
    except (TypeError, ValueError):
        score = float("nan")
    if not 0 <= score <= 1:
        shown = str(value)[:40]
        raise FormatError(
            f"{where}: score {shown!r} is not a number from 0 to 1, true or false, or C, I, P, N; "
            "convert it first."
        )
    return score


def _place_of(
    one: ResultRow,
    by_id: Mapping[str, int],
    by_row: Mapping[int, int],
    by_text: Mapping[str, int],
) -> int | None:
    if one.item_id is not None and one.item_id in by_id:
        return by_id[one.item_id]
    if one.row is not None and one.item_id is None:
        return by_row.get(one.row)
    return None if one.text is None else by_text.get(one.text)
