"""`benchdesign run`, by what it prints and writes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchdesign.errors import ModelError
from benchdesign.workspace.workspace import Workspace
from tests.cli.conftest import Command, one_line
from tests.keywords import KeywordMapper, replace_open_mapper, use_keywords


def test_run_writes_the_revision_and_says_where(command: Command) -> None:
    result = command("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "20")
    assert result.code == 0
    assert "missing     1 -> 0" in result.out
    assert "animals-revised/report.html" in result.out
    assert "benchdesign open animals-workspace" in result.out
    assert "mapping items" in result.err
    assert sorted(path.name for path in Path("animals-revised").iterdir()) == [
        *("animals.revised.jsonl", "concepts.parquet", "report.html", "report.md"),
        "revision.json",
    ]


def test_run_as_json_prints_one_object_and_nothing_else(command: Command) -> None:
    result = command("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "20", "--json")
    assert (result.code, result.json["n_added"], result.json["n_gaps_closed"]) == (0, 20, 1)
    assert result.json["coverage_before"]["n_missing"] == 1
    assert result.json["covered_share_before_interval"]["level"] == 0.95
    assert result.json["benchmark"]["path"] == "animals.jsonl"


def test_run_without_a_pool_adds_nothing_and_says_so(command: Command) -> None:
    result = command("run", "animals.jsonl")
    assert result.code == 0
    assert "No --pool" in result.err
    assert (
        Path("animals-revised/animals.revised.jsonl").read_bytes()
        == Path("animals.jsonl").read_bytes()
    )


@pytest.mark.slow
def test_every_path_of_a_run_may_be_named_from_the_home_folder(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "work").mkdir()
    (tmp_path / "m.csv").write_text("id,score\n" + "".join(f"b-{n},{n % 2}\n" for n in range(80)))
    names = ("--pool=~/pool.jsonl", "--workspace=~/work", "--out=~/out")
    run = ("run", "~/animals.jsonl", *names, "--weight", "model-gaps", "--results", "m=~/m.csv")
    assert command(*run, "-q").code == 0
    assert (tmp_path / "work" / "workspace.json").is_file()
    assert (tmp_path / "out" / "revision.json").is_file()
    assert not (tmp_path / "~").exists()
    assert "already exists" in command(*run, "-q").err
    assert command(*run, "-q", "--force").code == 0
    assert command("export", "~/work", "--out=~/again", "-q").code == 0
    assert (tmp_path / "again" / "revision.json").is_file()
    results = command("models", "~/animals.jsonl", "--results", "m=~/m.csv", "--json", "-q")
    assert results.code == 0, results.err


def test_run_never_replaces_files_without_force(finished: Command) -> None:
    refused = finished("run", "animals.jsonl", "--pool", "pool.jsonl")
    assert refused.code == 2
    assert one_line(refused.err)
    assert "already exists" in refused.err
    assert finished("run", "animals.jsonl", "--pool", "pool.jsonl", "--force").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pool", "nofile.jsonl"), "nofile.jsonl: no such file"),
        (("--pool", "pool.jsonl", "--field", "prompt=nothing"), "nothing"),
        (("--pool", "pool.jsonl", "--pool-field", "prompt=nothing"), "nothing"),
    ],
)
def test_what_is_wrong_with_the_input_is_told_before_what_exists(
    finished: Command, arguments: tuple[str, ...], message: str
) -> None:
    refused = finished("run", "animals.jsonl", *arguments)
    assert (refused.code, one_line(refused.err)) == (2, True)
    assert message in refused.err
    assert "already exists" not in refused.err


def test_quiet_says_nothing_but_errors(finished: Command) -> None:
    run = ("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "20", "-q")
    assert finished(*run, "--force") == (0, "", "")
    assert finished("export", "animals-workspace", "--out", "mine", "-q") == (0, "", "")
    assert "already exists" in finished("export", "animals-workspace", "--out", "mine", "-q").err
    exported = finished("export", "animals-workspace", "--out", "mine", "-q", "--force", "--json")
    assert exported.json["n_added"] == 0


def test_a_second_run_maps_nothing_again(
    finished: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapper: KeywordMapper = use_keywords(monkeypatch)
    result = finished("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "5", "--force")
    assert (result.code, mapper.n_mapped) == (0, 0)


@pytest.mark.slow
def test_a_run_leaves_a_workspace_alone_that_somebody_decided_in(finished: Command) -> None:
    first = finished("proposals", "animals-workspace", "--json").json["proposals"][0]["id"]
    finished("decide", "animals-workspace", first, "accept")
    run = ("run", "animals.jsonl", "--pool", "pool.jsonl", "--force", "--add", "5")
    result = finished(*run)
    assert "animals-workspace is left as it is: 1 decision was made in it" in result.err
    assert "in animals-workspace-2; --workspace animals-workspace uses it" in result.err
    assert "benchdesign open animals-workspace-2" in result.out
    # The new one holds no decision, so the next run goes on in it.
    assert "benchdesign open animals-workspace-2" in finished(*run).out
    assert len(finished("proposals", "animals-workspace", "--json").json["proposals"]) == 20
    result = finished(*run, "--workspace", "animals-workspace")
    assert (result.code, "left as it is" in result.err) == (0, False)
    assert len(finished("proposals", "animals-workspace", "--json").json["proposals"]) != 20


def test_a_run_leaves_a_workspace_alone_whose_scope_it_was_not_given(command: Command) -> None:
    run = ("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "5", "--force")
    assert command(*run, "--scope", "foxes", "--pin-concept", "1").code == 0
    result = command(*run, "--scope", "foxes")
    assert "animals-workspace is left as it is: it has a scope that this run" in result.err
    # What the run asks for besides is no loss.
    wider = command(*run, "--scope", "foxes", "--pin-concept", "1", "--pin-concept", "2")
    assert "benchdesign open animals-workspace\n" in wider.out
    with Workspace.open(Path("animals-workspace"), access="read") as workspace:
        assert workspace.settings.scope.pins == (1, 2)


def test_a_scope_in_which_nothing_is_said_does_not_keep_a_run_out(finished: Command) -> None:
    with Workspace.open(Path("animals-workspace")) as workspace:
        untouched = frozenset({"scope.sentence", "scope.examples", "scope.cutoff"})
        workspace.change_settings(replace(workspace.settings, explicit=untouched))
    result = finished("run", "animals.jsonl", "--pool", "pool.jsonl", "--force")
    assert "benchdesign open animals-workspace\n" in result.out


def test_another_workspace_on_the_same_files_never_opens_the_model(
    finished: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_open_mapper(monkeypatch, lambda *_, **__: pytest.fail("opened"))
    result = finished(
        *("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "20", "-q"),
        *("--workspace", "other", "--out", "again"),
    )
    assert result.code == 0
    names = [f"{folder}/animals.revised.jsonl" for folder in ("animals-revised", "again")]
    assert len({Path(name).read_bytes() for name in names}) == 1
    assert finished("coverage", "animals.jsonl", "--pool", "pool.jsonl", "-q").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "animals.jsonl", "--add", "0", "--force"),
        ("coverage", "animals.jsonl"),
        ("check", "animals.jsonl"),
        ("models", "animals.jsonl", "--results", "results.csv"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_that_maps_hands_the_chat_template_on(
    finished: Command, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, chat: bool, **__: object) -> None:
        raise ModelError("no chat template here" if chat else "")

    Path("results.csv").write_text("item,model,score\nb-0,m,1\nb-1,m,0\n", "utf-8")
    replace_open_mapper(monkeypatch, refuse)
    # What was mapped without the template is no answer.
    result = finished(*arguments, "--chat", "-q")
    assert (result.code, "no chat template here" in result.err) == (2, True)


def test_a_cache_that_cannot_be_written_is_done_without(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("file").write_text("not a folder", "utf-8")
    monkeypatch.setenv("BENCHDESIGN_CACHE", "file/cache")
    assert command("run", "animals.jsonl", "--pool", "pool.jsonl", "-q").code == 0
    assert Path("animals-workspace/cache/maps").is_dir()


def test_constraints_reach_the_proposals(command: Command) -> None:
    result = command(
        *("run", "animals.jsonl", "--pool", "pool.jsonl", "--quota", "fox=3", "--json")
    )
    assert result.json["n_added"] == 3


def test_pins_exclusions_and_quotas_by_source_reach_the_proposals(command: Command) -> None:
    lines = [json.loads(line) for line in Path("pool.jsonl").read_text("utf-8").splitlines()]
    for row, line in enumerate(lines):
        line["source"] = "left" if row % 8 == 3 else "right"
    Path("pool.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    run = ("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "16", "--json")

    def rows_added(*limits: str) -> list[int]:
        added = command(*run, *limits, "--force").json["added"]
        return [int(addition["pool_id"].removeprefix("p-")) for addition in added]

    free = rows_added()
    assert sum(row % 8 == 3 for row in free) > 1
    excluded = free[-1]
    limits = ("--pin", "p-0", "--exclude", f"p-{excluded}", "--source-quota", "left=1")
    rows = rows_added(*limits)
    assert rows[0] == 0 != free[0]
    assert excluded not in rows
    assert sum(row % 8 == 3 for row in rows) == 1


def test_what_is_wrong_with_the_settings_is_told_before_anything_is_read(command: Command) -> None:
    result = command("run", "animals.jsonl", "--pool", "pool.jsonl", "--fdr", "2")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert not Path("animals-workspace").exists()


def test_fields_as_they_were_detected_are_shown_before_mapping(command: Command) -> None:
    messages = command("run", "animals.jsonl", "--pool", "pool.jsonl").err
    fields = "prompt question, choices choices, answer answer, id id, category category"
    assert f"read animals.jsonl: 80 items; {fields}" in messages
    assert messages.index("read pool.jsonl: 160 items") < messages.index("mapping items")


def test_a_scope_is_given_by_examples_and_concepts(command: Command) -> None:
    Path("meant.jsonl").write_text('{"question": "What does a fox eat?"}\n', "utf-8")
    scope = (
        *("--scope-examples", "meant.jsonl", "--scope-cutoff", "0.6"),
        *("--pin-concept", "2", "--exclude-concept", "0"),
    )
    run = command("run", "animals.jsonl", "--pool", "pool.jsonl", *scope, "-q")
    assert run.code == 0
    manifest = json.loads(Path("animals-revised/revision.json").read_text("utf-8"))
    scope_settings = manifest["settings"]["scope"]
    assert (scope_settings["pins"], scope_settings["exclusions"]) == ([2], [0])
    assert scope_settings["examples"] == ["What does a fox eat?"]
    assert scope_settings["cutoff"] == 0.6
    (gap,) = [gap for gap in manifest["gaps"] if gap["concept"] == 2]
    assert (gap["relevance"], gap["relevance_because"]["overridden"]) == (1.0, "pinned")


def test_the_pool_can_have_a_template_of_its_own(command: Command) -> None:
    Path("item.j2").write_text("Eats? {{ question }} {{ diet }}", "utf-8")
    Path("pool.j2").write_text("{{ question }}", "utf-8")
    lines = Path("animals.jsonl").read_text("utf-8").splitlines()
    rows = [json.dumps({**json.loads(line), "diet": "fish"}) for line in lines]
    Path("diets.jsonl").write_text("\n".join(rows) + "\n", "utf-8")
    run = ("run", "diets.jsonl", "--pool", "pool.jsonl", "--template", "item.j2", "-q")
    refused = command(*run)
    assert refused.code == 2
    assert "Set a separate template for the pool with --pool-template" in refused.err
    assert command(*run, "--pool-template", "pool.j2").code == 0
    assert command(*run, "--pool-template", "none", "--force").code == 0


def test_removals_stop_at_the_size_that_was_stated(command: Command) -> None:
    run = ("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "0", "--remove", "9")
    result = command(*run, "--min-items", "77", "--json")
    assert result.json["n_removed"] == 3
    assert all(removal["lost"] == [] for removal in result.json["removed"])


def test_items_of_a_known_list_are_named_with_what_they_share(command: Command) -> None:
    lines = Path("pool.jsonl").read_text("utf-8").splitlines()
    Path("known.jsonl").write_text(f"{lines[3]}\n", "utf-8")
    run = ("run", "animals.jsonl", "--pool", "pool.jsonl", "--keep-out", "known.jsonl", "-q")
    assert command(*run).code == 0
    manifest = json.loads(Path("animals-revised/revision.json").read_text("utf-8"))
    (match,) = [match for match in manifest["contamination"] if match["pool_id"] == "p-3"]
    assert (match["list"], match["list_row"], match["kind"]) == ("known.jsonl", 1, "words")
    assert "fox number 3 of p eat" in match["text"]
    report = Path("animals-revised/report.md").read_text("utf-8")
    assert "p-3: " in report
    assert "row 1 of known.jsonl" in report


def test_removals_are_reported(command: Command) -> None:
    result = command(
        *("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "0", "--remove", "2", "--json")
    )
    assert (result.json["n_removed"], result.json["n_added"]) == (2, 0)


def test_a_run_that_passes_everything_over_says_for_what(command: Command) -> None:
    result = command("run", "animals.jsonl", "--pool", "pool.jsonl", "--require", "picture")
    assert "nothing was proposed: candidates that would help were passed over: " in result.err
    assert " without picture." in result.err


def test_a_run_that_proposes_nothing_says_why(command: Command) -> None:
    lines = Path("animals.jsonl").read_text("utf-8").splitlines()
    Path("two.jsonl").write_text("\n".join(lines[:2]) + "\n", "utf-8")
    result = command("run", "two.jsonl", "--pool", "pool.jsonl")
    assert result.code == 0
    assert "nothing was proposed: with 2 items and this pool, no concept" in result.err


def test_a_benchmark_in_another_script_is_told_on_reading_and_in_the_report(
    command: Command,
) -> None:
    lines = [json.dumps({"question": f"下列哪一项最能支持上述结论？{n}"}) + "\n" for n in range(60)]
    Path("zh.jsonl").write_text("".join(lines), "utf-8")
    warning = "100% of the letters are not Latin"
    for arguments in (("coverage", "zh.jsonl"), ("run", "zh.jsonl"), ("check", "zh.jsonl")):
        result = command(*arguments, "--pool", "pool.jsonl")
        assert warning in result.out + result.err
    assert warning in Path("zh-revised/report.html").read_text("utf-8")
    assert warning in command("run", "animals.jsonl", "--pool", "zh.jsonl").err


def test_an_interrupted_run_leaves_with_130_and_goes_on_later(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: KeywordMapper, items: object, *, tick: object = None) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(KeywordMapper, "map_batch", interrupt)
        result = command("run", "animals.jsonl", "--pool", "pool.jsonl", "-q")
    assert (result.code, result.out) == (130, "")
    assert not Path("animals-revised").exists()
    assert command("run", "animals.jsonl", "--pool", "pool.jsonl", "-q").code == 0
