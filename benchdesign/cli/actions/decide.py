"""`decide`: record, undo and redo decisions."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.cli.actions.review import STATES, VERDICTS
from benchdesign.cli.output import Messages, print_json, print_lines
from benchdesign.cli.revision_options import DecisionOptions
from benchdesign.errors import UsageError, WorkspaceError
from benchdesign.foundation.number_words import plural
from benchdesign.foundation.preferences import load_preferences
from benchdesign.foundation.serialization import to_json
from benchdesign.foundation.text import display
from benchdesign.pipeline.load_analysis import load_analysis
from benchdesign.revision.edited_items import apply_edits
from benchdesign.workspace.decisions import Decision, LogStep, Subject
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.workspace.analysis import Analysis
    from benchdesign.workspace.decision_log import DecisionLog

__all__ = ["DecisionInput", "decide_job", "redo_job", "undo_job"]


@dataclass(frozen=True, slots=True)
class DecisionInput:
    """The verdict on an item as it was typed, with note, reason and edits."""

    verdict: str | None
    options: DecisionOptions

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to record."""
        options = self.options
        return not (self.verdict or options.note or options.reason or options.edit)


def decide_job(
    folder: Path, item_id: str | None, decision: DecisionInput, *, as_json: bool
) -> None:
    """Record a decision about a proposal, or about any item of the pool or the benchmark."""
    if item_id is None or decision.is_empty:
        raise UsageError(
            "Give an item and a verdict: `benchdesign decide WORKSPACE ID accept`, or --undo."
        )
    verdict = None if decision.verdict is None else VERDICTS.get(decision.verdict)
    if decision.verdict is not None and verdict is None:
        raise UsageError(f"{decision.verdict}: not a verdict; give accept, reject or defer.")
    options = decision.options
    preferences, _ = load_preferences()
    with Workspace.open(folder, who=preferences.who) as workspace:
        analysis = load_analysis(workspace)
        subject = _find_subject(analysis, item_id, folder)
        edits = _parse_edits(analysis, subject, item_id, options.edit or ())
        workspace.decisions.record(
            Decision(
                subject, item_id, verdict, note=options.note, reason=options.reason, edits=edits
            )
        )
        _print_state(workspace.decisions, subject, item_id, as_json=as_json)
        if edits and analysis.pool is not None:
            _warn_of_key(analysis.pool, item_id, workspace.decisions)


def undo_job(folder: Path, *, item_id: str | None, as_json: bool) -> None:
    """Undo the last decision."""
    _step_job(folder, "undo", item_id=item_id, as_json=as_json)


def redo_job(folder: Path, *, item_id: str | None, as_json: bool) -> None:
    """Redo the decision undone last."""
    _step_job(folder, "redo", item_id=item_id, as_json=as_json)


def _step_job(folder: Path, action: str, *, item_id: str | None, as_json: bool) -> None:
    if item_id is not None:
        raise UsageError(
            f"--{action} applies to the last decision on any item; leave out {item_id!r}."
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
        print_lines(*(f"{done}: {line}" for line in _decision_lines(step)))


def _find_subject(analysis: Analysis, item_id: str, folder: Path) -> Subject:
    """Return whether the id is a proposal, an item of the pool or one of the benchmark."""
    proposals = [*analysis.proposals, *analysis.removals]
    for proposal in proposals:
        if proposal.id == item_id:
            return Subject(proposal.kind)
    if analysis.pool is not None and any(item.id == item_id for item in analysis.pool.items):
        return Subject.ADD
    if any(item.id == item_id for item in analysis.benchmark.items):
        return Subject.REMOVE
    matches = difflib.get_close_matches(item_id, [proposal.id for proposal in proposals], n=1)
    hint = f" Did you mean {display(matches[0])}?" if matches else ""
    raise UsageError(
        f"{display(item_id)}: no such item in {folder}.{hint} "
        f"`benchdesign proposals {folder}` lists them."
    )


def _parse_edits(
    analysis: Analysis, subject: Subject, item_id: str, texts: Sequence[str]
) -> dict[str, Any] | None:
    """Return the new values of a candidate's fields, each of the type it had."""
    if not texts:
        return None
    pool = analysis.pool
    item = next((item for item in pool.items if item.id == item_id), None) if pool else None
    if pool is None or item is None or subject is not Subject.ADD:
        raise UsageError(f"--edit: {display(item_id)} is in the benchmark, which stays as it is.")
    record = pool.record(item)
    edits = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise UsageError(f"--edit {display(text)}: write it as FIELD=VALUE.")
        if name not in record:
            known = ", ".join(display(str(field)) for field in record)
            raise UsageError(f"--edit {display(name)}: no such field in the item; it has {known}.")
        edits[name] = _parse_value(record[name], name, value)
    return edits


def _parse_value(before: object, name: str, text: str) -> object:
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


def _warn_of_key(pool: Benchmark, item_id: str, log: DecisionLog) -> None:
    """Print a note if the key of an edited item is not among its choices."""
    before = next(item for item in pool.items if item.id == item_id)
    item = apply_edits(pool, before, log.standing(Subject.ADD, item_id)).item
    if item.choices and item.answer and item.answer_index is None:
        choices = "; ".join(display(choice, width=30) for choice in item.choices[:6])
        Messages().say(
            f"note: the answer {display(item.answer, width=30)} is none of the choices "
            f"({choices}); the item would have no key."
        )


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
    state = STATES.get(log.verdict(subject, item_id), "open")
    if standing and standing.edits:
        state += f", rewritten in {', '.join(display(field) for field in sorted(standing.edits))}"
    print_lines(
        f"{display(item_id)}: {state}. {figures['n_accepted']} to add, "
        f"{figures['n_dropped']} to remove so far; --undo reverts this."
    )


def _step_figures(action: str, step: LogStep, log: DecisionLog) -> dict[str, Any]:
    return {
        "action": action,
        "items": [decision.subject_id for decision in step.decisions],
        "n_accepted": len(log.accepted),
        "n_dropped": len(log.dropped),
        "n_undoable": log.n_undoable,
        "n_redoable": log.n_redoable,
    }


def _decision_lines(step: LogStep) -> list[str]:
    """Return a line for each decision of a step; the items of a judged group share its line."""
    lines = [
        f"{display(decision.subject_id)} {decision.word}"
        for decision in step.decisions
        if decision.subject is not Subject.POOL_ITEM
    ]
    n_items = len(step.decisions) - len(lines)
    if n_items and lines:
        lines[0] = f"group {lines[0]}, with {plural(n_items, 'pool item')}"
    elif n_items:
        lines = [
            f"pool item {display(decision.subject_id)} {decision.word}"
            for decision in step.decisions
        ]
    return lines
