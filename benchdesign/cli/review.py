"""`proposals`, `decide` and `config show`: the review without the interface."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.cli.output import print_json, print_lines, print_table
from benchdesign.config import load_preferences
from benchdesign.decisions import Decision, Step, Subject, Verdict
from benchdesign.errors import UsageError, WorkspaceError
from benchdesign.text import display
from benchdesign.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.decisions import DecisionLog
    from benchdesign.proposals import Proposal

__all__ = ["config_job", "decide_job", "proposals_job", "redo_job", "undo_job"]

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
            items = analysis.pool if one.kind == "add" else analysis.benchmark
            prompt = items.items[one.row].prompt if items is not None else ""
            rows.append(_proposal_row(one, state, prompt, log, analysis.dictionary.label))
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
            str(len(row["gaps"])),
            display(row["prompt"], width=_PROMPT_CELLS),
        ]
        for row in rows
    ]
    print_table(("RANK", "ID", "KIND", "STATE", "GAIN", "GAPS", "ITEM"), table, right="rlllrrl")


def decide_job(
    folder: Path,
    item_id: str | None,
    verdict: str | None,
    *,
    note: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Record one verdict about a proposal (or about any item of pool or benchmark)."""
    if item_id is None or verdict is None:
        raise UsageError(
            "Give an item and a verdict: `benchdesign decide WORKSPACE ID accept`, or --undo."
        )
    said = _WORDS.get(verdict)
    if said is None:
        raise UsageError(f"{verdict}: not a verdict; give accept, reject or defer.")
    preferences, _ = load_preferences()
    with Workspace.open(folder, who=preferences.who) as workspace:
        subject = _subject(workspace, item_id)
        workspace.decisions.record(Decision(subject, item_id, said, note=note, reason=reason))
        _print_state(workspace.decisions, subject, item_id, as_json=as_json)


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


def _subject(workspace: Workspace, item_id: str) -> Subject:
    """Return whether the id is a proposal, an item of the pool or one of the benchmark."""
    analysis = workspace.load_analysis()
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
        f"{display(item_id)}: no such item in {workspace.folder}.{hint} "
        f"`benchdesign proposals {workspace.folder}` lists them."
    )


def _proposal_row(
    one: Proposal, state: str, prompt: str, log: DecisionLog, label: Any
) -> dict[str, Any]:
    standing = log.standing(Subject(one.kind), one.id)
    return {
        "id": one.id,
        "kind": one.kind,
        "rank": one.rank,
        "gain": one.gain,
        "state": state,
        "note": standing.note if standing else "",
        "reason": standing.reason if standing else "",
        "category": one.category,
        "prompt": prompt,
        "gaps": [
            {
                "concept": gap.concept_id,
                "label": label(gap.concept_id),
                "before": gap.before,
                "after": gap.after,
                "target": gap.target,
            }
            for gap in one.gaps
        ],
        "nearest": one.nearest_id,
        "similarity": one.nearest_similarity,
        "checks": [
            {"name": check.name, "passed": check.passed, "message": check.message}
            for check in one.checks
        ],
    }


def _print_state(log: DecisionLog, subject: Subject, item_id: str, *, as_json: bool) -> None:
    standing = log.standing(subject, item_id)
    figures = {
        "id": item_id,
        "kind": subject.value,
        "verdict": log.verdict(subject, item_id).value,
        "note": standing.note if standing else "",
        "reason": standing.reason if standing else "",
        "n_accepted": len(log.accepted),
        "n_dropped": len(log.dropped),
    }
    if as_json:
        print_json(figures)
        return
    state = _DONE.get(log.verdict(subject, item_id), "open")
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
