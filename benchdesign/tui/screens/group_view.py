"""The groups view of the Gaps screen: its rows and pages, and the judging of groups."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from benchdesign.coverage.groups.gap_group import GapGroup, GapGroups
from benchdesign.coverage.groups.verdict import power_sentence, verdict_sentence
from benchdesign.foundation.text import display
from benchdesign.tui.pages.group_page import group_page, groups_page, judgement_text
from benchdesign.tui.rows.group_rows import GROUP_PREFIX, GroupRows, judgement_of
from benchdesign.tui.screens.concept_decisions import ConceptDecisionScreen
from benchdesign.tui.widgets.table_rows import SearchableRows
from benchdesign.workspace.decisions import Decision, Subject, Verdict
from benchdesign.workspace.group_judgement import group_judgement

__all__ = ["GroupViewScreen"]

_NOT_SEARCHED = (
    "Groups of similar items were not searched for yet; R searches. "
    "f shows gaps by area and as one list."
)
_NO_MATCH = "No matching groups. esc clears the filter, f shows other lists."


class GroupViewScreen(ConceptDecisionScreen):
    """A list that can show groups of similar items."""

    _groups: GroupRows | None = None

    @property
    def shows_groups(self) -> bool:
        """Whether the list shows groups; else it shows areas and concepts."""
        return self.facet == 0

    @property
    def footer_mode(self) -> str:
        """Name of the footer: groups have their own."""
        return "groups" if self.shows_groups else self.MODE

    def make_group_rows(self) -> SearchableRows:
        """Return the groups, worst first; an empty list says why it is empty."""
        session = self.session
        assert session is not None
        self._groups = rows = GroupRows(session, marks=self.marks, view=self.table.view)
        self.table.empty = self._why_no_groups(rows.groups)
        return rows

    def _why_no_groups(self, groups: GapGroups | None) -> str:
        if self.jobs.job is not None and groups is None:
            return "Groups appear when the job is done; the line below shows its progress."
        if groups is None:
            return _NOT_SEARCHED
        if groups.could_not_tell is not None:
            sentence = display(verdict_sentence(groups))
            return f"{sentence} f shows gaps by area and as one list."
        if self.filter_bar.value and len(self._groups or ()):
            return _NO_MATCH
        return display(f"{verdict_sentence(groups)} {power_sentence(groups)}")

    def group_count_text(self) -> str:
        """Return the number of groups of each kind."""
        session = self.session
        if session is None or session.summary is None:
            return ""
        groups = session.summary.groups
        if groups is None:
            return "groups: not searched for yet"
        if groups.could_not_tell is not None:
            return f"{self.marks.glyph('could_not_tell')} could not tell"
        counts = (
            (len(groups.gaps), "lacking"),
            (len(groups.suspected), "suspected"),
            (len(groups.over), "over"),
            (len(groups.out_of_scope), "out of scope"),
        )
        text = ", ".join(f"{n} {word}" for n, word in counts if n or word == "lacking")
        n_closed = session.view.n_closed_groups
        text += f" · filled {n_closed}" if n_closed else ""
        marked = f" · {len(self.table.marked)} marked" if self.table.marked else ""
        order = self.table.view.order_text(self.table.columns)
        order = f" · {order}" if order and not self.is_narrow else ""
        is_old = "gaps" in session.workspace.stale_stages()
        old = f" · {self.marks.glyph('warn')} out of date" if is_old else ""
        return f"groups: {text}{old}{marked}{order}"

    def group_of(self, row_id: str) -> GapGroup | None:
        """Return the group of a row; None for a heading."""
        return None if self._groups is None else self._groups.group_at(row_id)

    def group_detail(self, row_id: str) -> Content:
        """Return the page about a group, or about all groups for a heading."""
        session = self.session
        assert session is not None and session.summary is not None
        groups, group = session.summary.groups, self.group_of(row_id)
        if groups is None:
            return Content("")
        if group is None:
            return groups_page(groups, marks=self.marks, width=self.page_width)
        return group_page(
            session,
            group,
            part=self.part,
            marks=self.marks,
            width=self.page_width,
            is_short=self.is_short,
        )

    def open_group(self, row_id: str) -> None:
        """Review the candidates in a group."""
        session, group = self.session, self.group_of(row_id)
        if session is None or group is None:
            self.action_why()
            return
        if session.loaded is None:
            self.say("The items are still being read.")
            return
        if not session.loaded.by_group.get(group.id):
            is_old = "propose" in session.workspace.stale_stages()
            more = " R proposes candidates again." if is_old else ""
            self.say(f"No candidate is in this group.{more} The page shows its pool items.")
            self.action_why()
            return
        session.focus_concepts, session.focus_name = (), ""
        self.workspaces.refresh_screens()
        self.show_filtered("candidates", f"group:{group.id}")

    def action_why(self) -> None:
        """Show the page about the row."""
        if self.table.cursor_id is not None:
            super().open_row(self.table.cursor_id)

    # judgements

    def action_pin(self) -> None:
        """Judge the chosen groups as meant, or pin the chosen concepts and areas into scope."""
        if self.shows_groups:
            self.judge_groups(Verdict.MEANT)
        else:
            super().action_pin()

    def action_exclude(self) -> None:
        """Judge the chosen groups as not meant, or exclude the chosen concepts and areas."""
        if self.shows_groups:
            self.judge_groups(Verdict.NOT_MEANT)
        else:
            super().action_exclude()

    def action_note(self) -> None:
        """Write a note about the row; a heading has none."""
        if not self.shows_groups or self.group_of(self.table.cursor_id or "") is not None:
            super().action_note()

    def judge_groups(self, verdict: Verdict) -> None:
        """Judge the chosen groups, or take the judgement back if all of them have it already."""
        session = self.session
        if session is None or session.summary is None:
            return
        groups = [group for row_id in self.table.chosen_ids if (group := self.group_of(row_id))]
        if not groups:
            self.say("+ and - judge a group; there is none under the cursor.")
            return
        pool = None if session.analysis is None else session.analysis.pool
        if pool is None:
            self.say("The items are still being read.")
            return
        is_set = all(judgement_of(session, group) == verdict.value for group in groups)
        new_verdict = Verdict.OPEN if is_set else verdict
        pool_ids = [item.id for item in pool.items]
        decisions: list[Decision] = []
        for group in groups:
            decisions += group_judgement(group, pool_ids, new_verdict)
        if self.record(decisions):
            text = _judgements_text(groups, new_verdict, width=16 if self.is_narrow else 40)
            self.say(f"{text}. R searches, u undoes.")

    def row_of_decision(self, decision: Decision) -> str:
        """Return the row id of a decision's subject."""
        if decision.subject is Subject.GROUP:
            return GROUP_PREFIX + decision.subject_id
        prefix = "area:" if decision.subject is Subject.AREA else ""
        return prefix + decision.subject_id


def _judgements_text(groups: Sequence[GapGroup], verdict: Verdict, *, width: int) -> str:
    if len(groups) == 1:
        return judgement_text(groups[0], verdict, width=width)
    word = "no longer judged" if verdict is Verdict.OPEN else f"judged {verdict.value}"
    return f"{len(groups)} groups {word}"
