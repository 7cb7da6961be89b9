"""What a session loads from a workspace, and the values derived from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Benchmark, Item
from benchdesign.concepts.maps.token_evidence import TokenEvidence
from benchdesign.coverage.area_gaps import AreaGaps, find_area_gaps
from benchdesign.coverage.gaps import Gaps
from benchdesign.pipeline.load_analysis import judged_again, load_analysis
from benchdesign.selection.proposal import Proposal
from benchdesign.tui.session.items_by_concept import ItemsByConcept
from benchdesign.workspace.analysis import Analysis, Summary
from benchdesign.workspace.decision_effects import ConceptMerges
from benchdesign.workspace.decision_log import DecisionLog
from benchdesign.workspace.decisions import Subject
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.coverage.groups.gap_group import GapGroup

__all__ = ["Candidate", "Loaded", "load_session", "token_evidence"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposal and its item."""

    proposal: Proposal
    item: Item
    subject: Subject

    @property
    def key(self) -> str:
        """Identity in the lists: kind and id."""
        return f"{self.subject.value}:{self.item.id}"


@dataclass(frozen=True, eq=False)
class Loaded:
    """An analysis, with what the screens derive from it once."""

    analysis: Analysis
    area_gaps: AreaGaps | None
    item_occurrences: ItemsByConcept
    """The benchmark items that show each concept."""

    pool_occurrences: ItemsByConcept | None
    """The pool items that show each concept; None without a pool."""

    candidates: tuple[Candidate, ...]
    by_concept: Mapping[int, tuple[int, ...]]
    """Concept id to positions in `candidates` (additions that fill it)."""

    merged: Mapping[int, int] = field(default_factory=dict)
    """The concept that each merged concept is counted as."""

    texts: Sequence[str] = ()
    """The searched text of each benchmark item, in lower case."""

    concept_texts: Sequence[str] = ()
    """The searched text of each concept, in lower case."""

    item_embeddings: NDArray[np.float32] | None = None
    """Embeddings of the benchmark items as float32; None for a large benchmark."""

    @cached_property
    def duplicate_of_row(self) -> Mapping[int, tuple[int, float]]:
        """Row and similarity of the near-duplicate of each benchmark item that has one."""
        nearest: dict[int, tuple[int, float]] = {}
        for pair in sorted(self.analysis.duplicates, key=lambda pair: -pair.similarity):
            nearest.setdefault(pair.row_a, (pair.row_b, pair.similarity))
            nearest.setdefault(pair.row_b, (pair.row_a, pair.similarity))
        return nearest

    @property
    def groups(self) -> tuple[GapGroup, ...]:
        """Every group of similar items; empty if none were searched for."""
        groups = self.analysis.groups
        return () if groups is None else (*groups.groups, *groups.over, *groups.out_of_scope)

    @cached_property
    def by_group(self) -> Mapping[str, tuple[int, ...]]:
        """Id of each group of similar items to positions in `candidates` (additions in it)."""
        position_of_row = {
            candidate.proposal.row: position
            for position, candidate in enumerate(self.candidates)
            if candidate.subject is Subject.ADD
        }
        return {
            group.id: tuple(
                sorted(position_of_row[row] for row in group.pool_rows if row in position_of_row)
            )
            for group in self.groups
        }

    def groups_of(self, row: int) -> list[GapGroup]:
        """Return the groups that a pool item is in, a part after its whole."""
        return [group for group in self.groups if row in group.pool_rows]

    def relevance(self, row: int) -> float | None:
        """Return the relevance of a pool item; None if it was not measured."""
        groups = self.analysis.groups
        if groups is None or groups.reference.scope == "any" or row >= len(groups.relevance):
            return None
        return float(groups.relevance[row])

    def occurrences(self, *, in_pool: bool) -> ItemsByConcept | None:
        """Return the items that show each concept; None for a pool that does not exist."""
        return self.pool_occurrences if in_pool else self.item_occurrences

    def shown_concepts(self, row: int, *, in_pool: bool) -> NDArray[np.int32]:
        """Return the concepts present in an item, strongest relative to its threshold first."""
        analysis = self.analysis
        concept_map = analysis.pool_map if in_pool else analysis.benchmark_map
        assert concept_map is not None
        low, high = int(concept_map.indptr[row]), int(concept_map.indptr[row + 1])
        ids, peaks = concept_map.indices[low:high], concept_map.peak[low:high]
        thresholds = analysis.gaps.coverage.thresholds[ids]
        present = peaks >= thresholds
        strength = peaks[present] / np.maximum(thresholds[present], 1e-6)
        return ids[present][np.argsort(-strength, kind="stable")]

    @property
    def pool_count(self) -> NDArray[np.int64] | None:
        """Number of pool items that show each concept; None without a pool."""
        return None if self.pool_occurrences is None else self.pool_occurrences.counts

    def with_gaps(self, gaps: Gaps) -> Loaded:
        """Return a copy with other judgements."""
        analysis = replace(self.analysis, gaps=gaps)
        area_gaps = analysis.area_gaps if len(analysis.areas) else None
        return replace(self, analysis=analysis, area_gaps=area_gaps)


