"""Labels of concepts: read from files, put into a dictionary.

A label is short text a designer can read; where it came from and how well it picks out its
concept are kept beside it. How labels are made is in the `label_*` modules.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from benchdesign.dictionary import ConceptTable, Dictionary
from benchdesign.errors import InputError
from benchdesign.formats.files import COMPRESSIONS, open_content
from benchdesign.formats.formulas import guarded, unguarded
from benchdesign.mapping.change import store_changed
from benchdesign.text import display
from benchdesign.whole_files import write_whole

__all__ = [
    "UNCLEAR",
    "ConceptLabel",
    "apply_labels",
    "clean_label",
    "read_labels",
    "shared_labels",
    "write_labels",
]

LONGEST_LABEL = 80

_LARGEST = 128 << 20
"""Bytes of labels, unpacked: ten times what the largest dictionary's take."""

UNCLEAR = "unclear"
"""Flag of a concept whose contexts were read and have nothing in common: nobody can mean it."""

_ID_FIELDS = ("concept_id", "concept", "id", "index", "feature", "latent")
_LABEL_FIELDS = ("label", "description", "explanation", "name")


@dataclass(frozen=True, slots=True)
class ConceptLabel:
    """A label for one concept."""

    concept_id: int
    label: str | None
    """None where the concept is marked unlabelled."""

    source: str | None
    """written, keywords, file, neuronpedia, model:<name>."""

    score: float | None = None
    """AUC, if it was measured."""

    area: str | None = None
    unclear: bool = False
    """Whoever read its contexts found nothing that they share."""


def clean_label(text: str) -> str:
    """Return a label as one short visible line."""
    line = " ".join(display(text, newline=" ").split()).strip(" .\"'")
    return line if len(line) <= LONGEST_LABEL else f"{line[: LONGEST_LABEL - 1].rstrip()}…"


def read_labels(
    path: Path,
    dictionary: Dictionary,
    *,
    source: str | None = None,
    level: str | None = None,
    most: int = _LARGEST,
) -> tuple[ConceptLabel, ...]:
    """Read labels from CSV, TSV, JSON, JSON lines (compressed or not) or a Neuronpedia export.

    A row names its concept by id, or by level and index within it; `level` says which level the
    rows mean that name none. Of several Neuronpedia explanations the first counts. A row without a
    label whose `flag` is "unclear" says that the concept has no meaning that can be named.
    A file over `most` bytes, unpacked, is refused.
    """
    found: dict[int, ConceptLabel] = {}
    for place, record in _records(path, most=most):
        made = _read_one(record, place, dictionary, source=source, level=level)
        if made is None:
            continue
        if made.concept_id in found:
            if made.source == "neuronpedia":
                continue
            raise InputError(f"{place}: concept {made.concept_id} has a label already; keep one.")
        found[made.concept_id] = made
    if not found:
        raise InputError(f"{path}: holds no labels; give columns concept_id and label.")
    return tuple(found[concept] for concept in sorted(found))


