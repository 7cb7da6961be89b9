"""Read per-item results of models: lm-eval, Inspect and HELM logs, or plain tables.

Scores are numbers in [0, 1], booleans, or the letters C, I, P and N; any other value is an error.
Of several scores in a log the user chooses one: they are never mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchdesign.benchmarks.results.helm import HelmLogs
from benchdesign.benchmarks.results.inspect_logs import InspectLogs
from benchdesign.benchmarks.results.lm_eval import LmEvalLogs
from benchdesign.benchmarks.results.log_format import LogReader
from benchdesign.benchmarks.results.rows import ResultSet
from benchdesign.benchmarks.results.tables import read_table
from benchdesign.errors import FormatError
from benchdesign.foundation.paths import expand_home, is_folder, path_exists

__all__ = ["read_results"]

LOG_READERS: tuple[LogReader, ...] = (LmEvalLogs(), HelmLogs(), InspectLogs())
"""The first that claims a file reads it; other files are read as tables."""


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
    for reader in LOG_READERS:
        if reader.claims(path):
            return reader.read(path, model=model)
    if path.name.startswith("results_") and path.suffix == ".json":
        raise FormatError(
            f"{path}: contains averages only. Use the folder with the samples_*.jsonl, or run "
            "lm-eval again with --log_samples."
        )
    return read_table(path, model=model, metrics=metrics)


def _read_folder(folder: Path, model: str | None, metrics: Sequence[str]) -> ResultSet:
    """Read all logs in a folder and its subfolders; without any, read the folder as a table."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    choices = [(reader, reader.choose(files)) for reader in LOG_READERS]
    if not any(chosen.paths for _, chosen in choices):
        return read_table(folder, model=model, metrics=metrics)
    sets = []
    for reader, chosen in choices:
        sets.append(ResultSet((), notes=chosen.notes))
        sets += [reader.read(path, model=model) for path in chosen.paths]
    return ResultSet.join_sets(sets)
