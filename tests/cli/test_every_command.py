"""Every command once, in this process, on the smallest input it takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchdesign.cli import run_command
from tests.helpers import make_tiny_bert, make_tiny_dictionary
from tests.keywords import use_keywords, write_sets
from tests.test_docs import NAMES

LEVEL = "terms:hook=blocks.0.hook_resid_post,width=8,k=2,batch=16,passes=1"
DICTIONARY = ("--model", "model", "--device", "cpu", "--quiet")
COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("animals.jsonl", "--pool", "pool.jsonl", "--add", "4", "-q"),
    "open": ("animals-workspace",),
    "serve": ("animals-workspace", "--port", "0"),
    "coverage": ("animals.jsonl", "-q"),
    "models": ("animals.jsonl", "--results", "results.csv", "-q"),
    "proposals": ("animals-workspace",),
    "decide": ("animals-workspace", "--undo"),
    "export": ("animals-workspace", "--out", "out", "-q"),
    "check": ("animals.jsonl", "-q"),
    "demo": ("-q",),
    "config show": (),
    "dictionary train": ("corpus.jsonl", "--out", "trained", "--level", LEVEL, *DICTIONARY),
    "dictionary join": ("--level", "terms=tiny", "--level", "themes=tiny", "--out", "joined"),
    "dictionary measure": ("tiny", "corpus.jsonl", "--out", "measured", *DICTIONARY),
    "dictionary label": ("tiny", "--from", "labels.csv", "--out", "labelled"),
    "dictionary info": ("1", "--dictionary", "tiny"),
    "dictionary list": (),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the commands name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCHDESIGN_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("TEXTUAL_DRIVER", "none")
    write_sets(tmp_path)
    scores = "".join(f"b-{row},m,{row % 2}\n" for row in range(80))
    (tmp_path / "results.csv").write_text(f"item,model,score\n{scores}")
    (tmp_path / "labels.csv").write_text("concept_id,label\n1,cats\n")
    texts = [f"the cat number {row} is a dog of paris" for row in range(40)]
    rows = [{"text": text, "source": f"s{row % 4}"} for row, text in enumerate(texts)]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.training] if name == "dictionary train" else [])
        for name in NAMES
    ],
)
def test_command_ends_well(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name.startswith("dictionary "):
        make_tiny_dictionary(folder / "tiny", model=make_tiny_bert(folder / "model"))
    else:
        use_keywords(monkeypatch)
    if "animals-workspace" in COMMANDS[name]:
        assert run_command(["run", *COMMANDS["run"]]) == 0
    if name == "decide":
        item = json.loads((folder / "animals-revised/revision.json").read_text())["added"][0]
        assert run_command(["decide", "animals-workspace", item["pool_id"], "reject"]) == 0
    shown: list[str] = []
    for starter in ("interface.run_interface", "serve.LocalServer.serve"):
        monkeypatch.setattr(
            f"benchdesign.cli.actions.{starter}", lambda *_, **__: shown.append(name)
        )
    assert run_command([*name.split(), *COMMANDS[name]]) == 0
    assert shown == ([name] if name in ("open", "serve") else [])


def test_no_command_is_left_out() -> None:
    assert set(COMMANDS) == set(NAMES)
