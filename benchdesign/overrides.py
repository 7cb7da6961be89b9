"""What was decided by hand about concepts and areas, as the stages take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchdesign.areas import Areas
from benchdesign.decisions import DecisionLog, Subject, Verdict
from benchdesign.scope import Scope

__all__ = ["Merged", "scope_with_decisions", "wanted_counts"]


@dataclass(frozen=True, slots=True)
class Merged:
    """Which concepts are counted as which others."""

    into: Mapping[str, int]

    @classmethod
    def from_log(cls, log: DecisionLog, n_concepts: int) -> Merged:
        """Take what is merged now; concepts that the dictionary does not have are ignored."""
        pairs = sorted(log.merged.items())
        return cls({str(one): into for one, into in pairs if max(one, into) < n_concepts})

    @property
    def concepts(self) -> dict[int, int]:
        """The concept that each merged one is counted as."""
        return {int(one): into for one, into in self.into.items()}


def scope_with_decisions(scope: Scope, log: DecisionLog, areas: Areas) -> Scope:
    """Return the scope with what was pinned, excluded or ignored by hand; that wins."""
    pins, exclusions = set(scope.pins), set(scope.exclusions)
    said = [
        (concept_id, one.verdict)
        for one in log.standings(Subject.AREA).values()
        if one.subject_id in areas.names
        for concept_id in areas.members(areas.names.index(one.subject_id)).tolist()
    ]
    said += [(int(one.subject_id), one.verdict) for one in log.standings(Subject.CONCEPT).values()]
    for concept_id, verdict in said:
        if verdict is Verdict.PIN:
            pins.add(concept_id)
            exclusions.discard(concept_id)
        elif verdict in (Verdict.EXCLUDE, Verdict.IGNORE):
            exclusions.add(concept_id)
            pins.discard(concept_id)
    return replace(scope, pins=tuple(sorted(pins)), exclusions=tuple(sorted(exclusions)))


def wanted_counts(log: DecisionLog, n_concepts: int) -> NDArray[np.int64] | None:
    """Return the target counts given by hand, -1 where none was; None without any."""
    wanted = {one: count for one, count in log.wanted.items() if one < n_concepts}
    if not wanted:
        return None
    counts = np.full(n_concepts, -1, dtype=np.int64)
    counts[list(wanted)] = list(wanted.values())
    return counts
