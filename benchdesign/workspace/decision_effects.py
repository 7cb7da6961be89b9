"""Manual decisions about concepts and areas, as input to the stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchdesign.coverage.areas import Areas
from benchdesign.coverage.groups.judgements import ItemJudgements
from benchdesign.coverage.scope import Scope
from benchdesign.workspace.decision_log import DecisionLog
from benchdesign.workspace.decisions import Subject, Verdict

__all__ = ["ConceptMerges", "judged_items", "scope_with_decisions", "target_counts"]


@dataclass(frozen=True, slots=True)
class ConceptMerges:
    """Merges of concepts."""

    into: Mapping[str, int]
    """By merged concept: its target."""

    @classmethod
    def from_log(cls, log: DecisionLog, n_concepts: int) -> ConceptMerges:
        """Return the current merges; concepts that the dictionary lacks are ignored."""
        pairs = sorted(log.merged.items())
        return cls(
            {
                str(concept_id): target
                for concept_id, target in pairs
                if max(concept_id, target) < n_concepts
            }
        )

    @property
    def concepts(self) -> dict[int, int]:
        """By merged concept: the concept it is counted as."""
        return {int(concept_id): target for concept_id, target in self.into.items()}


def scope_with_decisions(scope: Scope, log: DecisionLog, areas: Areas) -> Scope:
    """Return the scope with manual pins and exclusions, which take precedence."""
    pins, exclusions = set(scope.pins), set(scope.exclusions)
    verdicts = [
        (concept_id, standing.verdict)
        for standing in log.standings(Subject.AREA).values()
        if standing.subject_id in areas.names
        for concept_id in areas.members(areas.names.index(standing.subject_id)).tolist()
    ]
    verdicts += [
        (int(standing.subject_id), standing.verdict)
        for standing in log.standings(Subject.CONCEPT).values()
    ]
    for concept_id, verdict in verdicts:
        if verdict is Verdict.PIN:
            pins.add(concept_id)
            exclusions.discard(concept_id)
        elif verdict in (Verdict.EXCLUDE, Verdict.IGNORE):
            exclusions.add(concept_id)
            pins.discard(concept_id)
    return replace(scope, pins=tuple(sorted(pins)), exclusions=tuple(sorted(exclusions)))


def judged_items(log: DecisionLog, pool_ids: Sequence[str]) -> ItemJudgements:
    """Return the rows of the pool items judged as meant or not; unknown ids are ignored."""
    standings = log.standings(Subject.POOL_ITEM)
    rows: dict[Verdict, list[int]] = {Verdict.MEANT: [], Verdict.NOT_MEANT: []}
    if standings:
        for row, item_id in enumerate(pool_ids):
            standing = standings.get(item_id)
            if standing is not None and standing.verdict in rows:
                rows[standing.verdict].append(row)
    return ItemJudgements(tuple(rows[Verdict.MEANT]), tuple(rows[Verdict.NOT_MEANT]))


def target_counts(log: DecisionLog, n_concepts: int) -> NDArray[np.int64] | None:
    """Return the target counts set by hand, -1 where unset; None if none is set."""
    targets = {
        concept_id: count for concept_id, count in log.wanted.items() if concept_id < n_concepts
    }
    if not targets:
        return None
    counts = np.full(n_concepts, -1, dtype=np.int64)
    counts[list(targets)] = list(targets.values())
    return counts
