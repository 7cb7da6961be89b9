"""Commands run in this process, and a dictionary trained once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from benchdesign.cli import run_command
from tests.helpers import KeptFolder, make_tiny_bert
from tests.keywords import use_keywords, write_sets


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Result]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command beside `animals.jsonl` and `pool.jsonl`, through the keyword mapper."""
    use_keywords(monkeypatch)
    write_sets(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("BENCHDESIGN_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("BENCHDESIGN_WHO", "ann")

    def run(*arguments: str) -> Result:
        capsys.readouterr()
        code = run_command(arguments)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def kept_run(tmp_path_factory: pytest.TempPathFactory) -> KeptFolder:
    """The two sets, what a run left beside them, and the cache it filled."""

    def fill(folder: Path) -> None:
        write_sets(folder)
        with pytest.MonkeyPatch.context() as patch:
            use_keywords(patch)
            patch.chdir(folder)
            patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
            patch.setenv("BENCHDESIGN_CACHE", str(folder / "own-cache"))
            patch.setenv("BENCHDESIGN_CONFIG", str(folder / "config.toml"))
            patch.setenv("BENCHDESIGN_WHO", "ann")
            run = ["run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "20", "-q"]
            assert run_command(run) == 0

    return KeptFolder(tmp_path_factory.mktemp("run"), fill)


@pytest.fixture
def finished(command: Command, kept_run: KeptFolder, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command where `benchdesign run` has been."""
    folder = kept_run.restore()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("BENCHDESIGN_CACHE", str(folder / "own-cache"))
    return command


def one_line(text: str) -> bool:
    return text.startswith("benchdesign: ") and text.count("\n") == 1


WORDS = ("cat", "dog", "house", "river", "stone", "music", "number", "seven", "market", "garden")


LEVELS = (
    "terms:hook=blocks.0.hook_resid_post,width=24,k=3,batch=64,passes=2",
    "themes:hook=blocks.1.hook_resid_post,width=8,k=2,batch=32,passes=4",
)


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command; returns its code, standard output and standard error."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = run_command(["dictionary", *(str(argument) for argument in arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model, a corpus, a trained dictionary and its contexts."""
    folder = tmp_path_factory.mktemp("made")
    make_tiny_bert(folder / "model")
    random = np.random.default_rng(0)
    rows = [
        {"text": " ".join(random.choice(WORDS, size=12)) + ".", "source": f"s{n % 5}"}
        for n in range(120)
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run_command(train_arguments(folder, folder / "dictionary")) == 0
    return folder


def train_arguments(folder: Path, out: Path, *more: str) -> list[str]:
    """The command that trains the tiny dictionary."""
    levels = [argument for level in LEVELS for argument in ("--level", level)]
    return [
        *("dictionary", "train", str(folder / "corpus.jsonl"), "--out", str(out), *levels),
        *("--model", str(folder / "model"), "--device", "cpu", "--quiet"),
        *("--contexts", str(folder / "contexts.jsonl.gz"), *more),
    ]
