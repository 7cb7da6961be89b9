"""Statistics of each field in a sample of records, for detecting the role of the field."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchdesign.benchmarks.fields.values import as_list

__all__ = ["FieldStatistics", "measure_fields", "plain_name"]

MAX_DEPTH = 4
MAX_PATHS = 2000
_TARGET_NAME = re.compile(r"target|score|choices|options", re.IGNORECASE)


@dataclass
class FieldStatistics:
    """Values of one field in the sample."""

    path: str
    n_records: int = 0
    """Number of records in the sample."""

    kinds: Counter[str] = field(default_factory=Counter)
    """Count of each kind: text, number, flag, texts, objects, messages, targets, list, ..."""

    values: list[Any] = field(default_factory=list)
    """Values that are not empty, in order."""

    @property
    def share(self) -> float:
        """Share of records with a value that is not empty."""
        return len(self.values) / self.n_records if self.n_records else 0.0

    @property
    def kind(self) -> str:
        """Most frequent kind of value; empty if there is none."""
        return self.kinds.most_common(1)[0][0] if self.kinds else ""

    @property
    def distinct(self) -> float:
        """Share of distinct values among those that are not empty."""
        if not self.values:
            return 0.0
        return len({repr(value) for value in self.values}) / len(self.values)

    @property
    def mean_length(self) -> float:
        """Mean length of the values as text, in characters."""
        if not self.values:
            return 0.0
        return sum(len(str(value)) for value in self.values) / len(self.values)

    @property
    def name(self) -> str:
        """Last part of the path, without case and punctuation."""
        return plain_name(self.path.rpartition(".")[2])


def plain_name(name: str) -> str:
    """Return a field name without case, blanks and punctuation: `Question Stem` → questionstem."""
    return re.sub(r"[\W_]+", "", name).lower()


def measure_fields(records: Sequence[Mapping[str, Any]]) -> dict[str, FieldStatistics]:
    """Measure every field of the records, nested ones by dotted path, in order of appearance."""
    statistics: dict[str, FieldStatistics] = {}
    for record in records:
        for path, kind, value in _leaves(record, "", 0):
            entry = statistics.get(path)
            if entry is None:
                if len(statistics) >= MAX_PATHS:
                    continue
                entry = statistics[path] = FieldStatistics(path)
            if kind:
                entry.kinds[kind] += 1
                entry.values.append(value)
    for entry in statistics.values():
        entry.n_records = len(records)
    return statistics


def _leaves(record: Mapping[str, Any], prefix: str, depth: int) -> Iterable[tuple[str, str, Any]]:
    for key, value in record.items():
        path = f"{prefix}{key}"
        kind = _kind(value, str(key))
        if kind == "record" and depth < MAX_DEPTH:
            yield from _leaves(value, f"{path}.", depth + 1)
        else:
            yield path, kind, value


def _kind(value: Any, key: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        if not value.strip():
            return ""
        listed = as_list(value)
        return _list_kind(listed) if listed and len(listed) > 1 else "text"
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, Mapping):
        return _mapping_kind(value, key)
    if isinstance(value, list | tuple):
        return _list_kind(list(value))
    return "other"


def _mapping_kind(value: Mapping[str, Any], key: str) -> str:
    if not value:
        return ""
    scores = list(value.values())
    are_numbers = all(isinstance(score, int | float) for score in scores)
    is_target = all(score in (0, 1) for score in scores) or bool(_TARGET_NAME.search(key))
    return "targets" if are_numbers and len(scores) > 1 and is_target else "record"


def _list_kind(values: list[Any]) -> str:
    if not values:
        return ""
    if all(isinstance(value, str) for value in values):
        return "texts"
    if all(isinstance(value, Mapping) for value in values):
        is_chat = all("content" in value and ("role" in value) for value in values)
        return "messages" if is_chat else "objects"
    if all(isinstance(value, int | float) for value in values):
        return "numbers"
    return "list"
