"""Every place where bytes from outside are parsed, as a function of those bytes.

Each takes an empty folder and any bytes, and may only return or raise one of our own errors. The
fuzzer runs them for minutes, the tests on what it found.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.benchmarks.write import write_benchmark
from benchdesign.errors import BenchdesignError
from tests.hostile.cases import lines

Entry = Callable[[Path, bytes], None]

RECORD = {
    "question": "What is 2+2?",
    "choices": ["three", "four", "A"],
    "n": 4,
    "x": 0.5,
    "meta": {"topic": "maths", "tags": ["a", "b"]},
    "none": None,
}


class NotIdenticalError(Exception):
    """What was written back reads differently."""


def items_in(name: str) -> Entry:
    """Load a file of items of that name; what loads must write back and load as the same."""

    def entry(folder: Path, data: bytes) -> None:
        path = folder / name
        path.write_bytes(data)
        load_and_write_back(path)

    return entry


def load_and_write_back(path: Path) -> None:
    benchmark = load_benchmark(path)
    out = path.parent / f"out{benchmark.source.suffix}"
    write_benchmark(benchmark, out, keep=range(len(benchmark)))
    again = load_benchmark(out)
    if any(finding.kind == "skipped-row" for finding in benchmark.findings):
        # Without the rows that could not be read a file may look like another kind of table.
        return
    if [item.text for item in again] != [item.text for item in benchmark]:
        raise NotIdenticalError("texts")
    if [repr(again.record(item)) for item in again] != [
        repr(benchmark.record(item)) for item in benchmark
    ]:
        raise NotIdenticalError("records")


def task(folder: Path, data: bytes) -> None:
    """An lm-eval task file beside a data file."""
    (folder / "data.jsonl").write_bytes(lines(2))
    (folder / "a.yaml").write_bytes(data)
    load_and_write_back(folder / "a.yaml")


def saved_dataset(folder: Path, data: bytes) -> None:
    """A folder saved by `datasets`, described by the bytes."""
    name = "dataset_dict.json" if data[:1] == b"0" else "state.json"
    (folder / name).write_bytes(data[1:])
    (folder / "data.arrow").write_bytes(b"ARROW1")
    load_benchmark(folder)


_RESULTS = (
    "samples_task_2025-03-01T10-00-00.123456.jsonl",
    "a.eval",
    "a.json",
    "per_instance_stats.json",
    "a.csv",
    "a.jsonl",
    "instances.json",
    "run_spec.json",
)


def results(folder: Path, data: bytes) -> None:
    """A file of results; the first byte picks its kind."""
    from benchdesign.benchmarks.results.join import join_results
    from benchdesign.benchmarks.results.read_results import read_results

    name = _RESULTS[data[0] % len(_RESULTS)] if data else "a.csv"
    if name in {"instances.json", "run_spec.json"}:
        (folder / "per_instance_stats.json").write_text(
            '[{"instance_id": "q0", "stats": [{"name": {"name": "acc"}, "mean": 1}]}]'
        )
    (folder / name).write_bytes(data[1:])
    is_folder = bool(data) and data[0] % 16 >= len(_RESULTS)
    read = read_results(folder if is_folder else folder / name)
    (folder / "items.jsonl").write_bytes(lines(3))
    join_results(read, load_benchmark(folder / "items.jsonl"))


def template(folder: Path, data: bytes) -> None:
    """An item template."""
    from benchdesign.benchmarks.template import Template

    Template(data.decode("utf-8", "replace")).render(RECORD)


def _clock() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


@cache
def _workspace() -> Path:
    from benchdesign.workspace.workspace import Workspace

    folder = Path(tempfile.mkdtemp(prefix="benchdesign-fuzz-"))
    (folder / "a.jsonl").write_bytes(lines(3))
    with Workspace.create(folder / "project", folder / "a.jsonl", clock=_clock):
        pass
    return folder / "project"


_WORKSPACE_FILES = ("workspace.json", "decisions.jsonl", "stages.json", "ui.json", "config.toml")


def workspace(folder: Path, data: bytes) -> None:
    """A file of a workspace, or the person's settings; the first byte picks which."""
    from benchdesign.foundation.preferences import load_preferences
    from benchdesign.workspace.decisions import Subject
    from benchdesign.workspace.workspace import Workspace

    name = _WORKSPACE_FILES[data[0] % len(_WORKSPACE_FILES)] if data else "ui.json"
    for subfolder in ("maps", "results"):
        (folder / subfolder).mkdir()
    shutil.copy(_workspace() / "workspace.json", folder)
    (folder / name).write_bytes(data[1:])
    if name == "config.toml":
        load_preferences(environ={"BENCHDESIGN_CONFIG": str(folder / name)})
        return
    with Workspace.open(folder, access="child", clock=_clock) as opened:
        opened.stage_runs()
        opened.load_ui()
        log = opened.decisions
        for subject in Subject:
            log.standings(subject)
        n_steps = len(log)
        if log.undo() is not None:
            log.redo()
            log.decide(Subject.ADD, "x", next(iter(type(log.verdict(Subject.ADD, "x")))))
            again = type(log).from_file(log.path, who="", clock=_clock)
            if len(again) != n_steps + 3 or again.steps != log.steps:
                raise NotIdenticalError("decisions")


_DICTIONARY_FILES = (
    "dictionary.json",
    "terms/cfg.json",
    "terms/sae_weights.safetensors",
    "concepts.parquet",
    "labels.csv",
    "labels.json",
    "labels.jsonl",
    "labels.csv.gz",
)


@cache
def _dictionary() -> Path:
    from tests.helpers import make_tiny_dictionary

    folder = Path(tempfile.mkdtemp(prefix="benchdesign-fuzz-"))
    return make_tiny_dictionary(folder / "tiny", model=folder / "model")


def dictionary(folder: Path, data: bytes) -> None:
    """A file of a concept dictionary, or labels for it; the first byte picks which."""
    from benchdesign.concepts.dictionaries.open import load_dictionary
    from benchdesign.concepts.labels.label_files import read_labels
    from benchdesign.concepts.mapping.sae_folder import load_encoder

    name = _DICTIONARY_FILES[data[0] % len(_DICTIONARY_FILES)] if data else "dictionary.json"
    shutil.copytree(_dictionary(), folder, dirs_exist_ok=True)
    (folder / name).write_bytes(data[1:])
    opened = load_dictionary(folder)
    if name.startswith("labels"):
        read_labels(folder / name, opened)
    elif name.startswith("terms"):
        load_encoder(folder / "terms")


ENTRIES: dict[str, Entry] = {
    "JSON Lines": items_in("a.jsonl"),
    "JSON": items_in("a.json"),
    "CSV": items_in("a.csv"),
    "results": results,
    "template": template,
    "workspace": workspace,
    "Parquet": items_in("a.parquet"),
    "Arrow": items_in("a.arrow"),
    "task file": task,
    "dictionary": dictionary,
    "saved dataset": saved_dataset,
}


def run_entry(name: str, folder: Path, data: bytes) -> str:
    """Run one entry; say what was wrong with an error message, or nothing."""
    try:
        ENTRIES[name](folder, data)
    except BenchdesignError as error:
        message = str(error)
        if "\n" in message or "\r" in message:
            return f"message of several lines: {message!r}"
        if error.exit_code not in (1, 2):
            return f"exit code {error.exit_code}"
    return ""
