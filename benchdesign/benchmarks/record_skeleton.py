"""The shape of a benchmark's records, into which added items are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchdesign.benchmarks.fields.answer_styles import label_like, list_like
from benchdesign.benchmarks.fields.inline_choices import letter, strip_letters
from benchdesign.benchmarks.fields.values import LABEL_KEYS, TEXT_KEYS, as_list, as_text
from benchdesign.benchmarks.items import Benchmark

__all__ = [
    "answer_scores",
    "choice_objects",
    "lettered_choices",
    "mapped_paths",
    "record_skeleton",
    "separated_choices",
]


def mapped_paths(benchmark: Benchmark) -> set[str]:
    """Return the paths of all fields that have a role."""
    mapping = benchmark.mapping
    paths = {mapping.prompt, mapping.context, mapping.answer, mapping.id, mapping.category}
    paths |= {mapping.source, mapping.licence}
    paths.update((mapping.choices or "").split(","))
    return {path for path in paths if path is not None}


def record_skeleton(sample: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return an empty record with the keys that most records have, in their order."""
    counts: Counter[str] = Counter(key for record in sample for key in record)
    order = max(sample, key=len, default={})
    keys = [key for key in order if counts[key] * 2 > len(sample)]
    empty: dict[str, Any] = {}
    for key in keys:
        values = [record[key] for record in sample if record.get(key) is not None]
        texts = sum(isinstance(value, str) for value in values)
        inner = [value for value in values if isinstance(value, Mapping)]
        scored = [value for value in inner if _is_scores(value)]
        if inner and len(inner) == len(values) and len(scored) < len(inner):
            empty[key] = record_skeleton(inner)
        elif values and texts == len(values) and any(record.get(key) == "" for record in sample):
            empty[key] = ""
        else:
            empty[key] = None
    return empty


def _is_scores(value: Mapping[str, Any]) -> bool:
    return bool(value) and all(isinstance(score, int | float) for score in value.values())


def answer_scores(sample: Any, choices: Sequence[str], answer_index: int | None) -> Any:
    """Return choices with scores, 1 for the key; None without a key or with equal choices."""
    if answer_index is None or len(set(choices)) != len(choices):
        return None
    scores = list(sample.values()) if isinstance(sample, Mapping) else []
    right, wrong = (1.0, 0.0) if any(isinstance(score, float) for score in scores) else (1, 0)
    return {choice: right if at == answer_index else wrong for at, choice in enumerate(choices)}


def choice_objects(sample: Sequence[Any], choices: Sequence[str]) -> list[dict[str, Any]]:
    """Return choices as objects with the keys of the sample's."""
    first = sample[0] if sample and isinstance(sample[0], Mapping) else {"text": ""}
    label_key = next((key for key in LABEL_KEYS if key in first), None)
    if label_key is not None and not any(key in first for key in TEXT_KEYS if key != label_key):
        label_key = None
    text_key = next((key for key in TEXT_KEYS if key in first and key != label_key), "text")
    labels = [as_text(option.get(label_key)) for option in sample if isinstance(option, Mapping)]
    written = []
    for at, choice in enumerate(choices):
        entry: dict[str, Any] = dict.fromkeys(first)
        entry[text_key] = choice
        if label_key is not None:
            label: Any = label_like(labels, at)
            entry[label_key] = int(label) if isinstance(first[label_key], int) else label
        written.append(entry)
    return written


def lettered_choices(sample: Sequence[Any], choices: Sequence[str]) -> list[str]:
    """Return choices with markers in the sample's style, such as `(A) `."""
    raw = as_text(sample[0]) if sample else "(A) "
    stripped = strip_letters([as_text(choice) for choice in sample])
    marker = raw[: len(raw) - len(stripped[0])] if stripped else "(A) "
    label = next((character for character in marker if character.isalnum()), "A")
    written = []
    for at, choice in enumerate(choices):
        if label.isdigit():
            name = str(int(label) + at)
        else:
            name = letter(at) if label.isupper() else letter(at).lower()
        written.append(marker.replace(label, name, 1) + choice)
    return written


def separated_choices(sample: Any, choices: Sequence[str]) -> Any:
    """Join choices as the sample cell does; None if a choice contains the separator."""
    listed = as_list(sample)
    if listed is not None or not isinstance(sample, str):
        return list_like(sample, list(choices))
    separators = ("; ", ";", " | ", "|", "\n", " / ")
    separator = next((separator for separator in separators if separator in sample), "; ")
    if any(separator.strip(" ") in choice for choice in choices):
        return None
    return separator.join(choices)
