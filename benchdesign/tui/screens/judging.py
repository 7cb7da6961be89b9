"""Decisions about concepts and areas, the same on Concepts and Gaps."""

from __future__ import annotations

from benchdesign.decisions import BY_RULE, Decision, Subject, Verdict
from benchdesign.errors import WorkspaceError
from benchdesign.text import display, is_whole_number
from benchdesign.tui.model import Session
from benchdesign.tui.screens.dialogs import AskChoice, AskText
from benchdesign.tui.screens.lists import ListScreen

__all__ = ["JudgingScreen", "subject_of"]


def subject_of(row_id: str) -> tuple[Subject, str]:
    """Return what a row's decisions are about."""
    if row_id.startswith("area:"):
        return Subject.AREA, row_id.removeprefix("area:")
    return Subject.CONCEPT, row_id


class JudgingScreen(ListScreen):
    """Ignore, pin, exclude, note, want, merge."""

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

    def _chosen_concepts(self) -> list[int]:
        return [int(one) for one in self.table.chosen_ids if not one.startswith("area:")]

    def action_want(self) -> None:
        """Say how many items should show the chosen concepts; nothing gives it back to the rule."""
        session, ids = self.session, self._chosen_concepts()
        if session is None or session.summary is None:
            return
        if not ids:
            self.say("t is for concepts; right opens an area into its concepts.")
            return
        gaps = session.summary.gaps
        what = self._named(session, ids)

        def take(text: str | None) -> None:
            if text is None:
                return
            count = BY_RULE if not text.strip() else _count(text)
            if count is None:
                self.say(f"{display(text, width=20)}: not a number of items; nothing changed.")
                return
            decisions = [Decision(Subject.CONCEPT, str(one), want=count) for one in ids]
            done = f"{what}: as the rule says" if count == BY_RULE else f"{what}: want {count:,}"
            self.record(decisions, done)

        now = {session.target(one) for one in ids}
        is_own = all(gaps.is_wanted(one) for one in ids)
        self.app.push_screen(
            AskText(
                f"How many items should show {what}?",
                value=str(now.pop()) if is_own and len(now) == 1 else "",
                hint=f"Empty is the rule's{'' if is_own or len(ids) > 1 else f': {now.pop():,}'}.",
            ),
            take,
        )

    def action_merge(self) -> None:
        """Count the marked concepts as one; a merged one apart again."""
        session, ids = self.session, self._chosen_concepts()
        if session is None or not ids:
            return
        if session.loaded is None:
            self.say("The items are still being read.")
            return
        loaded = session.loaded
        apart = [one for one in ids if one in loaded.merged]
        if len(ids) == 1 and not apart:
            apart = session.members(ids[0])
        if len(ids) == 1 or len(apart) == len(ids):
            self._take_apart(apart)
            return
        dictionary = loaded.analysis.dictionary
        if len({dictionary.level_of(one).name for one in ids}) > 1:
            self.say("Concepts of different levels are counted differently and stay apart.")
            return
        counts = loaded.analysis.gaps.count
        cursor = self.table.cursor_id or ""
        ids.sort(key=lambda one: (str(one) != cursor, -int(counts[one])))
        choices = [
            (str(one), f"{one:05d} {dictionary.label(one)} ({int(counts[one]):,} items)")
            for one in ids
        ]

        def take(keeper: str | None) -> None:
            if keeper is None:
                return
            decisions = [
                Decision(Subject.CONCEPT, str(one), merge="" if str(one) == keeper else keeper)
                for one in ids
                if str(one) != keeper or one in loaded.merged
            ]
            self.record(decisions, f"{len(ids)} concepts counted as {int(keeper):05d}")

        self.app.push_screen(AskChoice("Count these as one. Under which name?", choices), take)

    def _take_apart(self, ids: list[int]) -> None:
        if not ids:
            self.say("Mark the concepts that mean the same with space, then press m.")
            return
        decisions = [Decision(Subject.CONCEPT, str(one), merge="") for one in ids]
        noun = f"{ids[0]:05d}" if len(ids) == 1 else f"{len(ids)} concepts"
        self.record(decisions, f"{noun} counted apart again")

    def _named(self, session: Session, ids: list[int]) -> str:
        assert session.summary is not None
        if len(ids) > 1:
            return f"each of {len(ids)} concepts"
        return display(session.summary.dictionary.label(ids[0]), width=40)


def _count(text: str) -> int | None:
    digits = text.strip().replace(",", "")
    return int(digits) if is_whole_number(digits) else None
