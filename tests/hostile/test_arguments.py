"""Names that can be no file, and numbers nothing has: one line that names them, exit code 2."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchdesign.cli import run_command
from benchdesign.errors import DictionaryError, FormatError
from tests.keywords import use_keywords, write_sets

LONG = "x" * 300
HUGE = "9" * 30
RUN = ("run", "animals.jsonl", "--pool", "pool.jsonl")
SUITE = ("coverage", "animals.jsonl", "pool.jsonl")
MODELS = ("models", "animals.jsonl", "--results", "results.csv")
NO_FILE = "no such file or folder"
NO_WORKSPACE = "not a workspace"
EMPTY = "a name is empty"
REFUSED = [
    ((*RUN, "--out", LONG), "cannot be used for a revision (File name too long)"),
    (("run", LONG), "File name too long"),
    (("run", "loop", "--pool", "pool.jsonl"), f"loop: {NO_FILE}"),
    (("run", "~nobody-of-that-name/a.jsonl"), NO_FILE),
    (("run", "animals.jsonl", "--pool", "loop"), NO_FILE),
    (("run", "animals.jsonl", "--pool", LONG), NO_FILE),
    ((*RUN, "--keep-out", LONG), NO_FILE),
    ((*RUN, "--weight", "model-gaps", "--results", LONG), NO_FILE),
    (("models", "animals.jsonl", "--results", LONG), "File name too long"),
    ((*MODELS, "--report", LONG), "cannot be used for a report"),
    ((*MODELS, "--report", "results.csv/x"), "is inside a file"),
    ((*MODELS, "--report", "loop"), "a broken symbolic link"),
    ((*MODELS, "--report", "report", "--force"), "models.html: is a folder"),
    ((*SUITE, "--report", LONG), "cannot be used for a report"),
    ((*SUITE, "--report", "results.csv/x"), "is inside a file"),
    (("run", ""), EMPTY),
    (("run", "animals.jsonl", "--pool", ""), EMPTY),
    ((*RUN, "--keep-out", ""), EMPTY),
    (("coverage", ""), EMPTY),
    (("coverage", "animals.jsonl", " "), EMPTY),
    (("check", "animals.jsonl", "--pool", ""), EMPTY),
    (("models", "animals.jsonl", "--results", ""), EMPTY),
    (("proposals", "nowhere"), NO_WORKSPACE),
    (("proposals", LONG), NO_WORKSPACE),
    (("proposals", "loop"), NO_WORKSPACE),
    (("export", "animals.jsonl"), NO_WORKSPACE),
    (("decide", "nowhere", "p-3", "accept"), NO_WORKSPACE),
    (("decide", "nowhere", "--undo"), NO_WORKSPACE),
    (("serve", "nowhere"), NO_WORKSPACE),
    (("serve", LONG), NO_WORKSPACE),
    ((*RUN, "--add", HUGE), "n_add is above"),
    ((*RUN, "--limit", HUGE), "limit is above"),
    ((*RUN, "--min-tokens", HUGE), "min_tokens is above"),
    ((*RUN, "--pin-concept", HUGE), "pins 0 is above"),
    ((*RUN, "--quota", f"fox={'9' * 5000}"), "not a whole number"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    use_keywords(monkeypatch)
    write_sets(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "results.csv").write_text("item,model,score\na-1,m,1\n")
    (tmp_path / "report" / "models.html").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("BENCHDESIGN_CONFIG", str(tmp_path / "config.toml"))
    return tmp_path


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_argument_that_can_be_nothing_is_refused(
    arguments: tuple[str, ...], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet = ("-q",) if arguments[0] in ("run", "coverage", "check", "models") else ()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        code = run_command((*arguments, *quiet))
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, ""), captured.err
    assert captured.err.startswith("benchdesign: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_workspace_that_is_damaged_is_no_wrong_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "damaged").mkdir()
    (folder / "damaged" / "workspace.json").write_text("{")
    assert run_command(("proposals", "damaged")) == 1
    assert "workspace.json: damaged" in capsys.readouterr().err


def test_folder_of_a_dictionary_or_model_may_be_named_anything() -> None:
    from benchdesign.concepts.dictionaries.open import load_dictionary
    from benchdesign.concepts.reference_model.model import portable_spec

    assert portable_spec(LONG) == LONG
    with pytest.raises(DictionaryError, match="no such dictionary"):
        load_dictionary(LONG)


def test_library_does_not_take_an_empty_name_for_the_folder_it_is_in(folder: Path) -> None:
    from benchdesign.benchmarks.load import load_benchmark

    with pytest.raises(FormatError, match="name is empty"):
        load_benchmark("")
