"""Decisions of the designer, in the order they were made.

The log is only ever appended to; undoing and redoing add a line, and the current state is the
replay of the file. Nothing here knows about screens or commands, and nothing here reads the clock
or the environment: the caller passes who decides and what time it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from benchdesign.errors import WorkspaceError
from benchdesign.regular import read_regular
from benchdesign.text import is_whole_number
from benchdesign.verdicts import BY_RULE, Decision, Standing, Step, Subject, Verdict
from benchdesign.whole_files import sync

__all__ = ["BY_RULE", "Decision", "DecisionLog", "Standing", "Step", "Subject", "Verdict"]

_LARGEST = 1 << 30
"""Bytes of a log that is replayed: millions of decisions."""


class DecisionLog:
    """The decisions of one workspace, in memory and on disk."""

    def __init__(self, path: Path, *, who: str, clock: Callable[[], datetime]) -> None:
        self.path = path
        self.who = who
        self._clock = clock
        self._steps: list[Step] = []
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._said: dict[tuple[Subject, str], list[Decision]] = {}
        self._whole_bytes = 0
        self.n_torn = 0
        """Lines cut off by a crash and left out: 0 or 1."""

    @classmethod
    def from_file(cls, path: Path, *, who: str, clock: Callable[[], datetime]) -> DecisionLog:
        """Replay the log at `path`; a missing file is an empty log."""
        log = cls(path, who=who, clock=clock)
        log._replay()
        return log

    def record(self, *decisions: Decision) -> None:
        """Append decisions as one step (undone together) and wait until they are on disk."""
        if not decisions:
            return
        when = self._time()
        stamped = tuple(
            one._replace(who=one.who or self.who, when=one.when or when) for one in decisions
        )
        step = Step(self._next_number, "decide", stamped, self.who, when)
        self._append(_decide_lines(step))
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
        """Record a note or a reason without touching the verdict."""
        self.record(Decision(subject, subject_id, note=note, reason=reason))

    def undo(self) -> Step | None:
        """Take back the last step that stands; returns it, or None if there is none."""
        if not self._done:
            return None
        target = self._done[-1]
        when = self._time()
        self._append([self._line(self._next_number, "undo", when, of=target.number)])
        self._apply_undo(self._next_number, self.who, when)
        return target

    def redo(self) -> Step | None:
        """Bring back the step undone last; None if none was, or something was decided since."""
        if not self._undone:
            return None
        target = self._undone[-1]
        when = self._time()
        self._append([self._line(self._next_number, "redo", when, of=target.number)])
        self._apply_redo(self._next_number, self.who, when)
        return target

    def standing(self, subject: Subject, subject_id: str) -> Standing | None:
        """Return what holds for one subject; None if nothing was ever said (or all undone)."""
        said = self._said.get((subject, subject_id))
        return _fold(subject, subject_id, said) if said else None

    def verdict(self, subject: Subject, subject_id: str) -> Verdict:
        """Return the verdict that holds; `Verdict.OPEN` where there is none."""
        standing = self.standing(subject, subject_id)
        return standing.verdict if standing else Verdict.OPEN

    def standings(self, subject: Subject) -> dict[str, Standing]:
        """Return what holds for every subject of a kind, in the order first spoken of."""
        return {
            subject_id: _fold(kind, subject_id, said)
            for (kind, subject_id), said in self._said.items()
            if kind is subject and said
        }

    def ids(self, subject: Subject, verdict: Verdict) -> tuple[str, ...]:
        """Return the ids of a kind that have this verdict now, in the order of the verdicts."""
        chosen = [one for one in self.standings(subject).values() if one.verdict is verdict]
        order = {
            (decision.subject, decision.subject_id): place
            for place, step in enumerate(self._done)
            for decision in step.decisions
            if decision.verdict is not None
        }
        chosen.sort(key=lambda one: order.get((one.subject, one.subject_id), 0))
        return tuple(one.subject_id for one in chosen)

    @property
    def accepted(self) -> tuple[str, ...]:
        """Ids of the pool items accepted for addition, in the order accepted."""
        return self.ids(Subject.ADD, Verdict.ACCEPT)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Ids of the benchmark items to leave out, in the order decided."""
        return self.ids(Subject.REMOVE, Verdict.ACCEPT)

    @property
    def wanted(self) -> dict[int, int]:
        """How many items should show a concept, by concept, where that was said by hand."""
        standings = self.standings(Subject.CONCEPT).values()
        return {int(one.subject_id): one.want for one in standings if one.want is not None}

    @property
    def merged(self) -> dict[int, int]:
        """The concept that each merged one is counted as, chains followed to their end."""
        said = {
            int(one.subject_id): int(one.merge)
            for one in self.standings(Subject.CONCEPT).values()
            if one.merge
        }
        found = {}
        for start in said:
            end, passed = start, {start}
            while end in said and said[end] not in passed:
                end = said[end]
                passed.add(end)
            # Of a circle, which only a hand-written log has, the smallest number stays.
            end = min(passed) if end in said else end
            if end != start:
                found[start] = end
        return found

    @property
    def steps(self) -> Sequence[Step]:
        """The whole audit trail, undos and redos included."""
        return tuple(self._steps)

    @property
    def n_undoable(self) -> int:
        """Steps that undo can take back one after the other."""
        return len(self._done)

    @property
    def n_redoable(self) -> int:
        """Steps that redo can bring back."""
        return len(self._undone)

    def __len__(self) -> int:
        """Count the steps, undos and redos included."""
        return len(self._steps)

    def __iter__(self) -> Iterator[Step]:
        """Iterate over the audit trail in order."""
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
                # What a crash left of a line was never acknowledged; it goes before the next one.
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
                sync(self.path.parent)
        except OSError as problem:
            raise WorkspaceError(
                f"{self.path}: the decision was not saved ({problem.strerror}). "
                "Free space or make the folder writable, then decide again."
            ) from None
        self._whole_bytes += len(data)

    def _replay(self) -> None:
        try:
            data = read_regular(self.path, most=_LARGEST)
        except FileNotFoundError:
            return
        except OSError as problem:
            raise WorkspaceError(
                f"{self.path}: the decisions cannot be read ({problem.strerror})."
            ) from None
        whole = data.rfind(b"\n") + 1
        self.n_torn = int(whole < len(data))
        self._whole_bytes = whole
        group: list[Decision] = []
        lines = data[:whole].split(b"\n")[:-1]
        entries: Iterable[tuple[int, Any]] = _parse_together(lines) or _parse_by_line(lines)
        for place, entry in entries:
            try:
                if isinstance(entry, ValueError):
                    raise entry
                self._replay_entry(entry, group)
            except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as problem:
                raise WorkspaceError(
                    f"{self.path}:{place}: not a decision ({_short(problem)}). Restore the line "
                    "from a backup, or delete it to go on without it."
                ) from None
        if group:
            # The last lines of a step are missing: a crash between them. None of it counts.
            self.n_torn = 1
            self._whole_bytes = _start_of_last_step(data[:whole], len(group))

    def _replay_entry(self, entry: Mapping[str, Any], group: list[Decision]) -> None:
        number, action = int(entry["step"]), entry["action"]
        who, when = str(entry.get("who", "")), str(entry.get("when", ""))
        if action == "decide":
            group.append(_decision(entry, who, when))
            if not entry.get("more", False):
                self._apply_decide(Step(number, "decide", tuple(group), who, when))
                group.clear()
        elif action == "undo":
            if self._done[-1].number != entry["of"]:
                raise ValueError(f"step {entry['of']} is not the last that stands")
            self._apply_undo(number, who, when)
        elif action == "redo":
            if self._undone[-1].number != entry["of"]:
                raise ValueError(f"step {entry['of']} is not the last undone")
            self._apply_redo(number, who, when)
        else:
            raise ValueError(f"unknown action {action!r}")

    def _apply_decide(self, step: Step) -> None:
        self._steps.append(step)
        self._done.append(step)
        self._undone.clear()
        for one in step.decisions:
            self._said.setdefault((one.subject, one.subject_id), []).append(one)

    def _apply_undo(self, number: int, who: str, when: str) -> None:
        step = self._done.pop()
        self._undone.append(step)
        for one in reversed(step.decisions):
            self._said[(one.subject, one.subject_id)].pop()
        self._steps.append(Step(number, "undo", step.decisions, who, when))

    def _apply_redo(self, number: int, who: str, when: str) -> None:
        step = self._undone.pop()
        self._done.append(step)
        for one in step.decisions:
            self._said.setdefault((one.subject, one.subject_id), []).append(one)
        self._steps.append(Step(number, "redo", step.decisions, who, when))


