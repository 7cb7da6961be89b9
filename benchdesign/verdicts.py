"""What a decision says: about what, and what of it; and what holds after many of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

__all__ = ["BY_RULE", "Decision", "Standing", "Step", "Subject", "Verdict"]

BY_RULE = -1
"""As a wanted count: what the rule says, as if nothing had been said."""


class Subject(StrEnum):
    """What a decision is about; `subject_id` says which one."""

    ADD = "add"
    """A proposal to add a pool item; the id is the pool item's."""

    REMOVE = "remove"
    """A benchmark item, proposed for removal or dropped by hand; the id is the item's."""

    CONCEPT = "concept"
    """A concept, by its number in the dictionary."""

    AREA = "area"
    """An area, by its name."""


class Verdict(StrEnum):
    """What was said of it."""

    ACCEPT = "accept"
    REJECT = "reject"
    DEFER = "defer"
    OPEN = "open"
    """Back to undecided, without undoing what came after."""

    IGNORE = "ignore"
    """A concept or area that is left out of every count and is not a gap."""

    PIN = "pin"
    """A concept or area that is in scope whatever the automatic relevance says."""

    EXCLUDE = "exclude"
    """A concept or area that is out of scope whatever the automatic relevance says."""


class Decision(NamedTuple):
    """One thing the designer said; a field left None leaves what was said before."""

    subject: Subject
    subject_id: str
    verdict: Verdict | None = None
    """None for a note, a reason or an edit alone."""

    note: str | None = None
    """Free text; an empty string takes the note away."""

    reason: str | None = None
    """From a short list: wrong key, unclear, too easy, duplicate, leak, ..."""

    edits: Mapping[str, Any] | None = None
    """Top-level fields of the pool item's record as edited; the pool stays as it is."""

    want: int | None = None
    """How many items should show the concept; `BY_RULE` goes back to what the rule says."""

    merge: str | None = None
    """The concept this one is counted as; an empty string makes it its own again."""

    who: str = ""
    when: str = ""
    """ISO 8601, filled in by the log."""

    @property
    def word(self) -> str:
        """What was said, in a word or two."""
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
class Standing:
    """What holds for one subject after replaying everything said of it."""

    subject: Subject
    subject_id: str
    verdict: Verdict
    """`Verdict.OPEN` where only a note or an edit was made."""

    note: str = ""
    reason: str = ""
    edits: Mapping[str, Any] = field(default_factory=dict)
    want: int | None = None
    """None where the rule says it."""

    merge: str = ""
    """Empty where it is counted as itself."""

    who: str = ""
    """Who gave the verdict (or, without one, the last note)."""

    when: str = ""


class Step(NamedTuple):
    """One line group of the log: decisions made, undone or redone together."""

    number: int
    """Counts from 1 over all lines' steps, undos included."""

    action: str
    """decide, undo or redo."""

    decisions: tuple[Decision, ...]
    """What was decided, or what an undo took back or a redo brought back."""

    who: str
    when: str
