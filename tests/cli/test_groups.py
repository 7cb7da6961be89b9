"""Gap groups in the terminal: summaries, `decide --group`, `--scope any`, limits."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from benchdesign.coverage.groups.gap_group import GapGroups, GroupStatus
from benchdesign.workspace.decisions import Subject, Verdict
from benchdesign.workspace.workspace import Workspace
from tests.cli.conftest import Command, one_line
from tests.group_builders import make_group, make_groups, use_group_mapper

SETS = ("animals.jsonl", "--pool", "pool.jsonl")
WORK = "animals-workspace"
DECIDE = ("decide", WORK, "--group")


@pytest.fixture
def grouped(command: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    use_group_mapper(monkeypatch)
    return command


def replace_groups(groups: GapGroups) -> None:
    with Workspace.open(Path(WORK)) as workspace:
        workspace.save_result("groups", groups)


def without_groups(command: Command) -> None:
    Path(WORK, "results", "groups.npz").unlink()


def test_run_leads_with_the_verdict_and_says_which_groups_are_filled(grouped: Command) -> None:
    result = grouped("run", *SETS, "--add", "40")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    (group,) = grouped("coverage", *SETS, "--json").json["gap_groups"]
    expected = group["expected"]
    assert lines[0] == f"Rarely asks about {group['name']} (0 of {expected:.0f} expected)."
    assert "Judged against all 160 pool items." in lines
    assert "1 of 1 group reaches what is expected." in result.out
    assert "gaps closed" not in result.out
    (row,) = [line for line in lines if line.endswith("missing")]
    n_foxes = sum(item.startswith("p-") for item in group["pool_items"])
    assert row.split()[-5:] == ["0", f"{expected:.1f}", str(n_foxes), "-", "missing"]


def test_a_run_that_adds_too_little_names_what_stays_short(grouped: Command) -> None:
    (group,) = grouped("coverage", *SETS, "--json").json["gap_groups"]
    result = grouped("run", *SETS, "--add", "5")
    assert "0 of 1 group reaches what is expected; not " in result.out
    assert f"(5 of {group['expected']:.1f})." in result.out
    assert f"Add more           --add {math.ceil(group['expected'])}" in result.out


def test_the_manifest_and_every_json_carry_the_same_keys(grouped: Command) -> None:
    keys = {
        *("gap_groups", "over_groups", "power", "reference_items", "could_not_tell", "verdict"),
        "group_warnings",
    }
    run = grouped("run", *SETS, "--add", "5", "--json").json
    manifest = json.loads(Path("animals-revised/revision.json").read_text("utf-8"))
    assert {key: run[key] for key in keys} == {key: manifest[key] for key in keys}
    (group,) = manifest["gap_groups"]
    assert (group["count"], group["count_after"], group["closed"]) == (0, 5, False)
    assert {row["group"] for row in manifest["added"]} == {group["id"]}
    assert {row["pool_id"] for row in manifest["added"]} <= set(group["pool_items"])
    for name in ("coverage", "check"):
        (found,) = grouped(name, *SETS, "--json").json["gap_groups"]
        assert (found["id"], found["count_after"]) == (group["id"], 0)
    assert manifest["reference"] == "pool"


def test_coverage_and_check_lead_with_the_verdict_and_say_what_to_do(grouped: Command) -> None:
    for name in ("coverage", "check"):
        out = grouped(name, *SETS).out
        assert out.startswith("Rarely asks about "), name
        assert "Next: benchdesign run animals.jsonl --pool pool.jsonl --add " in out


def test_without_a_pool_nothing_reads_as_a_pass(grouped: Command) -> None:
    for name in ("coverage", "check"):
        out = grouped(name, "animals.jsonl").out
        assert out.startswith("Could not tell what is missing. There is no pool"), name
        assert "No group of items is missing" not in out
    assert "could not" in grouped("run", "animals.jsonl").out.lower()


@pytest.mark.parametrize(
    ("arguments", "code", "mark"),
    [
        ((*SETS, "--fail-missing-groups", "0"), 1, "FAIL  1 group of similar items lacking"),
        ((*SETS, "--fail-missing-groups", "1"), 0, "ok    1 group of similar items lacking"),
        (("animals.jsonl", "--fail-missing-groups", "5"), 3, "?     groups could not be judged"),
    ],
)
def test_check_limits_the_groups_that_are_lacking(
    grouped: Command, arguments: tuple[str, ...], code: int, mark: str
) -> None:
    result = grouped("check", *arguments)
    assert (result.code, mark in result.out) == (code, True)
    record = grouped("check", *arguments, "--json")
    assert (record.code, record.json["passed"]) == (code, code == 0)


def test_a_limit_that_is_exceeded_counts_before_one_that_could_not_be_judged(
    grouped: Command,
) -> None:
    arguments = ("check", "animals.jsonl", "--fail-missing-groups", "0", "--max-missing", "0")
    assert grouped(*arguments).code == 1


def test_scope_any_is_taken_everywhere_and_measures_no_relevance(grouped: Command) -> None:
    run = grouped("run", *SETS, "--scope", "Any", "--add", "5", "--json").json
    assert run["reference_items"]["scope"] == "any"
    assert (
        grouped("coverage", *SETS, "--scope", "any", "--json").json["reference_items"]
        == (run["reference_items"])
    )
    assert not Path(WORK, "results", "relevance.npz").exists()
    shown = grouped("run", *SETS, "--scope", "any", "--force").out
    assert "Narrow it" not in shown
    both = ("--scope", "any", "--scope-examples", "pool.jsonl")
    refused = grouped("run", *SETS, *both, "--force")
    assert (refused.code, "takes every item" in refused.err) == (2, True)


def test_a_scope_is_about_one_benchmark(grouped: Command) -> None:
    refused = grouped("coverage", "animals.jsonl", "pool.jsonl", "--scope", "foxes")
    assert (refused.code, one_line(refused.err)) == (2, True)
    stated = grouped("coverage", *SETS, "--scope", "foxes", "--json").json
    assert stated["reference_items"]["scope"] == "stated"


def test_a_group_is_judged_by_name_in_one_step_that_can_be_undone(finished: Command) -> None:
    replace_groups(make_groups(make_group("red foxes")))
    result = finished(*DECIDE, "Red foxes", "not-meant", "--note", "pets only")
    assert (result.code, "red foxes: not meant, with 3 of its 3 pool items" in result.out) == (
        *(0, True),
    )
    with Workspace.open(Path(WORK), access="read") as workspace:
        log = workspace.decisions
        assert len(log) == 1
        standing = log.standing(Subject.GROUP, "id-red foxes")
        assert standing is not None
        assert (standing.verdict, standing.note, standing.who) == (
            *(Verdict.NOT_MEANT, "pets only", "ann"),
        )
        assert log.ids(Subject.POOL_ITEM, Verdict.NOT_MEANT) == ("p-0", "p-1", "p-2")
        assert "propose" in workspace.stale_stages()
    undone = finished("decide", WORK, "--undo").out
    assert undone == "Undone: group id-red foxes not meant, with 3 pool items\n"
    shown: Any = finished(*DECIDE, "id-red foxes", "meant", "--json").json
    assert (shown["verdict"], shown["pool_items"]) == ("meant", ["p-0", "p-1", "p-2"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("red fox", "meant"), "no such group in animals-workspace; the nearest: red foxes."),
        (("red foxes", "accept"), "not a verdict on a group; give meant or not-meant"),
        (("red foxes",), "give one verdict and no item"),
        (("red foxes", "p-1", "meant"), "give one verdict and no item"),
        (("red foxes", "meant", "--reason", "leak"), "a group takes --note"),
    ],
)
def test_a_judgement_that_makes_no_sense_is_refused(
    finished: Command, arguments: tuple[str, ...], said: str
) -> None:
    replace_groups(make_groups(make_group("red foxes"), make_group("owls")))
    refused = finished(*DECIDE, *arguments)
    assert (refused.code, one_line(refused.err)) == (2, True)
    assert said in refused.err


def test_without_a_search_or_a_finding_judging_says_why(finished: Command) -> None:
    replace_groups(make_groups(could_not_tell="The pool is too small."))
    assert "none could be judged. The pool is too small." in finished(*DECIDE, "a", "meant").err
    without_groups(finished)
    refused = finished(*DECIDE, "a", "meant")
    assert (refused.code, "not searched for yet" in refused.err) == (1, True)


def test_proposals_show_the_innermost_group_of_each_candidate(finished: Command) -> None:
    rows = finished("proposals", WORK, "--json").json["proposals"]
    row = int(rows[0]["id"].removeprefix("p-"))
    whole = make_group("foxes", pool_rows=(row, 0))
    part = make_group("red foxes", parent="id-foxes", pool_rows=(row,))
    replace_groups(make_groups(whole, part))
    first = finished("proposals", WORK, "--json").json["proposals"][0]
    assert (first["group"], first["group_name"]) == ("id-red foxes", "red foxes")
    assert " red foxes " in finished("proposals", WORK).out


def test_a_workspace_of_before_groups_is_read_as_before(finished: Command) -> None:
    without_groups(finished)
    assert finished("proposals", WORK).code == 0
    assert finished("decide", WORK, "p-3", "accept").code == 0
    result = finished("export", WORK, "--out", "mine")
    assert result.code == 0
    assert "Rarely asks" not in result.out
    manifest = json.loads(Path("mine/revision.json").read_text("utf-8"))
    assert (manifest["gap_groups"], manifest["power"]) == ([], None)
    assert "not searched" in manifest["could_not_tell"]


def test_suspicions_stand_apart_with_their_odds_and_names_are_never_interpreted(
    finished: Command,
) -> None:
    hostile = make_group("a\x1b]0;x\x07\nb")
    doubt = make_group("wolves", status=GroupStatus.SUSPECTED, p_value=0.4)
    over = make_group("cats", status=GroupStatus.OVER, count=30, expected=12.1)
    replace_groups(make_groups(hostile, doubt, over=(over,), warnings=("One form.",)))
    out = finished("export", WORK, "--out", "mine").out
    certain, apart = out.split("Perhaps too few; chance explains these as well")
    assert "wolves" not in certain
    assert "by chance in 4 of 10 runs" in apart
    assert "More than expected: cats (30 of 12.1 expected)." in apart
    assert "warning: One form." in certain
    assert "\x1b" not in out
    assert "\x07" not in out
    assert out.splitlines()[0].endswith("(0 of 2 expected).")
