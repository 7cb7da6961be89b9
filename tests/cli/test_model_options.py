"""The options that choose how the reference model is read reach it from every command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchdesign.cli import run_command
from tests.helpers import make_tiny_bert, make_tiny_sae

COMMANDS = (
    ("run", "items.jsonl"),
    ("coverage", "items.jsonl"),
    ("check", "items.jsonl", "--max-missing", "3"),
    ("models", "items.jsonl", "--results", "results.csv"),
    ("dictionary", "info", "3", "--items", "items.jsonl"),
    ("dictionary", "measure", "sae", "items.jsonl", "--out", "measured", "--text-field", "prompt"),
)


@pytest.fixture
def input_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a model, an SAE for it, items and results on them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    make_tiny_bert(tmp_path / "model")
    metadata = {"model_name": str(tmp_path / "model"), "hook_name": "blocks.0.hook_resid_post"}
    make_tiny_sae(tmp_path / "sae", metadata=metadata)
    rows = [{"id": str(n), "prompt": f"The cat saw {n} dogs in the house."} for n in range(8)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    scores = "".join(f"{n},m,{n % 2}\n" for n in range(8))
    (tmp_path / "results.csv").write_text("item,model,score\n" + scores)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--hook-module", "no.such.module", "has no module 'no"),
        ("--dtype", "int3", "not one of float32"),
        ("--device", "warp", "does not exist"),
    ],
)
def test_a_value_the_model_lacks_is_one_line(
    command: tuple[str, ...],
    option: str,
    value: str,
    message: str,
    input_files: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    where = () if "measure" in command else ("--dictionary", "sae")
    code = run_command([*command, *where, "--quiet", option, value])
    captured = capsys.readouterr().err
    assert (code, captured.count("\n")) == (2, 1)
    assert message in captured


def test_a_module_named_by_hand_is_read(
    input_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items_by_module = []
    for more in ((), ("--hook-module", "encoder.layer.0"), ("--hook-module", "encoder.layer.1")):
        command = ("dictionary", "info", "3", "--items", "items.jsonl", "--dictionary", "sae")
        assert run_command([*command, "--json", "--quiet", *more]) == 0
        items_by_module.append(json.loads(capsys.readouterr().out)["items"])
    assert items_by_module[0] == items_by_module[1] != items_by_module[2]
