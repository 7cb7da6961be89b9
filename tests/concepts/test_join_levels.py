"""Joining levels of separate runs: what each concept was is what it stays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchdesign.cli import run_command
from benchdesign.concepts.dictionaries.dictionary import Dictionary, Level
from benchdesign.concepts.dictionaries.folder import blank_table, save_dictionary
from benchdesign.concepts.dictionaries.join_levels import LevelSource, join_levels
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.training.context_files import assign_concept_ids, digest_of
from benchdesign.concepts.training.contexts import ConceptContexts, Context
from benchdesign.errors import DictionaryError, InputError, OutputExistsError, UsageError
from tests.helpers import make_tiny_dictionary, make_tiny_sae


def make_labelled(folder: Path, *, model: str = "m", edges: tuple[int, ...] = (16,)) -> Dictionary:
    """24 terms and 8 themes whose columns tell which concept of which folder they are."""
    make_tiny_dictionary(folder, model=Path(model))
    dictionary = load_dictionary(folder)
    rates = np.linspace(0, 1, 32 * (len(edges) + 1), dtype=np.float32).reshape(32, -1)
    table = replace(
        blank_table(dictionary.levels, n_bins=len(edges) + 1),
        base_rates=rates,
        label=tuple(f"{folder.name} {n}" for n in range(32)),
        label_source=("written",) * 32,
        flags=tuple(frozenset({"dead"} if n % 5 == 0 else ()) for n in range(32)),
        threshold=np.arange(32, dtype=np.float32),
    )
    recipe = {
        "seed": 3,
        "levels": [{"name": "terms"}, {"name": "themes"}],
        "report": {"corpus": {"n_texts": 5}, "levels": [{"level": "terms"}, {"level": "themes"}]},
    }
    save_dictionary(replace(dictionary, table=table, length_edges=edges), folder, recipe=recipe)
    return load_dictionary(folder)


def test_columns_follow_their_level_into_the_order_given(tmp_path: Path) -> None:
    a, b = make_labelled(tmp_path / "a"), make_labelled(tmp_path / "b")
    parts = [
        LevelSource.parse(f"themes={tmp_path / 'a'}"),
        LevelSource.parse(f"terms={tmp_path / 'b'}"),
    ]
    joined = join_levels(parts, tmp_path / "c", name="both")
    again = load_dictionary(tmp_path / "c")
    assert [(level.name, level.unit, level.offset, level.width) for level in again.levels] == [
        ("themes", "passage", 0, 8),
        ("terms", "token", 8, 24),
    ]
    assert again.table.label == (*a.table.label[24:], *b.table.label[:24])
    assert again.table.flags == (*a.table.flags[24:], *b.table.flags[:24])
    assert again.table.threshold.tolist() == [*range(24, 32), *range(24)]
    expected = np.concatenate([a.table.base_rates[24:], b.table.base_rates[:24]])
    assert np.array_equal(again.table.base_rates, expected)
    assert again.table.level.tolist() == [0] * 8 + [1] * 24
    assert joined.fingerprint == again.fingerprint
    assert joined.fingerprint not in (a.fingerprint, b.fingerprint)
    assert not list(tmp_path.glob(".*"))


def test_joining_the_levels_of_one_dictionary_gives_it_back(tmp_path: Path) -> None:
    a = make_labelled(tmp_path / "a")
    parts = [LevelSource.parse(f"{level}={tmp_path / 'a'}") for level in ("terms", "themes")]
    assert join_levels(parts, tmp_path / "c").fingerprint == a.fingerprint
    assert (tmp_path / "c/concepts.parquet").read_bytes() == (
        tmp_path / "a/concepts.parquet"
    ).read_bytes()


def test_each_level_keeps_its_own_recipe_and_report(tmp_path: Path) -> None:
    make_labelled(tmp_path / "a")
    parts = [LevelSource.parse(f"{level}={tmp_path / 'a'}") for level in ("terms", "themes")]
    join_levels(parts, tmp_path / "c")
    parts = [LevelSource.parse(f"{level}={tmp_path / 'c'}") for level in ("terms", "themes")]
    join_levels(parts, tmp_path / "d")
    for name in ("c", "d"):
        recipe = json.loads((tmp_path / name / "dictionary.json").read_text())["recipe"]
        assert list(recipe["joined"]) == ["terms", "themes"]
        assert recipe["joined"]["themes"]["levels"] == [{"name": "themes"}]
        assert recipe["joined"]["themes"]["report"] == {
            "corpus": {"n_texts": 5},
            "levels": [{"level": "themes"}],
        }
        assert recipe["joined"]["themes"]["seed"] == 3


def test_plain_sae_folders_become_levels_under_new_names(tmp_path: Path) -> None:
    for layer in (4, 9):
        make_tiny_sae(
            tmp_path / f"l{layer}",
            metadata={"model_name": "m", "hook_name": f"blocks.{layer}.hook_resid_post"},
        )
    parts = [LevelSource.parse(f"layer-{layer}={tmp_path / f'l{layer}'}") for layer in (4, 9)]
    joined = join_levels(parts, tmp_path / "c")
    assert [(level.name, level.hook_point) for level in joined.levels] == [
        ("layer-4", "blocks.4.hook_resid_post"),
        ("layer-9", "blocks.9.hook_resid_post"),
    ]
    assert load_dictionary(tmp_path / "c").fingerprint == joined.fingerprint


def test_statistics_to_fold_into_the_weights_come_along(tmp_path: Path) -> None:
    from benchdesign.concepts.dictionaries.save_changes import save_changed_dictionary
    from benchdesign.concepts.mapping.sae_folder import load_encoder

    scaled = make_tiny_sae(tmp_path / "sae", normalize_activations="expected_average_only_in")
    (scaled / "activation_scaler.json").write_text('{"scaling_factor": 0.5}', "utf-8")
    make_tiny_sae(tmp_path / "other")
    joined = join_levels(
        [LevelSource.parse(f"a={scaled}"), LevelSource.parse(f"b={tmp_path / 'other'}")],
        tmp_path / "joined",
    )
    plain = load_dictionary(scaled)
    copied = save_changed_dictionary(plain, tmp_path / "copied", table=plain.table)
    for dictionary in (joined, copied):
        assert dictionary.levels[0].folder is not None
        load_encoder(dictionary.levels[0].folder)
    assert load_dictionary(tmp_path / "copied").fingerprint == plain.fingerprint


def test_levels_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    make_labelled(tmp_path / "a")
    make_labelled(tmp_path / "model", model="other")
    make_labelled(tmp_path / "bins", edges=(16, 32))
    terms = LevelSource.parse(f"terms={tmp_path / 'a'}")
    for name, message in (
        ("model", "join levels of the same model"),
        ("bins", "its length bins differ"),
    ):
        with pytest.raises(DictionaryError, match=message):
            join_levels([terms, LevelSource.parse(f"themes={tmp_path / name}")], tmp_path / "c")
    with pytest.raises(UsageError, match="same name"):
        join_levels([terms, terms], tmp_path / "c")
    with pytest.raises(UsageError, match="two or more"):
        join_levels([terms], tmp_path / "c")
    with pytest.raises(OutputExistsError, match="--force"):
        join_levels([terms, LevelSource.parse(f"themes={tmp_path / 'a'}")], tmp_path / "a")
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("terms", "must be NAME=DICTIONARY"),
        ("../up=builtin", "must be NAME=DICTIONARY"),
        ("notes=builtin", "has no level notes; it has terms, themes"),
        ("terms=/nowhere", "no such dictionary"),
    ],
)
def test_a_bad_level_is_one_line_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    out = tmp_path / "c"
    arguments = ["dictionary", "join", "--level", text, "--level", "themes=builtin"]
    assert run_command([*arguments, "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not out.exists()


def test_join_prints_the_levels_of_the_new_dictionary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_labelled(tmp_path / "a")
    levels = [f"--level={level}={tmp_path / 'a'}" for level in ("themes", "terms")]
    arguments = ["dictionary", "join", *levels, "--out", str(tmp_path / "c"), "--json"]
    assert run_command(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["fingerprint"] == load_dictionary(tmp_path / "c").fingerprint
    assert [
        (level["level"], level["first_id"], level["n_labelled"]) for level in report["levels"]
    ] == [
        ("themes", 0, 8),
        ("terms", 8, 24),
    ]
    assert run_command([*arguments[:-1], "--force"]) == 0
    assert "Use it with --dictionary" in capsys.readouterr().out


def make_contexts(level: str, ids: range, *, weights: str = "") -> list[ConceptContexts]:
    """One context each."""
    examples = (Context("a cat", 2, 5, 1.0, "s"),)
    return [
        ConceptContexts(concept_id, level, examples, (), (), (), (), weights) for concept_id in ids
    ]


def test_contexts_get_the_ids_of_the_joined_dictionary(tmp_path: Path) -> None:
    make_labelled(tmp_path / "a")
    parts = [LevelSource.parse(f"{level}={tmp_path / 'a'}") for level in ("themes", "terms")]
    joined = join_levels(parts, tmp_path / "c")
    placed = assign_concept_ids(make_contexts("terms", range(24)), joined, path=tmp_path)
    assert [context.concept_id for context in placed] == list(range(8, 32))
    some = assign_concept_ids(make_contexts("terms", range(9, 12)), joined, path=tmp_path)
    assert [context.concept_id for context in some] == [9, 10, 11]
    for level, ids in (("terms", range(3)), ("terms", range(30)), ("notes", range(8))):
        with pytest.raises(InputError):
            assign_concept_ids(make_contexts(level, ids), joined, path=tmp_path)
    own = make_contexts("terms", range(24), weights=digest_of(joined.levels[1]))
    assert len(assign_concept_ids(own, joined, path=tmp_path)) == 24
    with pytest.raises(InputError, match="another dictionary"):
        assign_concept_ids(make_contexts("terms", range(24), weights="0a1b"), joined, path=tmp_path)


def test_a_level_without_weights_cannot_be_joined(tmp_path: Path) -> None:
    a = make_labelled(tmp_path / "a")
    bare = Level("terms", "token", a.levels[0].hook_point, 0, 24)
    with pytest.raises(UsageError, match="no weights"):
        join_levels(
            [LevelSource("terms", a, bare), LevelSource("themes", a, a.levels[1])], tmp_path / "c"
        )