class PoolRows:
    """The rows of pool items by id, found when they are asked for and kept."""

    def __init__(self, pool: Benchmark | None) -> None:
        self._pool = pool
        self._row_of: dict[str, int] = {}

    def find(self, item_ids: Iterable[str]) -> list[int]:
        """Return the rows of the items that are in the pool, in pool order."""
        ids = set(item_ids)
        if self._pool is None or not ids:
            return []
        # Scan the pool only for new ids: it may have a million items.
        if not ids <= self._row_of.keys():
            for row, item in enumerate(self._pool.items):
                if item.id in ids:
                    self._row_of[item.id] = row
        return sorted(self._row_of[item_id] for item_id in ids if item_id in self._row_of)


def load_session(
    workspace: Workspace, *, on_summary: Callable[[Summary], None] | None = None
) -> Loaded:
    """Load the analysis of a workspace and derive what the screens need; may take seconds.

    `on_summary` is called with the summary before the items are read.
    """
    return derive(load_analysis(workspace, on_summary=on_summary), log=workspace.decisions)


def judge_session(workspace: Workspace, analysis: Analysis) -> Loaded:
    """Count and judge again with the current decisions; may take a second."""
    return derive(judged_again(workspace, analysis), log=workspace.decisions)


def derive(analysis: Analysis, *, log: DecisionLog) -> Loaded:
    """Derive what the screens need from an analysis."""
    candidates: list[Candidate] = []
    by_concept: dict[int, list[int]] = {}
    if analysis.pool is not None:
        for proposal in analysis.proposals:
            for gap in proposal.gaps:
                by_concept.setdefault(gap.concept_id, []).append(len(candidates))
            candidates.append(Candidate(proposal, analysis.pool.items[proposal.row], Subject.ADD))
    candidates += [
        Candidate(proposal, analysis.benchmark.items[proposal.row], Subject.REMOVE)
        for proposal in analysis.removals
    ]
    area_gaps = None
    if len(analysis.areas):
        area_gaps = find_area_gaps(
            analysis.areas,
            analysis.gaps,
            concept_map=analysis.benchmark_map,
            reference_map=analysis.pool_map,
        )
    thresholds, pool_map = analysis.gaps.coverage.thresholds, analysis.pool_map
    return Loaded(
        analysis,
        area_gaps,
        ItemsByConcept.from_map(analysis.benchmark_map, thresholds),
        None if pool_map is None else ItemsByConcept.from_map(pool_map, thresholds),
        tuple(candidates),
        {concept: tuple(positions) for concept, positions in by_concept.items()},
        ConceptMerges.from_log(log, analysis.dictionary.n_concepts).concepts,
        [f"{item.id} {item.text}".lower() for item in analysis.benchmark.items],
        texts_of_concepts(analysis.dictionary),
        _comparable_embeddings(analysis.benchmark_map.embeddings),
    )


def texts_of_concepts(dictionary: Dictionary) -> list[str]:
    labels = dictionary.table.label
    return [f"{row:05d} {label or f'concept {row}'}".lower() for row, label in enumerate(labels)]


_MAX_COMPARED_ITEMS = 20_000
"""Maximum benchmark size for the closest item: every key press compares all items."""


def _comparable_embeddings(embeddings: NDArray[np.float16] | None) -> NDArray[np.float32] | None:
    if embeddings is None or len(embeddings) > _MAX_COMPARED_ITEMS:
        return None
    return embeddings.astype(np.float32)


def token_evidence(
    analysis: Analysis, item: Item, row: int, concept_ids: Sequence[int], *, in_pool: bool
) -> tuple[TokenEvidence, ...]:
    """Return the character spans of an item that show concepts, each scaled to its peak.

    The span of the peak is the fallback for a concept without precomputed token evidence.
    """
    evidence = analysis.evidence_of(item)
    strongest: dict[tuple[int, int], float] = {}
    for concept_id in concept_ids:
        tokens = evidence.get(concept_id, ())
        if not tokens:
            concept_map = analysis.pool_map if in_pool else analysis.benchmark_map
            peak = None if concept_map is None else concept_map.at(row, concept_id)
            if peak is None or peak.end <= peak.start:
                continue
            tokens = (TokenEvidence(peak.start, peak.end, peak.peak),)
        top = max(token.activation for token in tokens)
        if top <= 0:
            continue
        for token in tokens:
            span = (token.start, token.end)
            strongest[span] = max(strongest.get(span, 0.0), token.activation / top)
    return tuple(TokenEvidence(*span, value) for span, value in strongest.items())
