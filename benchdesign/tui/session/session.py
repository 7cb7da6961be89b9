"""Data model of the screens: one open workspace, its analysis and its decisions.

No widgets, and no writing except through the decision log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item
from benchdesign.coverage.find_gaps import retarget
from benchdesign.errors import BenchdesignError
from benchdesign.foundation.text import display
from benchdesign.revision.edited_items import apply_edits
from benchdesign.tui.session.review_pace import ReviewPace, measure_review_pace
from benchdesign.tui.session.session_data import Candidate, Loaded, PoolRows, texts_of_concepts
from benchdesign.tui.session.session_view import SessionView
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
        self._pool_rows = PoolRows(None if loaded is None else loaded.analysis.pool)
        self._edited: dict[str, Item] = {}
        """Cache of edited pool items, by item id."""

        self._n_steps_before = len(workspace.decisions)
        self.focus_concepts: tuple[int, ...] = ()
        """Only candidates that fill one of these are listed, if any; set by the Gaps screen."""

        self.focus_name = ""
        self.version = 0
        """Increases whenever anything that a screen shows has changed."""

        self._view = self._new_view()

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
    def view(self) -> SessionView:
        """Values derived from the analysis and the decisions; there must be a summary."""
        assert self._view is not None
        return self._view

    @property
    def can_write(self) -> bool:
        """Whether decisions can be recorded."""
        return self.workspace.access == "write"

    def replace(self, loaded: Loaded) -> None:
        """Show a newer analysis."""
        self.loaded = loaded
        self._pool_rows = PoolRows(loaded.analysis.pool)
        self._update()

    def summarise(self, summary: Summary) -> None:
        """Show the summary while the items are still being read."""
        self._summary = summary
        self._update()

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
        self._update()

    @property
    def needs_judging(self) -> bool:
        """Whether merges have changed since the items were counted."""
        if self.loaded is None:
            return False
        n_concepts = self.loaded.analysis.dictionary.n_concepts
        return ConceptMerges.from_log(self.log, n_concepts).concepts != self.loaded.merged

    def _update(self) -> None:
        """Replace what is derived from the analysis and the decisions after a change of either."""
        self._apply_targets()
        self._edited.clear()
        self._view = self._new_view()
        self.version += 1

    def _new_view(self) -> SessionView | None:
        if self.summary is None:
            return None
        return SessionView(self.summary, self.loaded, self.log, self._pool_rows)

    def _apply_targets(self) -> None:
        """Judge by the targets set by hand if they are not those of the judgements."""
        if self.summary is None:
            return
        gaps = self.summary.gaps
        targets = target_counts(self.log, len(gaps))
        if np.array_equal(
            _NO_TARGETS if targets is None else targets,
            _NO_TARGETS if gaps.wanted is None else gaps.wanted,
        ):
            return
        gaps = retarget(gaps, targets)
        if self.loaded is not None:
            self.loaded = self.loaded.with_gaps(gaps)
        elif self._summary is not None:
            self._summary = replace(self._summary, gaps=gaps)

    # decisions

    def record(self, *decisions: Decision) -> None:
        """Record decisions as one step; they are on disk when this returns."""
        self.log.record(*decisions)
        self._update()

    @property
    def review_pace(self) -> ReviewPace:
        """The decisions made since the workspace was opened."""
        return measure_review_pace(self.log.steps[self._n_steps_before :])

    def undo(self) -> LogStep | None:
        """Undo the last step."""
        step = self.log.undo()
        self._update()
        return step

    def redo(self) -> LogStep | None:
        """Redo the last undone step."""
        step = self.log.redo()
        self._update()
        return step

    def standing(self, candidate: Candidate) -> DecisionState | None:
        """Return the standing of a candidate; None without decisions."""
        return self.log.standing(candidate.subject, candidate.item.id)

    def verdict(self, candidate: Candidate) -> Verdict:
        """Return the verdict on a candidate."""
        return self.log.verdict(candidate.subject, candidate.item.id)

    def verdict_counts(self, candidates: Sequence[Candidate] | None = None) -> dict[Verdict, int]:
        """Count candidates by verdict; all of them by default."""
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

    def name_of_subject(self, decision: Decision) -> str:
        """Return what a decision is about: a group by its name, anything else by its id."""
        groups = None if self.summary is None else self.summary.groups
        if decision.subject is Subject.GROUP and groups is not None:
            group = groups.find(decision.subject_id)
            return decision.subject_id if group is None else display(group.name, width=40)
        return decision.subject_id

    # items

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

    def shown_concepts(self, row: int, *, in_pool: bool) -> NDArray[np.int32]:
        """Return the concepts present in an item, strongest relative to its threshold first."""
        assert self.loaded is not None
        return self.loaded.shown_concepts(row, in_pool=in_pool)

    def top_rows(self, concept_id: int, n: int, *, in_pool: bool) -> list[tuple[int, float]]:
        """Return the `n` rows that show a concept most, strongest first, with its peak in each."""
        assert self.loaded is not None
        occurrences = self.loaded.occurrences(in_pool=in_pool)
        return [] if occurrences is None else occurrences.strongest(concept_id, n)

    # concepts

    def target(self, concept_id: int) -> int:
        """Return how many items should show a concept, by rule or set by hand."""
        return int(self.view.gaps.target[concept_id])

    @property
    def merged(self) -> Mapping[int, int]:
        """The concept that each merged concept is counted as."""
        return {} if self.loaded is None else self.loaded.merged

    def members(self, concept_id: int) -> list[int]:
        """Return the concepts that are counted as this one."""
        return sorted(member for member, keeper in self.merged.items() if keeper == concept_id)

    def concept_texts(self) -> Sequence[str]:
        """Return the searched text of each concept, in lower case."""
        if self.loaded is not None:
            return self.loaded.concept_texts
        return texts_of_concepts(self.view.summary.dictionary)

    # the workspace

    @property
    def title(self) -> str:
        """Name of the workspace."""
        return self.workspace.name

    @property
    def folder(self) -> Path:
        """Folder of the workspace."""
        return self.workspace.folder
