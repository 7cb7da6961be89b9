"""The Candidates screen (key 5): should this item join (or leave)?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.content import Content

from benchdesign.foundation.text import display
from benchdesign.tui.dialogs.candidate_edit import (
    ask_note,
    ask_reason,
    edit_candidate,
    field_names_text,
)
from benchdesign.tui.keys import SCREEN_KEYS, bindings
from benchdesign.tui.pages.item_page import CLOSEST_HEADING, candidate_page
from benchdesign.tui.pages.page_parts import shortened_id
from benchdesign.tui.rows.candidate_rows import CandidateRows
from benchdesign.tui.screens.list_screen import Facet, ListScreen
from benchdesign.tui.session.session_data import Candidate
from benchdesign.tui.widgets.table_rows import Column, SearchableRows
from benchdesign.workspace.decisions import Decision, Subject, Verdict

__all__ = ["CandidatesScreen"]

_OUT_OF_DATE = "out of date; R proposes again, decisions are kept"


class CandidatesScreen(ListScreen):
    """The review queue."""

    MODE = "candidates"
    BINDINGS: ClassVar[list[BindingType]] = bindings(*SCREEN_KEYS["candidates"])
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("mark", "", 2),
        Column("id", "ID", 9, cut="start"),
        Column("prompt", "QUESTION", 0),
        Column("fills", "FILLS", 5, "right", narrow=False),
        Column("gain", "GAIN", 5, "right"),
    )
    FIELDS = CandidateRows.FIELDS
    EMPTY = "No matching candidates. f shows other states, esc clears filter and gap."

    shows_closest_in_full = False
    _is_old = False
    """Whether the candidates are out of date."""

    is_blind = False
    """Whether answers are hidden, so that the reviewer has to find them first."""

    _last: Sequence[tuple[Subject, str]] = ()
    """Subjects of the last decision, for which a reason can be chosen."""

    _list_is_lent = False
    """Whether a narrow screen shows the list only while the filter is typed."""

    def _restore(self) -> None:
        super()._restore()
        self.is_blind = self.workspaces.ui.screen_state(self.MODE).get("blind") is True

    def remember(self) -> None:
        """Save the UI state, and whether answers are hidden."""
        super().remember()
        self.workspaces.ui.screen_state(self.MODE)["blind"] = self.is_blind

    # rows and pages

    def _candidates(self) -> list[Candidate]:
        session = self.session
        assert session is not None and session.loaded is not None
        loaded = session.loaded
        if session.focus_concepts:
            positions = {
                position
                for concept_id in session.focus_concepts
                for position in loaded.by_concept.get(concept_id, ())
            }
            return [loaded.candidates[position] for position in sorted(positions)]
        return list(loaded.candidates)

    def make_rows(self) -> SearchableRows:
        """Return the candidates of the gap in focus, or all."""
        assert self.session is not None
        self._shown = self._candidates()
        self._of_key = {candidate.key: candidate for candidate in self._shown}
        self._is_old = "propose" in self.session.workspace.stale_stages()
        self.table.empty = self.EMPTY if self._shown else self._why_none()
        return CandidateRows(self.session, self._shown, marks=self.marks)

    def _why_none(self) -> str:
        session = self.session
        assert session is not None and session.analysis is not None
        if self.jobs.job is not None:
            return "Candidates appear when the job is done; the line below shows its progress."
        if self._is_old:
            return "The candidates are out of date. R proposes them again; all decisions are kept."
        if session.analysis.pool is None:
            return "This workspace has no pool. Press 1, then ^n, to create one with a pool."
        return "Nothing in the pool fills a gap. 4 shows the gaps, T there changes the rule."

    def facets(self) -> tuple[Facet, ...]:
        """Return the facets: all, by verdict, removals."""
        session, candidates = self.session, self._shown
        assert session is not None

        def is_add(row: int) -> bool:
            return candidates[row].subject is Subject.ADD

        def by(verdict: Verdict) -> Any:
            return lambda row: is_add(row) and session.verdict(candidates[row]) is verdict

        facets: list[Facet] = [
            ("add", is_add),
            ("open", by(Verdict.OPEN)),
            ("accepted", by(Verdict.ACCEPT)),
            ("rejected", by(Verdict.REJECT)),
            ("deferred", by(Verdict.DEFER)),
        ]
        if any(candidate.subject is Subject.REMOVE for candidate in candidates):
            facets.append(("remove", lambda row: not is_add(row)))
        return tuple(facets)

    def count_text(self) -> str:
        """Return the number of marked rows, or of listed ones."""
        session = self.session
        if session is None or session.loaded is None:
            return ""
        if self.table.marked:
            return f"{len(self.table.marked):,} marked"
        return f"{len(self.table.view):,}"

    def tally(self) -> Content:
        """Return the progress of the review."""
        session, marks = self.session, self.marks
        if session is None or session.loaded is None or not self._shown:
            return Content("")
        counts = session.verdict_counts(self._shown)
        total = sum(counts.values())
        done = total - counts[Verdict.OPEN]
        share = done / total
        parts: list[str | tuple[str, str]] = [(marks.bar(share, 16), "$text-primary")]
        parts.append(f" {done:,} of {total:,}   ")
        for verdict in (Verdict.ACCEPT, Verdict.REJECT, Verdict.DEFER):
            glyph = marks.glyph(verdict.value)
            parts.append((f"{glyph} {counts[verdict]:,}  ", marks.style(verdict.value)))
        if self.table.marked:
            parts.append(f"  {len(self.table.marked):,} marked")
        if self._is_old:
            parts += ["\n", self._old_line()]
        pace = session.review_pace
        if pace.n_decided:
            parts.append((f"\n{pace.text()}", "$foreground-muted"))
        return Content.assemble(*parts)

    def detail_of(self, row_id: str) -> Content:
        """Return the page of a candidate."""
        session = self.session
        assert session is not None
        candidate = self._by_key(row_id)
        if candidate is None:
            return Content("")
        page = candidate_page(
            session,
            candidate,
            part=self.part,
            marks=self.marks,
            closest=self.shows_closest_in_full,
            width=self.page_width,
            is_short=self.is_short,
            is_blind=self.is_blind,
        )
        name = self._focus_name()
        if self.is_narrow:
            position = self.table.cursor + 1
            counts = session.verdict_counts(self._shown)
            glyph = self.marks.glyph
            strip = (
                f"{position}/{len(self.table.view)}  {glyph('accept')}{counts[Verdict.ACCEPT]} "
                f"{glyph('reject')}{counts[Verdict.REJECT]} {glyph('defer')}{counts[Verdict.DEFER]}"
            )
            end = "   " if self.is_short else "\n"
            old = Content.assemble(self._old_line(), "\n") if self._is_old else ""
            if name:
                strip += f"   for {display(name, width=28)}"
            return Content.assemble(old, (strip, "$foreground-muted"), end, page)
        if name:
            return Content.assemble(
                ("for ", "$foreground-muted"),
                (display(name), "bold"),
                ("   esc shows all\n\n", "$foreground-muted"),
                page,
            )
        return page

    def _focus_name(self) -> str:
        """Return the name of the gap or group whose candidates are listed; empty for all."""
        session = self.session
        if session is None or session.focus_name or session.summary is None:
            return "" if session is None else session.focus_name
        group_id = self.filter_bar.value.strip().removeprefix("group:")
        groups = session.summary.groups
        is_group = groups is not None and self.filter_bar.value.startswith("group:")
        group = groups.find(group_id) if groups is not None and is_group else None
        return "" if group is None else group.name

    def _old_line(self) -> tuple[str, str]:
        marks = self.marks
        return (f"{marks.glyph('warn')} {_OUT_OF_DATE}", marks.style("warn"))

    def _by_key(self, key: str) -> Candidate | None:
        return self._of_key.get(key)

    def reveal(self, row_id: str) -> None:
        """Go to a candidate, even if only those of another gap are listed."""
        if self._by_key(row_id) is None:
            self.go_back()
        super().reveal(row_id)

    def go_back(self) -> None:
        """Show the candidates of all gaps again."""
        session = self.session
        if session is not None and session.focus_concepts:
            session.focus_concepts, session.focus_name = (), ""
            self.workspaces.refresh_screens()

    # A narrow screen hides the list, and a hidden widget gets no keys.

    def action_cursor_up(self) -> None:
        """Go to the previous candidate."""
        self.table.cursor -= 1

    def action_cursor_down(self) -> None:
        """Go to the next candidate."""
        self.table.cursor += 1

    def action_page_up(self) -> None:
        """Scroll the page up."""
        self.detail.action_page_up()

    def action_page_down(self) -> None:
        """Scroll the page down."""
        self.detail.action_page_down()

    # decisions

    def action_accept(self) -> None:
        """Accept and go on."""
        self._decide(Verdict.ACCEPT)

    def action_reject(self) -> None:
        """Reject and go on."""
        self._decide(Verdict.REJECT)

    def action_defer(self) -> None:
        """Leave for later and go on."""
        self._decide(Verdict.DEFER)

    def _decide(self, verdict: Verdict) -> None:
        chosen = [candidate for key in self.table.chosen_ids if (candidate := self._by_key(key))]
        if not chosen:
            return
        last = chosen[-1]
        next_key = self._next_open_after(last.key, skip={candidate.key for candidate in chosen})
        decisions = [
            Decision(candidate.subject, candidate.item.id, verdict) for candidate in chosen
        ]
        if not self.record(decisions):
            return
        self._last = [(candidate.subject, candidate.item.id) for candidate in chosen]
        if next_key is not None:
            self.table.move_to(next_key)
        assert self.session is not None
        word = self.marks.word(verdict.value)
        name = shortened_id(last.item.id, 24) if len(chosen) == 1 else f"{len(chosen)} candidates"
        self.say(
            f"{name} {word}. u undoes ({self.session.log.n_undoable} to undo). c sets the reason."
        )
        if next_key is None:
            self.say(f"{name} {word}. No open candidates left; 9 exports.")

    def _next_open_after(self, key: str, *, skip: set[str]) -> str | None:
        session, table = self.session, self.table
        assert session is not None
        keys = [table.rows.row_id(row) for row in table.view]
        start = keys.index(key) + 1 if key in keys else 0
        for next_key in keys[start:] + keys[:start]:
            candidate = self._by_key(next_key)
            if next_key in skip or candidate is None:
                continue
            if session.verdict(candidate) is Verdict.OPEN:
                return next_key
        return None

    def action_next_open(self) -> None:
        """Go to the next undecided candidate."""
        key = self._next_open_after(self.table.cursor_id or "", skip=set())
        if key is None:
            self.say("No open candidates left; 9 exports.")
        else:
            self.table.move_to(key)

    def action_choose(self) -> None:
        """Choose the reason for the decided candidate under the cursor, or for the last one."""
        session, candidate = self.session, self._by_key(self.table.cursor_id or "")
        last = self._last
        if session is None:
            return
        if candidate is not None and (not last or session.verdict(candidate) is not Verdict.OPEN):
            last = [(candidate.subject, candidate.item.id)]
        if not last:
            return

        def on_answer(reason: str | None) -> None:
            if reason is not None and self.record(
                [Decision(subject, item_id, reason=reason) for subject, item_id in last]
            ):
                self.say(f"Reason for {last[0][1]}: {reason}.")

        self.app.push_screen(ask_reason([item_id for _, item_id in last]), on_answer)

    def action_note(self) -> None:
        """Write a note about the candidate."""
        candidate = self._by_key(self.table.cursor_id or "")
        if candidate is None or self.session is None:
            return
        decision = self.session.standing(candidate)

        def on_answer(text: str | None) -> None:
            if text is not None and self.record(
                [Decision(candidate.subject, candidate.item.id, note=text)]
            ):
                self.say("Note saved.")

        self.app.push_screen(ask_note(candidate, decision.note if decision else ""), on_answer)

    def action_edit(self) -> None:
        """Edit the record in $EDITOR; the source stays as it is."""
        session, candidate = self.session, self._by_key(self.table.cursor_id or "")
        if session is None or session.analysis is None or candidate is None:
            return
        if candidate.subject is not Subject.ADD:
            self.say("Only candidates to add can be edited; benchmark items stay as they are.")
            return
        try:
            edits = edit_candidate(self.app, session, candidate, editor=self.launch.editor)
        except (OSError, ValueError) as problem:
            self.say(f"Nothing changed: {problem}.", is_error=True)
            return
        if not edits:
            self.say("Nothing changed.")
        elif self.record([Decision(candidate.subject, candidate.item.id, edits=edits)]):
            self.say(f"Edited {field_names_text(edits)}. u undoes.")

    def show_list(self) -> None:
        """Show the list; on a narrow screen, in place of the page."""
        super().show_list()
        if self.is_narrow and not self.has_class("-zoom-list"):
            self.add_class("-zoom-list")
            self._list_is_lent = True

    def on_filter_bar_left(self) -> None:
        """Move focus back to the list; on a narrow screen, show the page again."""
        super().on_filter_bar_left()
        if self._list_is_lent:
            self._list_is_lent = False
            self.remove_class("-zoom-list")

    def row_of_decision(self, decision: Decision) -> str:
        """Return the row id of a decision's subject."""
        return f"{decision.subject.value}:{decision.subject_id}"

    def action_duplicates(self) -> None:
        """Show the closest item in full, or shortened again."""
        self.shows_closest_in_full = not self.shows_closest_in_full
        self.show_detail()
        if self.shows_closest_in_full:
            self.set_focus(self.detail)
            self.detail.scroll_to_line(CLOSEST_HEADING)
        else:
            self.set_focus(self.table)

    def action_blind(self) -> None:
        """Hide the answers, or show them again."""
        self.is_blind = not self.is_blind
        self.workspaces.save_ui()
        self.show_detail()
        self.say("Answers are hidden. B shows them." if self.is_blind else "Answers are shown.")

    def on_screen_resume(self) -> None:
        """Move focus to the list."""
        super().on_screen_resume()
        if self.is_mounted:
            self.set_focus(self.table)
