"""What `decide` does: record decisions, undo and redo them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.cli.actions.review import DONE, VERDICT_WORDS
from benchdesign.cli.output import Messages, print_json, print_lines
from benchdesign.errors import UsageError, WorkspaceError
from benchdesign.foundation.preferences import load_preferences
from benchdesign.foundation.serialization import to_json
from benchdesign.foundation.text import display
from benchdesign.revision.rewritten_items import apply_edits
from benchdesign.workspace.decisions import Decision, LogStep, Subject
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.workspace.analysis import Analysis
    from benchdesign.workspace.decision_log import DecisionLog

__all__ = ["DecisionInput", "decide_job", "redo_job", "undo_job"]


@dataclass(frozen=True, slots=True)
class DecisionInput:
    """What `decide` was told of an item, as it was typed."""

    verdict: str | None = None
    note: str | None = None
    reason: str | None = None
    edits: Sequence[str] = ()
    """FIELD=VALUE."""


def decide_job(folder: Path, item_id: str | None, said: DecisionInput, *, as_json: bool) -> None:
    """Record what was said of a proposal (or of any item of pool or benchmark)."""
    if item_id is None or not (said.verdict or said.note or said.reason or said.edits):
        raise UsageError(
            "Give an item and a verdict: `benchdesign decide WORKSPACE ID accept`, or --undo."
        )
    verdict = None if said.verdict is None else VERDICT_WORDS.get(said.verdict)
    if said.verdict is not None and verdict is None:
        raise UsageError(f"{said.verdict}: not a verdict; give accept, reject or defer.")
    preferences, _ = load_preferences()
    with Workspace.open(folder, who=preferences.who) as workspace:
        analysis = workspace.load_analysis()
        subject = _subject(analysis, item_id, folder)
        edits = _edits(analysis, subject, item_id, said.edits)
        workspace.decisions.record(
            Decision(subject, item_id, verdict, note=said.note, reason=said.reason, edits=edits)
        )
        _print_state(workspace.decisions, subject, item_id, as_json=as_json)
        if edits and analysis.pool is not None:
            _warn_of_key(analysis.pool, item_id, workspace.decisions)


def undo_job(folder: Path, *, item_id: str | None, as_json: bool) -> None:
    """Take the last decision back."""
    _step_job(folder, "undo", item_id=item_id, as_json=as_json)


def redo_job(folder: Path, *, item_id: str | None, as_json: bool) -> None:
    """Bring the decision undone last back."""
    _step_job(folder, "redo", item_id=item_id, as_json=as_json)


def _step_job(folder: Path, action: str, *, item_id: str | None, as_json: bool) -> None:
    if item_id is not None:
        raise UsageError(
            f"--{action} takes the last decision, whatever it was; leave out {item_id!r}."
        )
    preferences, _ = load_preferences()
    with Workspace.open(folder, who=preferences.who) as workspace:
        log = workspace.decisions
        step = log.undo() if action == "undo" else log.redo()
        if step is None:
            raise WorkspaceError(f"{folder}: there is nothing to {action}.")
        if as_json:
            print_json(_step_figures(action, step, log))
            return
        done = "Undone" if action == "undo" else "Redone"
        print_lines(*(f"{done}: {_said(one)}" for one in step.decisions))


def _subject(analysis: Analysis, item_id: str, folder: Path) -> Subject:
    """Return whether the id is a proposal, an item of the pool or one of the benchmark."""
    for proposals in (analysis.proposals, analysis.removals):
        for one in proposals:
            if one.id == item_id:
                return Subject(one.kind)
    if analysis.pool is not None and any(one.id == item_id for one in analysis.pool.items):
        return Subject.ADD
    if any(one.id == item_id for one in analysis.benchmark.items):
        return Subject.REMOVE
    known = [one.id for one in (*analysis.proposals, *analysis.removals)]
    near = difflib.get_close_matches(item_id, known, n=1)
    hint = f" Did you mean {display(near[0])}?" if near else ""
    raise UsageError(
        f"{display(item_id)}: no such item in {folder}.{hint} "
        f"`benchdesign proposals {folder}` lists them."
    )


def _edits(
    analysis: Analysis, subject: Subject, item_id: str, given: Sequence[str]
) -> dict[str, Any] | None:
    """Return the new values of a candidate's fields; each keeps the kind of value it had."""
    if not given:
        return None
    pool = analysis.pool
    item = next((one for one in pool.items if one.id == item_id), None) if pool else None
    if pool is None or item is None or subject is not Subject.ADD:
        raise UsageError(f"--edit: {display(item_id)} is in the benchmark, which stays as it is.")
    record = pool.record(item)
    edits = {}
    for one in given:
        name, sign, text = one.partition("=")
        if not sign:
            raise UsageError(f"--edit {display(one)}: write it as FIELD=VALUE.")
        if name not in record:
            known = ", ".join(display(str(field)) for field in record)
            raise UsageError(f"--edit {display(name)}: no such field in the item; it has {known}.")
        edits[name] = _like(record[name], name, text)
    return edits


def _warn_of_key(pool: Benchmark, item_id: str, log: DecisionLog) -> None:
    """Say so where a rewritten item's key is none of its choices: it would have no key."""
    before = next(one for one in pool.items if one.id == item_id)
    item = apply_edits(pool, before, log.standing(Subject.ADD, item_id)).item
    if item.choices and item.answer and item.answer_index is None:
        choices = "; ".join(display(one, width=30) for one in item.choices[:6])
        Messages().say(
            f"note: the answer {display(item.answer, width=30)} is none of the choices "
            f"({choices}); the item would have no key."
        )


def _like(before: object, name: str, text: str) -> object:
    if isinstance(before, str):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if isinstance(before, list | dict) and type(value) is not type(before):
        kind = "list" if isinstance(before, list) else "object"
        raise UsageError(
            f"--edit {display(name)}: it holds {to_json(before)!r:.80}; give a JSON {kind}."
        )
    return value


def _print_state(log: DecisionLog, subject: Subject, item_id: str, *, as_json: bool) -> None:
    standing = log.standing(subject, item_id)
    figures = {
        "id": item_id,
        "kind": subject.value,
        "verdict": log.verdict(subject, item_id).value,
        "note": standing.note if standing else "",
        "reason": standing.reason if standing else "",
        "edited": sorted(standing.edits) if standing else [],
        "n_accepted": len(log.accepted),
        "n_dropped": len(log.dropped),
    }
    if as_json:
        print_json(figures)
        return
    state = DONE.get(log.verdict(subject, item_id), "open")
    if standing and standing.edits:
        state += f", rewritten in {', '.join(display(one) for one in sorted(standing.edits))}"
    print_lines(
        f"{display(item_id)}: {state}. {figures['n_accepted']} to add, "
        f"{figures['n_dropped']} to remove so far; --undo takes this back."
    )


def _step_figures(action: str, step: LogStep, log: DecisionLog) -> dict[str, Any]:
    return {
        "action": action,
        "items": [one.subject_id for one in step.decisions],
        "n_accepted": len(log.accepted),
        "n_dropped": len(log.dropped),
        "n_undoable": log.n_undoable,
        "n_redoable": log.n_redoable,
    }


def _said(one: Decision) -> str:
    what = one.verdict.value if one.verdict else "note"
    return f"{display(one.subject_id)} {what}"
