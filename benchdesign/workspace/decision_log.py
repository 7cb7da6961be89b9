"""The designer's decisions, in chronological order.

The log is append-only: undo and redo add a line, and the current state results from replaying the
file. This module reads neither the clock nor the environment; the caller passes the time and the
author.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from benchdesign.errors import WorkspaceError
from benchdesign.foundation.atomic_files import flush_to_disk
from benchdesign.foundation.paths import read_regular
from benchdesign.workspace.decision_lines import (
    decision_from,
    parse_by_line,
    parse_together,
    problem_text,
    start_of_last_step,
    validate_lines,
)
from benchdesign.workspace.decisions import Decision, DecisionState, LogStep, Subject, Verdict

__all__ = ["DecisionLog"]


_MAX_LOG_BYTES = 1 << 30
"""Largest log that is replayed, in bytes: millions of decisions."""


class DecisionLog:
    """The decisions of one workspace, in memory and on disk."""

    def __init__(self, path: Path, *, who: str, clock: Callable[[], datetime]) -> None:
        self.path = path
        self.who = who
        self._clock = clock
        self._steps: list[LogStep] = []
        self._done: list[LogStep] = []
        self._undone: list[LogStep] = []
        self._history: dict[tuple[Subject, str], list[Decision]] = {}
        self._whole_bytes = 0
        self.n_truncated = 0
        """Lines truncated by a crash and ignored: 0 or 1."""

    @classmethod
    def from_file(cls, path: Path, *, who: str, clock: Callable[[], datetime]) -> DecisionLog:
        """Load the log at `path`; a missing file is an empty log."""
        log = cls(path, who=who, clock=clock)
        log._replay()
        return log

    def record(self, *decisions: Decision) -> None:
        """Append decisions as one step, which is undone as a whole, and sync them to disk."""
        if not decisions:
            return
        when = self._time()
        stamped = tuple(
            decision._replace(who=decision.who or self.who, when=decision.when or when)
            for decision in decisions
        )
        step = LogStep(self._next_number, "decide", stamped, self.who, when)
        self._append(validate_lines(step))
        self._apply_decide(step)

    def decide(
        self,
        subject: Subject,
        subject_id: str,
        verdict: Verdict,
        *,
        note: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Record one verdict."""
        self.record(Decision(subject, subject_id, verdict, note=note, reason=reason))

    def annotate(
        self,
        subject: Subject,
        subject_id: str,
        *,
        note: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Record a note or a reason; the verdict stays."""
        self.record(Decision(subject, subject_id, note=note, reason=reason))

    def undo(self) -> LogStep | None:
        """Undo the last step and return it; None if there is none."""
        if not self._done:
            return None
        target = self._done[-1]
        when = self._time()
        self._append([self._line(self._next_number, "undo", when, of=target.number)])
        self._apply_undo(self._next_number, self.who, when)
        return target

    def redo(self) -> LogStep | None:
        """Redo the step undone last and return it; None after a new decision or without an undo."""
        if not self._undone:
            return None
        target = self._undone[-1]
        when = self._time()
        self._append([self._line(self._next_number, "redo", when, of=target.number)])
        self._apply_redo(self._next_number, self.who, when)
        return target

    def standing(self, subject: Subject, subject_id: str) -> DecisionState | None:
        """Return the current state of one subject; None without decisions, or if all are undone."""
        decisions = self._history.get((subject, subject_id))
        return _fold(subject, subject_id, decisions) if decisions else None

    def verdict(self, subject: Subject, subject_id: str) -> Verdict:
        """Return the current verdict; `Verdict.OPEN` if there is none."""
        standing = self.standing(subject, subject_id)
        return standing.verdict if standing else Verdict.OPEN

    def standings(self, subject: Subject) -> dict[str, DecisionState]:
        """Return the state of every subject of a kind, in the order of their first decisions."""
        return {
            subject_id: _fold(kind, subject_id, decisions)
            for (kind, subject_id), decisions in self._history.items()
            if kind is subject and decisions
        }

    def ids(self, subject: Subject, verdict: Verdict) -> tuple[str, ...]:
        """Return the ids of a kind with this verdict, in the order the verdicts were made."""
        matches = [
            standing for standing in self.standings(subject).values() if standing.verdict is verdict
        ]
        order = {
            (decision.subject, decision.subject_id): position
            for position, step in enumerate(self._done)
            for decision in step.decisions
            if decision.verdict is not None
        }
        matches.sort(key=lambda standing: order.get((standing.subject, standing.subject_id), 0))
        return tuple(standing.subject_id for standing in matches)

    @property
    def accepted(self) -> tuple[str, ...]:
        """Ids of the pool items accepted for addition, in the order of acceptance."""
        return self.ids(Subject.ADD, Verdict.ACCEPT)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Ids of the benchmark items to remove, in the order decided."""
        return self.ids(Subject.REMOVE, Verdict.ACCEPT)

    @property
    def wanted(self) -> dict[int, int]:
        """Target counts set by hand, by concept: the number of items that should show it."""
        return {
            int(standing.subject_id): standing.want
            for standing in self.standings(Subject.CONCEPT).values()
            if standing.want is not None
        }

    @property
    def merged(self) -> dict[int, int]:
        """Targets of merged concepts, by concept; chains of merges are followed to the end."""
        links = {
            int(standing.subject_id): int(standing.merge)
            for standing in self.standings(Subject.CONCEPT).values()
            if standing.merge
        }
        targets = {}
        for start in links:
            end, visited = start, {start}
            while end in links and links[end] not in visited:
                end = links[end]
                visited.add(end)
            # Only a hand-edited log can contain a cycle; resolve it to the smallest id.
            end = min(visited) if end in links else end
            if end != start:
                targets[start] = end
        return targets

    @property
    def steps(self) -> Sequence[LogStep]:
        """The complete audit trail, including undo and redo steps."""
        return tuple(self._steps)

    @property
    def n_undoable(self) -> int:
        """Number of steps that can be undone."""
        return len(self._done)

    @property
    def n_redoable(self) -> int:
        """Number of steps that can be redone."""
        return len(self._undone)

    def __len__(self) -> int:
        """Count the steps, including undo and redo steps."""
        return len(self._steps)

    def __iter__(self) -> Iterator[LogStep]:
        """Yield the steps of the audit trail in order."""
        return iter(self._steps)

    @property
    def _next_number(self) -> int:
        return self._steps[-1].number + 1 if self._steps else 1

    def _time(self) -> str:
        return self._clock().isoformat(timespec="seconds")

    def _line(self, number: int, action: str, when: str, **rest: object) -> str:
        entry = {"v": 1, "step": number, "action": action, "who": self.who, "when": when, **rest}
        return json.dumps(entry, ensure_ascii=True, sort_keys=True)

    def _append(self, lines: Sequence[str]) -> None:
        is_new = not self.path.exists()
        data = "".join(f"{line}\n" for line in lines).encode("ascii")
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                # Drop the truncated line of a crash; that decision was never acknowledged.
                if os.fstat(handle).st_size > self._whole_bytes:
                    os.ftruncate(handle, self._whole_bytes)
                _write_all(handle, data)
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, self._whole_bytes)
                raise
            finally:
                os.close(handle)
            if is_new:
                flush_to_disk(self.path.parent)
        except OSError as problem:
            raise WorkspaceError(
                f"{self.path}: the decision was not saved ({problem.strerror}). "
                "Free space or make the folder writable, then decide again."
            ) from None
        self._whole_bytes += len(data)

    def _replay(self) -> None:
        try:
            data = read_regular(self.path, max_bytes=_MAX_LOG_BYTES)
        except FileNotFoundError:
            return
        except OSError as problem:
            raise WorkspaceError(
                f"{self.path}: the decisions cannot be read ({problem.strerror}). "
                "Check the permissions."
            ) from None
        whole = data.rfind(b"\n") + 1
        self.n_truncated = int(whole < len(data))
        self._whole_bytes = whole
        group: list[Decision] = []
        lines = data[:whole].split(b"\n")[:-1]
        entries: Iterable[tuple[int, Any]] = parse_together(lines) or parse_by_line(lines)
        for number, entry in entries:
            try:
                if isinstance(entry, ValueError):
                    raise entry
                self._replay_entry(entry, group)
            except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as problem:
                raise WorkspaceError(
                    f"{self.path}:{number}: not a decision ({problem_text(problem)}). "
                    "Restore the line "
                    "from a backup, or delete it to continue without it."
                ) from None
        if group:
            # A crash cut off the last lines of a step; discard the whole step.
            self.n_truncated = 1
            self._whole_bytes = start_of_last_step(data[:whole], len(group))

    def _replay_entry(self, entry: Mapping[str, Any], group: list[Decision]) -> None:
        number, action = int(entry["step"]), entry["action"]
        who, when = str(entry.get("who", "")), str(entry.get("when", ""))
        if action == "decide":
            group.append(decision_from(entry, who, when))
            if not entry.get("more", False):
                self._apply_decide(LogStep(number, "decide", tuple(group), who, when))
                group.clear()
        elif action == "undo":
            if self._done[-1].number != entry["of"]:
                raise ValueError(f"step {entry['of']} is not the last step")
            self._apply_undo(number, who, when)
        elif action == "redo":
            if self._undone[-1].number != entry["of"]:
                raise ValueError(f"step {entry['of']} is not the last undone step")
            self._apply_redo(number, who, when)
        else:
            raise ValueError(f"unknown action {action!r}")

    def _apply_decide(self, step: LogStep) -> None:
        self._steps.append(step)
        self._done.append(step)
        self._undone.clear()
        for decision in step.decisions:
            self._history.setdefault((decision.subject, decision.subject_id), []).append(decision)

    def _apply_undo(self, number: int, who: str, when: str) -> None:
        step = self._done.pop()
        self._undone.append(step)
        for decision in reversed(step.decisions):
            self._history[(decision.subject, decision.subject_id)].pop()
        self._steps.append(LogStep(number, "undo", step.decisions, who, when))

    def _apply_redo(self, number: int, who: str, when: str) -> None:
        step = self._undone.pop()
        self._done.append(step)
        for decision in step.decisions:
            self._history.setdefault((decision.subject, decision.subject_id), []).append(decision)
        self._steps.append(LogStep(number, "redo", step.decisions, who, when))


def _fold(subject: Subject, subject_id: str, decisions: Sequence[Decision]) -> DecisionState:
    verdict, reason, note = Verdict.OPEN, "", ""
    edits: dict[str, Any] = {}
    want: int | None = None
    merge = who = when = ""
    for decision in decisions:
        if decision.verdict is not None:
            # A new verdict clears the previous reason; notes stay.
            verdict, reason = decision.verdict, ""
        if decision.verdict is not None or verdict is Verdict.OPEN:
            who, when = decision.who, decision.when
        reason = reason if decision.reason is None else decision.reason
        note = note if decision.note is None else decision.note
        edits.update(decision.edits or {})
        if decision.want is not None:
            want = None if decision.want < 0 else decision.want
        merge = merge if decision.merge is None else decision.merge
    return DecisionState(subject, subject_id, verdict, note, reason, edits, want, merge, who, when)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
