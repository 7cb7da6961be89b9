"""The Concepts screen (key 3): which concepts does the benchmark touch, how often?"""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from benchdesign.tui.keys import SCREEN_KEYS, bindings
from benchdesign.tui.pages.concept_page import concept_page
from benchdesign.tui.rows.concept_rows import ConceptRows
from benchdesign.tui.rows.concept_states import UNCOUNTED_STATES, is_gap_state
from benchdesign.tui.screens.concept_decisions import ConceptDecisionScreen
from benchdesign.tui.screens.list_screen import Facet
from benchdesign.tui.widgets.table_rows import Column, SearchableRows
from benchdesign.workspace.decisions import Verdict

__all__ = ["ConceptsScreen"]


class ConceptsScreen(ConceptDecisionScreen):
    """Every concept of the dictionary."""

    MODE = "concepts"
    NEEDS_ITEMS = False
    BINDINGS: ClassVar[list[BindingType]] = bindings(*SCREEN_KEYS["concepts"])
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("mark", "", 2),
        Column("id", "ID", 6, narrow=False),
        Column("concept", "CONCEPT", 0),
        Column("items", "ITEMS", 7, "right"),
        Column("want", "WANT", 6, "right", narrow=False),
        Column("state", "STATE", 10),
    )
    FIELDS = ConceptRows.FIELDS
    ORDER = ("items", True)
    EMPTY = "No matching concepts. esc clears the filter, f shows other states."

    def make_rows(self) -> SearchableRows:
        """Return all concepts."""
        assert self.session is not None
        return ConceptRows(self.session, marks=self.marks)

    def facets(self) -> tuple[Facet, ...]:
        """Return the facets: concepts by state."""
        assert self.session is not None
        states = self.session.view.concept_states

        def only(*names: str) -> Facet:
            return (names[0], lambda row: states[row] in names)

        return (
            ("in scope", lambda row: states[row] not in UNCOUNTED_STATES),
            ("gaps", lambda row: is_gap_state(states[row])),
            only("over"),
            only("adequate"),
            only("untestable"),
            ("kept out", lambda row: states[row] in UNCOUNTED_STATES),
            ("all", None),
        )

    def detail_of(self, row_id: str) -> Content:
        """Return the page of a concept."""
        assert self.session is not None
        return concept_page(
            self.session,
            int(row_id),
            part=self.part,
            marks=self.marks,
            width=self.page_width,
            is_short=self.is_short,
        )

    def open_row(self, row_id: str) -> None:
        """List the items that show the concept; a narrow screen shows its page first."""
        if self.shows_page:
            self.show_items_of(int(row_id))
        else:
            super().open_row(row_id)

    def action_ignore(self) -> None:
        """Ignore the chosen concepts in every count, or count them again."""
        self.toggle_verdict(Verdict.IGNORE, "ignored")

    def action_why(self) -> None:
        """Show the page of the concept under the cursor."""
        if self.table.cursor_id is not None:
            super().open_row(self.table.cursor_id)
