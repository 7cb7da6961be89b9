"""`proposals`: the review queue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.cli.output import TRUST_NOTE, print_json, print_lines, print_table, trust
from benchdesign.concepts.maps.highlights import find_marks, marked_words
from benchdesign.errors import UsageError, WorkspaceError
from benchdesign.foundation.text import display
from benchdesign.pipeline.load_analysis import load_analysis
from benchdesign.revision.edited_items import apply_edits
from benchdesign.revision.group_counts import innermost_group
from benchdesign.workspace.decisions import Subject, Verdict
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.selection.proposal import Proposal
    from benchdesign.workspace.analysis import Analysis
    from benchdesign.workspace.decision_log import DecisionLog

__all__ = ["STATES", "VERDICTS", "proposals_job"]

STATES = {
    Verdict.OPEN: "open",
    Verdict.ACCEPT: "accepted",
    Verdict.REJECT: "rejected",
    Verdict.DEFER: "deferred",
}
VERDICTS = {
    "accept": Verdict.ACCEPT,
    "reject": Verdict.REJECT,
    "defer": Verdict.DEFER,
    "open": Verdict.OPEN,
}

_PROMPT_CELLS = 70
_LABEL_CELLS = 32
_GAIN_NOTE = "  GAIN: value of an addition after those above it (best: 1); redundancy of a removal"


def proposals_job(folder: Path, *, only: str | None, as_json: bool) -> None:
    """Print the review queue."""
    if only is not None and only not in STATES.values():
        raise UsageError(f"--only {only}: unknown state; known: {', '.join(STATES.values())}.")
    with Workspace.open(folder, access="read") as workspace:
        analysis = load_analysis(workspace)
        log = workspace.decisions
        is_stale = "propose" in workspace.stale_stages()
    if is_stale:
        raise WorkspaceError(
            f"{folder}: the proposals are out of date. Run it again: benchdesign open {folder}"
        )
    rows = []
    for proposal in (*analysis.proposals, *analysis.removals):
        state = STATES.get(log.verdict(Subject(proposal.kind), proposal.id), "open")
        if only in (None, state):
            rows.append(_proposal_row(analysis, proposal, state, log))
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
            display(row["group_name"] or "-", width=_LABEL_CELLS),
            display(row["gaps"][0]["label"] if row["gaps"] else "-", width=_LABEL_CELLS),
            trust(row["gaps"][0]["label_score"] if row["gaps"] else None),
            display(row["prompt"], width=_PROMPT_CELLS),
        ]
        for row in rows
    ]
    head = ("RANK", "ID", "KIND", "STATE", "GAIN", "GAPS", "GROUP", "FIRST GAP", "TRUST", "ITEM")
    print_table(head, table, right="rlllrrllrl")
    print_lines(_GAIN_NOTE, TRUST_NOTE)


def _prompt(analysis: Analysis, proposal: Proposal, log: DecisionLog) -> str:
    """Return a proposal's prompt with its edits."""
    if proposal.kind != "add" or analysis.pool is None:
        return analysis.benchmark.items[proposal.row].prompt
    item = analysis.pool.items[proposal.row]
    return apply_edits(analysis.pool, item, log.standing(Subject.ADD, proposal.id)).item.prompt


def _proposal_row(
    analysis: Analysis, proposal: Proposal, state: str, log: DecisionLog
) -> dict[str, Any]:
    standing = log.standing(Subject(proposal.kind), proposal.id)
    dictionary = analysis.dictionary
    is_added = proposal.kind == "add"
    group = innermost_group(analysis.groups, proposal.row) if is_added else None
    return {
        "id": proposal.id,
        "kind": proposal.kind,
        "rank": proposal.rank,
        "gain": proposal.gain,
        "state": state,
        "note": standing.note if standing else "",
        "reason": standing.reason if standing else "",
        "edited": sorted(standing.edits) if standing else [],
        "category": proposal.category,
        "group": None if group is None else group.id,
        "group_name": None if group is None else group.name,
        "prompt": _prompt(analysis, proposal, log),
        "gaps": [
            {
                "concept": gap.concept_id,
                "label": dictionary.label(gap.concept_id),
                "label_score": dictionary.label_score(gap.concept_id),
                "before": gap.before,
                "after": gap.after,
                "target": gap.target,
                "words": _words(analysis, proposal, gap.concept_id),
            }
            for gap in proposal.gaps
        ],
        "n_gaps": proposal.n_filled,
        "nearest": proposal.nearest_id,
        "similarity": proposal.nearest_similarity,
        "checks": [
            {"name": check.name, "passed": check.passed, "message": check.message}
            for check in proposal.checks
        ],
    }


def _words(analysis: Analysis, proposal: Proposal, concept_id: int) -> tuple[str, ...]:
    """Return the words of a candidate that show a concept, without later edits."""
    if proposal.kind != "add" or analysis.pool is None or analysis.pool_map is None:
        return ()
    item = analysis.pool.items[proposal.row]
    evidence = analysis.evidence_of(item).get(concept_id, ())
    marks = find_marks(evidence, analysis.pool_map, row=proposal.row, concept_id=concept_id)
    return marked_words(item.text, marks)