def _parse_together(lines: Sequence[bytes]) -> list[tuple[int, Any]] | None:
    """Parse every line in one go, four times as fast as one by one; None if any is not whole."""
    if b"" in lines:
        return None
    try:
        entries = json.loads(b"[" + b",".join(lines) + b"]")
    except (ValueError, RecursionError):
        return None
    return list(enumerate(entries, start=1)) if len(entries) == len(lines) else None


def _parse_by_line(lines: Sequence[bytes]) -> Iterator[tuple[int, Any]]:
    """Parse line by line; a line that is not JSON comes as the error it made."""
    for place, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield place, json.loads(line)
        except ValueError as problem:
            yield place, problem
        except RecursionError:
            yield place, ValueError("nested too deeply")


def _fold(subject: Subject, subject_id: str, said: Sequence[Decision]) -> Standing:
    verdict, reason, note = Verdict.OPEN, "", ""
    edits: dict[str, Any] = {}
    want: int | None = None
    merge = who = when = ""
    for one in said:
        if one.verdict is not None:
            # A new verdict takes the old one's reason with it; notes stay.
            verdict, reason = one.verdict, ""
        if one.verdict is not None or verdict is Verdict.OPEN:
            who, when = one.who, one.when
        reason = reason if one.reason is None else one.reason
        note = note if one.note is None else one.note
        edits.update(one.edits or {})
        if one.want is not None:
            want = None if one.want < 0 else one.want
        merge = merge if one.merge is None else one.merge
    return Standing(subject, subject_id, verdict, note, reason, edits, want, merge, who, when)


