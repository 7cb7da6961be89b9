"""What the screens show: one open workspace, its analysis and its decisions, ready to draw.

No widgets here and no writing but through the decision log. Everything is computed from arrays when
it is asked for, and kept until the next decision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.analysis import Analysis, Summary
from benchdesign.areas import AreaGaps, find_area_gaps
from benchdesign.decisions import Decision, DecisionLog, Standing, Step, Subject, Verdict
from benchdesign.edits import edit_of
from benchdesign.errors import BenchdesignError
from benchdesign.gaps import STATUSES, Gaps, Status
from benchdesign.items import Item
from benchdesign.overrides import Merged, wanted_counts
from benchdesign.proposals import Proposal
from benchdesign.tui.figures import Figures, figures_of
from benchdesign.tui.shown import Shown
from benchdesign.tui.sitting import Sitting, sitting_of
from benchdesign.workspace import Access, Workspace

if TYPE_CHECKING:
    from benchdesign.dictionary import Dictionary
    from benchdesign.mapping import TokenEvidence

__all__ = ["Candidate", "Loaded", "Session", "load_session", "token_evidence"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One proposal with the item it is about."""

    proposal: Proposal
    item: Item
    subject: Subject

    @property
    def key(self) -> str:
        """Identity in the lists: kind and id."""
        return f"{self.subject.value}:{self.item.id}"


@dataclass(frozen=True, eq=False)
class Loaded:
    """An analysis and what the screens derive from it once."""

    analysis: Analysis
    area_gaps: AreaGaps | None
    shown: Shown
    """Which items of the benchmark show each concept."""

    pool_shown: Shown | None
    """The same of the pool; None without one."""

    candidates: tuple[Candidate, ...]
    by_concept: Mapping[int, tuple[int, ...]]
    """Concept id to positions in `candidates` (additions that fill it)."""

    merged: Mapping[int, int] = field(default_factory=dict)
    """Which concepts are counted as which others here."""

    texts: Sequence[str] = ()
    """What a filter searches of each item of the benchmark, in lower case."""

    concept_texts: Sequence[str] = ()
    """The same of each concept."""

    meanings: NDArray[np.float32] | None = None
    """Embeddings of the benchmark's items, ready to be compared; None for a large one."""

    @cached_property
    def repeats(self) -> Mapping[int, tuple[int, float]]:
        """Row and similarity of the near-duplicate of each benchmark item that has one."""
        found: dict[int, tuple[int, float]] = {}
        for pair in sorted(self.analysis.duplicates, key=lambda one: -one.similarity):
            found.setdefault(pair.row_a, (pair.row_b, pair.similarity))
            found.setdefault(pair.row_b, (pair.row_a, pair.similarity))
        return found

    @property
    def pool_count(self) -> NDArray[np.int64] | None:
        """Pool items with each concept; None without a pool."""
        return None if self.pool_shown is None else self.pool_shown.counts

    def with_gaps(self, gaps: Gaps) -> Loaded:
        """Return the same with concepts judged otherwise."""
        analysis = replace(self.analysis, gaps=gaps)
        area_gaps = analysis.area_gaps if len(analysis.areas) else None
        return replace(self, analysis=analysis, area_gaps=area_gaps)


def load_session(
    workspace: Workspace, *, on_summary: Callable[[Summary], None] | None = None
) -> Loaded:
    """Load the analysis of a workspace and derive what the screens need; may take seconds.

    `on_summary` is given what needs no items as soon as it is there.
    """
    return derive(workspace.load_analysis(on_summary=on_summary), log=workspace.decisions)


def judge_session(workspace: Workspace, analysis: Analysis) -> Loaded:
    """Count and judge again by the decisions made since; may take a second."""
    from benchdesign.pipeline import judged_again

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
        Candidate(one, analysis.benchmark.items[one.row], Subject.REMOVE)
        for one in analysis.removals
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
        Shown.from_map(analysis.benchmark_map, thresholds),
        None if pool_map is None else Shown.from_map(pool_map, thresholds),
        tuple(candidates),
        {concept: tuple(places) for concept, places in by_concept.items()},
        Merged.from_log(log, analysis.dictionary.n_concepts).concepts,
        [f"{one.id} {one.text}".lower() for one in analysis.benchmark.items],
        _concept_texts(analysis.dictionary),
        _meanings(analysis.benchmark_map.embeddings),
    )


