"""`benchdesign dictionary train` and `measure`, by its output and its exit status."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchdesign.cli import run_command
from tests.cli.conftest import Run, train_arguments


def test_train_writes_a_complete_dictionary(trained: Path) -> None:
    from benchdesign.concepts.dictionaries.open import load_dictionary

    dictionary = load_dictionary(trained / "dictionary")
    assert [(level.name, level.unit, level.width) for level in dictionary.levels] == [
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
