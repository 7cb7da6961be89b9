"""Files of concept labels: JSON, CSV, Parquet and text."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from benchdesign.benchmarks.formats.compression import COMPRESSIONS
from benchdesign.benchmarks.formats.spreadsheet_formulas import guard_formula, unguard_formula
from benchdesign.benchmarks.formats.text_content import open_content
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.labels.labels import UNCLEAR, ConceptLabel, clean_label
from benchdesign.errors import InputError
from benchdesign.foundation.atomic_files import write_atomically

__all__ = ["read_labels", "write_labels"]


_MAX_LABEL_BYTES = 128 << 20
"""Maximum size of a label file in bytes, decompressed: ten times the largest dictionary's."""


_ID_FIELDS = ("concept_id", "concept", "id", "index", "feature", "latent")


_LABEL_FIELDS = ("label", "description", "explanation", "name")


def read_labels(
    path: Path,
    dictionary: Dictionary,
    *,
    source: str | None = None,
    level: str | None = None,
    max_bytes: int = _MAX_LABEL_BYTES,
) -> tuple[ConceptLabel, ...]:
    """Read labels from CSV, TSV, JSON, JSON lines (compressed or not) or a Neuronpedia export.

    A row names its concept by id, or by level and index within the level; `level` is the default
    level. Of several Neuronpedia explanations, the first is used. A row without a label whose
    `flag` is "unclear" marks a concept whose contexts have nothing in common. Raise if the file is
    larger than `max_bytes`, decompressed.
    """
    labels: dict[int, ConceptLabel] = {}
    for place, record in _records(path, max_bytes=max_bytes):
        label = _read_one(record, place, dictionary, source=source, level=level)
        if label is None:
            continue
        if label.concept_id in labels:
            if label.source == "neuronpedia":
                continue
            raise InputError(f"{place}: concept {label.concept_id} already has a label; keep one.")
        labels[label.concept_id] = label
    if not labels:
        raise InputError(f"{path}: contains no labels; add columns concept_id and label.")
    return tuple(labels[concept] for concept in sorted(labels))


def write_labels(labels: Sequence[ConceptLabel], path: Path) -> None:
    """Write labels atomically as CSV for `read_labels`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["concept_id", "label", "label_source", "label_score", "area", "flag"])
    for label in labels:
        score = "" if label.score is None else f"{label.score:.4f}"
        flag = UNCLEAR if label.unclear else ""
        texts = (guard_formula(text or "") for text in (label.label, label.source))
        writer.writerow([label.concept_id, *texts, score, guard_formula(label.area or ""), flag])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.getvalue())


def _records(path: Path, *, max_bytes: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (place, record) of every row."""
    name = path.name.lower()
    for suffix in COMPRESSIONS:
        name = name.removesuffix(suffix)
    kind = name.rpartition(".")[2]
    if kind not in ("csv", "tsv", "json", "jsonl", "ndjson"):
        raise InputError(f"{path}: not a label format; use .csv, .tsv, .json or .jsonl.")
    content = open_content(path)
    if content.size > max_bytes:
        raise InputError(
            f"{path}: larger than {max_bytes >> 20} MB; split it and run --from once per part."
        )
    newline = "" if kind in ("csv", "tsv") else "\n"
    with (
        content.open() as stream,
        io.TextIOWrapper(cast("io.BufferedReader", stream), "utf-8-sig", newline=newline) as text,
    ):
        try:
            if kind in ("csv", "tsv"):
                yield from _from_table(path, text, delimiter="," if kind == "csv" else "\t")
            elif kind == "json":
                yield from _from_text(str(path), text.read())
            else:
                for number, line in enumerate(text, 1):
                    if not line.isspace():
                        yield from _from_text(f"{path}:{number}", line)
        except UnicodeDecodeError as problem:
            raise InputError(f"{path}: cannot be read ({problem}); save it as UTF-8.") from None


