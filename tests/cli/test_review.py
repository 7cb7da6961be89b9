"""`proposals`, `decide` and `export`, by what they print and write."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchdesign.pipeline.stage_results import ProposeResult
from benchdesign.workspace.workspace import Workspace
from tests.cli.conftest import Command, one_line
from tests.keywords import use_keywords


def test_proposals_are_listed_with_their_state(finished: Command) -> None:
    first = finished("proposals", "animals-workspace", "--json").json["proposals"][0]
    assert (first["state"], first["category"], first["gaps"][0]["label"]) == ("open", "fox", "fox")
    finished("decide", "animals-workspace", first["id"], "accept", "--note", "good")
    listed = finished("proposals", "animals-workspace", "--only", "accepted", "--json")
    assert [proposal["id"] for proposal in listed.json["proposals"]] == [first["id"]]
    assert first["id"] in finished("proposals", "animals-workspace").out


def test_proposals_say_what_they_fill_and_by_which_words(finished: Command) -> None:
    assert " FIRST GAP " in finished("proposals", "animals-workspace").out
    rows = finished("proposals", "animals-workspace", "--json").json["proposals"]
    assert all(row["gaps"][0]["words"] == ["fox"] for row in rows)


@pytest.mark.parametrize(
    ("score", "cell", "trust"), [(0.875, "0.88", "0.88"), (float("nan"), "-", "not measured")]
)
def test_a_labels_score_is_shown_wherever_the_label_is(
    command: Command, monkeypatch: pytest.MonkeyPatch, score: float, cell: str, trust: str
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
    assert f"label trust {trust}" in Path("animals-revised/report.md").read_text()
    assert trust in Path("animals-revised/report.html").read_text()


def test_decide_undo_and_redo_are_on_disk_at_once(finished: Command) -> None:
    ids = [
        proposal["id"]
        for proposal in finished("proposals", "animals-workspace", "--json").json["proposals"]
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
    assert [addition["pool_id"] for addition in result.json["added"]] == ["p-3"]


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
    decision = finished("decide", "animals-workspace", first, "accept", *edits, "--json").json
    assert (decision["verdict"], decision["edited"]) == ("accept", ["choices", "question"])
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
    decision = finished(
        "decide", "animals-workspace", "p-3", "--edit", "question=Any fox?", "--json"
    )
    assert decision.json["verdict"] == "open"
    assert finished("decide", "animals-workspace", "--undo").code == 0
    again = finished("decide", "animals-workspace", "p-3", "accept", "--json")
    assert again.json["edited"] == []


def test_a_rewritten_key_that_is_no_choice_is_noted(finished: Command) -> None:
    result = finished("decide", "animals-workspace", "p-3", "accept", "--edit", "answer=E")
    assert result.code == 0
    assert "note: the answer E is none of the choices (fish; grass;" in result.err
    assert finished("decide", "animals-workspace", "p-3", "--edit", "answer=B").err == ""


@pytest.mark.parametrize(
    ("item", "edit", "message"),
    [
        ("p-3", "question", "FIELD=VALUE"),
        ("p-3", "stem=x", "no such field in the item; it has id, question, choices"),
        ("p-3", "choices=yes", "give a JSON list"),
        ("b-3", "question=x", "stays as it is"),
    ],
)
def test_an_edit_that_cannot_be_made_is_one_line(
    finished: Command, item: str, edit: str, message: str
) -> None:
    result = finished("decide", "animals-workspace", item, "--edit", edit)
    assert result.code == 2
    assert one_line(result.err)
    assert message in result.err
