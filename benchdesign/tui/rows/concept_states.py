"""How the state of a concept is shown in lists."""

from __future__ import annotations

from benchdesign.coverage.status import Status
from benchdesign.tui.session.session import Session

__all__ = ["UNCOUNTED_STATES", "concept_label", "state_style"]


_STYLES = {
    "missing": "warn",
    "under": "warn",
    "over": "good",
    "untestable": "muted",
    "suspected": "muted",
    "out_of_scope": "muted",
    "kept_out": "muted",
    "ignored": "muted",
    "merged": "muted",
    "accept": "good",
    "reject": "warn",
    "defer": "muted",
}


UNCOUNTED_STATES = ("kept_out", "ignored", "merged")
"""States of concepts that are left out of every count."""


def state_style(state: str) -> str:
    """Return the table style of a state."""
    return _STYLES.get(state, "")


def concept_label(session: Session, concept_id: int) -> str:
    """Return a concept's label, with the number of concepts merged into it."""
    assert session.summary is not None
    label = session.summary.dictionary.label(concept_id)
    members = session.members(concept_id)
    return f"{label} +{len(members)} merged" if members else label


def is_gap_state(state: str) -> bool:
    """Whether a state is a gap."""
    return state in (Status.MISSING.value, Status.UNDER.value)
