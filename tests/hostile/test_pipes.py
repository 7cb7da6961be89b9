"""A named pipe where a file should be is told of at once: opening one waits for its writer."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from benchdesign.errors import BenchdesignError
from benchdesign.foundation.paths import read_regular
from tests.hostile.faults import finished
from tests.hostile.processes import Ended, command, warm_up

SECONDS = 600.0
TASK = "include: other.yaml\n"


@pytest.fixture(scope="module")
def finished_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    warm_up()
    return finished(tmp_path_factory.mktemp("made"))


@pytest.fixture
def folder(finished_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished_folder, tmp_path / "here")


@contextmanager
def pipe(path: Path) -> Iterator[Path]:
    """Make a pipe that gets a writer after a while, so that what waits for one fails in the end."""
    os.mkfifo(path)

    def write() -> None:
        with suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))

    writer = threading.Timer(SECONDS, write)
    writer.start()
    try:
        yield path
    finally:
        writer.cancel()


def ask(folder: Path, *arguments: str) -> Ended:
    ended = command(folder, *arguments).wait(seconds=SECONDS)
    assert (ended.out, ended.is_one_line) == ("", True), ended.err
    return ended


@pytest.mark.process
@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "animals.jsonl", "--template", "pipe"),
        ("check", "animals.jsonl", "--baseline", "pipe"),
        ("run", "task.yaml", "-q"),
    ],
)
def test_pipe_that_is_named_is_refused(arguments: tuple[str, ...], folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    os.mkfifo(folder / "other.yaml")
    (folder / "task.yaml").write_text(TASK)
    ended = ask(folder, *arguments)
    assert (ended.code, "not a regular file" in ended.err) == (2, True), ended.err


@pytest.mark.process
def test_settings_file_that_is_a_pipe_is_refused(folder: Path) -> None:
    os.mkfifo(folder / "config.toml")
    ended = ask(folder, "run", "animals.jsonl", "-q")
    assert (ended.code, "not a regular file" in ended.err) == (2, True), ended.err


@pytest.mark.process
@pytest.mark.parametrize("name", ["workspace.json", "decisions.jsonl", "stages.json"])
def test_file_of_a_workspace_that_is_a_pipe_is_refused(name: str, folder: Path) -> None:
    workspace = next(folder.glob("*/workspace.json")).parent
    (workspace / name).unlink(missing_ok=True)
    os.mkfifo(workspace / name)
    ended = ask(folder, "proposals", workspace.name)
    assert (ended.code, f"{name}: " in ended.err, "not a regular file" in ended.err) == (
        1,
        True,
        True,
    ), ended.err


def test_results_file_of_lm_eval_that_is_a_pipe_is_passed_over(tmp_path: Path) -> None:
    from benchdesign.benchmarks.results.lm_eval import _model_of

    os.mkfifo(tmp_path / "results_2024-01-01T00-00-00.json")
    samples = tmp_path / "samples_a_2024-01-01T00-00-00.jsonl"
    samples.write_text("{}\n")
    assert _model_of(samples) == tmp_path.name


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.txt.gz", "corpus.parquet"])
def test_corpus_that_is_a_pipe_is_refused(name: str, tmp_path: Path) -> None:
    from benchdesign.concepts.training.corpus import CorpusReader

    message = rf"{name}: .*not a regular file"
    with pipe(tmp_path / name) as path, pytest.raises(BenchdesignError, match=message):
        CorpusReader.open(path)


@pytest.mark.parametrize("name", ["contexts.jsonl", "contexts.jsonl.gz"])
def test_contexts_that_are_a_pipe_are_refused(name: str, tmp_path: Path) -> None:
    from benchdesign.concepts.training.context_files import read_contexts

    message = rf"{name}: .*not a regular file"
    with pipe(tmp_path / name) as path, pytest.raises(BenchdesignError, match=message):
        list(read_contexts(path))


def test_config_of_a_level_that_is_a_pipe_is_refused(tmp_path: Path) -> None:
    from benchdesign.concepts.dictionaries.open import load_dictionary
    from tests.helpers import make_tiny_dictionary

    tiny = make_tiny_dictionary(tmp_path / "tiny", model=tmp_path / "model")
    (tiny / "terms" / "cfg.json").unlink()
    os.mkfifo(tiny / "terms" / "cfg.json")
    with pytest.raises(BenchdesignError, match=r"cfg\.json: .*not a regular file"):
        load_dictionary(tiny)


def test_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"a" * ((1 << 20) + 1))
    with pytest.raises(OSError, match="larger than 1 MB"):
        read_regular(tmp_path / "long", max_bytes=1 << 20)
