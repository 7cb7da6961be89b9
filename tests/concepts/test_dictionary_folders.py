"""Dictionaries from a folder, the registry and the hub; damaged ones are refused in one line."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.dictionaries.folder import blank_table, save_dictionary
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.errors import DictionaryError, InputError
from tests.helpers import make_tiny_dictionary, make_tiny_sae

BUILTIN_FINGERPRINT = "3335be2debff9a3d0bb16fb229fd197842e18ad02babc29b6d94b30131135d58"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_tiny_dictionary(tmp_path / "tiny", model=tmp_path / "model")


def test_dictionary_comes_back_as_it_was_saved(folder: Path) -> None:
    opened = load_dictionary(folder)
    n = opened.n_concepts
    table = dataclasses.replace(
        blank_table(opened.levels, n_bins=3),
        threshold=np.linspace(0, 1, n, dtype=np.float32),
        base_rates=np.linspace(0, 1, 3 * n, dtype=np.float32).reshape(n, 3),
        flags=(frozenset({"dense", "dead"}), *[frozenset()] * (n - 1)),
        label=("ages", *[None] * (n - 1)),
        area=("people", *[None] * (n - 1)),
    )
    changed = dataclasses.replace(opened, table=table, length_edges=(16, 32))
    save_dictionary(changed, folder, recipe={"tokens": 5})
    again = load_dictionary(folder)
    assert again.length_edges == (16, 32)
    assert again.levels == opened.levels
    assert again.fingerprint == opened.fingerprint
    assert again.label(0) == "ages"
    assert again.kept_out(0) == "dead"
    assert again.table.area == table.area
    assert again.level_of(30).name == "themes"
    np.testing.assert_array_equal(again.table.threshold, table.threshold)
    np.testing.assert_array_equal(again.table.base_rates, table.base_rates)
    assert json.loads((folder / "dictionary.json").read_text("utf-8"))["recipe"] == {"tokens": 5}


def test_fingerprint_follows_weights_and_hook_points(folder: Path, tmp_path: Path) -> None:
    before = load_dictionary(folder).fingerprint
    copied = shutil.copytree(folder, tmp_path / "copy")
    assert load_dictionary(copied).fingerprint == before
    make_tiny_sae(copied / "terms", seed=9)
    assert load_dictionary(copied).fingerprint != before
    change(folder, lambda summary: summary["levels"][0].update(hook_point="blocks.1.hook_mlp_out"))
    assert load_dictionary(folder).fingerprint != before


def test_fingerprint_follows_what_is_folded_into_the_weights(folder: Path) -> None:
    without = load_dictionary(folder).fingerprint
    scaler = folder / "terms/activation_scaler.json"
    scaler.write_text('{"scaling_factor": 0.5}', "utf-8")
    halved = load_dictionary(folder).fingerprint
    scaler.write_text('{"scaling_factor": 2.0}', "utf-8")
    assert len({without, halved, load_dictionary(folder).fingerprint}) == 3
    scaler.unlink()
    assert load_dictionary(folder).fingerprint == without


@pytest.mark.parametrize(
    ("model_name", "model"),
    [
        ("gpt2-small", "gpt2"),
        ("gemma-2-2b", "google/gemma-2-2b"),
        ("pythia-70m-deduped", "EleutherAI/pythia-70m-deduped"),
        ("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("", ""),
    ],
)
def test_sae_lens_folder_is_a_dictionary_of_one_level(
    model_name: str, model: str, tmp_path: Path
) -> None:
    sae = make_tiny_sae(
        tmp_path, metadata={"hook_name": "blocks.3.hook_mlp_out", "model_name": model_name}
    )
    opened = load_dictionary(sae)
    assert opened.model == model
    assert [(level.name, level.unit, level.hook_point) for level in opened.levels] == [
        ("terms", "token", "blocks.3.hook_mlp_out")
    ]
    assert opened.n_concepts == 24
    assert opened.label(3) == "concept 3"
    assert np.isnan(opened.table.base_rates).all()


def change(folder: Path, edit: Any) -> None:
    place = folder / "dictionary.json"
    summary = json.loads(place.read_text("utf-8"))
    edit(summary)
    place.write_text(json.dumps(summary), "utf-8")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda summary: summary.pop("levels"), "damaged"),
        (lambda summary: summary.update(levels=[]), "at least one level"),
        (lambda summary: summary.update(length_edges=[5, 3]), "ascending length_edges"),
        (lambda summary: summary["levels"][0].update(unit="word"), "not token or passage"),
        (lambda summary: summary["levels"][0].update(width=7), "differs from its cfg.json"),
        (
            lambda summary: summary["levels"][0].update(folder="../elsewhere"),
            "is outside the dictionary",
        ),
        (lambda summary: summary.update(length_edges=[5]), "must have 2 length bins"),
        (lambda summary: summary.update(levels=[5]), "levels must be a list of objects"),
        (lambda summary: summary.update(model=None), "model must be a string"),
        (lambda summary: summary.update(model=["a"]), "model must be a string"),
        (lambda summary: summary.update(schema_version=99), "schema_version 99 is not supported"),
        (lambda summary: summary["levels"][0].update(hook_point=["a"]), "hook_point of a level"),
        (lambda summary: summary["levels"][0].update(width=1e999), "damaged"),
    ],
)
def test_damaged_summary_is_refused(edit: Any, message: str, folder: Path) -> None:
    change(folder, edit)
    with pytest.raises(DictionaryError, match=message) as caught:
        load_dictionary(folder)
    assert str(folder) in str(caught.value)


def test_table_of_another_length_is_refused(folder: Path) -> None:
    import pyarrow.parquet as pq

    place = folder / "concepts.parquet"
    pq.write_table(pq.read_table(place).slice(0, 5), place)
    with pytest.raises(DictionaryError, match="5 rows for 32 concepts"):
        load_dictionary(folder)


def rewrite(folder: Path, name: str, values: Any) -> None:
    """Give one column of concepts.parquet other values; a single one stands for every row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = folder / "concepts.parquet"
    table = pq.read_table(place)
    column = values if isinstance(values, pa.Array) else pa.array([values] * len(table))
    pq.write_table(table.set_column(table.column_names.index(name), name, column), place)