def _concept_texts(dictionary: Dictionary) -> list[str]:
    labels = dictionary.table.label
    return [f"{one:05d} {label or f'concept {one}'}".lower() for one, label in enumerate(labels)]


_MOST_COMPARED = 20_000
"""Items of a benchmark whose closest one is looked for: all are compared at every key press."""


def _meanings(embeddings: NDArray[np.float16] | None) -> NDArray[np.float32] | None:
    if embeddings is None or len(embeddings) > _MOST_COMPARED:
        return None
    return embeddings.astype(np.float32)


def token_evidence(
    analysis: Analysis, item: Item, row: int, concept_ids: Sequence[int], *, in_pool: bool
) -> tuple[TokenEvidence, ...]:
    """Return which characters of an item show some concepts, each concept scaled to its peak.

    Where no token evidence was made ahead of time, the place of the peak stands in for it.
    """
    from benchdesign.mapping import TokenEvidence

    known = analysis.evidence_of(item)
    strongest: dict[tuple[int, int], float] = {}
    for concept_id in concept_ids:
        tokens = known.get(concept_id, ())
        if not tokens:
            concept_map = analysis.pool_map if in_pool else analysis.benchmark_map
            peak = None if concept_map is None else concept_map.at(row, concept_id)
            if peak is None or peak.end <= peak.start:
                continue
            tokens = (TokenEvidence(peak.start, peak.end, peak.peak),)
        top = max(one.activation for one in tokens)
        if top <= 0:
            continue
        for one in tokens:
            place = (one.start, one.end)
            strongest[place] = max(strongest.get(place, 0.0), one.activation / top)
    return tuple(TokenEvidence(*place, value) for place, value in strongest.items())


_NONE_WANTED = np.empty(0, dtype=np.int64)


