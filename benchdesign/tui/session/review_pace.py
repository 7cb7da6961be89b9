"""Progress of the review since the workspace was opened: decisions, and time for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from benchdesign.foundation.number_words import duration
from benchdesign.workspace.decisions import LogStep, Subject, Verdict

__all__ = ["ReviewPace", "measure_review_pace"]

_MAX_DECISION_SECONDS = 300.0
"""Seconds between two decisions above which the time counts as a break."""

_ITEM_SUBJECTS = (Subject.ADD, Subject.REMOVE)
_VERDICTS = (Verdict.ACCEPT, Verdict.REJECT, Verdict.DEFER)


@dataclass(frozen=True, slots=True)
class ReviewPace:
    """The review since the workspace was opened."""

    n_decided: int
    """Items with a verdict from this session; each counts once, a reopened item does not count."""

    seconds_each: float | None
    """Median time for a decision; None before the second decision."""

    def text(self) -> str:
        """Format the progress in a few words."""
        if self.seconds_each is None:
            return f"this session {self.n_decided:,}"
        return f"this session {self.n_decided:,} · {duration(self.seconds_each)} each"


def measure_review_pace(steps: Iterable[LogStep]) -> ReviewPace:
    """Count and time the decisions since the workspace was opened; undone ones do not count."""
    done: list[LogStep] = []
    # None: an undone step from before this session.
    undone: list[LogStep | None] = []
    for step in steps:
        if step.action == "decide":
            done.append(step)
            undone.clear()
        elif step.action == "undo":
            undone.append(done.pop() if done else None)
        elif undone and (redone := undone.pop()) is not None:
            done.append(redone)
    decided: set[tuple[Subject, str]] = set()
    times: list[float] = []
    last: datetime | None = None
    for step in done:
        judged = {
            (decision.subject, decision.subject_id)
            for decision in step.decisions
            if decision.subject in _ITEM_SUBJECTS and decision.verdict in _VERDICTS
        }
        decided -= {
            (decision.subject, decision.subject_id)
            for decision in step.decisions
            if decision.verdict is Verdict.OPEN
        }
        if not judged:
            continue
        decided |= judged
        when = _parse_time(step.when)
        if last is not None and when is not None:
            seconds = (when - last).total_seconds()
            if 0 <= seconds <= _MAX_DECISION_SECONDS:
                times.append(seconds / len(judged))
        last = when
    return ReviewPace(len(decided), median(times) if times else None)


def _parse_time(when: str) -> datetime | None:
    try:
        return datetime.fromisoformat(when)
    except ValueError:
        return None
