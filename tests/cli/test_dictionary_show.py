"""`benchdesign dictionary info` and `list`, by their output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import WORDS, Run
from tests.helpers import make_tiny_dictionary, make_tiny_sae


def test_info_shows_a_concept_and_its_strongest_items(trained: Path, run: Run) -> None:
    (trained / "items.jsonl").write_text(
        "".join(json.dumps({"id": f"i{n}", "question": f"{word} seven?"}) + "\n"
                for n, word in enumerate(WORDS))
    )  # fmt: skip
    arguments = ("info", "--dictionary", trained / "dictionary", "--items", trained / "items.jsonl")
    facts = []
    for concept in range(24):
        code, out, _ = run(*arguments, concept, "--json", "--quiet", "--device", "cpu")
        assert code == 0
        facts.append(json.loads(out))
    concepts = [concept for concept in facts if concept["items"]]
    assert concepts
    best = concepts[0]["items"]
    assert [item["peak"] for item in best] == sorted((item["peak"] for item in best), reverse=True)
    assert "[" in best[0]["marked"]
    assert all(item["present"] == (item["peak"] >= concepts[0]["threshold"]) for item in best)
    code, out, _ = run(*arguments, concepts[0]["concept_id"], "--quiet", "--device", "cpu")
    assert code == 0
    assert "Strongest items" in out
    assert best[0]["id"] in out


def test_info_finds_concepts_by_their_label(trained: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("concept_id,label\n1,black cats\n3,white cats\n5,dogs\n")
    copy = tmp_path / "copy"
    code, *_ = run(
        "label", trained / "dictionary", "--from", tmp_path / "labels.csv", "--out", copy
    )
    assert code == 0
    code, out, _ = run("info", "cats", "--dictionary", copy)
    assert code == 0
    assert "black cats" in out
    assert "white cats" in out
    code, out, _ = run("info", "Dogs", "--dictionary", copy)
    assert "concept 5  dogs" in out
    assert "label        from file" in out
    code, _, err = run("info", "birds", "--dictionary", copy)
    assert code == 2
    assert "No label" in err
    code, _, err = run("info", "32", "--dictionary", copy)
    assert code == 2
    assert "There is no concept 32" in err
    code, _, err = run("info", " ", "--dictionary", copy)
    assert code == 2
    assert "Give the id" in err


def test_list_shows_the_builtin_and_the_registry(run: Run) -> None:
    code, out, _ = run("list", "--json")
    entries = json.loads(out)["dictionaries"]
    assert code == 0
    builtin = [entry for entry in entries if entry["spec"] == "builtin"]
    assert [entry["on_disk"] for entry in builtin] == [True, True]
    jumbled = [entry for entry in entries if entry["release"] == "gpt2-small-res-jb"]
    assert jumbled[8]["hook_point"] == "blocks.8.hook_resid_pre"
    assert jumbled[8]["on_disk"] is False


def test_list_says_what_each_release_reads(run: Run) -> None:
    code, out, _ = run("list", "--model", "gpt2")
    assert code == 0
    (line,) = [line.split() for line in out.split("\n") if line.startswith("gpt2-small-res-jb ")]
    assert line[:3] == ["gpt2-small-res-jb", "gpt2-small", "blocks.*.hook_resid_pre"]


def test_list_shows_the_saes_of_one_release(run: Run) -> None:
    code, out, _ = run("list", "--release", "gpt2-small-res-jb")
    assert code == 0
    assert "sae-lens:gpt2-small-res-jb/blocks.8.hook_resid_pre" in out
    code, _, err = run("list", "--release", "no-such-release")
    assert code == 2
    assert "not in the registry" in err


def test_list_knows_what_was_downloaded(run: Run, tmp_path: Path) -> None:
    from benchdesign.concepts.dictionaries.available_dictionaries import read_registry

    inside = tmp_path / "hub/models--jbloom--GPT2-Small-SAEs-Reformatted/snapshots/abc"
    (inside / "blocks.8.hook_resid_pre").mkdir(parents=True)
    entries = read_registry(hub_cache=tmp_path / "hub")
    assert [
        entry.spec for entry in entries if entry.on_disk and entry.release == "gpt2-small-res-jb"
    ] == ["sae-lens:gpt2-small-res-jb/blocks.8.hook_resid_pre"]


def test_list_names_what_is_in_the_caches_as_it_is_given(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchdesign.concepts.dictionaries import available_dictionaries
    from benchdesign.concepts.dictionaries.open import converted_name

    hub = tmp_path / "hub"
    monkeypatch.setattr(available_dictionaries, "_hub_cache", lambda: hub)
    make_tiny_dictionary(hub / "models--me--my-concepts/snapshots/abc", model=Path("m"))
    spec = "sae-lens:gpt2-small-res-jb/blocks.8.hook_resid_pre"
    store = tmp_path / "own-cache/dictionaries"
    metadata = {"model_name": "gpt2-small", "hook_name": "blocks.8.hook_resid_pre"}
    make_tiny_sae(store / converted_name(spec), metadata=metadata)
    (store / "cut-off").mkdir()
    public = hub / "models--me--saes/snapshots/abc"
    make_tiny_sae(public / "layer_1", metadata={"model_name": "gpt2-small", "hook_name": "h.1"})
    (public / "layer_2").mkdir()
    (public / "layer_2/cfg.json").write_text('{"d_in": 16}')
    make_tiny_sae(hub / "models--jbloom--GPT2-Small-SAEs-Reformatted/snapshots/abc/blocks.3")
    code, out, _ = run("list")
    assert code == 0
    table = out.split("\n\n")[0]
    assert [" ".join(line.split()) for line in table.strip().split("\n")[1:]] == [
        "builtin builtin blocks.4.hook_resid_post 4,096 yes",
        "builtin builtin blocks.5.hook_resid_post 512 yes",
        "hf:me/my-concepts m blocks.0.hook_resid_post 24 yes",
        "hf:me/my-concepts m blocks.1.hook_resid_post 8 yes",
        "hf:me/saes/layer_1 gpt2 h.1 24 yes",
        f"{spec} gpt2 blocks.8.hook_resid_pre 24 yes",
    ]
    code, out, _ = run("list", "--on-disk", "--json")
    assert len(json.loads(out)["dictionaries"]) == 6


def test_what_list_says_is_on_disk_is_opened_from_there(run: Run, tmp_path: Path) -> None:
    from benchdesign.concepts.dictionaries.open import converted_name

    spec = "sae-lens:gpt2-small-res-jb/blocks.8.hook_resid_pre"
    # The folder that BENCHDESIGN_CACHE names.
    make_tiny_sae(tmp_path / "own-cache/dictionaries" / converted_name(spec))
    code, out, _ = run("list", "--on-disk", "--json")
    assert code == 0
    assert spec in [entry["spec"] for entry in json.loads(out)["dictionaries"]]
    code, out, _ = run("info", "3", "--dictionary", spec, "--json")
    assert code == 0
    assert json.loads(out)["concept_id"] == 3


def test_help_has_an_example_for_every_command(run: Run) -> None:
    for command in ("train", "join", "label", "info", "list"):
        code, out, _ = run(command, "--help")
        assert code == 0
        assert f"benchdesign dictionary {command}" in out
