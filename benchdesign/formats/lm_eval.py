"""Logs of the lm-evaluation-harness: `samples_<task>_<time>.jsonl`, one line an item and filter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchdesign.errors import FormatError
from benchdesign.formats.files import open_content
from benchdesign.formats.jsonl import JsonLines
from benchdesign.formats.result_rows import ResultRow, ResultSet
from benchdesign.regular import read_regular_text

__all__ = ["is_lm_eval_samples", "latest_samples", "read_lm_eval"]

_SAMPLES = re.compile(
    r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT[\d.:-]+)\.jsonl(?:\.\w+)?\Z", re.DOTALL
)
_RESULTS = re.compile(r"results_(?P<time>\d{4}-\d\d-\d\dT[\d.:-]+)\.json\Z")


def is_lm_eval_samples(path: Path) -> bool:
    """Say whether a file is one of samples, by its name or its first line."""
    if _SAMPLES.match(path.name):
        return True
    if not {".jsonl", ".ndjson"} & {suffix.lower() for suffix in path.suffixes}:
        return False
    first = next(iter(JsonLines(path, content=open_content(path)).records()), {})
    return {"doc_id", "doc", "arguments"} <= first.keys()


def latest_samples(paths: Sequence[Path]) -> tuple[list[Path], tuple[str, ...]]:
    """Return the newest run of each model and task, and a note for every older one."""
    newest: dict[tuple[Path, str], Path] = {}
    notes = []
    for path in sorted(paths, key=lambda one: (str(one.parent), _time_of(one), one.name)):
        found = _SAMPLES.match(path.name)
        key = (path.parent, found["task"] if found else path.name)
        if key in newest:
            notes.append(f"{newest[key]}: an older run of {path.name}; left out")
        newest[key] = path
    return sorted(newest.values()), tuple(notes)


def read_lm_eval(path: Path, *, model: str | None = None) -> ResultSet:
    """Read one file of samples; the model's name comes from the results beside it."""
    source = JsonLines(path, content=open_content(path))
    name = model or _model_of(path)
    rows = tuple(
        _read_line(record, source.place(number), name)
        for number, record in enumerate(source.records())
    )
    unreadable = tuple(
        one.message.removesuffix(" Skipped; a revision leaves it out.")
        for one in source.findings
        if one.kind == "skipped-row"
    )
    return ResultSet(rows, unreadable)


def _read_line(line: Mapping[str, Any], place: str, model: str) -> ResultRow:
    doc, number, names = line.get("doc"), line.get("doc_id"), line.get("metrics")
    if not isinstance(names, list):
        raise FormatError(
            f"{place}: names no metrics; write the samples with lm-eval 0.4.4 or newer "
            "(--log_samples)."
        )
    picked = line.get("filter")
    suffix = "" if picked in (None, "none") else f",{picked}"
    return ResultRow(
        model=model,
        place=place,
        scores={f"{one}{suffix}": line.get(str(one)) for one in names},
        row=number if isinstance(number, int) and not isinstance(number, bool) else None,
        record=doc if isinstance(doc, Mapping) else None,
        texts=tuple(_texts(line, doc)),
        answer=_answer(line),
    )


def _answer(line: Mapping[str, Any]) -> str:
    """Return what was generated, or of several continuations the likeliest; empty if unclear."""
    said, arguments = line.get("filtered_resps"), line.get("arguments")
    if not isinstance(said, list) or not said or not isinstance(arguments, Mapping):
        return ""
    if len(said) == 1:
        return said[0].strip() if isinstance(said[0], str) else ""
    likelihoods, texts = [], []
    for place, one in enumerate(said):
        request = arguments.get(f"gen_args_{place}")
        text = request.get("arg_1") if isinstance(request, Mapping) else None
        likelihood = one[0] if isinstance(one, list) and one else None
        if not isinstance(text, str) or not isinstance(likelihood, (str, float, int)):
            return ""
        try:
            likelihoods.append(float(likelihood))
        except ValueError:
            return ""
        texts.append(text.strip())
    # Where all continuations are alike the prompts differ, and no text names the answer.
    return texts[likelihoods.index(max(likelihoods))] if len(set(texts)) > 1 else ""


def _texts(line: Mapping[str, Any], doc: Any) -> Iterator[str]:
    """Yield what may be the question: texts of the record, then the prompt that was sent."""
    if isinstance(doc, str):
        yield doc
    if isinstance(doc, Mapping):
        yield from (value for value in doc.values() if isinstance(value, str))
    arguments = line.get("arguments")
    first = arguments.get("gen_args_0") if isinstance(arguments, Mapping) else None
    if isinstance(first, Mapping) and isinstance(first.get("arg_0"), str):
        yield first["arg_0"]


def _model_of(path: Path) -> str:
    """Return the model's name: from the run's results, else from the folder."""
    results = [one for one in path.parent.glob("results_*.json") if _RESULTS.match(one.name)]
    own = [one for one in results if _time_of(one) == _time_of(path)]
    for one in own or sorted(results, reverse=True):
        try:
            content = json.loads(read_regular_text(one))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(content, dict) and (name := _name_in(content)):
            return name
    return path.resolve().parent.name


def _name_in(results: Mapping[str, Any]) -> str | None:
    name = results.get("model_name")
    if not isinstance(name, str) or not name.strip():
        return None
    # A model read from disk is named by its folder; where that is, is nobody's business.
    return Path(name).name if Path(name).is_absolute() else name


def _time_of(path: Path) -> str:
    found = _SAMPLES.match(path.name) or _RESULTS.match(path.name)
    return found["time"] if found else ""
