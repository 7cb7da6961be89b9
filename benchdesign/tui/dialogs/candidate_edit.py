"""Changes to a candidate: its record in the editor, a reason, a note."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from textual.app import App

from benchdesign.foundation.text import display
from benchdesign.tui.dialogs.dialogs import AskChoice, AskText
from benchdesign.tui.dialogs.external_editor import edit_record
from benchdesign.tui.session.session import Session
from benchdesign.tui.session.session_data import Candidate

__all__ = ["REASONS", "ask_note", "ask_reason", "edit_candidate", "field_names_text"]

REASONS = (
    "wrong key",
    "unclear",
    "too easy",
    "too hard",
    "duplicate",
    "leak",
    "off topic",
    "format",
)

_MAX_FIELDS_NAMED = 3


def ask_reason(item_ids: Sequence[str]) -> AskChoice:
    """Return a dialog that asks for the reason for a decision about these candidates."""
    about = item_ids[0] if len(item_ids) == 1 else f"{len(item_ids)} candidates"
    return AskChoice(f"Reason for {about}", [(reason, reason) for reason in REASONS])


def ask_note(candidate: Candidate, note: str) -> AskText:
    """Return a dialog that asks for a note about a candidate."""
    return AskText(f"Note on {candidate.item.id}", value=note)


def edit_candidate(
    app: App[Any], session: Session, candidate: Candidate, *, editor: str
) -> dict[str, Any]:
    """Open a pool item's record in the editor and return the fields that changed.

    Raise ValueError if the result is not a JSON object, OSError if the editor cannot run.
    """
    assert session.analysis is not None and session.analysis.pool is not None
    decision = session.standing(candidate)
    return edit_record(
        app,
        session.analysis.pool.record(candidate.item),
        decision.edits if decision else {},
        editor=editor,
    )


def field_names_text(names: Iterable[str]) -> str:
    """Return `the question`, `the question and the answer`, `the a, the b, the c and 2 more`."""
    fields = [f"the {display(name, width=24)}" for name in names]
    listed, n_more = fields[:_MAX_FIELDS_NAMED], len(fields) - _MAX_FIELDS_NAMED
    if n_more > 0:
        listed.append(f"{n_more} more")
    return " and ".join(filter(None, [", ".join(listed[:-1]), listed[-1]]))
