"""HELM runs: `per_instance_stats.json`, with texts from `instances.json` beside it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchdesign.benchmarks.formats.text_content import open_content
from benchdesign.benchmarks.results.log_format import ChosenFiles
from benchdesign.benchmarks.results.rows import ResultRow, ResultSet
from benchdesign.errors import FormatError

__all__ = ["HelmLogs"]

_STATS_NAME = "per_instance_stats.json"

_BOOKKEEPING = re.compile(
    r"num_|inference_|training_|batch_size|finish_reason|max_prob|logprob|perplexity|bits_per"
    r"|estimated_|references_|truncated|prompt_|completion_|output_|predicted_index|ece_"
)
"""Prefixes of stats that are no scores (counts, times, costs), though some lie in [0, 1]."""


class _Scores(NamedTuple):
    """Scores of one instance in one trial, one per metric."""

    place: str
    values: dict[str, Any]


class HelmLogs:
    """Stats of HELM."""

    def claims(self, path: Path) -> bool:
        """Whether a file has the name of HELM stats per instance."""
        return path.name.startswith(_STATS_NAME)

    def choose(self, paths: Sequence[Path]) -> ChosenFiles:
        """Choose the stats."""
        return ChosenFiles([path for path in paths if self.claims(path)])

    def read(self, path: Path, *, model: str | None) -> ResultSet:
        """Read the stats of one run without perturbed instances; each trial is a repeat."""
        return _read_stats(path, model=model)


def _read_stats(path: Path, *, model: str | None) -> ResultSet:
    entries = _read_json(path)
    if not isinstance(entries, list):
        raise FormatError(f"{path}: not a list of stats per instance. Check the file.")
    name = model or _model_of(path)
    texts = _texts_of(path.parent)
    # A metric that occurs again in the same trial gets another row, which is counted as a repeat.
    scores_by_key: dict[tuple[str, str], list[_Scores]] = defaultdict(list)
    n_perturbed = 0
    for number, entry in enumerate(entries):
        place = f"{path}: record {number + 1}"
        if not isinstance(entry, Mapping) or "instance_id" not in entry:
            raise FormatError(f"{place}: no instance_id. Check that HELM wrote the file.")
        if entry.get("perturbation"):
            n_perturbed += 1
            continue
        key = (str(entry["instance_id"]), str(entry.get("train_trial_index", 0)))
        scores = scores_by_key[key] or [_Scores(f"{place} ({key[0]})", {})]
        scores_by_key[key] = scores
        for metric, value in _scores_of(entry.get("stats")):
            unused = next((entry for entry in scores if metric not in entry.values), None)
            if unused is None:
                unused = _Scores(f"{place} ({key[0]})", {})
                scores.append(unused)
            unused.values[metric] = value
    rows = []
    for key, scores in scores_by_key.items():
        text, choices = texts.get(key[0], ("", ()))
        rows += [
            ResultRow(
                model=name,
                place=entry.place,
                scores=entry.values,
                ids=(key[0],),
                texts=(text,) if text else (),
                choices=choices,
                repeat=key[1],
            )
            for entry in scores
        ]
    notes = (f"{path}: {n_perturbed} perturbed instances left out",) if n_perturbed else ()
    return ResultSet(tuple(rows), notes=notes)


def _scores_of(stats: Any) -> Iterator[tuple[str, Any]]:
    for stat in stats if isinstance(stats, list) else ():
        name = stat.get("name") if isinstance(stat, Mapping) else None
        if not isinstance(name, Mapping) or name.get("perturbation"):
            continue
        metric = str(name.get("name"))
        if not _BOOKKEEPING.match(metric):
            yield metric, stat.get("mean")


def _texts_of(folder: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return question and choices of each unperturbed instance; empty without the file."""
    path = folder / "instances.json"
    if not path.is_file():
        return {}
    texts = {}
    instances = _read_json(path)
    for instance in instances if isinstance(instances, list) else ():
        if isinstance(instance, Mapping) and not instance.get("perturbation"):
            references = instance.get("references")
            outputs = references if isinstance(references, list) else ()
            choices = tuple(filter(None, map(_output_text, outputs)))
            texts[str(instance.get("id"))] = (_text_in(instance.get("input")), choices)
    return texts


def _output_text(reference: Any) -> str:
    return _text_in(reference.get("output")) if isinstance(reference, Mapping) else ""


def _text_in(value: Any) -> str:
    text = value.get("text") if isinstance(value, Mapping) else value
    return text if isinstance(text, str) else ""


def _model_of(path: Path) -> str:
    """Return the model's name from `run_spec.json`, or from the folder's name."""
    spec_path = path.parent / "run_spec.json"
    if spec_path.is_file():
        spec = _read_json(spec_path)
        adapter = spec.get("adapter_spec") if isinstance(spec, Mapping) else None
        name = adapter.get("model") if isinstance(adapter, Mapping) else None
        if isinstance(name, str) and name.strip():
            return name
    folder = path.resolve().parent.name
    match = re.search(r"(?:\A|[:,])model=([^,]+)", folder)
    return match[1] if match else folder


def _read_json(path: Path) -> Any:
    text = open_content(path).text()
    try:
        return json.loads(text)
    except RecursionError:
        raise FormatError(f"{path}: nested too deeply. Check the file.") from None
    except ValueError as error:
        reason = str(error).split(";")[0]
        raise FormatError(f"{path}: not JSON ({reason}). Check the file.") from None
