"""`proposals`, `decide` and `config show`: the review without the interface."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.cli.output import TRUST_NOTE, Talk, print_json, print_lines, print_table, trust
from benchdesign.config import load_preferences
from benchdesign.decisions import Decision, Step, Subject, Verdict
from benchdesign.edits import edit_of
from benchdesign.errors import UsageError, WorkspaceError
from benchdesign.records import plain
from benchdesign.text import display
from benchdesign.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.analysis import Analysis
    from benchdesign.decisions import DecisionLog
    from benchdesign.items import Benchmark
    from benchdesign.proposals import Proposal

__all__ = ["Said", "config_job", "decide_job", "proposals_job", "redo_job", "undo_job"]

_STATES = {
    "open": Verdict.OPEN,
    "accepted": Verdict.ACCEPT,
    "rejected": Verdict.REJECT,
    "deferred": Verdict.DEFER,
}
_DONE = {verdict: state for state, verdict in _STATES.items()}
_WORDS = {
    "accept": Verdict.ACCEPT,
    "reject": Verdict.REJECT,
    "defer": Verdict.DEFER,
    "open": Verdict.OPEN,
}
_PROMPT_CELLS = 70
_LABEL_CELLS = 32
_GAIN_NOTE = "  GAIN: what it adds after those above it, 1 for the best; of removals, how redundant"


def proposals_job(folder: Path, *, only: str | None, as_json: bool) -> None:
    """Print the review queue."""
    if only is not None and only not in _STATES:
        raise UsageError(f"--only {only}: unknown state; known: {', '.join(_STATES)}.")
    with Workspace.open(folder, access="read") as workspace:
        analysis = workspace.load_analysis()
        log = workspace.decisions
        stale = "propose" in workspace.stale_stages()
    if stale:
        raise WorkspaceError(
            f"{folder}: the proposals are out of date. Run again: benchdesign open {folder}"
        )
    rows = []
    for one in (*analysis.proposals, *analysis.removals):
        state = _DONE.get(log.verdict(Subject(one.kind), one.id), "open")
        if only in (None, state):
            prompt = _prompt(analysis, one, log)
            rows.append(_proposal_row(analysis, one, state, prompt, log))
    if as_json:
        print_json({"workspace": str(folder), "proposals": rows})
        return
    if not rows:
        print_lines("No proposals." if only is None else f"No proposals are {only}.")
        return
    table = [
        [
            str(row["rank"]),
            display(row["id"]),
            row["kind"],
            row["state"],
            f"{row['gain']:.2f}",
            str(row["n_gaps"]),
            display(row["gaps"][0]["label"] if row["gaps"] else "-", width=_LABEL_CELLS),
            trust(row["gaps"][0]["label_score"] if row["gaps"] else None),
            display(row["prompt"], width=_PROMPT_CELLS),
        ]
        for row in rows
    ]
    head = ("RANK", "ID", "KIND", "STATE", "GAIN", "GAPS", "FIRST OF THEM", "TRUST", "ITEM")
    print_table(head, table, right="rlllrrlrl")
    print_lines(_GAIN_NOTE, TRUST_NOTE)


@dataclass(frozen=True, slots=True)
class Said:
    """What `decide` was told of an item, as it was typed."""

    verdict: str | None = None
    note: str | None = None
    reason: str | None = None
    edits: Sequence[str] = ()
    """FIELD=VALUE."""


def decide_job(folder: Path, item_id: str | None, said: Said, *, as_json: bool) -> None:
    """Record what was said of a proposal (or of any item of pool or benchmark)."""
    if item_id is None or not (said.verdict or said.note or said.reason or said.edits):
        raise UsageError(
            "Give an item and a verdict: `benchdesign decide WORKSPACE ID accept`, or --undo."
        )
    verdict = None if said.verdict is None else _WORDS.get(said.verdict)
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


def config_job(*, as_json: bool) -> None:
    """Print every preference with its origin."""
    _, found = load_preferences()
    if as_json:
        print_json({one.name: {"value": one.value, "origin": one.origin} for one in found})
        return
    rows = [[one.name, display(str(one.value or "-")), display(one.origin)] for one in found]
    print_table(("SETTING", "VALUE", "FROM"), rows)


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
    item = edit_of(pool, before, log.standing(Subject.ADD, item_id)).item
    if item.choices and item.answer and item.answer_index is None:
        choices = "; ".join(display(one, width=30) for one in item.choices[:6])
        Talk().say(
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
            f"--edit {display(name)}: it holds {plain(before)!r:.80}; give a JSON {kind}."
        )
    return value


def _prompt(analysis: Analysis, one: Proposal, log: DecisionLog) -> str:
    """Return a proposal's prompt as it reads with what was rewritten."""
    if one.kind != "add" or analysis.pool is None:
        return analysis.benchmark.items[one.row].prompt
    item = analysis.pool.items[one.row]
    return edit_of(analysis.pool, item, log.standing(Subject.ADD, one.id)).item.prompt


def _proposal_row(
    analysis: Analysis, one: Proposal, state: str, prompt: str, log: DecisionLog
) -> dict[str, Any]:
    standing = log.standing(Subject(one.kind), one.id)
    dictionary = analysis.dictionary
    return {
        "id": one.id,
        "kind": one.kind,
        "rank": one.rank,
        "gain": one.gain,
        "state": state,
        "note": standing.note if standing else "",
        "reason": standing.reason if standing else "",
        "edited": sorted(standing.edits) if standing else [],
        "category": one.category,
        "prompt": prompt,
        "gaps": [
            {
                "concept": gap.concept_id,
                "label": dictionary.label(gap.concept_id),
                "label_score": dictionary.label_score(gap.concept_id),
                "before": gap.before,
                "after": gap.after,
                "target": gap.target,
                "words": _words(analysis, one, gap.concept_id),
            }
            for gap in one.gaps
        ],
        "n_gaps": one.n_filled,
        "nearest": one.nearest_id,
        "similarity": one.nearest_similarity,
        "checks": [
            {"name": check.name, "passed": check.passed, "message": check.message}
            for check in one.checks
        ],
    }


def _words(analysis: Analysis, one: Proposal, concept_id: int) -> tuple[str, ...]:
    """Return the words of a candidate that show a concept, as it stood when it was read."""
    from benchdesign.highlights import marked_words, marks_of

    if one.kind != "add" or analysis.pool is None or analysis.pool_map is None:
        return ()
    item = analysis.pool.items[one.row]
    evidence = analysis.evidence_of(item).get(concept_id, ())
    marks = marks_of(evidence, analysis.pool_map, row=one.row, concept_id=concept_id)
    return marked_words(item.text, marks)


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
    state = _DONE.get(log.verdict(subject, item_id), "open")
    if standing and standing.edits:
        state += f", rewritten in {', '.join(display(one) for one in sorted(standing.edits))}"
    print_lines(
        f"{display(item_id)}: {state}. {figures['n_accepted']} to add, "
        f"{figures['n_dropped']} to remove so far; --undo takes this back."
    )


def _step_figures(action: str, step: Step, log: DecisionLog) -> dict[str, Any]:
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
