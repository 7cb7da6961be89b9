"""The Overview screen (key 2): how good is this benchmark, and what is next?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.worker import get_current_worker

from benchdesign.errors import BenchdesignError
from benchdesign.tui.dialogs.scope import ScopeResult, ScopeScreen
from benchdesign.tui.keys import SCREEN_KEYS, bindings
from benchdesign.tui.pages.overview_page import OverviewPage, next_step
from benchdesign.tui.rows.scope_rows import ScopeOverride, scope_overrides
from benchdesign.tui.screens.base_screen import BaseScreen
from benchdesign.tui.screens.export import export_folders, open_report
from benchdesign.tui.session.session import Session
from benchdesign.tui.session.since_export import (
    compare_with_export,
    current_figures,
)
from benchdesign.tui.widgets.detail import Line

if TYPE_CHECKING:
    from benchdesign.coverage.figures import CoverageFigures
    from benchdesign.tui.session.since_export import ExportComparison

__all__ = ["OverviewScreen"]


class OverviewScreen(BaseScreen):
    """Coverage, gaps, progress and the next step on one page."""

    MODE = "overview"
    NEEDS_ITEMS = False
    BINDINGS: ClassVar[list[BindingType]] = bindings(*SCREEN_KEYS["overview"])

    _open_scope_after_load = False
    """Whether the scope key was pressed before the items were loaded."""

    since_export: ExportComparison | None = None
    """Changes since the last export; None if there is no export or they are not computed yet."""

    _since_session: Session | None = None
    figures_after: CoverageFigures | None = None
    """Figures of the revision; None if nothing is decided or they are not computed yet."""

    _figures_key: object = None
    """Session and version that `figures_after` belongs to."""

    def compose_body(self) -> ComposeResult:
        """Compose two columns, and the lines below them."""
        with VerticalScroll(id="overview", can_focus=True):
            yield Line(id="verdict", classes="page")
            with Horizontal(classes="columns"):
                yield Line(id="left", classes="left")
                yield Line(id="right", classes="right")
            yield Line(id="below", classes="page")

    def refresh_session(self) -> None:
        """Draw the page."""
        session = self.session
        assert session is not None
        if self._figures_key != (session, session.version):
            self._figures_key, self.figures_after = (session, session.version), None
        if self._since_session is not session:
            self._since_session, self.since_export = session, None
        page = self._page(session)
        verdict, has_groups = self.query_one("#verdict", Line), page.groups is not None
        verdict.show(page.verdict() if has_groups else "")
        verdict.display = has_groups
        self.query_one("#left", Line).show(page.left())
        self.query_one("#right", Line).show(page.right())
        self.query_one("#below", Line).show(page.below())
        self.set_focus(self.query_one("#overview"))
        self.compute_changes()
        if self._open_scope_after_load and session.analysis is not None:
            self._open_scope_after_load = False
            self.action_choose()

    @work(thread=True, exclusive=True, group="since", exit_on_error=False)
    def compute_changes(self) -> None:
        """Compute in a thread what the decisions change, also since the last export."""
        session = self.session
        if session is None or session.analysis is None:
            return
        worker = get_current_worker()
        analysis, key = session.analysis, (session, session.version)
        is_changed = bool(session.log.accepted or session.log.dropped)
        after = current_figures(session, analysis) if is_changed else None
        folders = export_folders(self.workspaces.ui, session)
        since = compare_with_export(session, analysis, folders, now=after)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._show_changes, key, since, after)

    def _show_changes(
        self,
        key: tuple[Session, int],
        since: ExportComparison | None,
        after: CoverageFigures | None,
    ) -> None:
        session = key[0]
        if session is self.session and session.loaded is not None and self.is_mounted:
            self.since_export = since
            if key == self._figures_key:
                self.figures_after = after
            page = self._page(session)
            self.query_one("#left", Line).show(page.left())
            self.query_one("#below", Line).show(page.below())

    def _page(self, session: Session) -> OverviewPage:
        return OverviewPage(
            session,
            self.marks,
            screen_width=self.app.size.width,
            screen_height=self.app.size.height,
            is_narrow=self.is_narrow,
            figures_after=self.figures_after,
            since_export=self.since_export,
        )

    async def action_open_row(self) -> None:
        """Perform the next step."""
        await self.perform(next_step(self.session)[1])

    def action_choose(self) -> None:
        """Edit the scope: a sentence, example items, pins and exclusions."""
        session = self.session
        if session is None:
            return
        if session.analysis is None:
            self._open_scope_after_load = True
            self.say("The scope opens as soon as the items are loaded.")
            return
        if not session.can_write:
            self.say("Read-only workspace: the scope cannot be changed.", is_error=True)
            return
        scope = session.workspace.settings.scope

        def on_answer(answer: ScopeResult | None) -> None:
            if answer is not None and session is self.session:
                self._save_scope(session, answer)

        self.app.push_screen(
            ScopeScreen(
                sentence=scope.sentence,
                examples=scope.examples,
                cutoff=scope.cutoff,
                overrides=self._overrides(session),
                items=session.analysis.benchmark.items,
                marks=self.marks,
            ),
            on_answer,
        )

    def _save_scope(self, session: Session, answer: ScopeResult) -> None:
        settings = session.workspace.settings
        scope = replace(
            settings.scope,
            sentence=answer.sentence,
            examples=answer.examples,
            cutoff=answer.cutoff,
        )
        is_same = scope == settings.scope
        if is_same and not answer.removed_overrides:
            self.say("The scope is unchanged.")
            return
        try:
            if not is_same:
                explicit = settings.explicit | {"scope.sentence", "scope.examples", "scope.cutoff"}
                session.workspace.change_settings(replace(settings, scope=scope, explicit=explicit))
            if answer.removed_overrides:
                session.record(*answer.removed_overrides)
        except BenchdesignError as error:
            self.say(str(error), is_error=True)
            return
        self.say("Scope saved. R recomputes the gaps.")
        self.workspaces.refresh_screens()

    def _overrides(self, session: Session) -> tuple[ScopeOverride, ...]:
        analysis = session.summary
        assert analysis is not None
        return scope_overrides(session.log, analysis.dictionary.table.label)

    def action_open_outside(self) -> None:
        """Open the last report."""
        open_report(self)

    def action_next_part(self) -> None:
        """Show the right column on a narrow screen."""
        self.add_class("-right")

    def action_previous_part(self) -> None:
        """Show the left column on a narrow screen."""
        self.remove_class("-right")

    def action_back(self) -> None:
        """Show the left column."""
        self.remove_class("-right")

    def action_zoom(self) -> None:
        """Show a hint: there is only one pane."""
        self.say("The overview has only one pane.")
