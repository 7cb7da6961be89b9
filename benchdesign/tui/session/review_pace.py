"""Progress of the review since the workspace was opened: decisions, and time for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from benchdesign.workspace.decisions import Step, Subject, Verdict

__all__ = ["Sitting", "sitting_of"]

_PAUSE = 300.0
"""Seconds between two decisions above which the time counts as a break."""

_ITEMS = (Subject.ADD, Subject.REMOVE)
_VERDICTS = (Verdict.ACCEPT, Verdict.REJECT, Verdict.DEFER)


@dataclass(frozen=True, slots=True)
class Sitting:
    """The review since the workspace was opened."""

    n_decided: int
    """Items with a verdict from this session; each counts once, a reopened item does not count."""

    seconds_each: float | None
    """Median time for a decision; None before the second decision."""

    def text(self) -> str:
        """Format the progress in a few words."""
        if self.seconds_each is None:
            return f"this session {self.n_decided:,}"
        return f"this session {self.n_decided:,} · {_duration(self.seconds_each)} each"


def sitting_of(steps: Iterable[Step]) -> Sitting:
    """Count and time the decisions since the workspace was opened; undone ones do not count."""
    done: list[Step] = []
    # None: an undone step from before this session.
    undone: list[Step | None] = []
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
            if decision.subject in _ITEMS and decision.verdict in _VERDICTS
        }
        decided -= {
            (decision.subject, decision.subject_id)
            for decision in step.decisions
            if decision.verdict is Verdict.OPEN
        }
        if not judged:
            continue
        decided |= judged
        when = _moment(step.when)
        if last is not None and when is not None:
            seconds = (when - last).total_seconds()
            if 0 <= seconds <= _PAUSE:
                times.append(seconds / len(judged))
        last = when
    return Sitting(len(decided), median(times) if times else None)


def _moment(when: str) -> datetime | None:
    try:
        return datetime.fromisoformat(when)
    except ValueError:
        return None


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