def _from_table(
    path: Path, text: Iterable[str], *, delimiter: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    rows = csv.DictReader(text, delimiter=delimiter)
    try:
        for row in rows:
            cells = {
                str(key): unguard_formula(cell) if isinstance(cell, str) else cell
                for key, cell in row.items()
            }
            yield f"{path}:{rows.line_num}", cells
    except csv.Error as problem:
        raise InputError(f"{path}:{rows.line_num}: not a table ({problem}).") from None


def _from_text(place: str, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as problem:
        raise InputError(
            f"{place}: not JSON ({problem.msg}, line {problem.lineno}); fix the file."
        ) from None
    except (ValueError, RecursionError) as problem:
        raise InputError(f"{place}: not usable JSON ({problem}); fix the file.") from None
    yield from _from_json(place, value)


def _from_json(place: str, value: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, dict) and isinstance(value.get("explanations"), list):
        value = value["explanations"]
    if isinstance(value, list):
        for number, entry in enumerate(value):
            if not isinstance(entry, dict):
                raise InputError(f"{place}: entry {number} is not an object; see --help.")
            yield f"{place}: entry {number}", entry
    elif isinstance(value, dict) and value and all(key.isdecimal() for key in value):
        for key, entry in value.items():
            record = entry if isinstance(entry, dict) else {"label": entry}
            yield f"{place}: concept {key}", {"concept_id": key, **record}
    elif isinstance(value, dict):
        yield place, value
    else:
        raise InputError(f"{place}: must be a list or an object; see --help.")


def _read_one(
    record: Mapping[str, Any],
    place: str,
    dictionary: Dictionary,
    *,
    source: str | None,
    level: str | None,
) -> ConceptLabel | None:
    key = next((name for name in _ID_FIELDS if record.get(name) not in (None, "")), None)
    if key is None:
        raise InputError(f"{place}: names no concept; add a column concept_id.")
    number = _parse_id(record[key], f"{place}: {key}")
    level_name = _text(record, ("level",), place) or level
    concept = number
    width = dictionary.n_concepts
    if level_name is not None and key != "concept_id":
        levels = {entry.name: entry for entry in dictionary.levels}
        if level_name not in levels:
            raise InputError(f"{place}: no level {level_name!r}; use one of {', '.join(levels)}.")
        concept, width = levels[level_name].offset + number, levels[level_name].width
    if not 0 <= number < width:
        raise InputError(f"{place}: no concept {number}; ids are 0 to {width - 1}.")
    text = _text(record, _LABEL_FIELDS, place)
    area = _text(record, ("area",), place)
    flag = record.get("flag") or None
    if flag not in (None, UNCLEAR):
        raise InputError(f"{place}: unknown flag {flag!r}; only {UNCLEAR!r} is allowed.")
    if flag and text:
        raise InputError(f"{place}: has a label and the flag {UNCLEAR!r}; remove one of the two.")
    if text is None and area is None and flag is None and "label" not in record:
        return None
    label = clean_label(text) if text else None
    origin = _text(record, ("label_source",), place) or source
    if origin is None:
        origin = "neuronpedia" if "modelId" in record else "file"
    return ConceptLabel(
        concept,
        label or None,
        origin,
        _score(record.get("label_score"), place),
        clean_label(area) if area else None,
        unclear=flag is not None,
    )


def _parse_id(value: object, place: str) -> int:
    """Parse a concept id; raise for a fraction or a boolean."""
    if isinstance(value, str | int) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise InputError(f"{place} {str(value)[:40]!r} is not a whole number.")


def _text(record: Mapping[str, Any], names: Sequence[str], place: str) -> str | None:
    """Return the first field that is not empty."""
    name = next((name for name in names if record.get(name)), None)
    if name is None:
        return None
    if not isinstance(record[name], str):
        raise InputError(f"{place}: {name} is not a string; fix the file.")
    return str(record[name])


def _score(value: Any, place: str) -> float | None:
    if value in (None, ""):
        return None
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        score = float(value)
        if math.isnan(score):
            return None
        if 0 <= score <= 1:
            return score
    raise InputError(f"{place}: label_score must be a number from 0 to 1.")
