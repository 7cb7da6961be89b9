"""Per-item results of models: lm-eval, Inspect and HELM logs, or plain tables.

Scores are numbers in [0, 1], booleans, or the letters C, I, P and N; any other value is an error.
Of several scores in a log the user chooses one: they are never mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchdesign.benchmarks.results.helm import is_helm_stats, read_helm
from benchdesign.benchmarks.results.inspect_logs import is_inspect_log, read_inspect_log
from benchdesign.benchmarks.results.lm_eval import is_lm_eval_samples, latest_samples, read_lm_eval
from benchdesign.benchmarks.results.rows import ResultSet
from benchdesign.benchmarks.results.tables import read_table
from benchdesign.errors import FormatError
from benchdesign.foundation.paths import expand_home, is_folder, path_exists

__all__ = ["read_results"]


def read_results(
    *paths: str | Path, model: str | None = None, metrics: Sequence[str] = ()
) -> ResultSet:
    """Read files and folders of results in any known format; `MODEL=FILE` names the model."""
    sets = []
    for argument in paths:
        name, path = (model, Path(argument)) if model else _split_name(argument)
        sets.append(_read_path(expand_home(path), name, metrics))
    return ResultSet.join_sets(sets)


def _split_name(argument: str | Path) -> tuple[str | None, Path]:
    name, sign, path = str(argument).partition("=")
    if not sign or not name or not path or path_exists(argument):
        return None, Path(argument)
    return name, Path(path)


def _read_path(path: Path, model: str | None, metrics: Sequence[str]) -> ResultSet:

    if is_folder(path):
        return _read_folder(path, model, metrics)
    if is_helm_stats(path):
        return read_helm(path, model=model)
    if is_inspect_log(path):
        return read_inspect_log(path, model=model)
    if is_lm_eval_samples(path):
        return read_lm_eval(path, model=model)
    if path.name.startswith("results_") and path.suffix == ".json":
        raise FormatError(
            f"{path}: contains averages only. Use the folder with the samples_*.jsonl, or run "
            "lm-eval again with --log_samples."
        )
    return read_table(path, model=model, metrics=metrics)


def _read_folder(folder: Path, model: str | None, metrics: Sequence[str]) -> ResultSet:
    """Read all logs in a folder and its subfolders; without any, read the folder as a table."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    newest, notes = latest_samples([file for file in files if file.name.startswith("samples_")])
    sets = [ResultSet((), notes=notes), *(read_lm_eval(file, model=model) for file in newest)]
    sets += [read_helm(file, model=model) for file in files if is_helm_stats(file)]
    for file in files:
        if file.suffix.lower() in {".eval", ".json"} and is_inspect_log(file):
            sets.append(read_inspect_log(file, model=model))
    if len(sets) == 1:
        return read_table(folder, model=model, metrics=metrics)
    return ResultSet.join_sets(sets)
