"""Data model of the screens: one open workspace, its analysis and its decisions.

No widgets, and no writing except through the decision log. Values are computed from arrays on
demand and cached until the next decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item
from benchdesign.coverage.figures import CoverageFigures
from benchdesign.coverage.find_gaps import retarget
from benchdesign.coverage.gaps import Gaps
from benchdesign.coverage.status import STATUSES, Status
from benchdesign.errors import BenchdesignError
from benchdesign.revision.rewritten_items import apply_edits
from benchdesign.tui.session.review_pace import ReviewPace, measure_review_pace
from benchdesign.tui.session.session_data import Candidate, Loaded, texts_of_concepts
from benchdesign.workspace.analysis import Analysis, Summary
from benchdesign.workspace.decision_effects import ConceptMerges, target_counts
from benchdesign.workspace.decision_log import DecisionLog
from benchdesign.workspace.decisions import Decision, DecisionState, LogStep, Subject, Verdict
from benchdesign.workspace.workspace import Access, Workspace

__all__ = ["Session"]


_NO_TARGETS = np.empty(0, dtype=np.int64)


class Session:
    """One open workspace."""

    def __init__(self, workspace: Workspace, loaded: Loaded | None = None) -> None:
        self.workspace = workspace
        self.loaded = loaded
        self._summary: Summary | None = None
        self._row_of: dict[str, int] = {}
        """Cache of the pool rows of accepted items, by item id."""

        self.version = 0
        """Increases whenever anything that a screen shows has changed."""

        self.focus_concepts: tuple[int, ...] = ()
        """Only candidates that fill one of these are listed, if any; set by the Gaps screen."""

        self.focus_name = ""
        self._edited: dict[str, Item] = {}
        """Cache of edited pool items, by item id."""

        self._n_steps_before = len(workspace.decisions)

    @property
    def log(self) -> DecisionLog:
        """The decision log."""
        return self.workspace.decisions

    @property
    def analysis(self) -> Analysis | None:
        """The analysis; None until the gaps stage has run and its results are loaded."""
        return None if self.loaded is None else self.loaded.analysis

    @property
    def summary(self) -> Summary | None:
        """The summary of the analysis; available before the items are."""
        return self._summary if self.loaded is None else self.loaded.analysis

    @property
    def can_write(self) -> bool:
        """Whether decisions can be recorded."""
        return self.workspace.access == "write"

    def replace(self, loaded: Loaded) -> None:
        """Show a newer analysis."""
        self.loaded = loaded
        self._row_of.clear()
        self._changed()

    def summarise(self, summary: Summary) -> None:
        """Show the summary while the items are still being read."""
        self._summary = summary
        self._changed()

    def reopen(self, *, access: Access | None = None) -> None:
        """Reopen the workspace, to reload what a child process has written or to change access."""
        old = self.workspace
        if old.access == "write":
            old.close()
        self.workspace = Workspace.open(
            old.folder, access=access or old.access, who=old.decisions.who, clock=old.clock
        )
        if old.access != "write":
            # Decisions recorded meanwhile belong to the process that held the lock.
            self._n_steps_before = len(self.log)
        self._changed()

    @property
    def needs_judging(self) -> bool:
        """Whether merges have changed since the items were counted."""
        if self.loaded is None:
            return False
        n_concepts = self.loaded.analysis.dictionary.n_concepts
        return ConceptMerges.from_log(self.log, n_concepts).concepts != self.loaded.merged

    def _changed(self) -> None:
        if self.summary is not None:
            gaps = self.summary.gaps
            targets = target_counts(self.log, len(gaps))
            if not np.array_equal(
                _NO_TARGETS if targets is None else targets,
                _NO_TARGETS if gaps.wanted is None else gaps.wanted,
            ):
                self._judge_by(retarget(gaps, targets))
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
        """Record decisions as one step; they are on disk when this returns."""
        self.log.record(*decisions)
        self._changed()

    @property
    def sitting(self) -> ReviewPace:
        """The decisions made since the workspace was opened."""
        return measure_review_pace(self.log.steps[self._n_steps_before :])

    def undo(self) -> LogStep | None:
        """Undo the last step."""
        step = self.log.undo()
        self._changed()
        return step

    def redo(self) -> LogStep | None:
        """Redo the last undone step."""
        step = self.log.redo()
        self._changed()
        return step

    def standing(self, candidate: Candidate) -> DecisionState | None:
        """Return the standing of a candidate; None without decisions."""
        return self.log.standing(candidate.subject, candidate.item.id)

    def verdict(self, candidate: Candidate) -> Verdict:
        """Return the verdict on a candidate."""
        return self.log.verdict(candidate.subject, candidate.item.id)

    def item_of(self, candidate: Candidate) -> Item:
        """Return the item of a candidate as it would be published."""
        is_add = candidate.subject is Subject.ADD
        return self.edited(candidate.item) if is_add else candidate.item

    def edited(self, item: Item) -> Item:
        """Return a pool item as it would be published, with its edits."""
        standing = self.log.standing(Subject.ADD, item.id)
        pool = None if self.analysis is None else self.analysis.pool
        if pool is None or standing is None or not standing.edits:
            return item
        if item.id not in self._edited:
            try:
                self._edited[item.id] = apply_edits(pool, item, standing).item
            except BenchdesignError:
                # The template can no longer read the record; the Export screen reports it.
                self._edited[item.id] = item
        return self._edited[item.id]

    def verdict_counts(self, candidates: Sequence[Candidate] | None = None) -> dict[Verdict, int]:
        """Count candidates by verdict."""
        counts = dict.fromkeys((Verdict.ACCEPT, Verdict.REJECT, Verdict.DEFER, Verdict.OPEN), 0)
        if candidates is not None:
            for candidate in candidates:
                counts[self.verdict(candidate)] += 1
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
        """Number of accepted additions that show each concept.

        While the items are still being read, only the gaps named in the proposals are counted.
        """
        summary = self._require_summary()
        counts = np.zeros(summary.dictionary.n_concepts, dtype=np.int64)
        if self.loaded is not None:
            for row in self.accepted_rows():
                counts[self.shown_concepts(row, in_pool=True)] += 1
            return counts
        accepted = set(self.log.accepted)
        for proposal in summary.proposals:
            if proposal.id in accepted:
                counts[[gap.concept_id for gap in proposal.gaps]] += 1
        return counts

    def accepted_rows(self) -> list[int]:
        """Return the pool rows of the accepted items, in pool order."""
        pool = None if self.loaded is None else self.loaded.analysis.pool
        accepted = set(self.log.accepted)
        if pool is None or not accepted:
            return []
        # Scan the pool only for new ids: it may have a million items.
        if not accepted <= self._row_of.keys():
            for row, item in enumerate(pool.items):
                if item.id in accepted:
                    self._row_of[item.id] = row
        return sorted(self._row_of[item_id] for item_id in accepted if item_id in self._row_of)

    def shown_concepts(self, row: int, *, in_pool: bool) -> NDArray[np.int32]:
        """Return the concepts present in an item, strongest relative to its threshold first."""
        analysis = self._require_analysis()
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
        analysis = self._require_summary()
        names = [status.value for status in STATUSES]
        states = [names[code] for code in analysis.gaps.status_codes.tolist()]
        areas = analysis.areas
        for standing in self.log.standings(Subject.AREA).values():
            if standing.subject_id in areas.names and standing.verdict in (
                Verdict.IGNORE,
                Verdict.EXCLUDE,
            ):
                for concept_id in areas.members(areas.names.index(standing.subject_id)).tolist():
                    states[concept_id] = "ignored"
        for standing in self.log.standings(Subject.CONCEPT).values():
            if standing.verdict in (Verdict.IGNORE, Verdict.EXCLUDE):
                states[int(standing.subject_id)] = "ignored"
        for concept_id in self.merged:
            states[concept_id] = "merged"
        return states

    def target(self, concept_id: int) -> int:
        """Return how many items should show a concept, by rule or set by hand."""
        return int(self._require_summary().gaps.target[concept_id])

    @property
    def merged(self) -> Mapping[int, int]:
        """The concept that each merged concept is counted as."""
        return {} if self.loaded is None else self.loaded.merged

    def members(self, concept_id: int) -> list[int]:
        """Return the concepts that are counted as this one."""
        return sorted(member for member, keeper in self.merged.items() if keeper == concept_id)

    def gap_ids(self) -> list[int]:
        """Return the gaps that are not ignored, largest deficit first."""
        return list(self._gap_ids)

    @cached_property
    def _gap_ids(self) -> list[int]:
        states, is_gap = self.concept_states, (Status.MISSING.value, Status.UNDER.value)
        return [
            concept_id
            for concept_id in self._require_summary().gaps.ranked().tolist()
            if states[concept_id] in is_gap
        ]

    def concept_texts(self) -> Sequence[str]:
        """Return the searched text of each concept, in lower case."""
        if self.loaded is not None:
            return self.loaded.concept_texts
        return texts_of_concepts(self._require_summary().dictionary)

    @cached_property
    def n_to_fill(self) -> tuple[int, int]:
        """Number of unfilled gaps, and how many of them all open candidates would fill."""
        gaps, ids = self._require_summary().gaps, np.asarray(self._gap_ids, dtype=np.int64)
        ids = ids[gaps.count[ids] + self.added_counts[ids] < gaps.target[ids]]
        counts = gaps.count + self.added_counts
        for candidate in () if self.loaded is None else self.loaded.candidates:
            if candidate.subject is Subject.ADD and self.verdict(candidate) is Verdict.OPEN:
                counts[self.shown_concepts(candidate.proposal.row, in_pool=True)] += 1
        return len(ids), int((counts[ids] >= gaps.target[ids]).sum())

    def n_closed(self, gap_ids: Sequence[int]) -> int:
        """Count the gaps whose target is reached with the accepted items."""
        gaps, ids = self._require_summary().gaps, np.asarray(gap_ids, dtype=np.int64)
        return int((gaps.count[ids] + self.added_counts[ids] >= gaps.target[ids]).sum())

    @cached_property
    def figures(self) -> CoverageFigures:
        """The figures of the overview."""
        return CoverageFigures.from_gaps(self._require_summary().gaps)

    def most_over(self, n: int) -> list[int]:
        """Return the over-covered concepts, largest lift first."""
        gaps = self._require_summary().gaps
        ids = np.flatnonzero(gaps.is_status(Status.OVER))
        return [
            int(concept_id) for concept_id in ids[np.argsort(gaps.deficit[ids], kind="stable")][:n]
        ]

    def top_rows(self, concept_id: int, n: int, *, in_pool: bool) -> list[tuple[int, float]]:
        """Return the `n` rows that show a concept most, strongest first, with its peak in each."""
        assert self.loaded is not None
        occurrences = self.loaded.pool_shown if in_pool else self.loaded.shown
        return [] if occurrences is None else occurrences.strongest(concept_id, n)

    @property
    def title(self) -> str:
        """Name of the workspace."""
        return self.workspace.name

    @property
    def folder(self) -> Path:
        """Folder of the workspace."""
        return self.workspace.folder

    def _require_summary(self) -> Summary:
        assert self.summary is not None
        return self.summary

    def _require_analysis(self) -> Analysis:
        assert self.loaded is not None
        return self.loaded.analysis