WRONG_COLUMNS = [
    *((name, value) for name in ("label", "area", "label_source") for value in (5.5, 5, ["a"])),
    *(("label", value) for value in (b"a", {"a": "b"}, True)),
    *(("flags", value) for value in (5.5, "dead", [["dead"]], [5])),
    *(("base_rates", value) for value in ("a", None, 0.5, [0.5, 0.5], [None, 0.5], ["a"])),
    *(("base_rates", value) for value in ([5.0], [-1.0])),
    *(("q90", value) for value in (-1.0, "a", True, [0.5])),
    *(("density", value) for value in (1.5, -0.5)),
    *(("label_score", value) for value in ("a", [0.5])),
    *(("threshold", value) for value in (-1.0, "a", None, float("nan"), float("inf"))),
    *(("level", value) for value in (None, 0.5, 256)),
]


@pytest.mark.parametrize(("name", "value"), WRONG_COLUMNS)
def test_column_of_another_type_or_range_is_refused(name: str, value: Any, folder: Path) -> None:
    rewrite(folder, name, value)
    with pytest.raises(DictionaryError, match=r"concepts\.parquet: (column \w+: |rows are)"):
        load_dictionary(folder)


def test_row_that_is_out_of_range_is_named(folder: Path) -> None:
    import pyarrow as pa

    rewrite(folder, "q90", pa.array([0.5] * 6 + [-1.0] + [0.5] * 25))
    with pytest.raises(DictionaryError, match="column q90: row 7 must be 0 or more"):
        load_dictionary(folder)


def test_threshold_must_be_finite(folder: Path) -> None:
    import pyarrow as pa

    rewrite(folder, "threshold", pa.array([0.5] * 2 + [float("nan")] + [0.5] * 29))
    with pytest.raises(DictionaryError, match="column threshold: row 3 must be a finite number"):
        load_dictionary(folder)


def test_score_that_can_be_none_is_not_known(folder: Path) -> None:
    import pyarrow as pa

    rewrite(folder, "label_score", pa.array([1.5, -0.5, None, 0.0, 1.0] + [0.75] * 27))
    scores = load_dictionary(folder).table.label_score
    np.testing.assert_array_equal(scores, [np.nan] * 3 + [0.0, 1.0] + [0.75] * 27)


def test_texts_may_be_encoded_in_any_way(folder: Path) -> None:
    import pyarrow as pa

    rewrite(folder, "label", pa.array(["ages"] * 32).dictionary_encode())
    rewrite(folder, "area", pa.array(["people"] * 32, pa.large_string()))
    rewrite(folder, "label_source", pa.nulls(32))
    rewrite(folder, "flags", pa.nulls(32))
    table = load_dictionary(folder).table
    assert table.flags == (frozenset(),) * 32
    assert (table.label[3], table.area[3], table.label_source[3]) == ("ages", "people", None)


