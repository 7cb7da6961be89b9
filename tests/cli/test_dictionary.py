"""`benchdesign dictionary`, by its output and its exit status."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchdesign.cli import run_command
from benchdesign.cli.actions import dictionary_label
from benchdesign.concepts.labels.score import Embedder
from tests.concepts.test_labels import judge, label_all, serve
from tests.helpers import make_tiny_bert, make_tiny_dictionary, make_tiny_sae

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
        code = run_command(["dictionary", *(str(one) for one in arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
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


def test_train_writes_a_complete_dictionary(trained: Path) -> None:
    from benchdesign.concepts.dictionaries.open import load_dictionary

    dictionary = load_dictionary(trained / "dictionary")
    assert [(one.name, one.unit, one.width) for one in dictionary.levels] == [
        ("terms", "token", 24),
        ("themes", "passage", 8),
    ]
    assert dictionary.model == str(trained / "model")
    present = dictionary.table.threshold > 0
    dead = np.array(["dead" in flags for flags in dictionary.table.flags])
    assert np.array_equal(present, ~dead)
    assert np.nanmax(dictionary.table.base_rates) <= 1
    assert sorted(path.name for path in (trained / "dictionary").iterdir()) == [
        "concepts.parquet",
        "dictionary.json",
        "terms",
        "themes",
    ]
    assert not (trained / "dictionary.training").exists()


def test_no_corpus_text_is_in_the_dictionary(trained: Path) -> None:
    for path in (trained / "dictionary").rglob("*"):
        assert path.is_dir() or b"river" not in path.read_bytes()


def test_base_rates_are_those_of_the_mapped_corpus(trained: Path) -> None:
    from benchdesign.benchmarks.load import load_benchmark
    from benchdesign.concepts.mapping.map_items import map_items
    from benchdesign.concepts.mapping.open_mapper import open_mapper

    mapper = open_mapper(None, trained / "dictionary", device="cpu")
    corpus = load_benchmark(trained / "corpus.jsonl", fields={"prompt": "text"})
    concept_map = map_items(corpus.items, mapper)
    table = mapper.dictionary.table
    bins = mapper.dictionary.length_bins(concept_map.n_tokens)
    here = concept_map.presence(table.threshold).toarray()[bins == 2].mean(0)
    live = np.array([not flags & {"dead"} for flags in table.flags])
    # Half-precision activations may move a text across the threshold, never many.
    assert (bins == 2).sum() > 100
    np.testing.assert_allclose(here[live], table.base_rates[live, 2], atol=0.03)


def test_training_again_gives_the_same_bytes(trained: Path, tmp_path: Path) -> None:
    assert run_command(train_arguments(trained, tmp_path / "again")) == 0
    for path in (trained / "dictionary").rglob("*.*"):
        other = tmp_path / "again" / path.relative_to(trained / "dictionary")
        if path.name != "dictionary.json":  # its report holds how long it took
            assert path.read_bytes() == other.read_bytes()


def test_measuring_on_the_training_corpus_changes_nothing(
    trained: Path, run: Run, tmp_path: Path
) -> None:
    contexts = tmp_path / "contexts.jsonl.gz"
    code, out, _ = run(
        *("measure", trained / "dictionary", trained / "corpus.jsonl", "--out", tmp_path / "again"),
        *("--model", trained / "model", "--device", "cpu", "--contexts", contexts, "--json"),
    )
    assert code == 0
    assert json.loads(out)["corpus"]["n_texts"] == 120
    assert (tmp_path / "again/concepts.parquet").read_bytes() == (
        trained / "dictionary/concepts.parquet"
    ).read_bytes()
    assert contexts.read_bytes() == (trained / "contexts.jsonl.gz").read_bytes()


def test_measuring_gives_a_plain_sae_its_thresholds(
    trained: Path, run: Run, tmp_path: Path
) -> None:
    from benchdesign.concepts.dictionaries.open import load_dictionary

    plain = trained / "dictionary" / "terms"
    assert not load_dictionary(plain).table.threshold.any()
    code, out, _ = run(
        *("measure", plain, trained / "corpus.jsonl", "--out", tmp_path / "measured"),
        *("--model", trained / "model", "--device", "cpu"),
    )
    assert code == 0
    assert "Measured on" in out
    own = load_dictionary(trained / "dictionary").table
    np.testing.assert_array_equal(
        load_dictionary(tmp_path / "measured").table.threshold, own.threshold[:24]
    )


def test_a_plain_sae_folder_is_not_measured_in_place(
    trained: Path, run: Run, tmp_path: Path
) -> None:
    plain = shutil.copytree(trained / "dictionary" / "terms", tmp_path / "plain")
    code, _, err = run(
        *("measure", plain, trained / "corpus.jsonl", "--out", plain),
        *("--model", trained / "model", "--quiet"),
    )
    assert code == 2
    assert "add --out DIR" in err


def test_train_prints_its_report_as_json(trained: Path, run: Run, tmp_path: Path) -> None:
    code, out, _ = run(*train_arguments(trained, tmp_path / "json", "--json")[1:])
    report = json.loads(out)
    assert code == 0
    assert report["corpus"]["n_texts"] == 120
    assert [level["level"] for level in report["levels"]] == ["terms", "themes"]
    assert report["flags"]["terms"]["usable"] <= 24


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--level", "more:hook=blocks.7.hook_resid_post,width=8,k=2"], "2 layers"),
        (["--level", "more:hook=nonsense,width=8,k=2"], "nonsense"),
        (["--level", "terms:hook=blocks.0.hook_resid_post,width=8,k=2"], "same name"),
        (["--level", "more:width=8"], "missing hook, k"),
        (["--text-field", "body"], "corpus.jsonl:1: no text in field `body`"),
        (["--dtype", "float8"], "float8"),
        (["--precision", "int4"], "--precision"),
        (["--model", "/nowhere"], "/nowhere"),
        (["--contexts", "/dev/null/contexts.jsonl"], "/dev/null is not a folder"),
        (["--level", "more:hook=blocks.0.hook_resid_post,width=9000000000,k=2"], "are too few"),
        (["--max-tokens", "5"], "are too few"),
        (["--lr", "1e30", "--passes", "80"], "not finite"),
        (["--device", "warp"], "does not exist"),
        (
            ["--level", "more:hook=blocks.7.hook_resid_post,width=8,k=2"],
            "has 2 layers, so there is no 'blocks.7.hook_resid_post'. Choose a layer",
        ),
        (
            ["--level", "more:hook=encoder.layer.1.nothing,width=8,k=2"],
            "Set --level with hook= to one of its module paths",
        ),
        (
            ["--level", "more:hook=blocks.1.hook_resid_mid,width=8,k=2"],
            "for example hook=encoder.layer.1.mlp:in.",
        ),
    ],
)
def test_bad_training_input_is_one_line_and_writes_nothing(
    trained: Path, run: Run, tmp_path: Path, change: list[str], message: str
) -> None:
    code, out, err = run(*train_arguments(trained, tmp_path / "out", *change)[1:])
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.strip().split("\n")) == 1
    assert not (tmp_path / "out").exists()


def test_a_model_given_by_a_relative_path_is_found_from_anywhere(
    trained: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchdesign.concepts.dictionaries.open import load_dictionary
    from benchdesign.concepts.mapping.open_mapper import open_mapper

    monkeypatch.chdir(trained)
    out = tmp_path / "out"
    assert run(*train_arguments(trained, out, "--model", "./model")[1:])[0] == 0
    monkeypatch.chdir(tmp_path)
    assert load_dictionary(out).model == str(trained / "model")
    assert open_mapper(dictionary=out, device="cpu").dictionary.n_concepts == 32


def test_train_takes_device_auto(trained: Path, run: Run, tmp_path: Path) -> None:
    code, _, err = run(*train_arguments(trained, tmp_path / "out", "--device", "auto")[1:])
    assert (code, err) == (0, "")


def test_an_empty_corpus_is_one_line(trained: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    arguments = train_arguments(trained, tmp_path / "out")[1:]
    arguments[1] = str(tmp_path / "empty.jsonl")
    code, _, err = run(*arguments)
    assert code == 2
    assert "no text in" in err


def test_a_column_of_numbers_is_no_corpus(trained: Path, run: Run, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": [1, 2]}), tmp_path / "numbers.parquet")
    arguments = train_arguments(trained, tmp_path / "out")[1:]
    arguments[1] = str(tmp_path / "numbers.parquet")
    code, _, err = run(*arguments)
    assert code == 2
    assert "is int64, not text" in err


def test_only_a_dictionary_is_replaced(trained: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").write_text("mine")
    code, _, err = run(*train_arguments(trained, tmp_path / "out", "--force")[1:])
    assert code == 2
    assert "not a dictionary" in err
    (tmp_path / "labels.csv").write_text("concept_id,label\n0,x\n")
    code, _, err = run(
        *("label", trained / "dictionary", "--from", tmp_path / "labels.csv"),
        *("--out", tmp_path / "out", "--force"),
    )
    assert code == 2
    assert (tmp_path / "out/thesis.tex").read_text() == "mine"


def test_key_words_label_a_copy_and_scores_come_along(
    trained: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchdesign.concepts.dictionaries.open import load_dictionary

    def embed(texts: list[str]) -> np.ndarray:
        return np.array([[float(word in one) for word in WORDS] for one in texts], dtype=np.float32)

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
    assert {one for one in table.label_source if one} == {"keywords"}
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
        return np.array([[float(word in one) for word in WORDS] for one in texts], dtype=np.float32)

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
    assert {one for one in table.label_source if one} == {"model:tiny"}
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
    shown = [one for one in facts if one["items"]]
    assert shown
    best = shown[0]["items"]
    assert [one["peak"] for one in best] == sorted((one["peak"] for one in best), reverse=True)
    assert "[" in best[0]["marked"]
    assert all(one["present"] == (one["peak"] >= shown[0]["threshold"]) for one in best)
    code, out, _ = run(*arguments, shown[0]["concept_id"], "--quiet", "--device", "cpu")
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
    builtin = [one for one in entries if one["spec"] == "builtin"]
    assert [one["on_disk"] for one in builtin] == [True, True]
    jumbled = [one for one in entries if one["release"] == "gpt2-small-res-jb"]
    assert jumbled[8]["hook_point"] == "blocks.8.hook_resid_pre"
    assert jumbled[8]["on_disk"] is False


def test_list_says_what_each_release_reads(run: Run) -> None:
    code, out, _ = run("list", "--model", "gpt2")
    assert code == 0
    (line,) = [one.split() for one in out.split("\n") if one.startswith("gpt2-small-res-jb ")]
    assert line[:3] == ["gpt2-small-res-jb", "gpt2-small", "blocks.*.hook_resid_pre"]


def test_list_shows_the_saes_of_one_release(run: Run) -> None:
    code, out, _ = run("list", "--release", "gpt2-small-res-jb")
    assert code == 0
    assert "sae-lens:gpt2-small-res-jb/blocks.8.hook_resid_pre" in out
    code, _, err = run("list", "--release", "no-such-release")
    assert code == 2
    assert "not in the registry" in err


def test_list_knows_what_was_downloaded(run: Run, tmp_path: Path) -> None:
    from benchdesign.concepts.dictionaries.registry import read_registry

    inside = tmp_path / "hub/models--jbloom--GPT2-Small-SAEs-Reformatted/snapshots/abc"
    (inside / "blocks.8.hook_resid_pre").mkdir(parents=True)
    entries = read_registry(hub_cache=tmp_path / "hub")
    assert [one.spec for one in entries if one.on_disk and one.release == "gpt2-small-res-jb"] == [
        "sae-lens:gpt2-small-res-jb/blocks.8.hook_resid_pre"
    ]


def test_list_names_what_is_in_the_caches_as_it_is_given(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchdesign.concepts.dictionaries import registry
    from benchdesign.concepts.dictionaries.open import converted_name

    hub = tmp_path / "hub"
    monkeypatch.setattr(registry, "_hub_cache", lambda: hub)
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
    assert spec in [one["spec"] for one in json.loads(out)["dictionaries"]]
    code, out, _ = run("info", "3", "--dictionary", spec, "--json")
    assert code == 0
    assert json.loads(out)["concept_id"] == 3


def test_help_has_an_example_for_every_command(run: Run) -> None:
    for command in ("train", "join", "label", "info", "list"):
        code, out, _ = run(command, "--help")
        assert code == 0
        assert f"benchdesign dictionary {command}" in out
