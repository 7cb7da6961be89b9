from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchdesign.errors import WorkspaceError
from benchdesign.workspace.decision_log import DecisionLog
from benchdesign.workspace.decisions import BY_RULE, Decision, Subject, Verdict

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def open_log(folder: Path, *, who: str = "ann") -> DecisionLog:
    return DecisionLog.from_file(folder / "decisions.jsonl", who=who, clock=lambda: NOON)


def test_missing_file_is_an_empty_log(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    assert (len(log), log.accepted, log.n_undoable) == (0, (), 0)


def test_accepted_items_come_in_the_order_they_were_accepted(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.decide(Subject.ADD, "p1", Verdict.REJECT)
    log.decide(Subject.ADD, "p2", Verdict.ACCEPT)
    log.decide(Subject.ADD, "p1", Verdict.ACCEPT)
    assert log.accepted == ("p2", "p1")


def test_replay_gives_the_same_state(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.decide(Subject.ADD, "p1", Verdict.ACCEPT, note="good")
    log.decide(Subject.REMOVE, "b1", Verdict.ACCEPT)
    log.decide(Subject.ADD, "p2", Verdict.REJECT, reason="leak")
    log.undo()
    again = open_log(tmp_path)
    assert (again.accepted, again.dropped) == (("p1",), ("b1",))
    assert again.verdict(Subject.ADD, "p2") is Verdict.OPEN
    assert again.n_redoable == 1
    assert [step.action for step in again] == ["decide", "decide", "decide", "undo"]


def test_undo_and_redo_append_and_never_rewrite(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.decide(Subject.ADD, "p1", Verdict.ACCEPT)
    before = log.path.read_bytes()
    log.undo()
    assert log.accepted == ()
    log.redo()
    assert log.accepted == ("p1",)
    assert log.path.read_bytes().startswith(before)
    assert len(log.path.read_bytes().splitlines()) == 3


def test_several_decisions_of_one_step_are_undone_together(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.decide(Subject.ADD, "p0", Verdict.ACCEPT)
    log.record(*(Decision(Subject.ADD, f"p{n}", Verdict.ACCEPT) for n in (1, 2, 3)))
    log.undo()
    assert log.accepted == ("p0",)
    assert open_log(tmp_path).accepted == ("p0",)


def test_nothing_to_undo_or_redo_is_none(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    assert log.undo() is None
    assert log.redo() is None


def test_a_new_decision_ends_redo(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.decide(Subject.ADD, "p1", Verdict.ACCEPT)
    log.undo()
    log.decide(Subject.ADD, "p2", Verdict.ACCEPT)
    assert log.redo() is None
    assert log.accepted == ("p2",)


def test_undoing_a_second_verdict_brings_the_first_back(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.decide(Subject.ADD, "p1", Verdict.REJECT, reason="unclear")
    log.decide(Subject.ADD, "p1", Verdict.ACCEPT)
    log.undo()
    standing = log.standing(Subject.ADD, "p1")
    assert standing is not None
    assert (standing.verdict, standing.reason) == (Verdict.REJECT, "unclear")


def test_a_new_verdict_drops_the_reason_and_keeps_the_note(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.decide(Subject.ADD, "p1", Verdict.REJECT, reason="leak", note="seen before")
    log.decide(Subject.ADD, "p1", Verdict.ACCEPT)
    standing = log.standing(Subject.ADD, "p1")
    assert standing is not None
    assert (standing.reason, standing.note) == ("", "seen before")


def test_a_note_alone_leaves_the_verdict_open(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.annotate(Subject.ADD, "p1", note="ask Bo")
    standing = log.standing(Subject.ADD, "p1")
    assert standing is not None
    assert (standing.verdict, standing.note, standing.who) == (Verdict.OPEN, "ask Bo", "ann")


def test_edits_of_several_decisions_add_up(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.record(Decision(Subject.ADD, "p1", edits={"question": "Why?"}))
    log.record(Decision(Subject.ADD, "p1", edits={"answer": "B"}))
    standing = open_log(tmp_path).standing(Subject.ADD, "p1")
    assert standing is not None
    assert standing.edits == {"question": "Why?", "answer": "B"}


def test_each_line_says_who_and_when(tmp_path: Path) -> None:
    log = open_log(tmp_path, who="bo")
    log.decide(Subject.ADD, "p1", Verdict.ACCEPT)
    entry = json.loads(log.path.read_text("utf-8"))
    assert (entry["who"], entry["when"]) == ("bo", "2026-03-01T12:00:00+00:00")


def test_a_line_cut_off_by_a_crash_is_left_out_and_then_replaced(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.decide(Subject.ADD, "p1", Verdict.ACCEPT)
    with log.path.open("ab") as file:
        file.write(b'{"action": "decide", "id": "p2"')
    again = open_log(tmp_path)
    assert (again.accepted, again.n_truncated) == (("p1",), 1)
    again.decide(Subject.ADD, "p3", Verdict.ACCEPT)
    last = open_log(tmp_path)
    assert (last.accepted, last.n_truncated) == (("p1", "p3"), 0)


def test_a_step_of_several_lines_counts_whole_or_not_at_all(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.decide(Subject.ADD, "p0", Verdict.ACCEPT)
    log.record(*(Decision(Subject.ADD, f"p{n}", Verdict.ACCEPT) for n in (1, 2, 3)))
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(lines[:3]))
    again = open_log(tmp_path)
    assert (again.accepted, again.n_truncated) == (("p0",), 1)
    again.decide(Subject.ADD, "p9", Verdict.ACCEPT)
    assert open_log(tmp_path).accepted == ("p0", "p9")


@pytest.mark.parametrize("size", range(0, 400, 7))
def test_a_log_cut_anywhere_replays_to_a_prefix(tmp_path: Path, size: int) -> None:
    log = open_log(tmp_path)
    for number in range(3):
        log.decide(Subject.ADD, f"p{number}", Verdict.ACCEPT)
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[:size])
    accepted = open_log(tmp_path).accepted
    assert accepted == ("p0", "p1", "p2")[: whole[:size].count(b"\n")]


def test_a_damaged_line_in_the_middle_names_file_and_line(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.decide(Subject.ADD, "p1", Verdict.ACCEPT)
    log.path.write_bytes(b"not json\n" + log.path.read_bytes())
    with pytest.raises(WorkspaceError, match=r"decisions\.jsonl:1: not a decision"):
        open_log(tmp_path)


def test_hostile_ids_and_notes_survive_the_round_trip(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    hostile = 'a"\n\x00\x1b]0;x\x07\u202e\ud800'
    log.decide(Subject.ADD, hostile, Verdict.ACCEPT, note=hostile)
    assert open_log(tmp_path).accepted == (hostile,)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(WorkspaceError, match="the decision was not saved"):
        open_log(tmp_path).decide(Subject.ADD, "p1", Verdict.ACCEPT)


def test_a_decision_that_cannot_be_saved_is_not_taken(tmp_path: Path) -> None:
    log = DecisionLog.from_file(
        tmp_path / "gone" / "decisions.jsonl", who="ann", clock=lambda: NOON
    )
    with pytest.raises(WorkspaceError, match="the decision was not saved"):
        log.decide(Subject.ADD, "p1", Verdict.ACCEPT)
    assert log.accepted == ()


def test_order_of_lines_counts_when_the_clock_goes_backwards(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.decide(Subject.ADD, "p1", Verdict.ACCEPT)
    earlier = DecisionLog.from_file(
        log.path, who="ann", clock=lambda: datetime(2020, 1, 1, tzinfo=UTC)
    )
    earlier.decide(Subject.ADD, "p1", Verdict.REJECT)
    assert open_log(tmp_path).verdict(Subject.ADD, "p1") is Verdict.REJECT


def test_a_wanted_count_is_kept_undone_and_given_back_to_the_rule(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.record(Decision(Subject.CONCEPT, "7", want=12))
    log.record(Decision(Subject.CONCEPT, "7", note="few"), Decision(Subject.CONCEPT, "9", want=0))
    assert open_log(tmp_path).wanted == {7: 12, 9: 0}
    assert log.verdict(Subject.CONCEPT, "7") is Verdict.OPEN
    log.undo()
    assert log.wanted == {7: 12}
    log.record(Decision(Subject.CONCEPT, "7", want=BY_RULE))
    assert open_log(tmp_path).wanted == {}
    log.undo()
    log.undo()
    assert log.wanted == {}


def test_merged_concepts_are_counted_as_the_last_of_the_chain(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.record(Decision(Subject.CONCEPT, "7", merge="9"))
    log.record(Decision(Subject.CONCEPT, "9", merge="4"))
    assert open_log(tmp_path).merged == {7: 4, 9: 4}
    log.record(Decision(Subject.CONCEPT, "9", merge=""))
    assert log.merged == {7: 9}
    log.undo()
    assert log.merged == {7: 4, 9: 4}


def test_a_circle_of_merges_ends_at_its_smallest_concept(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    for concept, target in (("7", "9"), ("9", "4"), ("4", "7")):
        log.record(Decision(Subject.CONCEPT, concept, merge=target))
    assert log.merged == {7: 4, 9: 4}


@pytest.mark.parametrize("bad", ['"want": "many"', '"merge": "all"'])
def test_a_want_or_merge_that_is_no_number_names_its_line(tmp_path: Path, bad: str) -> None:
    log = open_log(tmp_path)
    log.record(Decision(Subject.CONCEPT, "7", want=12))
    line = log.path.read_text("ascii")
    log.path.write_text(line + line.replace('"want": 12', bad).replace('"step": 1', '"step": 2'))
    with pytest.raises(WorkspaceError, match=r"decisions\.jsonl:2: not a decision"):
        open_log(tmp_path)


@pytest.mark.parametrize("broken", [b"{", b'{"step": 2}', b"[]", b'"a"', b"1,2"])
def test_the_line_that_is_wrong_is_named_among_many(tmp_path: Path, broken: bytes) -> None:
    log = open_log(tmp_path)
    for number in range(5):
        log.decide(Subject.ADD, f"p{number}", Verdict.ACCEPT)
    lines = log.path.read_bytes().splitlines()
    log.path.write_bytes(b"\n".join([*lines[:3], broken, *lines[3:]]) + b"\n")
    with pytest.raises(WorkspaceError, match=r"decisions\.jsonl:4: not a decision"):
        open_log(tmp_path)


def test_what_was_said_has_a_word() -> None:
    events = [
        Decision(Subject.ADD, "p", Verdict.ACCEPT, note="good"),
        Decision(Subject.CONCEPT, "7", want=3),
        Decision(Subject.CONCEPT, "7", merge="9"),
        Decision(Subject.ADD, "p", edits={"a": 1}),
        Decision(Subject.ADD, "p", reason="leak"),
        Decision(Subject.ADD, "p", note=""),
    ]
    words = ["accept", "wanted count", "merge", "edit", "reason", "note"]
    assert [event.word for event in events] == words
