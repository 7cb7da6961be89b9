"""The Gaps screen (key 4): what is missing, how certain is it, and can the pool fix it?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.content import Content

from benchdesign.coverage.find_gaps import rejudge
from benchdesign.errors import BenchdesignError
from benchdesign.tui.dialogs.dialogs import AskChoice, AskText
from benchdesign.tui.keys import SCREEN_KEYS, bindings
from benchdesign.tui.pages.concept_page import area_page, concept_page
from benchdesign.tui.rows.gap_rows import GapRows
from benchdesign.tui.rows.group_rows import GROUP_PREFIX, GroupRows
from benchdesign.tui.screens.group_view import GroupViewScreen
from benchdesign.tui.screens.list_screen import Facet
from benchdesign.tui.session.session import Session
from benchdesign.tui.widgets.table_rows import Column, SearchableRows
from benchdesign.workspace.decisions import Verdict

__all__ = ["GapsScreen"]

_FDR_CHOICES = (
    ("0.01", "strict: 1 % false discoveries"),
    ("0.05", "default: 5 % false discoveries"),
    ("0.1", "lenient: 10 % false discoveries"),
    ("0.2", "exploratory: 20 % false discoveries"),
)


class GapsScreen(GroupViewScreen):
    """Groups of similar items that are lacking; areas with gaps, and the gaps in each area."""

    MODE = "gaps"
    NEEDS_ITEMS = False
    BINDINGS: ClassVar[list[BindingType]] = bindings(*SCREEN_KEYS["gaps"])
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("mark", "", 2),
        Column("concept", "GAPS AREA / CONCEPT", 0),
        Column("have", "HAVE", 5, "right"),
        Column("add", "ADD", 4, "right"),
        Column("want", "WANT", 5, "right"),
        Column("lift", "LIFT", 4, "right", narrow=False),
        Column("pool", "POOL", 5, "right", narrow=False),
        Column("queue", "QUEUE", 5, "right"),
    )
    FIELDS = tuple(dict.fromkeys((*GroupRows.FIELDS, *GapRows.FIELDS)))
    EMPTY = "No gaps with this rule. T changes the rule, 3 shows all concepts."

    _rows: GapRows
    """Areas and concepts; unset while only groups have been shown."""

    def make_rows(self) -> SearchableRows:
        """Return groups; or areas, and the gaps of unfolded areas."""
        session = self.session
        assert session is not None
        rows = self.make_group_rows() if self.shows_groups else self._make_gap_rows(session)
        self.show_columns_of(rows)
        return rows

    def _make_gap_rows(self, session: Session) -> GapRows:
        self.table.empty = self.EMPTY
        state = self.workspaces.ui.screen_state("gaps")
        unfolded = state.setdefault("unfolded", [])
        self._rows = GapRows(session, set(unfolded), marks=self.marks, flat=self.facet == 2)
        return self._rows

    def facets(self) -> tuple[Facet, ...]:
        """Return the lists: groups, gaps by area, or all gaps in one list."""
        return (("groups", None), ("by area", None), ("one list", None))

    def action_facet(self, index: int) -> None:
        """Show another list."""
        self.facet = index
        self.table.marked.clear()
        self.refresh_session()
        self.draw_frame()

    def count_text(self) -> str:
        """Return the number of gaps and how many are filled."""
        session = self.session
        if session is None or session.summary is None:
            return ""
        if self.shows_groups:
            return self.group_count_text()
        ids = session.view.gap_ids
        missing = sum(session.view.concept_states[concept_id] == "missing" for concept_id in ids)
        closed = session.view.n_closed(ids)
        share = closed / len(ids) if ids else 0.0
        bar = self.marks.bar(share, 10)
        more = f" · {len(self.table.marked)} marked" if self.table.marked else ""
        rule = f"at {100 * session.summary.gaps.settings.fdr:g} % false discoveries"
        text = f"{len(ids)} gaps {rule} · {missing} missing · filled {closed} {bar}{more}"
        return text if not self.is_narrow else f"{len(ids)} gaps · filled {closed}{more}"

    def detail_of(self, row_id: str) -> Content:
        """Return the page about a group, an area or a gap."""
        session = self.session
        assert session is not None
        if self.shows_groups:
            return self.group_detail(row_id)
        if row_id.startswith("area:"):
            name = row_id.removeprefix("area:")
            ids = self._rows.concepts(row_id)
            return area_page(session, name, ids, marks=self.marks, width=self.page_width)
        return concept_page(
            session,
            int(row_id),
            part=self.part,
            marks=self.marks,
            width=self.page_width,
            is_short=self.is_short,
        )

    def reveal(self, row_id: str) -> None:
        """Show the list of a row, unfold the area of a gap, and move the cursor to the row."""
        is_group = row_id.startswith(GROUP_PREFIX)
        if is_group != self.shows_groups:
            self.filter_bar.restore("")
            self.action_facet(0 if is_group else 1)
        if is_group:
            if not self.table.move_to(row_id):
                self.filter_bar.restore("")
                self.refresh_session()
            super().reveal(row_id)
            return
        parent = None if row_id.startswith("area:") else self._rows.parent(row_id)
        if parent is not None and not self._rows.is_flat:
            self.filter_bar.restore("")
            self._fold(parent, is_open=True)
        super().reveal(row_id)

    def open_row(self, row_id: str) -> None:
        """Review the candidates in the group or that fill the gap, or any gap of the area."""
        session = self.session
        assert session is not None
        if self.shows_groups:
            self.open_group(row_id)
            return
        ids = self._rows.concepts(row_id)
        if session.loaded is None:
            self.say("The items are still being read.")
            return
        if not any(concept_id in session.loaded.by_concept for concept_id in ids):
            is_old = "propose" in session.workspace.stale_stages()
            more = (
                "R proposes candidates again."
                if is_old
                else "The POOL column counts pool items that show it."
            )
            self.say(f"No candidate fills this gap. {more}")
            super().open_row(row_id)
            return
        name = row_id.removeprefix("area:")
        if not row_id.startswith("area:"):
            name = session.loaded.analysis.dictionary.label(ids[0])
        session.focus_concepts, session.focus_name = ids, name
        self.workspaces.refresh_screens()
        self.shell.go("candidates")

    def _fold(self, row_id: str, *, is_open: bool) -> None:
        unfolded: list[Any] = self.workspaces.ui.screen_state("gaps").setdefault("unfolded", [])
        if is_open and row_id not in unfolded:
            unfolded.append(row_id)
        elif not is_open and row_id in unfolded:
            unfolded.remove(row_id)
        self.refresh_session()

    def action_next_part(self) -> None:
        """Unfold an area; on a concept, show the next page of evidence."""
        row_id = self.table.cursor_id
        if row_id is not None and row_id.startswith("area:"):
            self._fold(row_id, is_open=True)
        else:
            super().action_next_part()

    def action_previous_part(self) -> None:
        """Fold an area, or show the previous page of evidence."""
        row_id = self.table.cursor_id
        if row_id is None:
            return
        if row_id.startswith("area:"):
            self._fold(row_id, is_open=False)
        elif self.part or self.shows_groups:
            super().action_previous_part()
        else:
            parent = self._rows.parent(row_id)
            if parent is not None and not self._rows.is_flat:
                self.table.move_to(parent)
                self._fold(parent, is_open=False)

    def action_ignore(self) -> None:
        """Ignore the chosen gaps, with a reason for the report."""
        if not self.table.chosen_ids:
            return
        if self.shows_groups:
            self.say("i ignores areas and concepts; - says that a group is not meant.")
            return

        def on_answer(reason: str | None) -> None:
            if reason is not None:
                self.toggle_verdict(Verdict.IGNORE, "ignored", reason=reason or None)

        self.app.push_screen(
            AskText("Why is this not a gap?", hint="One line, shown in the report."), on_answer
        )

    def action_want_rule(self) -> None:
        """Choose the false discovery rate; each choice shows its number of gaps."""
        session = self.session
        if session is None or session.analysis is None:
            self.say("The items are still being read.")
            return

        gaps = session.analysis.gaps
        choices = []
        for fdr, text in _FDR_CHOICES:
            n_gaps = int(rejudge(gaps, replace(gaps.settings, fdr=float(fdr))).is_gap.sum())
            current = "  (current)" if float(fdr) == gaps.settings.fdr else ""
            choices.append((fdr, f"{text:<36}{n_gaps:>6,} gaps{current}"))
        self.app.push_screen(
            AskChoice(
                "What counts as a gap?",
                choices,
                text="WANT is the reference rate times the number of items.",
            ),
            self._apply_rule,
        )

    def _apply_rule(self, fdr: str | None) -> None:
        session = self.session
        if fdr is None or session is None or session.loaded is None:
            return

        workspace = session.workspace
        loaded = session.loaded
        settings = workspace.settings
        settings = replace(
            settings,
            gaps=replace(settings.gaps, fdr=float(fdr)),
            explicit=settings.explicit | {"gaps.fdr"},
        )
        try:
            workspace.change_settings(settings)
        except BenchdesignError as error:
            self.say(str(error), is_error=True)
            return
        gaps = loaded.analysis.gaps
        loaded = loaded.with_gaps(rejudge(gaps, replace(gaps.settings, fdr=float(fdr))))
        session.replace(replace(loaded, analysis=replace(loaded.analysis, settings=settings)))
        self.workspaces.refresh_screens()
        self.say("Rule changed. R proposes candidates for it.")
