"""The changes that a revision makes, chosen from the decisions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchdesign.foundation.serialization import to_json
from benchdesign.workspace.decision_log import DecisionLog
from benchdesign.workspace.decisions import DecisionState, Subject, Verdict

if TYPE_CHECKING:
    from benchdesign.workspace.analysis import Analysis

__all__ = ["Choice"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The proposals that make up a revision, and how they were chosen."""

    added: tuple[str, ...]
    """Ids of pool items, in the order they are added."""

    removed: tuple[str, ...]
    """Ids of the benchmark items to remove."""

    made_by: str
    """`all proposals` or `decisions`."""

    standings: Mapping[tuple[Subject, str], DecisionState] = field(default_factory=dict)
    """Notes, reasons and edits of the items, if any."""

    decisions_sha256: str | None = None
    """Digest of the decisions on items."""

    concepts_sha256: str | None = None
    """Digest of the decisions on concepts and areas (verdicts, target counts, merges) and of the
    pool items judged as meant or not meant."""

    @classmethod
    def all_proposals(cls, analysis: Analysis) -> Choice:
        """Choose every proposal, as a non-interactive run does."""
        return cls(
            tuple(proposal.id for proposal in analysis.proposals),
            tuple(proposal.id for proposal in analysis.removals),
            "all proposals",
        )

    @classmethod
    def from_decisions(cls, log: DecisionLog) -> Choice:
        """Choose what was accepted, in the order of acceptance."""
        standings = {
            (subject, subject_id): standing
            for subject in (Subject.ADD, Subject.REMOVE)
            for subject_id, standing in log.standings(subject).items()
        }
        decided = [
            to_json(standing)
            for standing in standings.values()
            if standing.verdict is not Verdict.OPEN
        ]
        return cls(
            log.accepted,
            log.dropped,
            "decisions",
            standings,
            _digest(decided),
            _digest(_concept_decisions(log)),
        )


def _concept_decisions(log: DecisionLog) -> list[tuple[Any, ...]]:
    """Return the decisions that affect what is lacking, without their order and authors."""
    return sorted(
        (
            subject.value,
            standing.subject_id,
            standing.verdict.value,
            standing.want,
            standing.merge,
        )
        for subject in (Subject.CONCEPT, Subject.AREA, Subject.POOL_ITEM)
        for standing in log.standings(subject).values()
        if standing.verdict is not Verdict.OPEN or standing.want is not None or standing.merge
    )


def _digest(decisions: list[Any]) -> str:
    return hashlib.sha256(repr(decisions).encode("utf-8", "surrogatepass")).hexdigest()
