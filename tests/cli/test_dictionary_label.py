"""`benchdesign dictionary label`, by its output and its exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchdesign.cli.actions import dictionary_label
from benchdesign.concepts.labels.score import Embedder
from tests.cli.conftest import WORDS, Run
from tests.concepts.test_labels import judge, label_all, serve


def test_key_words_label_a_copy_and_scores_come_along(
    trained: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchdesign.concepts.dictionaries.open import load_dictionary

    def embed(texts: list[str]) -> np.ndarray:
        return np.array(
            [[float(word in text) for word in WORDS] for text in texts], dtype=np.float32
        )

    monkeypatch.setattr(dictionary_label, "builtin_embedder", lambda **_: embed)
    code, out, _ = run(
        *(
            "label",
            trained / "dictionary",
            "--keywords",
            "--contexts",
            trained / "contexts.jsonl.gz",
        ),
        *("--score", "--out", tmp_path / "labelled", "--save", tmp_path / "labels.csv", "--json"),
    )
    summary = json.loads(out)
    assert code == 0
    assert summary["n_labelled"] > 0
    table = load_dictionary(tmp_path / "labelled").table
    assert {source for source in table.label_source if source} == {"keywords"}
    assert np.isfinite(table.label_score).sum() == summary["scores"]["n"] > 0
    assert load_dictionary(trained / "dictionary").table.label[0] is None
    assert "keywords" in (tmp_path / "labels.csv").read_text()


def test_labels_that_are_not_unique_are_counted(trained: Path, run: Run, tmp_path: Path) -> None:
    from benchdesign.concepts.dictionaries.open import load_dictionary

    flags = load_dictionary(trained / "dictionary").table.flags[:24]
    live = [concept for concept, found in enumerate(flags) if not found][:3]
    names = dict(zip(live, ("rivers", "Rivers", "stones"), strict=True))
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps({str(concept): name for concept, name in names.items()}))
    command = ("label", trained / "dictionary", "--from", labels, "--out")
    _, out, _ = run(*command, tmp_path / "one", "--json")
    assert json.loads(out)["n_not_unique"] == 2
    _, out, _ = run(*command, tmp_path / "two")
    assert "2 live concepts share their label with another concept of their level." in out


def test_labels_that_score_low_are_taken_away(
    trained: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchdesign.concepts.dictionaries.open import load_dictionary

    def nothing(**_: object) -> Embedder:
        return lambda texts: np.zeros((len(texts), 2), dtype=np.float32)

    monkeypatch.setattr(dictionary_label, "builtin_embedder", nothing)
    rows = "".join(f"{concept},zebras\n" for concept in range(32))
    (tmp_path / "labels.csv").write_text(f"concept_id,label\n{rows}")
    code, out, _ = run(
        *("label", trained / "dictionary", "--from", tmp_path / "labels.csv"),
        *("--contexts", trained / "contexts.jsonl.gz"),
        *("--score", "--drop-below", "0.55", "--out", tmp_path / "labelled"),
    )
    assert code == 0
    assert "dropped for a low score." in out
    table = load_dictionary(tmp_path / "labelled").table
    assert not np.isfinite(table.label_score).any()


def test_only_new_labels_are_scored_again(
    trained: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchdesign.concepts.dictionaries.open import load_dictionary

    asked: list[str] = []

    def embed(texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        return np.array(
            [[float(word in text) for word in WORDS] for text in texts], dtype=np.float32
        )

    monkeypatch.setattr(dictionary_label, "builtin_embedder", lambda **_: embed)
    folder = tmp_path / "labelled"
    contexts = ("--contexts", trained / "contexts.jsonl.gz")
    run("label", trained / "dictionary", "--keywords", *contexts, "--score", "--out", folder)
    before = load_dictionary(folder).table.label_score
    concept = int(np.flatnonzero(np.isfinite(before))[0])
    (tmp_path / "new.csv").write_text(f"concept_id,label\n{concept},rivers and stones\n")
    assert run("label", folder, "--from", tmp_path / "new.csv")[0] == 0
    assert np.isnan(load_dictionary(folder).table.label_score[concept])
    asked.clear()
    assert run("label", folder, "--score", "--only-missing", *contexts)[0] == 0
    assert asked[0] == "rivers and stones"
    assert not set(load_dictionary(folder).table.label) & set(asked[1:])
    after = load_dictionary(folder).table.label_score
    assert np.isfinite(after[concept])
    others = np.arange(len(after)) != concept
    assert np.array_equal(after[others], before[others], equal_nan=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give a source of labels"),
        (["--keywords"], "Give --contexts"),
        (["--keywords", "--neuronpedia", "auto"], "Give one of"),
        (["--endpoint", "http://localhost/v1"], "--endpoint and --llm go together"),
        (["--from", "labels.csv", "--judge"], "--judge needs"),
        (["--from", "labels.csv", "--drop-below", "0.5"], "--drop-below needs --score"),
        (["--neuronpedia", "auto"], "no Neuronpedia id in the metadata"),
    ],
)
def test_label_options_that_do_not_go_together(
    trained: Path, run: Run, arguments: list[str], message: str
) -> None:
    code, _, err = run("label", trained / "dictionary", *arguments)
    assert code == 2
    assert message in err


def test_a_model_is_not_asked_before_the_cost_is_agreed(trained: Path, run: Run) -> None:
    code, _, err = run(
        *("label", trained / "dictionary", "--contexts", trained / "contexts.jsonl.gz"),
        *("--endpoint", "http://127.0.0.1:9/v1", "--llm", "tiny"),
        *("--price-in", "1", "--price-out", "2"),
    )
    assert code == 2
    assert "requests: about" in err
    assert "at these prices" in err
    assert "Give --yes" in err


def test_a_stopped_run_of_a_model_pays_for_nothing_twice(
    trained: Path, run: Run, tmp_path: Path
) -> None:
    from benchdesign.concepts.dictionaries.open import load_dictionary

    n_answers = iter([3, 1000])
    left = [next(n_answers)]

    def reply(body: dict[str, Any]) -> tuple[int, object]:
        left[0] -= 1
        return label_all(body) if left[0] >= 0 else (401, {})

    folder = tmp_path / "labelled"
    with serve(reply) as (url, asked):
        arguments = (
            *("label", trained / "dictionary", "--out", folder, "--endpoint", url, "--llm", "tiny"),
            *("--contexts", trained / "contexts.jsonl.gz", "--per-request", "1", "--yes"),
        )
        code, _, err = run(*arguments)
        assert code == 1
        assert "401" in err
        assert not folder.exists()
        first = int(err.split(" ")[0])
        left[0] = next(n_answers)
        code, _, err = run(*arguments)
        assert code == 0
        assert int(err.split(" ")[0]) == first - 3
        n_asked = len(asked)
        assert run(*arguments, "--only-missing", "--force")[0] == 0
        assert len(asked) - n_asked == first
    table = load_dictionary(folder).table
    assert {source for source in table.label_source if source} == {"model:tiny"}
    assert not list(tmp_path.glob("*.labels.jsonl"))


def test_a_stopped_judge_is_paid_for_the_rest_only(trained: Path, run: Run, tmp_path: Path) -> None:
    contexts = ("--contexts", trained / "contexts.jsonl.gz")
    folder = tmp_path / "labelled"
    assert run("label", trained / "dictionary", "--out", folder, "--keywords", *contexts)[0] == 0
    left = [2]

    def reply(body: dict[str, Any]) -> tuple[int, object]:
        left[0] -= 1
        return judge(body) if left[0] >= 0 else (401, {})

    with serve(reply) as (url, _):
        arguments = (
            *("label", folder, "--score", "--judge", "--endpoint", url, "--llm", "tiny"),
            *(*contexts, "--yes"),
        )
        code, _, err = run(*arguments)
        assert code == 1
        first = int(err.split(" ")[0])
        left[0] = 1000
        code, _, err = run(*arguments)
        assert code == 0
        # Two requests, of four concepts and of the rest, race for the only answer.
        assert int(err.split(" ")[0]) in {first - 4, 4}
    assert not list(tmp_path.glob("*.labels.jsonl"))


def test_a_neuronpedia_export_is_for_the_level_named(
    trained: Path, run: Run, tmp_path: Path
) -> None:
    from benchdesign.concepts.dictionaries.open import load_dictionary

    export = [{"modelId": "m", "layer": "l", "index": "2", "description": "birds"}]
    (tmp_path / "export.json").write_text(json.dumps(export))
    code, out, _ = run(
        *("label", trained / "dictionary", "--from", tmp_path / "export.json"),
        *("--level", "themes", "--out", tmp_path / "labelled"),
    )
    assert code == 0
    assert out.startswith("1 concept labelled")
    table = load_dictionary(tmp_path / "labelled").table
    assert (table.label[26], table.label_source[26]) == ("birds", "neuronpedia")


def test_the_builtin_dictionary_is_not_labelled_in_place(run: Run, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("concept_id,label\n0,x\n")
    code, _, err = run("label", "builtin", "--from", tmp_path / "labels.csv")
    assert code == 2
    assert "--out DIR" in err