class Session:
    """One open workspace."""

    def __init__(self, workspace: Workspace, loaded: Loaded | None = None) -> None:
        self.workspace = workspace
        self.loaded = loaded
        self._summary: Summary | None = None
        self._row_of: dict[str, int] = {}
        """Where accepted items are in the pool, as far as that was looked up."""

        self.version = 0
        """Counts up whenever anything a screen shows is different."""

        self.focus_concepts: tuple[int, ...] = ()
        """Candidates are narrowed to those that fill one of these; set by Gaps."""

        self.focus_name = ""
        self._edited: dict[str, Item] = {}
        """Items of the pool as they were rewritten, as far as they were asked for."""

        self._n_steps_before = len(workspace.decisions)

    @property
    def log(self) -> DecisionLog:
        """The decisions."""
        return self.workspace.decisions

    @property
    def analysis(self) -> Analysis | None:
        """What is known; None until the gaps stage has run."""
        return None if self.loaded is None else self.loaded.analysis

    @property
    def summary(self) -> Summary | None:
        """What was found; there before the items are."""
        return self._summary if self.loaded is None else self.loaded.analysis

    @property
    def can_write(self) -> bool:
        """Whether decisions can be made here."""
        return self.workspace.access == "write"

    def replace(self, loaded: Loaded) -> None:
        """Show a newer analysis."""
        self.loaded = loaded
        self._row_of.clear()
        self._changed()

    def summarise(self, summary: Summary) -> None:
        """Show what was found while the items are still being read."""
        self._summary = summary
        self._changed()

    def reopen(self, *, access: Access | None = None) -> None:
        """Read the workspace's settings anew, after a child process wrote them, or to write."""
        old = self.workspace
        if old.access == "write":
            old.close()
        self.workspace = Workspace.open(
            old.folder, access=access or old.access, who=old.decisions.who, clock=old.clock
        )
        if old.access != "write":
            # What was decided meanwhile was decided by whoever had it open.
            self._n_steps_before = len(self.log)
        self._changed()

    @property
    def needs_judging(self) -> bool:
        """Whether other concepts are merged by now than were when they were counted."""
        if self.loaded is None:
            return False
        n_concepts = self.loaded.analysis.dictionary.n_concepts
        return Merged.from_log(self.log, n_concepts).concepts != self.loaded.merged

    def _changed(self) -> None:
        if self.summary is not None:
            gaps = self.summary.gaps
            wanted = wanted_counts(self.log, len(gaps))
            if not np.array_equal(
                _NONE_WANTED if wanted is None else wanted,
                _NONE_WANTED if gaps.wanted is None else gaps.wanted,
            ):
                self._judge_by(gaps.with_wanted(wanted))
        self.version += 1
        self._edited.clear()
        for name in ("added_counts", "concept_states", "figures", "_gap_ids", "n_to_fill"):
            self.__dict__.pop(name, None)

    def _judge_by(self, gaps: Gaps) -> None:
        if self.loaded is not None:
            self.loaded = self.loaded.with_gaps(gaps)
        elif self._summary is not None:
            self._summary = replace(self._summary, gaps=gaps)

    # decisions

    def record(self, *decisions: Decision) -> None:
        """Append decisions as one step; on disk when this returns."""
        self.log.record(*decisions)
        self._changed()

    @property
    def sitting(self) -> Sitting:
        """What was decided since the workspace was opened."""
        return sitting_of(self.log.steps[self._n_steps_before :])

    def undo(self) -> Step | None:
        """Take the last step back."""
        step = self.log.undo()
        self._changed()
        return step

    def redo(self) -> Step | None:
        """Bring the last undone step back."""
        step = self.log.redo()
        self._changed()
        return step

    def standing(self, candidate: Candidate) -> Standing | None:
        """Return what was said of a candidate."""
        return self.log.standing(candidate.subject, candidate.item.id)

    def verdict(self, candidate: Candidate) -> Verdict:
        """Return the verdict on a candidate."""
        return self.log.verdict(candidate.subject, candidate.item.id)

    def item_of(self, candidate: Candidate) -> Item:
        """Return the item of a candidate as it would be published."""
        is_add = candidate.subject is Subject.ADD
        return self.edited(candidate.item) if is_add else candidate.item

    def edited(self, item: Item) -> Item:
        """Return an item of the pool as it would be published: with what was rewritten."""
        said = self.log.standing(Subject.ADD, item.id)
        pool = None if self.analysis is None else self.analysis.pool
        if pool is None or said is None or not said.edits:
            return item
        if item.id not in self._edited:
            try:
                self._edited[item.id] = edit_of(pool, item, said).item
            except BenchdesignError:
                # The template cannot read it any more, which Export tells.
                self._edited[item.id] = item
        return self._edited[item.id]

    def verdict_counts(self, candidates: Sequence[Candidate] | None = None) -> dict[Verdict, int]:
        """Count candidates by verdict."""
        counts = dict.fromkeys((Verdict.ACCEPT, Verdict.REJECT, Verdict.DEFER, Verdict.OPEN), 0)
        if candidates is not None:
            for one in candidates:
                counts[self.verdict(one)] += 1
        elif self.summary is not None:
            for kind, proposals in (
                (Subject.ADD, self.summary.proposals),
                (Subject.REMOVE, self.summary.removals),
            ):
                for proposal in proposals:
                    counts[self.log.verdict(kind, proposal.id)] += 1
        return counts

    # numbers

    @cached_property
    def added_counts(self) -> NDArray[np.int64]:
        """Accepted additions that show each concept.

        While the items are still being read, those that show the gaps they were proposed for.
        """
        known = self._known()
        counts = np.zeros(known.dictionary.n_concepts, dtype=np.int64)
        if self.loaded is not None:
            for row in self.accepted_rows():
                counts[self.shown_concepts(row, in_pool=True)] += 1
            return counts
        accepted = set(self.log.accepted)
        for proposal in known.proposals:
            if proposal.id in accepted:
                counts[[gap.concept_id for gap in proposal.gaps]] += 1
        return counts

    def accepted_rows(self) -> list[int]:
        """Return the rows of the pool that were accepted, in the pool's order."""
        pool = None if self.loaded is None else self.loaded.analysis.pool
        accepted = set(self.log.accepted)
        if pool is None or not accepted:
            return []
        # A pool is gone through once for what is new: it may have a million items.
        if not accepted <= self._row_of.keys():
            for row, item in enumerate(pool.items):
                if item.id in accepted:
                    self._row_of[item.id] = row
        return sorted(self._row_of[one] for one in accepted if one in self._row_of)

    def shown_concepts(self, row: int, *, in_pool: bool) -> NDArray[np.int32]:
        """Return the concepts present in an item, strongest relative to its threshold first."""
        analysis = self._read()
        concept_map = analysis.pool_map if in_pool else analysis.benchmark_map
        assert concept_map is not None
        low, high = int(concept_map.indptr[row]), int(concept_map.indptr[row + 1])
        ids, peaks = concept_map.indices[low:high], concept_map.peak[low:high]
        thresholds = analysis.gaps.coverage.thresholds[ids]
        present = peaks >= thresholds
        strength = peaks[present] / np.maximum(thresholds[present], 1e-6)
        return ids[present][np.argsort(-strength, kind="stable")]

    @cached_property
    def concept_states(self) -> list[str]:
        """State of every concept, decisions included: a status, or `ignored`."""
        analysis = self._known()
        names = [one.value for one in STATUSES]
        states = [names[code] for code in analysis.gaps.status_codes.tolist()]
        areas = analysis.areas
        for one in self.log.standings(Subject.AREA).values():
            if one.subject_id in areas.names and one.verdict in (
                Verdict.IGNORE,
                Verdict.EXCLUDE,
            ):
                for concept_id in areas.members(areas.names.index(one.subject_id)).tolist():
                    states[concept_id] = "ignored"
        for one in self.log.standings(Subject.CONCEPT).values():
            if one.verdict in (Verdict.IGNORE, Verdict.EXCLUDE):
                states[int(one.subject_id)] = "ignored"
        for concept_id in self.merged:
            states[concept_id] = "merged"
        return states

    def target(self, concept_id: int) -> int:
        """Return how many items should show a concept, by the rule or by hand."""
        return int(self._known().gaps.target[concept_id])

    @property
    def merged(self) -> Mapping[int, int]:
        """Which concepts are counted as which others."""
        return {} if self.loaded is None else self.loaded.merged

    def members(self, concept_id: int) -> list[int]:
        """Return the concepts that are counted as this one."""
        return sorted(one for one, keeper in self.merged.items() if keeper == concept_id)

    def gap_ids(self) -> list[int]:
        """Return the gaps that are not ignored, largest deficit first."""
        return list(self._gap_ids)

    @cached_property
    def _gap_ids(self) -> list[int]:
        states, is_gap = self.concept_states, (Status.MISSING.value, Status.UNDER.value)
        return [one for one in self._known().gaps.ranked().tolist() if states[one] in is_gap]

    def concept_texts(self) -> Sequence[str]:
        """Return what a filter searches of each concept, in lower case."""
        if self.loaded is not None:
            return self.loaded.concept_texts
        return _concept_texts(self._known().dictionary)

    @cached_property
    def n_to_fill(self) -> tuple[int, int]:
        """Gaps not filled yet, and those of them that all open candidates together would fill."""
        gaps, ids = self._known().gaps, np.asarray(self._gap_ids, dtype=np.int64)
        ids = ids[gaps.count[ids] + self.added_counts[ids] < gaps.target[ids]]
        counts = gaps.count + self.added_counts
        for one in () if self.loaded is None else self.loaded.candidates:
            if one.subject is Subject.ADD and self.verdict(one) is Verdict.OPEN:
                counts[self.shown_concepts(one.proposal.row, in_pool=True)] += 1
        return len(ids), int((counts[ids] >= gaps.target[ids]).sum())

    def n_closed(self, gap_ids: Sequence[int]) -> int:
        """Count the gaps whose wanted number is reached with what was accepted."""
        gaps, ids = self._known().gaps, np.asarray(gap_ids, dtype=np.int64)
        return int((gaps.count[ids] + self.added_counts[ids] >= gaps.target[ids]).sum())

    @cached_property
    def figures(self) -> Figures:
        """The numbers of the overview."""
        return figures_of(self._known().gaps)

    def most_over(self, n: int) -> list[int]:
        """Return the over-covered concepts, largest lift first."""
        gaps = self._known().gaps
        ids = np.flatnonzero(gaps.is_status(Status.OVER))
        return [int(one) for one in ids[np.argsort(gaps.deficit[ids], kind="stable")][:n]]

    def top_rows(self, concept_id: int, n: int, *, in_pool: bool) -> list[tuple[int, float]]:
        """Return the rows that show a concept most, strongest first, with its peak in each."""
        assert self.loaded is not None
        shown = self.loaded.pool_shown if in_pool else self.loaded.shown
        return [] if shown is None else shown.strongest(concept_id, n)

    @property
    def title(self) -> str:
        """Name of the workspace."""
        return self.workspace.name

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self.workspace.folder

    def _known(self) -> Summary:
        assert self.summary is not None
        return self.summary

    def _read(self) -> Analysis:
        assert self.loaded is not None
        return self.loaded.analysis
