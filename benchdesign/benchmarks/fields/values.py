"""Read values through a field mapping: prompts, choices and keys in all their notations."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchdesign.benchmarks.fields.inline_choices import find_inline_choices, strip_letters
from benchdesign.benchmarks.items import FieldMapping

__all__ = [
    "Answer",
    "Choices",
    "as_cell",
    "as_list",
    "as_text",
    "find_index",
    "get_value",
    "read_answer",
    "read_choices",
    "resolve_answer",
    "split_choices",
]

TEXT_KEYS = ("text", "content", "value", "choice", "option", "answer", "title", "label", "name")
LABEL_KEYS = ("label", "key", "letter", "id", "index")
LABEL_SIBLINGS = ("label", "labels", "key", "keys")
_LETTER = re.compile(r"\W*(?:(?:answer|option|choice)\W*)?([A-Za-z])\W*\Z", re.IGNORECASE)
_NUMBER = re.compile(r"\D*(\d{1,3})(?:\.0)?\W*\Z")
_SEPARATORS = (";", "|", "\n", " / ")


class Choices(NamedTuple):
    """Choices of one record."""

    texts: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    """Labels as in the record; empty if it has none."""

    prompt: str | None = None
    """The prompt without the choices, if it contained them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Key of one record."""

    text: str | None = None
    index: int | None = None
    among_choices: bool = True
    """False if there are choices and the key is not one of them."""


def get_value(record: Mapping[str, Any], path: str | None) -> Any:
    """Return the value at a dotted path; None if there is none."""
    if path is None:
        return None
    if path in record:
        return record[path]
    value: Any = record
    parts = path.split(".")
    for position, part in enumerate(parts):
        if not isinstance(value, Mapping):
            return None
        if part not in value:
            # Keys can contain dots.
            return value.get(".".join(parts[position:]))
        value = value[part]
    return value


def as_text(value: Any) -> str:
    """Return a value as text: lists line by line, messages by content, None as ''."""
    texts: list[str] = []
    # Use a stack: values can be nested beyond the recursion limit.
    stack = [value]
    while stack:
        current = stack.pop()
        if isinstance(current, Mapping):
            keys = (key for key in TEXT_KEYS if isinstance(current.get(key), str | list))
            key = next(keys, None)
            if key is not None:
                stack.append(current[key])
                continue
        elif isinstance(current, Sequence) and not isinstance(current, str | bytes):
            stack.extend(reversed(current))
            continue
        texts.append(_scalar_text(current))
    return "\n".join(text for text in texts if text)


def _scalar_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def as_cell(value: Any) -> str:
    """Return a value as the cell of a table: None as '', lists and objects as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def as_list(value: Any) -> list[Any] | None:
    """Return a list, or a cell of JSON or a Python literal, as list; else None."""
    if isinstance(value, list | tuple):
        return list(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if not (text.startswith("[") and text.endswith("]")) or len(text) > 100_000:
        return None
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        try:
            parsed = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return None
    return list(parsed) if isinstance(parsed, list | tuple) else None


def read_choices(record: Mapping[str, Any], mapping: FieldMapping) -> Choices:
    """Return the choices of a record; empty if it has none."""
    kind, path = mapping.choices_kind, mapping.choices
    if path is None:
        return Choices()
    if kind == "columns":
        values = [get_value(record, column) for column in path.split(",")]
        return Choices(tuple(as_text(value) for value in values if value not in (None, "")))
    value = get_value(record, path)
    if kind == "targets":
        return Choices(tuple(map(str, value))) if isinstance(value, Mapping) else Choices()
    if kind == "inline":
        return _inline_choices(as_text(value))
    if kind == "separated":
        return Choices(split_choices(value)) if isinstance(value, str) else Choices()
    if kind == "distractors":
        return _with_answer(record, mapping, value)
    if isinstance(value, str) and kind == "lettered" and as_list(value) is None:
        inline = find_inline_choices(value)
        return Choices(inline.texts(value), inline.labels) if inline else Choices()
    return _listed_choices(record, path, as_list(value))


def _listed_choices(record: Mapping[str, Any], path: str, values: list[Any] | None) -> Choices:
    if not values:
        return Choices()
    if all(isinstance(value, Mapping) for value in values):
        texts = tuple(as_text(value) for value in values)
        label_key = next((key for key in LABEL_KEYS if key in values[0] and key != "text"), None)
        has_other_text = any(key in values[0] for key in TEXT_KEYS if key != label_key)
        if label_key is None or not has_other_text:
            return Choices(texts)
        return Choices(texts, tuple(as_text(value.get(label_key)) for value in values))
    texts = tuple(as_text(value) for value in values)
    stripped = strip_letters(texts)
    if stripped is not None:
        return Choices(stripped)
    parent = path.rpartition(".")[0]
    for sibling in LABEL_SIBLINGS if parent else ():
        labels = as_list(get_value(record, f"{parent}.{sibling}"))
        if labels and len(labels) == len(texts) and len(set(map(str, labels))) == len(labels):
            return Choices(texts, tuple(map(str, labels)))
    return Choices(texts)


def _inline_choices(text: str) -> Choices:
    inline = find_inline_choices(text)
    if not inline:
        return Choices()
    return Choices(inline.texts(text), inline.labels, text[: inline.prompt_end])


def _with_answer(record: Mapping[str, Any], mapping: FieldMapping, value: Any) -> Choices:
    listed = as_list(value)
    texts = tuple(map(as_text, listed)) if listed is not None else split_choices(as_text(value))
    answer = as_text(get_value(record, mapping.answer)).strip()
    if not texts or not answer or answer in texts:
        return Choices(texts)
    return Choices((answer, *texts))


def split_choices(value: str) -> tuple[str, ...]:
    """Split a cell at the separator it uses; without one, return it whole."""
    for separator in _SEPARATORS:
        if separator in value:
            return tuple(part.strip() for part in value.split(separator) if part.strip())
    return (value.strip(),) if value.strip() else ()


def read_answer(record: Mapping[str, Any], mapping: FieldMapping, choices: Choices) -> Answer:
    """Return the key of a record as text and position."""
    if mapping.answer is None:
        return Answer()
    return resolve_answer(get_value(record, mapping.answer), mapping.answer_kind, choices)


def resolve_answer(value: Any, kind: str | None, choices: Choices) -> Answer:
    """Return a key of a known kind; one that matches no choice keeps its text."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return Answer()
    if kind == "targets":
        return _from_targets(value, choices)
    listed = as_list(value)
    if listed is not None and (kind == "list" or isinstance(value, list | tuple)):
        return _from_list(listed, choices)
    if not choices.texts:
        return Answer(as_text(value))
    # Mixed pools can have single keys beside lists of keys.
    index = find_index(value, "text" if kind in (None, "list") else kind, choices)
    if index is None:
        return Answer(as_text(value), None, among_choices=False)
    return Answer(choices.texts[index], index)


def find_index(value: Any, kind: str, choices: Choices) -> int | None:
    """Find the choice that a key of a kind refers to; None if there is none."""
    if isinstance(value, Mapping | list):
        return None
    text = as_text(value)
    index: int | None = None
    if kind == "text":
        return _by_text(text, choices.texts)
    if kind == "letter":
        if text.strip() in choices.labels:
            return choices.labels.index(text.strip())
        match = _LETTER.match(text)
        if not match:
            return None
        if match[1].upper() in choices.labels:
            return choices.labels.index(match[1].upper())
        index = ord(match[1].upper()) - ord("A")
    else:
        number = _NUMBER.match(text)
        if not number or text.lstrip().startswith("-"):
            return None
        index = int(number[1]) - (kind == "number")
    return index if 0 <= index < len(choices.texts) else None


def _by_text(text: str, texts: Sequence[str]) -> int | None:
    if text in texts:
        return texts.index(text)
    plain = _plain(text)
    for index, choice in enumerate(texts):
        if plain and _plain(choice) == plain:
            return index
    return None


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold().rstrip(".")


def _from_targets(value: Any, choices: Choices) -> Answer:
    scores = list(value.values()) if isinstance(value, Mapping) else as_list(value)
    if not scores or not all(isinstance(score, int | float) for score in scores):
        return Answer()
    best = max(scores)
    if best <= 0 or len(scores) != len(choices.texts):
        return Answer(None, None, among_choices=False)
    index = scores.index(best)
    return Answer(choices.texts[index], index)


def _from_list(values: list[Any], choices: Choices) -> Answer:
    if not values:
        return Answer()
    if not choices.texts:
        return Answer(as_text(values[0]))
    indices = []
    for value in values:
        kinds = ("text", "letter", "index")
        index = next(
            (at for kind in kinds if (at := find_index(value, kind, choices)) is not None), None
        )
        if index is None:
            return Answer("; ".join(map(as_text, values)), None, among_choices=False)
        indices.append(index)
    if len(set(indices)) == 1:
        return Answer(choices.texts[indices[0]], indices[0])
    return Answer("; ".join(choices.texts[index] for index in indices))
