from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchdesign.cli import run_command
from benchdesign.errors import ModelError
from benchdesign.pipeline.stage_results import ProposeResult
from benchdesign.workspace.workspace import Workspace
from tests.keywords import KeywordMapper, replace_open_mapper, use_keywords, write_sets


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Result]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command beside `animals.jsonl` and `pool.jsonl`, through the keyword mapper."""
    use_keywords(monkeypatch)
    write_sets(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("BENCHDESIGN_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("BENCHDESIGN_WHO", "ann")

    def run(*arguments: str) -> Result:
        capsys.readouterr()
        code = run_command(arguments)
        told = capsys.readouterr()
        return Result(code, told.out, told.err)

    return run


@pytest.fixture
def finished(command: Command) -> Command:
    assert command("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "20", "-q").code == 0
    return command


def one_line(text: str) -> bool:
    return text.startswith("benchdesign: ") and text.count("\n") == 1


def test_run_writes_the_revision_and_says_where(command: Command) -> None:
    result = command("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "20")
    assert result.code == 0
    assert "missing     1 -> 0" in result.out
    assert "animals-revised/report.html" in result.out
    assert "benchdesign open animals-workspace" in result.out
    assert "mapping items" in result.err
    assert sorted(one.name for one in Path("animals-revised").iterdir()) == [
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
    ("arguments", "said"),
    [
        (("--pool", "nofile.jsonl"), "nofile.jsonl: no such file"),
        (("--pool", "pool.jsonl", "--field", "prompt=nothing"), "nothing"),
        (("--pool", "pool.jsonl", "--pool-field", "prompt=nothing"), "nothing"),
    ],
)
def test_what_is_wrong_with_the_input_is_told_before_what_exists(
    finished: Command, arguments: tuple[str, ...], said: str
) -> None:
    refused = finished("run", "animals.jsonl", *arguments)
    assert (refused.code, one_line(refused.err)) == (2, True)
    assert said in refused.err
    assert "already exists" not in refused.err


def test_quiet_says_nothing_but_errors(finished: Command) -> None:
    run = ("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "20", "-q")
    assert finished(*run, "--force") == (0, "", "")
    assert finished("export", "animals-workspace", "--out", "mine", "-q") == (0, "", "")
    assert "already exists" in finished("export", "animals-workspace", "--out", "mine", "-q").err
    told = finished("export", "animals-workspace", "--out", "mine", "-q", "--force", "--json")
    assert told.json["n_added"] == 0


def test_a_second_run_maps_nothing_again(
    finished: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapper: KeywordMapper = use_keywords(monkeypatch)
    result = finished("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "5", "--force")
    assert (result.code, mapper.n_mapped) == (0, 0)


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
    for row, one in enumerate(lines):
        one["source"] = "left" if row % 8 == 3 else "right"
    Path("pool.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines), "utf-8")
    run = ("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "8", "--json")

    def rows_added(*limits: str) -> list[int]:
        added = command(*run, *limits, "--force").json["added"]
        return [int(one["pool_id"].removeprefix("p-")) for one in added]

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
    told = command("run", "animals.jsonl", "--pool", "pool.jsonl").err
    fields = "prompt question, choices choices, answer answer, id id, category category"
    assert f"read animals.jsonl: 80 items; {fields}" in told
    assert told.index("read pool.jsonl: 160 items") < told.index("mapping items")


def test_a_scope_is_given_by_examples_and_concepts(command: Command) -> None:
    Path("meant.jsonl").write_text('{"question": "What does a fox eat?"}\n', "utf-8")
    scope = (
        *("--scope-examples", "meant.jsonl", "--scope-cutoff", "0.6"),
        *("--pin-concept", "2", "--exclude-concept", "0"),
    )
    run = command("run", "animals.jsonl", "--pool", "pool.jsonl", *scope, "-q")
    assert run.code == 0
    manifest = json.loads(Path("animals-revised/revision.json").read_text("utf-8"))
    said = manifest["settings"]["scope"]
    assert (said["pins"], said["exclusions"]) == ([2], [0])
    assert said["examples"] == ["What does a fox eat?"]
    assert said["cutoff"] == 0.6
    (gap,) = [one for one in manifest["gaps"] if one["concept"] == 2]
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
    assert all(one["lost"] == [] for one in result.json["removed"])


def test_items_of_a_known_list_are_named_with_what_they_share(command: Command) -> None:
    lines = Path("pool.jsonl").read_text("utf-8").splitlines()
    Path("known.jsonl").write_text(f"{lines[3]}\n", "utf-8")
    run = ("run", "animals.jsonl", "--pool", "pool.jsonl", "--keep-out", "known.jsonl", "-q")
    assert command(*run).code == 0
    manifest = json.loads(Path("animals-revised/revision.json").read_text("utf-8"))
    (match,) = [one for one in manifest["contamination"] if one["pool_id"] == "p-3"]
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


@pytest.mark.parametrize(
    ("arguments", "said"),
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
    command: Command, arguments: tuple[str, ...], said: str
) -> None:
    result = command(*arguments, *(["-q"] if arguments[0] in ("run", "coverage") else []))
    assert result.code == 2
    assert said in result.err
    assert result.err.splitlines()[-1].startswith("benchdesign: ")
    assert result.out == ""


@pytest.mark.parametrize("arguments", [(), ("config",), ("dictionary",)])
def test_no_command_shows_the_help_line_by_line(
    command: Command, arguments: tuple[str, ...]
) -> None:
    result = command(*arguments)
    assert result.code == 2
    assert "\nCommands:\n" in result.err


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
    told = "100% of the letters are not Latin"
    for arguments in (("coverage", "zh.jsonl"), ("run", "zh.jsonl"), ("check", "zh.jsonl")):
        result = command(*arguments, "--pool", "pool.jsonl")
        assert told in result.out + result.err
    assert told in Path("zh-revised/report.html").read_text("utf-8")
    assert told in command("run", "animals.jsonl", "--pool", "zh.jsonl").err


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


def test_proposals_are_listed_with_their_state(finished: Command) -> None:
    first = finished("proposals", "animals-workspace", "--json").json["proposals"][0]
    assert (first["state"], first["category"], first["gaps"][0]["label"]) == ("open", "fox", "fox")
    finished("decide", "animals-workspace", first["id"], "accept", "--note", "good")
    listed = finished("proposals", "animals-workspace", "--only", "accepted", "--json")
    assert [one["id"] for one in listed.json["proposals"]] == [first["id"]]
    assert first["id"] in finished("proposals", "animals-workspace").out


def test_proposals_say_what_they_fill_and_by_which_words(finished: Command) -> None:
    assert " FIRST GAP " in finished("proposals", "animals-workspace").out
    rows = finished("proposals", "animals-workspace", "--json").json["proposals"]
    assert all(row["gaps"][0]["words"] == ["fox"] for row in rows)


@pytest.mark.parametrize(
    ("score", "cell", "told"), [(0.875, "0.88", "0.88"), (float("nan"), "-", "not measured")]
)
def test_a_labels_score_is_shown_wherever_the_label_is(
    command: Command, monkeypatch: pytest.MonkeyPatch, score: float, cell: str, told: str
) -> None:
    use_keywords(monkeypatch).dictionary.table.label_score[2] = score
    known = None if score != score else score
    sets = ("animals.jsonl", "--pool", "pool.jsonl")
    assert re.search(rf" TRUST +CONCEPT\n.* {cell} +fox\n", command("coverage", *sets).out)
    (gap,) = command("coverage", *sets, "--json").json["gaps"]
    assert gap["label_score"] == known
    assert command("run", *sets, "--add", "20", "-q").code == 0
    assert re.search(rf" fox +{cell}  ", command("proposals", "animals-workspace").out)
    first = command("proposals", "animals-workspace", "--json").json["proposals"][0]
    assert first["gaps"][0]["label_score"] == known
    (gap,) = json.loads(Path("animals-revised/revision.json").read_text())["gaps"]
    assert gap["label_score"] == known
    assert f"label trust {told}" in Path("animals-revised/report.md").read_text()
    assert told in Path("animals-revised/report.html").read_text()


def test_decide_undo_and_redo_are_on_disk_at_once(finished: Command) -> None:
    ids = [
        one["id"] for one in finished("proposals", "animals-workspace", "--json").json["proposals"]
    ]
    finished("decide", "animals-workspace", ids[0], "accept")
    finished("decide", "animals-workspace", ids[1], "reject", "--reason", "leak")
    assert "reject" in finished("decide", "animals-workspace", "--undo").out
    assert finished("decide", "animals-workspace", "--redo", "--json").json["n_accepted"] == 1
    with Workspace.open(Path("animals-workspace"), access="read") as workspace:
        assert workspace.decisions.accepted == (ids[0],)
        assert [step.action for step in workspace.decisions] == [
            *("decide", "decide", "undo", "redo"),
        ]
        assert {step.who for step in workspace.decisions} == {"ann"}


def test_an_unknown_item_or_verdict_is_refused(finished: Command) -> None:
    assert "no such item" in finished("decide", "animals-workspace", "p-9999", "accept").err
    assert "not a verdict" in finished("decide", "animals-workspace", "p-3", "like").err
    assert finished("decide", "animals-workspace", "--undo").code == 1


def test_proposals_count_the_gaps_that_are_not_listed(finished: Command) -> None:
    with Workspace.open(Path("animals-workspace")) as workspace:
        stored = workspace.load_result("proposals", ProposeResult)
        first = replace(stored.additions[0], n_gaps=31)
        changed = replace(stored, additions=(first, *stored.additions[1:]))
        workspace.save_result("proposals", changed)
    row = finished("proposals", "animals-workspace", "--json").json["proposals"][0]
    assert (row["n_gaps"], len(row["gaps"])) == (31, len(first.gaps))
    (line,) = re.findall(r"^ *1  .*$", finished("proposals", "animals-workspace").out, re.M)
    assert "  31  " in line


def test_a_locked_workspace_is_not_written(finished: Command) -> None:
    with Workspace.open(Path("animals-workspace"), who="bo"):
        result = finished("decide", "animals-workspace", "p-3", "accept")
    assert result.code == 1
    assert "in use by process" in result.err


def test_export_writes_what_was_accepted(finished: Command) -> None:
    finished("decide", "animals-workspace", "p-3", "accept")
    result = finished("export", "animals-workspace", "--out", "mine", "--json")
    assert (result.code, result.json["n_added"]) == (0, 1)
    assert [one["pool_id"] for one in result.json["added"]] == ["p-3"]


def test_export_warns_of_what_to_check_before_publishing(command: Command) -> None:
    records = [json.loads(line) for line in Path("animals.jsonl").read_text("utf-8").splitlines()]
    lines = [json.dumps(record | {"hint": "think"}) for record in records]
    lines.append(json.dumps(records[0] | {"id": "again"}))
    Path("animals.jsonl").write_text("\n".join([*lines, "{"]) + "\n", "utf-8")
    assert command("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "20", "-q").code == 0
    command("decide", "animals-workspace", "p-3", "accept")
    result = command("export", "animals-workspace", "--out", "mine")
    warnings = [line for line in result.err.splitlines() if line.startswith("warning: ")]
    assert "warning: 1 near-duplicate pair" in warnings
    assert "warning: empty in accepted items: hint 1" in warnings
    assert "warning: 1 skipped row of the benchmark" in warnings
    assert "warning" not in result.out
    as_json = command("export", "animals-workspace", "--out", "again", "--json")
    assert as_json.json["n_added"] == 1
    assert "warning: 1 near-duplicate pair" in as_json.err
    assert command("export", "animals-workspace", "--out", "quiet", "-q").err == ""


def test_an_item_rewritten_by_hand_is_exported_and_counted_as_it_reads_now(
    finished: Command,
) -> None:
    first = finished("proposals", "animals-workspace", "--json").json["proposals"][0]["id"]
    edits = (
        "--edit",
        "question=Does an owl eat fish?",
        "--edit",
        'choices=["yes", "no", "a", "b"]',
    )
    said = finished("decide", "animals-workspace", first, "accept", *edits, "--json").json
    assert (said["verdict"], said["edited"]) == ("accept", ["choices", "question"])
    (row,) = finished("proposals", "animals-workspace", "--only", "accepted", "--json").json[
        "proposals"
    ]
    assert (row["prompt"], row["edited"]) == ("Does an owl eat fish?", ["choices", "question"])
    result = finished("export", "animals-workspace", "--out", "mine")
    assert "missing     1 -> 1" in result.out
    assert "mapping items" in result.err
    last = json.loads(Path("mine/animals.revised.jsonl").read_text("utf-8").splitlines()[-1])
    assert (last["question"], last["choices"][1]) == ("Does an owl eat fish?", "no")


def test_an_edit_alone_leaves_the_verdict_and_can_be_undone(finished: Command) -> None:
    said = finished("decide", "animals-workspace", "p-3", "--edit", "question=Any fox?", "--json")
    assert said.json["verdict"] == "open"
    assert finished("decide", "animals-workspace", "--undo").code == 0
    again = finished("decide", "animals-workspace", "p-3", "accept", "--json")
    assert again.json["edited"] == []


def test_a_rewritten_key_that_is_no_choice_is_noted(finished: Command) -> None:
    result = finished("decide", "animals-workspace", "p-3", "accept", "--edit", "answer=E")
    assert result.code == 0
    assert "note: the answer E is none of the choices (fish; grass;" in result.err
    assert finished("decide", "animals-workspace", "p-3", "--edit", "answer=B").err == ""


@pytest.mark.parametrize(
    ("item", "edit", "said"),
    [
        ("p-3", "question", "FIELD=VALUE"),
        ("p-3", "stem=x", "no such field in the item; it has id, question, choices"),
        ("p-3", "choices=yes", "give a JSON list"),
        ("b-3", "question=x", "stays as it is"),
    ],
)
def test_an_edit_that_cannot_be_made_is_one_line(
    finished: Command, item: str, edit: str, said: str
) -> None:
    result = finished("decide", "animals-workspace", item, "--edit", edit)
    assert result.code == 2
    assert one_line(result.err)
    assert said in result.err


def test_coverage_of_one_lists_areas_and_gaps(command: Command) -> None:
    result = command("coverage", "animals.jsonl", "--pool", "pool.jsonl")
    assert result.code == 0
    assert "against the pool" in result.out
    assert "fox" in result.out
    figures = command("coverage", "animals.jsonl", "--json").json
    assert (figures["reference"], figures["gaps"][0]["label"]) == ("dictionary", "fox")


def test_coverage_of_several_shows_their_overlap(command: Command) -> None:
    assert "Overlap" in command("coverage", "animals.jsonl", "pool.jsonl").out
    figures = command("coverage", "animals.jsonl", "pool.jsonl", "--json").json
    assert [one["n_only_here"] for one in figures["benchmarks"]] == [0, 1]
    assert figures["overlap"][0][1] == 0.75


def test_check_passes_and_fails_by_its_limits(finished: Command) -> None:
    assert finished("check", "animals.jsonl").code == 0
    assert finished("check", "animals.jsonl", "--fail-under", "70").code == 0
    assert finished("check", "animals.jsonl", "--fail-under", "0.8").code == 1
    failed = finished("check", "animals.jsonl", "--fail-under", "80", "--json")
    assert (failed.code, failed.json["passed"]) == (1, False)
    assert finished("check", "animals.jsonl", "--max-missing", "0").code == 1
    assert finished("check", "animals.jsonl", "--max-duplicates", "0").code == 0


def test_check_compares_with_a_baseline(finished: Command) -> None:
    revised = "animals-revised/animals.revised.jsonl"
    baseline = ("--baseline", "animals-revised/revision.json", "--pool", "pool.jsonl")
    assert finished("check", revised, *baseline).code == 0
    worse = finished("check", "animals.jsonl", *baseline)
    assert worse.code == 1
    assert "FAIL" in worse.out


def test_models_joins_results_and_counts_what_it_could_not(command: Command) -> None:
    rows = [f"b-{row},{int(row % 3 != 0)}" for row in range(80)]
    Path("weak.csv").write_text("id,score\n" + "\n".join([*rows, "b-999,1"]) + "\n", "utf-8")
    result = command("models", "animals.jsonl", "--results", "weak.csv", "--json")
    assert result.code == 0
    assert (result.json["results"]["n_joined"], result.json["results"]["n_unmatched"]) == (80, 1)
    (model,) = result.json["models"]
    assert (model["model"], [one["name"] for one in model["weak_concepts"]]) == ("weak", ["cat"])


def test_preferences_are_shown_with_their_origin(command: Command) -> None:
    Path("config.toml").write_text('theme = "nord"\n', "utf-8")
    shown = command("config", "show", "--json").json
    assert shown["who"] == {"value": "ann", "origin": "environment BENCHDESIGN_WHO"}
    assert shown["theme"]["value"] == "nord"
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
