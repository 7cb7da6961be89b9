"""Decisions about concepts and areas, the same on Concepts and Gaps."""

from __future__ import annotations

from benchdesign.decisions import Decision, Subject, Verdict
from benchdesign.errors import WorkspaceError
from benchdesign.tui.screens.dialogs import AskText
from benchdesign.tui.screens.lists import ListScreen

__all__ = ["JudgingScreen", "subject_of"]


def subject_of(row_id: str) -> tuple[Subject, str]:
    """Return what a row's decisions are about."""
    if row_id.startswith("area:"):
        return Subject.AREA, row_id.removeprefix("area:")
    return Subject.CONCEPT, row_id


class JudgingScreen(ListScreen):
    """Ignore, pin, exclude, note."""

    def record(self, decisions: list[Decision], done: str) -> bool:
        """Write decisions as one step and show them; False if they could not be."""
        session = self.session
        if session is None or not session.can_write:
            self.say("Read only: nothing can be decided here.", is_error=True)
            return False
        try:
            session.record(*decisions)
        except WorkspaceError as problem:
            self.say(str(problem), is_error=True)
            return False
        self.table.marked.clear()
        self.say(f"{done}. u undoes ({session.log.n_undoable} to undo). R recomputes.")
        self.owner.touch()
        return True

    def flip_verdict(self, verdict: Verdict, word: str, *, reason: str | None = None) -> None:
        """Give the chosen rows a verdict; rows that have it already lose it."""
        session, ids = self.session, self.table.chosen_ids
        if session is None or not ids:
            return
        subjects = [subject_of(one) for one in ids]
        standing = all(session.log.verdict(*one) is verdict for one in subjects)
        said = Verdict.OPEN if standing else verdict
        decisions = [Decision(*one, said, reason=reason) for one in subjects]
        noun = subjects[0][1] if len(ids) == 1 else f"{len(ids)} rows"
        self.record(decisions, f"{noun} {'no longer ' if standing else ''}{word}")

    def action_pin(self) -> None:
        """Pin into scope."""
        self.flip_verdict(Verdict.PIN, "pinned into scope")

    def action_exclude(self) -> None:
        """Put out of scope."""
        self.flip_verdict(Verdict.EXCLUDE, "out of scope")

    def action_note(self) -> None:
        """Write a note about the row."""
        session, row_id = self.session, self.table.cursor_id
        if session is None or row_id is None:
            return
        subject, subject_id = subject_of(row_id)
        said = session.log.standing(subject, subject_id)

        def take(text: str | None) -> None:
            if text is not None:
                self.record([Decision(subject, subject_id, note=text)], "Note kept")

        self.app.push_screen(AskText("Note", value=said.note if said else ""), take)