def _decide_lines(step: Step) -> list[str]:
    last = len(step.decisions) - 1
    lines = []
    for place, one in enumerate(step.decisions):
        entry: dict[str, Any] = {
            "v": 1,
            "step": step.number,
            "action": "decide",
            "who": one.who,
            "when": one.when,
            "kind": one.subject.value,
            "id": one.subject_id,
        }
        if one.verdict is not None:
            entry["verdict"] = one.verdict.value
        for name in ("note", "reason", "edits", "want", "merge"):
            said = getattr(one, name)
            if said is not None:
                entry[name] = dict(said) if name == "edits" else said
        if place < last:
            entry["more"] = True
        lines.append(json.dumps(entry, ensure_ascii=True, sort_keys=True))
    return lines


def _decision(entry: Mapping[str, Any], who: str, when: str) -> Decision:
    kind, verdict = entry["kind"], entry.get("verdict")
    # A lookup costs a tenth of calling the enum, and a log has thousands of lines.
    subject = _SUBJECTS.get(kind) or Subject(kind)
    said = None if verdict is None else _VERDICTS.get(verdict) or Verdict(verdict)
    note = reason = edits = want = merge = None
    if verdict is None or len(entry) > _PLAIN:
        get = entry.get
        note, reason, edits = get("note"), get("reason"), get("edits")
        want, merge = get("want"), get("merge")
        want = None if want is None else int(want)
        merge = None if merge is None else str(merge)
        if merge and not is_whole_number(merge):
            raise ValueError(f"merged into {merge!r}, which is no concept")
        if not all(one is None or isinstance(one, str) for one in (note, reason)):
            raise TypeError("note and reason are not text")
        if not (edits is None or isinstance(edits, dict)):
            raise TypeError("edits are not an object")
    subject_id = str(entry["id"])
    if subject is Subject.CONCEPT and not is_whole_number(subject_id):
        raise ValueError(f"{subject_id!r} is no concept")
    return Decision(subject, subject_id, said, note, reason, edits, want, merge, who, when)


_PLAIN = 8
"""Fields of a line that gives a verdict and nothing else."""

_SUBJECTS = {one.value: one for one in Subject}
_VERDICTS = {one.value: one for one in Verdict}


def _start_of_last_step(data: bytes, n_lines: int) -> int:
    end = len(data)
    for _ in range(n_lines):
        end = data.rfind(b"\n", 0, end - 1) + 1
    return end


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _short(problem: Exception) -> str:
    return f"missing {problem}" if isinstance(problem, KeyError) else str(problem)
