"""Results in plain tables: JSONL, CSV and the like, with item, score and optionally model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchdesign.benchmarks.formats.open_source import open_source
from benchdesign.benchmarks.results.rows import ResultRow, ResultSet
from benchdesign.errors import FormatError

__all__ = ["read_table"]

_ID_FIELDS = ("item_id", "item", "id", "example_id", "question_id", "instance_id", "sample_id")
_ROW_FIELDS = ("row", "index", "doc_id", "idx")
_TEXT_FIELDS = ("text", "prompt", "question", "input")
_MODEL_FIELDS = ("model", "model_name", "model_id")
_REPEAT_FIELDS = ("epoch", "trial", "repeat", "run", "attempt")
_ANSWER_FIELDS = ("prediction", "predicted", "pred", "response", "output", "model_answer")
_SCORE_FIELDS = ("score", "correct", "is_correct", "acc", "accuracy", "exact_match", "value")

_DIGITS = re.compile(r"[0-9]+")


def read_table(path: Path, *, model: str | None, metrics: Sequence[str]) -> ResultSet:
    """Read a table; without a column for the model, use `model` or the file's name."""
    source = open_source(path)
    rows = []
    for number, record in enumerate(source.records()):
        place = source.place(number)
        rows.append(_read_row(record, place, model or None, source.name, metrics))
    unreadable = tuple(
        finding.message.removesuffix(" Skipped; a revision leaves it out.")
        for finding in source.findings
        if finding.kind == "skipped-row"
    )
    return ResultSet(tuple(rows), unreadable)


def _read_row(
    record: Mapping[str, Any],
    place: str,
    model: str | None,
    default_model: str,
    metrics: Sequence[str],
) -> ResultRow:
    values = {str(name).strip().lower(): value for name, value in record.items()}
    fields = [name for name in metrics if name.lower() in values]
    fields = fields or [name for name in _SCORE_FIELDS if name in values]
    if not fields:
        raise FormatError(
            f"{place}: no score. Add one of the fields {', '.join(_SCORE_FIELDS)}, "
            "or name another with --metric."
        )
    if fields[0] == "score":
        # Beside `score`, fields such as `correct` and `value` are often the key or the answer.
        fields = fields[:1]
    item_id, row, text = (
        _first(values, names) for names in (_ID_FIELDS, _ROW_FIELDS, _TEXT_FIELDS)
    )
    if item_id is None and row is None and text is None:
        raise FormatError(
            f"{place}: names no item. Add one of the fields "
            f"{', '.join((*_ID_FIELDS, *_ROW_FIELDS))}."
        )
    named_model = _first(values, _MODEL_FIELDS)
    repeat = _first(values, _REPEAT_FIELDS)
    answer = _first(values, _ANSWER_FIELDS)
    return ResultRow(
        model=model or (default_model if named_model is None else str(named_model)),
        place=place,
        scores={name: values[name.lower()] for name in fields},
        ids=() if item_id is None else (str(item_id),),
        row=_whole(row),
        texts=() if text is None else (str(text),),
        repeat="" if repeat is None else str(repeat),
        answer=answer.strip() if isinstance(answer, str) else "",
    )


def _first(values: Mapping[str, Any], fields: Sequence[str]) -> Any:
    return next((values[name] for name in fields if values.get(name) not in (None, "")), None)


def _whole(value: Any) -> int | None:
    if isinstance(value, str):
        return int(value) if _DIGITS.fullmatch(value.strip()) else None
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0
    return int(value) if is_whole else None