def write_labels(labels: Sequence[ConceptLabel], path: Path) -> None:
    """Write labels as CSV that `read_labels` reads, all or nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["concept_id", "label", "label_source", "label_score", "area", "flag"])
    for one in labels:
        score = "" if one.score is None else f"{one.score:.4f}"
        flag = UNCLEAR if one.unclear else ""
        texts = (guarded(text or "") for text in (one.label, one.source))
        writer.writerow([one.concept_id, *texts, score, guarded(one.area or ""), flag])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.getvalue())


def apply_labels(
    dictionary: Dictionary,
    labels: Sequence[ConceptLabel],
    folder: Path,
    *,
    only_missing: bool = False,
    overwrite: bool = False,
) -> Dictionary:
    """Write the dictionary with these labels to `folder` and return it.

    `folder` is the dictionary's own folder, or a new one that gets a copy of the weights.
    `only_missing` leaves concepts alone that have a label.
    """
    table = _relabelled(dictionary.table, labels, only_missing=only_missing)
    return store_changed(dictionary, folder, table=table, overwrite=overwrite)


def shared_labels(dictionary: Dictionary) -> dict[int, int]:
    """Return live concepts whose label others of their level have too, and how many have it.

    Two concepts of one name are not wrong, but a reader cannot tell them apart.
    """
    table = dictionary.table
    names = {
        concept: (int(table.level[concept]), label.casefold())
        for concept, label in enumerate(table.label)
        if label and not table.flags[concept]
    }
    counts = Counter(names.values())
    return {concept: counts[name] for concept, name in names.items() if counts[name] > 1}


def _relabelled(
    table: ConceptTable, labels: Sequence[ConceptLabel], *, only_missing: bool
) -> ConceptTable:
    label, source, area = list(table.label), list(table.label_source), list(table.area)
    flags = list(table.flags)
    score = table.label_score.copy()
    for one in labels:
        concept = one.concept_id
        if only_missing and label[concept]:
            continue
        if label[concept] != one.label or one.score is not None:
            # A score belongs to the words it was measured for.
            score[concept] = float("nan") if one.score is None else one.score
        label[concept], source[concept] = one.label, one.source if one.label else None
        area[concept] = one.area or area[concept]
        if one.label or one.unclear:
            flags[concept] = flags[concept] - {UNCLEAR} | ({UNCLEAR} if one.unclear else set())
    return replace(
        table,
        label=tuple(label),
        label_source=tuple(source),
        label_score=score,
        area=tuple(area),
        flags=tuple(flags),
    )


def _records(path: Path, *, most: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (place, record) of every row."""
    name = path.name.lower()
    for suffix in COMPRESSIONS:
        name = name.removesuffix(suffix)
    kind = name.rpartition(".")[2]
    if kind not in ("csv", "tsv", "json", "jsonl", "ndjson"):
        raise InputError(f"{path}: not a format for labels; use .csv, .tsv, .json or .jsonl.")
    content = open_content(path)
    if content.size > most:
        raise InputError(f"{path}: over {most >> 20} MB; give its labels in several (--from).")
    ends = "" if kind in ("csv", "tsv") else "\n"
    with (
        content.open() as stream,
        io.TextIOWrapper(cast("io.BufferedReader", stream), "utf-8-sig", newline=ends) as text,
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
                str(key): unguarded(cell) if isinstance(cell, str) else cell
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
        for number, one in enumerate(value):
            if not isinstance(one, dict):
                raise InputError(f"{place}: entry {number} is not an object; see --help.")
            yield f"{place}: entry {number}", one
    elif isinstance(value, dict) and value and all(key.isdecimal() for key in value):
        for key, one in value.items():
            record = one if isinstance(one, dict) else {"label": one}
            yield f"{place}: concept {key}", {"concept_id": key, **record}
    elif isinstance(value, dict):
        yield place, value
    else:
        raise InputError(f"{place}: neither a list nor an object; see --help.")


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
    number = _whole(record[key], f"{place}: {key}")
    named = _text(record, ("level",), place) or level
    concept = number
    width = dictionary.n_concepts
    if named is not None and key != "concept_id":
        levels = {one.name: one for one in dictionary.levels}
        if named not in levels:
            raise InputError(f"{place}: no level {named!r}; there is {', '.join(levels)}.")
        concept, width = levels[named].offset + number, levels[named].width
    if not 0 <= number < width:
        raise InputError(f"{place}: there is no concept {number}; there are {width}.")
    text = _text(record, _LABEL_FIELDS, place)
    area = _text(record, ("area",), place)
    flag = record.get("flag") or None
    if flag not in (None, UNCLEAR):
        raise InputError(f"{place}: flag {flag!r} is not known; only {UNCLEAR!r} can be given.")
    if flag and text:
        raise InputError(f"{place}: a concept with a label is not {UNCLEAR}; give one of the two.")
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


def _whole(value: object, place: str) -> int:
    """Return an id; a number with a fraction or a truth value is none."""
    if isinstance(value, str | int) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise InputError(f"{place} {str(value)[:40]!r} is not a whole number.")


def _text(record: Mapping[str, Any], names: Sequence[str], place: str) -> str | None:
    """Return the first of some fields that says anything."""
    name = next((name for name in names if record.get(name)), None)
    if name is None:
        return None
    if not isinstance(record[name], str):
        raise InputError(f"{place}: {name} is not a text; fix the file.")
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
    raise InputError(f"{place}: label_score is not a number from 0 to 1.")
