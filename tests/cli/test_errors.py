"""What every command says of bad input, and of what nobody foresaw."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command, one_line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run",), "Missing argument"),
        (("run", "gone.jsonl"), "gone.jsonl: no such file"),
        (("run", "animals.jsonl", "--add", "-1"), "--add"),
        (("run", "animals.jsonl", "--field", "prompt"), "NAME=VALUE"),
        (("run", "animals.jsonl", "--field", "promt=question"), "unknown name"),
        (("run", "animals.jsonl", "--quota", "fox=many"), "not a whole number"),
        (("run", "animals.jsonl", "--template", "gone.j2"), "gone.j2: cannot be read"),
        (("run", "animals.jsonl", "--fdr", "2"), "fdr is 2"),
        (("run", "animals.jsonl", "--format", "pdf"), "--format pdf: not one of jsonl"),
        (("run", "animals.jsonl", "--split", "test"), "no 'test'. Omit --split"),
        (("run", "animals.jsonl", "--pool", "./animals.jsonl"), "is the benchmark itself"),
        (("run", "animals.jsonl", "--keep-out", "gone.csv"), "--keep-out gone.csv: no such file"),
        (
            ("run", "animals.jsonl", "--min-tokens", "9", "--max-tokens", "3"),
            "minimum length 9 is greater than the maximum 3",
        ),
        (("run", "animals.jsonl", "--pin", "p-3", "--exclude", "p-3"), "pinned and excluded"),
        (
            ("run", "animals.jsonl", "--pin-concept", "2", "--exclude-concept", "2"),
            "Concept 2 is both pinned and excluded",
        ),
        (("run", "animals.jsonl", "--scope-examples", "gone.jsonl"), "gone.jsonl: no such file"),
        (("run", "animals.jsonl", "--scope-cutoff", "1.5"), "for '--scope-cutoff'"),
        (("run", "animals.jsonl", "--frobnicate"), "No such option"),
        (("frobnicate",), "No such command"),
        (("coverage", "gone.jsonl"), "gone.jsonl"),
        (("models", "animals.jsonl", "--results", "gone.csv"), "gone.csv"),
        (("check", "animals.jsonl", "--baseline", "gone.json"), "gone.json: cannot be read"),
        (("check", "animals.jsonl", "--baseline", "pool.jsonl"), "not a revision.json"),
        (("decide", "nowhere"), "Give an item and a verdict"),
        (("open", "gone.jsonl"), "terminal"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    command: Command, arguments: tuple[str, ...], message: str
) -> None:
    result = command(*arguments, *(["-q"] if arguments[0] in ("run", "coverage") else []))
    assert result.code == 2
    assert message in result.err
    assert result.err.splitlines()[-1].startswith("benchdesign: ")
    assert result.out == ""


@pytest.mark.parametrize("arguments", [(), ("config",), ("dictionary",)])
def test_no_command_shows_the_help_line_by_line(
    command: Command, arguments: tuple[str, ...]
) -> None:
    result = command(*arguments)
    assert result.code == 2
    assert "\nCommands:\n" in result.err


def test_bad_input_leaves_no_workspace_behind(command: Command) -> None:
    Path("broken.jsonl").write_text("{", "utf-8")
    assert command("run", "broken.jsonl", "-q").code == 2
    assert not Path("broken-workspace").exists()


def test_an_unforeseen_error_is_one_line_with_a_log(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(**_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("benchdesign.cli.actions.preferences.config_job", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = command("config", "show")
    assert result.code == 1
    assert one_line(result.err)
    (log,) = tmp_path.glob("benchdesign-*.log")
    assert "ZeroDivisionError: oops" in log.read_text("utf-8")


def test_a_full_disk_that_nobody_foresaw_is_one_line(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for named, lead in ((), "Nothing can"), (("/full/file",), "/full/file: Nothing can"):

        def fail(named: tuple[str, ...] = named, **_: object) -> None:
            raise OSError(28, "No space left on device", *named)

        monkeypatch.setattr("benchdesign.cli.actions.preferences.config_job", fail)
        result = command("config", "show")
        assert (result.code, result.out) == (1, "")
        assert one_line(result.err)
        assert result.err.startswith(f"benchdesign: {lead} be written")
        assert "No space left on device" in result.err


def test_preferences_are_shown_with_their_origin(command: Command) -> None:
    Path("config.toml").write_text('theme = "nord"\n', "utf-8")
    preferences = command("config", "show", "--json").json
    assert preferences["who"] == {"value": "ann", "origin": "environment BENCHDESIGN_WHO"}
    assert preferences["theme"]["value"] == "nord"
    assert "nord" in command("config", "show").out


def test_hostile_ids_and_text_are_shown_as_pictures(command: Command) -> None:
    hostile = "\x1b]0;owned\x07 fox \u202e evil"
    with Path("pool.jsonl").open("a") as file:
        for row in range(30):
            record = {"id": f"{hostile}{row}", "question": f"{hostile} {row}?", "answer": "yes"}
            file.write(json.dumps(record) + "\n")
    command(
        *("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "70", "-q"),
        *("--require", "none"),
    )
    listed = command("proposals", "animals-workspace").out
    assert "owned" in listed
    assert "\x1b" not in listed
    assert "\u202e" not in listed


def test_version_is_printed(command: Command) -> None:
    assert command("--version").out.startswith("benchdesign 0.")