def test_table_that_is_a_bomb_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa

    monkeypatch.setattr("benchdesign.benchmarks.formats.compression.MAX_UNCHECKED", 1 << 20)
    rewrite(folder, "label", pa.array(["a" * (1 << 20)] * 32).dictionary_encode())
    with pytest.raises(DictionaryError, match="expands to over 250 times"):
        load_dictionary(folder)


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to itself", "link to nothing"])
def test_table_that_is_no_file_is_not_taken_for_absent(kind: str, folder: Path) -> None:
    place = folder / "concepts.parquet"
    place.unlink()
    make = {
        "pipe": lambda: os.mkfifo(place),
        "folder": place.mkdir,
        "link to itself": lambda: place.symlink_to(place),
        "link to nothing": lambda: place.symlink_to(folder / "gone"),
    }
    make[kind]()
    with pytest.raises(DictionaryError, match=r"concepts\.parquet: "):
        load_dictionary(folder)


@pytest.mark.parametrize("key", ["model_name", "hook_name", "hf_hook_name"])
def test_settings_of_a_plain_sae_must_be_texts(key: str, tmp_path: Path) -> None:
    folder = make_tiny_sae(tmp_path / "sae")
    config = json.loads((folder / "cfg.json").read_text("utf-8"))
    config.get("metadata", config)[key] = ["a"]
    (folder / "cfg.json").write_text(json.dumps(config))
    with pytest.raises(DictionaryError, match=f"{key} must be a string"):
        load_dictionary(folder)


def test_weights_that_are_a_pointer_are_named(folder: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 5\n"
    (folder / "terms" / "sae_weights.safetensors").write_text(pointer)
    with pytest.raises(InputError, match="a Git LFS pointer"):
        load_dictionary(folder)


def test_width_that_its_weights_cannot_have_is_refused(folder: Path) -> None:
    config = folder / "terms" / "cfg.json"
    config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), "d_sae": 10**10}))
    change(folder, lambda summary: summary["levels"][0].update(width=10**10))
    with pytest.raises(DictionaryError, match="d_in and d_sae do not fit"):
        load_dictionary(folder)


@pytest.mark.parametrize("spec", ["./nowhere", "/no/such/folder", "nowhere", "a//b"])
def test_dictionary_that_is_not_there_is_refused_without_asking_the_hub(spec: str) -> None:
    with pytest.raises(DictionaryError, match="no such dictionary"):
        load_dictionary(spec)


def test_folder_without_a_dictionary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DictionaryError, match=r"no dictionary\.json or cfg\.json"):
        load_dictionary(tmp_path)


def test_unfinished_registry_name_is_refused() -> None:
    with pytest.raises(DictionaryError, match="use the form sae-lens:<release>/<sae_id>"):
        load_dictionary("sae-lens:gpt2-small-res-jb")


@pytest.mark.slow
def test_registry_entry_is_converted_once_and_then_opened_without_sae_lens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sae_lens

    asked = []
    source = make_tiny_sae(
        tmp_path / "source",
        metadata={"hook_name": "blocks.8.hook_resid_pre", "model_name": "gpt2-small"},
    )

    def from_pretrained(release: str, sae_id: str, device: str) -> Any:
        asked.append((release, sae_id, device))
        return sae_lens.SAE.load_from_disk(str(source))

    monkeypatch.setattr(sae_lens.SAE, "from_pretrained", from_pretrained)
    spec = "sae-lens:gpt2-small-res-jb/blocks.8.hook_resid_pre/average_l0_4"
    first = load_dictionary(spec, store=tmp_path / "store")
    second = load_dictionary(spec, store=tmp_path / "store")
    assert asked == [("gpt2-small-res-jb", "blocks.8.hook_resid_pre/average_l0_4", "cpu")]
    assert (first.name, first.model, first.n_concepts) == (spec, "gpt2", 24)
    assert first.fingerprint == second.fingerprint


@pytest.mark.process
def test_opening_a_dictionary_does_not_import_torch(folder: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from benchdesign.concepts.dictionaries.open import load_dictionary; "
        "load_dictionary(sys.argv[1]); print('torch' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
    )
    assert done.stdout == "False\n"


def test_shipped_dictionary_is_whole() -> None:
    opened: Dictionary = load_dictionary()
    assert opened.model == "builtin"
    # Maps in people's caches are kept under it.
    assert opened.fingerprint == BUILTIN_FINGERPRINT
    assert {level.unit for level in opened.levels} == {"token", "passage"}
    assert len(opened.table.label) == opened.n_concepts


def test_known_fingerprint_is_taken_without_reading_the_weights(folder: Path) -> None:
    opened = load_dictionary(folder)
    weights = next(folder.rglob("sae_weights.safetensors"))
    weights.write_bytes(bytes(weights.stat().st_size))  # of the size that its settings say
    assert load_dictionary(folder, fingerprint=opened.fingerprint).fingerprint == opened.fingerprint
    assert load_dictionary(folder).fingerprint != opened.fingerprint
