"""`proposals`, `decide` and `config show`: the review without the interface."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.cli.output import TRUST_NOTE, print_json, print_lines, print_table, trust
from benchdesign.concepts.maps.highlights import find_marks, marked_words
from benchdesign.errors import UsageError, WorkspaceError
from benchdesign.foundation.text import display
from benchdesign.revision.rewritten_items import apply_edits
from benchdesign.workspace.decisions import Subject, Verdict
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.selection.proposal import Proposal
    from benchdesign.workspace.analysis import Analysis
    from benchdesign.workspace.decision_log import DecisionLog

__all__ = ["proposals_job"]


_STATES = {
    "open": Verdict.OPEN,
    "accepted": Verdict.ACCEPT,
    "rejected": Verdict.REJECT,
    "deferred": Verdict.DEFER,
}


DONE = {verdict: state for state, verdict in _STATES.items()}


VERDICT_WORDS = {
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
        state = DONE.get(log.verdict(Subject(one.kind), one.id), "open")
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


def _prompt(analysis: Analysis, one: Proposal, log: DecisionLog) -> str:
    """Return a proposal's prompt as it reads with what was rewritten."""
    if one.kind != "add" or analysis.pool is None:
        return analysis.benchmark.items[one.row].prompt
    item = analysis.pool.items[one.row]
    return apply_edits(analysis.pool, item, log.standing(Subject.ADD, one.id)).item.prompt


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
    if one.kind != "add" or analysis.pool is None or analysis.pool_map is None:
        return ()
    item = analysis.pool.items[one.row]
    evidence = analysis.evidence_of(item).get(concept_id, ())
    marks = find_marks(evidence, analysis.pool_map, row=one.row, concept_id=concept_id)
    return marked_words(item.text, marks)
