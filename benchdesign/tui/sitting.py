"""What was decided in this sitting, and how long one decision takes: for the review queue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from benchdesign.decisions import Step, Subject, Verdict

__all__ = ["Sitting", "sitting_of"]

_PAUSE = 300.0
"""Seconds between two decisions from which somebody was away, not thinking."""

_ITEMS = (Subject.ADD, Subject.REMOVE)
_VERDICTS = (Verdict.ACCEPT, Verdict.REJECT, Verdict.DEFER)


@dataclass(frozen=True, slots=True)
class Sitting:
    """The review since the workspace was opened."""

    n_decided: int
    """Items that have a verdict of this sitting; one judged twice counts once, one opened again
    not at all."""

    seconds_each: float | None
    """Median time for one decision; None before the second."""

    def text(self) -> str:
        """Return it in a few words."""
        if self.seconds_each is None:
            return f"this sitting {self.n_decided:,}"
        return f"this sitting {self.n_decided:,} · {_duration(self.seconds_each)} each"


def sitting_of(steps: Iterable[Step]) -> Sitting:
    """Count the steps since the workspace was opened; what was undone again does not count."""
    done: list[Step] = []
    # None stands for a step from before: undo and redo reach beyond the sitting.
    undone: list[Step | None] = []
    for step in steps:
        if step.action == "decide":
            done.append(step)
            undone.clear()
        elif step.action == "undo":
            undone.append(done.pop() if done else None)
        elif undone and (again := undone.pop()) is not None:
            done.append(again)
    decided: set[tuple[Subject, str]] = set()
    times: list[float] = []
    before: datetime | None = None
    for step in done:
        said = {
            (one.subject, one.subject_id)
            for one in step.decisions
            if one.subject in _ITEMS and one.verdict in _VERDICTS
        }
        decided -= {
            (one.subject, one.subject_id) for one in step.decisions if one.verdict is Verdict.OPEN
        }
        if not said:
            continue
        decided |= said
        now = _moment(step.when)
        if before is not None and now is not None:
            seconds = (now - before).total_seconds()
            if 0 <= seconds <= _PAUSE:
                times.append(seconds / len(said))
        before = now
    return Sitting(len(decided), median(times) if times else None)


def _moment(when: str) -> datetime | None:
    try:
        return datetime.fromisoformat(when)
    except ValueError:
        return None


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
