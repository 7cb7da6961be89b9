"""Labels of concepts: read from files, put into a dictionary.

A label is short text a designer can read; where it came from and how well it picks out its
concept are kept beside it. How labels are made is in the `label_*` modules.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchdesign.dictionary import ConceptTable, Dictionary
from benchdesign.errors import InputError
from benchdesign.formats.formulas import guarded, unguarded
from benchdesign.mapping.change import store_changed
from benchdesign.text import display

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
    path: Path, dictionary: Dictionary, *, source: str | None = None, level: str | None = None
) -> tuple[ConceptLabel, ...]:
    """Read labels from CSV, TSV, JSON, JSON lines (gzip or not) or a Neuronpedia export.

    A row names its concept by id, or by level and index within it; `level` says which level the
    rows mean that name none. Of several Neuronpedia explanations the first counts. A row without a
    label whose `flag` is "unclear" says that the concept has no meaning that can be named.
    """
    found: dict[int, ConceptLabel] = {}
    for place, record in _records(path):
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
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text.getvalue(), encoding="utf-8")
    temporary.replace(path)


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


def _records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (place, record) of every row."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise InputError(f"{path}: cannot be read ({reason}); check the file.") from None
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".csv", ".tsv")):
        rows = csv.DictReader(
            io.StringIO(text, newline=""), delimiter="\t" if name.endswith(".tsv") else ","
        )
        try:
            for row in rows:
                yield (
                    f"{path}:{rows.line_num}",
                    {
                        str(key): unguarded(value) if isinstance(value, str) else value
                        for key, value in row.items()
                    },
                )
        except csv.Error as problem:
            raise InputError(f"{path}:{rows.line_num}: not a table ({problem}).") from None
        return
    if name.endswith((".jsonl", ".ndjson")):
        lines = [
            (f"{path}:{n}", line) for n, line in enumerate(text.split("\n"), 1) if line.strip()
        ]
    elif name.endswith(".json"):
        lines = [(str(path), text)]
    else:
        raise InputError(f"{path}: not a format for labels; use .csv, .tsv, .json or .jsonl.")
    for place, line in lines:
        try:
            value = json.loads(line)
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
    try:
        number = int(record[key])
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{place}: {key} {record[key]!r} is not a whole number.") from None
    named = record.get("level") or level
    concept = number
    width = dictionary.n_concepts
    if named is not None and key != "concept_id":
        levels = {one.name: one for one in dictionary.levels}
        if named not in levels:
            raise InputError(f"{place}: no level {named!r}; there is {', '.join(levels)}.")
        concept, width = levels[str(named)].offset + number, levels[str(named)].width
    if not 0 <= number < width:
        raise InputError(f"{place}: there is no concept {number}; there are {width}.")
    text = next((record[name] for name in _LABEL_FIELDS if record.get(name)), None)
    area = record.get("area") or None
    flag = record.get("flag") or None
    if flag not in (None, UNCLEAR):
        raise InputError(f"{place}: flag {flag!r} is not known; only {UNCLEAR!r} can be given.")
    if flag and text:
        raise InputError(f"{place}: a concept with a label is not {UNCLEAR}; give one of the two.")
    if text is None and area is None and flag is None and "label" not in record:
        return None
    label = clean_label(str(text)) if text else None
    origin = record.get("label_source") or source
    if origin is None:
        origin = "neuronpedia" if "modelId" in record else "file"
    try:
        score = float(record["label_score"]) if record.get("label_score") else None
    except (TypeError, ValueError):
        raise InputError(f"{place}: label_score is not a number.") from None
    return ConceptLabel(
        concept,
        label or None,
        str(origin),
        score,
        clean_label(str(area)) if area else None,
        unclear=flag is not None,
    )
