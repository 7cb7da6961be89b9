"""Decisions about concepts and areas, shared by the Concepts and Gaps screens."""

from __future__ import annotations

from benchdesign.foundation.text import display, is_whole_number
from benchdesign.tui.dialogs.dialogs import AskChoice, AskText
from benchdesign.tui.rows.group_rows import GROUP_PREFIX
from benchdesign.tui.screens.list_screen import ListScreen
from benchdesign.tui.session.session import Session
from benchdesign.workspace.decisions import BY_RULE, Decision, Subject, Verdict

__all__ = ["ConceptDecisionScreen", "subject_of"]


def subject_of(row_id: str) -> tuple[Subject, str]:
    """Return the subject of a row's decisions, and its id."""
    for prefix, subject in (("area:", Subject.AREA), (GROUP_PREFIX, Subject.GROUP)):
        if row_id.startswith(prefix):
            return subject, row_id.removeprefix(prefix)
    return Subject.CONCEPT, row_id


class ConceptDecisionScreen(ListScreen):
    """A list with the actions ignore, pin, exclude, note, want and merge."""

    def record_step(self, decisions: list[Decision], message: str) -> None:
        """Record decisions as one step and show a message."""
        session = self.session
        if session is not None and self.record(decisions):
            undo = f"u undoes ({session.log.n_undoable} to undo)"
            self.say(f"{message}. {undo}. R recomputes.")

    def toggle_verdict(self, verdict: Verdict, word: str, *, reason: str | None = None) -> None:
        """Set a verdict on the chosen rows; clear it if all of them have it already."""
        session, ids = self.session, self.table.chosen_ids
        if session is None or not ids:
            return
        subjects = [subject_of(row_id) for row_id in ids]
        is_set = all(session.log.verdict(*subject) is verdict for subject in subjects)
        new_verdict = Verdict.OPEN if is_set else verdict
        decisions = [Decision(*subject, new_verdict, reason=reason) for subject in subjects]
        noun = subjects[0][1] if len(ids) == 1 else f"{len(ids)} rows"
        self.record_step(decisions, f"{noun} {'no longer ' if is_set else ''}{word}")

    def action_pin(self) -> None:
        """Pin the chosen rows into scope."""
        self.toggle_verdict(Verdict.PIN, "pinned into scope")

    def action_exclude(self) -> None:
        """Exclude the chosen rows from scope."""
        self.toggle_verdict(Verdict.EXCLUDE, "excluded from scope")

    def action_note(self) -> None:
        """Write a note about the row."""
        session, row_id = self.session, self.table.cursor_id
        if session is None or row_id is None:
            return
        subject, subject_id = subject_of(row_id)
        decision = session.log.standing(subject, subject_id)
        note = decision.note if decision else ""

        def on_answer(text: str | None) -> None:
            if text is not None:
                self.record_step([Decision(subject, subject_id, note=text)], "Note saved")

        self.app.push_screen(AskText("Note", value=note), on_answer)

    def _chosen_concepts(self) -> list[int]:
        return [int(row_id) for row_id in self.table.chosen_ids if ":" not in row_id]

    def action_want(self) -> None:
        """Ask how many items should show the chosen concepts; empty resets to the reference."""
        session, ids = self.session, self._chosen_concepts()
        if session is None or session.summary is None:
            return
        if not ids:
            self.say("t applies to concepts; right opens an area to list its concepts.")
            return
        gaps = session.summary.gaps
        subject = self._subject_text(session, ids)

        def on_answer(text: str | None) -> None:
            if text is None:
                return
            count = BY_RULE if not text.strip() else _parse_count(text)
            if count is None:
                self.say(f"{display(text, width=20)}: not a number of items; nothing changed.")
                return
            decisions = [
                Decision(Subject.CONCEPT, str(concept_id), want=count) for concept_id in ids
            ]
            is_reset = count == BY_RULE
            message = f"{subject}: want reset" if is_reset else f"{subject}: want {count:,}"
            self.record_step(decisions, message)

        targets = {session.target(concept_id) for concept_id in ids}
        is_own = all(gaps.has_target_by_hand(concept_id) for concept_id in ids)
        default = "" if is_own or len(ids) > 1 else f" ({min(targets):,})"
        self.app.push_screen(
            AskText(
                f"How many items should show {subject}?",
                value=str(targets.pop()) if is_own and len(targets) == 1 else "",
                hint=f"Leave empty for the reference{default}.",
            ),
            on_answer,
        )

    def action_merge(self) -> None:
        """Merge the marked concepts, or split merged concepts again."""
        session, ids = self.session, self._chosen_concepts()
        if session is None or not ids:
            return
        if session.loaded is None:
            self.say("The items are still being read.")
            return
        loaded = session.loaded
        merged = [concept_id for concept_id in ids if concept_id in loaded.merged]
        if len(ids) == 1 and not merged:
            merged = session.members(ids[0])
        if len(ids) == 1 or len(merged) == len(ids):
            self._split(merged)
            return
        dictionary = loaded.analysis.dictionary
        if len({dictionary.level_of(concept_id).name for concept_id in ids}) > 1:
            self.say("Concepts of different levels cannot be merged.")
            return
        counts = loaded.analysis.gaps.count
        cursor = self.table.cursor_id or ""
        ids.sort(key=lambda concept_id: (str(concept_id) != cursor, -int(counts[concept_id])))
        choices = [
            (
                str(concept_id),
                f"{concept_id:05d} {dictionary.label(concept_id)} "
                f"({int(counts[concept_id]):,} items)",
            )
            for concept_id in ids
        ]

        def on_answer(target: str | None) -> None:
            if target is None:
                return
            decisions = [
                Decision(
                    Subject.CONCEPT,
                    str(concept_id),
                    merge="" if str(concept_id) == target else target,
                )
                for concept_id in ids
                if str(concept_id) != target or concept_id in loaded.merged
            ]
            self.record_step(decisions, f"{len(ids)} concepts merged into {int(target):05d}")

        self.app.push_screen(AskChoice("Merge these concepts into which one?", choices), on_answer)

    def _split(self, ids: list[int]) -> None:
        if not ids:
            self.say("Press space to mark the concepts to merge, then m.")
            return
        decisions = [Decision(Subject.CONCEPT, str(concept_id), merge="") for concept_id in ids]
        noun = f"{ids[0]:05d}" if len(ids) == 1 else f"{len(ids)} concepts"
        self.record_step(decisions, f"{noun} no longer merged")

    def _subject_text(self, session: Session, ids: list[int]) -> str:
        assert session.summary is not None
        if len(ids) > 1:
            return f"each of {len(ids)} concepts"
        return display(session.summary.dictionary.label(ids[0]), width=40)


def _parse_count(text: str) -> int | None:
    digits = text.strip().replace(",", "")
    return int(digits) if is_whole_number(digits) else None
