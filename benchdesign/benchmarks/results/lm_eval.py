"""lm-evaluation-harness logs: `samples_<task>_<time>.jsonl`, one line per item and filter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchdesign.benchmarks.formats.json_lines import JsonLines
from benchdesign.benchmarks.formats.text_content import open_content
from benchdesign.benchmarks.results.log_format import ChosenFiles
from benchdesign.benchmarks.results.rows import ResultRow, ResultSet
from benchdesign.errors import FormatError
from benchdesign.foundation.paths import read_regular_text

__all__ = ["LmEvalLogs"]

_SAMPLES = re.compile(
    r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT[\d.:-]+)\.jsonl(?:\.\w+)?\Z", re.DOTALL
)
_RESULTS = re.compile(r"results_(?P<time>\d{4}-\d\d-\d\dT[\d.:-]+)\.json\Z")


class LmEvalLogs:
    """Logs of lm-eval."""

    def claims(self, path: Path) -> bool:
        """Whether a file has lm-eval samples, by its name or its first line."""
        return _is_samples(path)

    def choose(self, paths: Sequence[Path]) -> ChosenFiles:
        """Choose the newest run of each model and task, with a note on each older one."""
        return _newest_runs([path for path in paths if path.name.startswith("samples_")])

    def read(self, path: Path, *, model: str | None) -> ResultSet:
        """Read one file of samples; the results file beside it has the model's name."""
        return _read_samples(path, model=model)


def _is_samples(path: Path) -> bool:
    if _SAMPLES.match(path.name):
        return True
    if not {".jsonl", ".ndjson"} & {suffix.lower() for suffix in path.suffixes}:
        return False
    first = next(iter(JsonLines(path, content=open_content(path)).records()), {})
    return {"doc_id", "doc", "arguments"} <= first.keys()


def _newest_runs(paths: Sequence[Path]) -> ChosenFiles:
    newest: dict[tuple[Path, str], Path] = {}
    notes = []
    for path in sorted(paths, key=lambda path: (str(path.parent), _time_of(path), path.name)):
        match = _SAMPLES.match(path.name)
        key = (path.parent, match["task"] if match else path.name)
        if key in newest:
            notes.append(f"{newest[key]}: older run of {path.name}; ignored")
        newest[key] = path
    return ChosenFiles(sorted(newest.values()), tuple(notes))


def _read_samples(path: Path, *, model: str | None) -> ResultSet:
    source = JsonLines(path, content=open_content(path))
    name = model or _model_of(path)
    rows = tuple(
        _read_line(record, source.place(number), name)
        for number, record in enumerate(source.records())
    )
    unreadable = tuple(
        finding.message.removesuffix(" Skipped; a revision leaves it out.")
        for finding in source.findings
        if finding.kind == "skipped-row"
    )
    return ResultSet(rows, unreadable)


def _read_line(line: Mapping[str, Any], place: str, model: str) -> ResultRow:
    doc, number, names = line.get("doc"), line.get("doc_id"), line.get("metrics")
    if not isinstance(names, list):
        raise FormatError(
            f"{place}: no metrics. Log the samples with lm-eval 0.4.4 or newer (--log_samples)."
        )
    filter_name = line.get("filter")
    suffix = "" if filter_name in (None, "none") else f",{filter_name}"
    return ResultRow(
        model=model,
        place=place,
        scores={f"{metric}{suffix}": line.get(str(metric)) for metric in names},
        row=number if isinstance(number, int) and not isinstance(number, bool) else None,
        record=doc if isinstance(doc, Mapping) else None,
        texts=tuple(_texts(line, doc)),
        answer=_answer(line),
    )


def _answer(line: Mapping[str, Any]) -> str:
    """Return the generated text, or the likeliest of several continuations; empty if unclear."""
    responses, arguments = line.get("filtered_resps"), line.get("arguments")
    if not isinstance(responses, list) or not responses or not isinstance(arguments, Mapping):
        return ""
    if len(responses) == 1:
        return responses[0].strip() if isinstance(responses[0], str) else ""
    likelihoods, texts = [], []
    for index, response in enumerate(responses):
        request = arguments.get(f"gen_args_{index}")
        text = request.get("arg_1") if isinstance(request, Mapping) else None
        likelihood = response[0] if isinstance(response, list) and response else None
        if not isinstance(text, str) or not isinstance(likelihood, (str, float, int)):
            return ""
        try:
            likelihoods.append(float(likelihood))
        except ValueError:
            return ""
        texts.append(text.strip())
    # With equal continuations it is the prompts that differ: none of them is the answer.
    return texts[likelihoods.index(max(likelihoods))] if len(set(texts)) > 1 else ""


def _texts(line: Mapping[str, Any], doc: Any) -> Iterator[str]:
    """Yield candidates for the question: texts of the record, then the prompt that was sent."""
    if isinstance(doc, str):
        yield doc
    if isinstance(doc, Mapping):
        yield from (value for value in doc.values() if isinstance(value, str))
    arguments = line.get("arguments")
    first = arguments.get("gen_args_0") if isinstance(arguments, Mapping) else None
    if isinstance(first, Mapping) and isinstance(first.get("arg_0"), str):
        yield first["arg_0"]


def _model_of(path: Path) -> str:
    """Return the model's name from the results file, or from the folder."""
    results = [file for file in path.parent.glob("results_*.json") if _RESULTS.match(file.name)]
    same_run = [file for file in results if _time_of(file) == _time_of(path)]
    for file in same_run or sorted(results, reverse=True):
        try:
            content = json.loads(read_regular_text(file))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(content, dict) and (name := _name_in(content)):
            return name
    return path.resolve().parent.name


def _name_in(results: Mapping[str, Any]) -> str | None:
    name = results.get("model_name")
    if not isinstance(name, str) or not name.strip():
        return None
    # Use only the last part of a local path: reports should not reveal the folders of a machine.
    return Path(name).name if Path(name).is_absolute() else name


def _time_of(path: Path) -> str:
    match = _SAMPLES.match(path.name) or _RESULTS.match(path.name)
    return match["time"] if match else ""
