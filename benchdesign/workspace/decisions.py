"""Decisions, and the state that results from replaying them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

__all__ = ["BY_RULE", "Decision", "DecisionState", "LogStep", "Subject", "Verdict"]

BY_RULE = -1
"""Value of `Decision.want` that resets the target count to the one set by the rule."""


class Subject(StrEnum):
    """The kind of subject of a decision; `subject_id` identifies it."""

    ADD = "add"
    """A proposal to add a pool item, by the ID of the pool item."""

    REMOVE = "remove"
    """A benchmark item that is proposed for removal or removed by hand, by its ID."""

    CONCEPT = "concept"
    """A concept, by its number in the dictionary."""

    AREA = "area"
    """An area, by its name."""

    GROUP = "group"
    """A group of similar items, by its id; the same step judges its pool items."""

    POOL_ITEM = "pool item"
    """A pool item as an example of what the benchmark is about, by its ID."""


class Verdict(StrEnum):
    """The verdict on a subject."""

    ACCEPT = "accept"
    REJECT = "reject"
    DEFER = "defer"
    OPEN = "open"
    """Undecided again; later decisions stay in force."""

    IGNORE = "ignore"
    """A concept or area that is excluded from every count and is not a gap."""

    PIN = "pin"
    """A concept or area that is always in scope, whatever its measured relevance."""

    EXCLUDE = "exclude"
    """A concept or area that is never in scope, whatever its measured relevance."""

    MEANT = "meant"
    """A group or pool item that belongs to what the benchmark is about."""

    NOT_MEANT = "not meant"
    """A group or pool item that does not belong to what the benchmark is about."""


class Decision(NamedTuple):
    """One decision of the designer; a field that is None keeps its previous value."""

    subject: Subject
    subject_id: str
    verdict: Verdict | None = None
    """None for a note, reason, edit, target count or merge without a verdict."""

    note: str | None = None
    """Free text; an empty string deletes the note."""

    reason: str | None = None
    """One of a short list: wrong key, unclear, too easy, duplicate, leak, ..."""

    edits: Mapping[str, Any] | None = None
    """Edited top-level fields of the pool item's record; the pool file is not changed."""

    want: int | None = None
    """Target number of items that show the concept; `BY_RULE` resets it."""

    merge: str | None = None
    """The concept that this one is merged into; an empty string undoes the merge."""

    who: str = ""
    when: str = ""
    """ISO 8601; set by the log."""

    @property
    def word(self) -> str:
        """Name of the decision, in one or two words."""
        if self.verdict is not None:
            return self.verdict.value
        if self.want is not None:
            return "wanted count"
        if self.merge is not None:
            return "merge"
        if self.edits is not None:
            return "edit"
        return "reason" if self.reason is not None else "note"


@dataclass(frozen=True, slots=True)
class DecisionState:
    """The state of one subject after replaying all decisions on it."""

    subject: Subject
    subject_id: str
    verdict: Verdict
    """`Verdict.OPEN` if there is no verdict, only for example a note or an edit."""

    note: str = ""
    reason: str = ""
    edits: Mapping[str, Any] = field(default_factory=dict)
    want: int | None = None
    """None if the rule sets the target count."""

    merge: str = ""
    """Empty if the concept is not merged."""

    who: str = ""
    """Author of the verdict (or, without one, of the last note)."""

    when: str = ""


class LogStep(NamedTuple):
    """One step of the log: decisions made, undone or redone together."""

    number: int
    """1-based number of the step in the log, counting undo and redo steps."""

    action: str
    """decide, undo or redo."""

    decisions: tuple[Decision, ...]
    """The decisions made, undone or redone."""

    who: str
    when: str
