"""The Overview screen (key 2): how good is this benchmark, and what is next?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.worker import get_current_worker

from benchdesign.coverage.status import Status
from benchdesign.errors import BenchdesignError
from benchdesign.foundation.number_words import percent, plural
from benchdesign.foundation.text import fit
from benchdesign.tui.dialogs.scope import ScopeScreen, scope_overrides, scope_summary
from benchdesign.tui.keys import SCREEN_KEYS, bindings
from benchdesign.tui.rows.gap_rows import GapRows
from benchdesign.tui.screens.base_screen import BaseScreen
from benchdesign.tui.screens.export import export_folders, open_report
from benchdesign.tui.session.session import Session
from benchdesign.tui.session.since_export import (
    compare_with_export,
    comparison_content,
    current_figures,
)
from benchdesign.tui.widgets.bars import histogram
from benchdesign.tui.widgets.detail import Line, heading
from benchdesign.tui.widgets.evidence import literal
from benchdesign.workspace.decisions import Subject, Verdict
from benchdesign.workspace.stage_record import STAGES

if TYPE_CHECKING:
    from benchdesign.coverage.figures import CoverageFigures
    from benchdesign.tui.dialogs.scope import ScopeOverride, ScopeResult
    from benchdesign.tui.marks import Marks
    from benchdesign.tui.session.since_export import ExportComparison

__all__ = ["OverviewScreen"]

_STAGE_WORDS = {
    "read": "read items",
    "map": "map to concepts",
    "gaps": "find gaps",
    "propose": "propose candidates",
    "evidence": "mark evidence",
}

_MAX_AREAS_SHOWN = 5
_STALE_STYLE = "$text-warning"


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
        self.query_one("#left", Line).show(self._left(session))
        self.query_one("#right", Line).show(self._right(session))
        if self._since_session is not session:
            self._since_session, self.since_export = session, None
        self.query_one("#below", Line).show(self._below(session))
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
            self.query_one("#left", Line).show(self._left(session))
            self.query_one("#below", Line).show(self._below(session))

    def _left(self, session: Session) -> Content:
        figures = session.view.figures
        counts = figures.counts
        n_gaps = counts[Status.MISSING] + counts[Status.UNDER]
        is_stale = "gaps" in session.workspace.stale_stages()
        style = "$foreground-muted" if is_stale else "bold"

        def line(name: str, value: str, more: str = "") -> Content:
            return Content.assemble(
                f"  {name:<22}", (f"{value:>8}", style), (f"  {more}", "$foreground-muted")
            )

        is_short = self.app.size.height < 30
        n_filled = session.view.n_closed(session.view.gap_ids) if session.log.accepted else 0
        filled = [line("filled", f"{n_filled:,}", "by accepted candidates")] if n_filled else []
        lines = [
            Content.assemble(
                heading("Coverage of the concept dictionary"),
                (
                    f"   {self.marks.glyph('warn')} out of date" if is_stale else "",
                    _STALE_STYLE,
                ),
                ("      → worst gaps, stages" if self.is_narrow else "", "$foreground-muted"),
            ),
            *([] if is_short else [Content("")]),
            line(
                "concepts in scope", f"{figures.n_in_scope:,}", f"{figures.n_kept_out:,} excluded"
            ),
            line(
                "touched by an item",
                f"{figures.n_touched:,}",
                _share(figures.n_touched, figures.n_in_scope),
            ),
            line(
                "touched by 5 or more",
                f"{figures.n_touched_5:,}",
                _share(figures.n_touched_5, figures.n_in_scope),
            ),
            line(
                "well covered",
                f"{figures.n_covered:,}",
                self._covered(figures),
            ),
            *self._how_sure(session),
            line(
                "gaps",
                f"{n_gaps:,}",
                f"{counts[Status.MISSING]:,} missing, {counts[Status.UNDER]:,} under",
            ),
            *filled,
        ]
        n_over, n_rare, n_both = counts[Status.OVER], figures.n_rare, figures.n_rare_over
        if is_short:
            both = f", {n_both:,} of them over" if n_both else ""
            lines.append(line("over-covered", f"{n_over:,}", f"{n_rare:,} too rare to judge{both}"))
        else:
            both = f"{n_both:,} of them over-covered" if n_both else ""
            lines.append(line("over-covered", f"{n_over:,}"))
            lines.append(line("too rare to judge", f"{n_rare:,}", both))
        analysis = session.summary
        assert analysis is not None
        if analysis.duplicates:
            lines.append(line("near-duplicate pairs", f"{len(analysis.duplicates):,}"))
        lines += [*([] if is_short else [Content("")]), heading("Concepts by number of items")]
        width = 14 if self.app.size.width < 120 else 26
        lines.append(histogram(figures.histogram, marks=self.marks, width=width))
        if not is_short:
            lines += self._areas(session)
        return Content("\n").join(lines)

    def _covered(self, figures: CoverageFigures) -> str:
        """Return the covered share before and after the decisions."""
        share = _share(figures.n_covered, figures.n_judged)
        if self.figures_after is not None and self.figures_after.covered_share is not None:
            after = percent(self.figures_after.covered_share, 1, gap=" ")
            share = f"{share.removesuffix(' %')} {self.marks.arrow} {after}"
        text = f"{share} of {figures.n_judged:,} judged"
        width = self.app.size.width if self.is_narrow else self.app.size.width // 2
        return text if len(text) <= width - 36 else text.removesuffix(" judged")

    def _how_sure(self, session: Session) -> list[Content]:
        """Return a line with the bootstrap interval of the covered share, if there is one."""
        summary = session.summary
        interval = None if summary is None else summary.how_sure
        if interval is None:
            return []
        width = self.app.size.width if self.is_narrow else self.app.size.width // 2
        note = "if the items are resampled" if width >= 72 else "items resampled"
        return [
            Content.assemble(
                f"  {percent(interval.level, gap=' ') + ' interval':<22}",
                (f"{100 * interval.low:.1f} - {100 * interval.high:.1f} %", "bold"),
                (f"  {note}", "$foreground-muted"),
            )
        ]

    def _areas(self, session: Session) -> list[Content]:
        """Return lines for the worst areas; an area is more robust than a single concept."""
        marks = self.marks
        rows = GapRows(session, set(), marks=marks, flat=False)
        if rows.is_flat or not len(rows):
            return []
        added = self._added_header(session)
        width = max(self.app.size.width // 2 - 26, 24) - len(added)
        head = f"{'Worst areas':<{width + 5}}gaps   have{added} / want"
        lines = [Content(""), heading(head)]
        is_full = self.since_export is not None and self.app.size.height < 40
        for row in range(min(len(rows), _MAX_AREAS_SHOWN - 2 if is_full else _MAX_AREAS_SHOWN)):
            name = fit(rows.row_id(row).removeprefix("area:"), width)
            have, want = rows.sort_value(row, "have"), rows.sort_value(row, "want")
            new = rows.cell(row, "add").text if added else ""
            state = rows.state(row) or "adequate"
            lines.append(
                Content.assemble(
                    (f"  {marks.glyph(state):<3}", marks.style(state)),
                    name,
                    (f"{len(rows.concepts(rows.row_id(row))):>4}", "bold"),
                    f"   {have:>4,}",
                    (f"{new:>{len(added)}}", marks.style("new")),
                    f" / {want:<5,}",
                )
            )
        return lines

    def _added_header(self, session: Session) -> str:
        """Return the header of the ADD column; empty if nothing is accepted."""
        return "  add" if session.log.accepted else ""

    def _right(self, session: Session) -> Content:
        analysis = session.summary
        assert analysis is not None
        marks, gaps = self.marks, analysis.gaps
        ids = session.view.gap_ids
        added = self._added_header(session)
        width = max(self.app.size.width // 2 - 24, 24)
        room = width - len(added)
        lines = [heading(f"{'Worst gaps':<{room + 7}}have{added} / want")]
        n_shown = 7 if self.app.size.height < 40 else 12
        for concept_id in ids[:n_shown]:
            n_new = int(session.view.added_counts[concept_id])
            new = f"{f'+{n_new}' if n_new else '':>{len(added)}}" if added else ""
            value = Content.assemble(
                (f"{int(gaps.count[concept_id]):>4}", "bold"),
                (new, marks.style("new")),
                (f" / {session.target(concept_id):<4}", "bold"),
            )
            label = analysis.dictionary.label(concept_id)
            state = session.view.concept_states[concept_id]
            lines.append(_row(state, label, value, marks=marks, width=room))
        if len(ids) > n_shown:
            lines.append(literal(f"   ... {len(ids) - n_shown} more, key 4", "$foreground-muted"))
        if not ids:
            lines.append(literal("   none with this rule", "$foreground-muted"))
        lines += [Content(""), heading(f"{'Most over-covered':<{width + 6}}items  share")]
        over = session.view.top_over_covered(4)
        for concept_id in over:
            label = analysis.dictionary.label(concept_id)
            share = (
                f"{int(gaps.count[concept_id]):>4}  {100 * float(gaps.rate[concept_id]):>3.0f} %"
            )
            value = Content.styled(share, "bold")
            lines.append(_row("over", label, value, marks=marks, width=width))
        if not over:
            lines.append(literal("   none", "$foreground-muted"))
        lines += [Content(""), heading("Stages")]
        done = session.workspace.stage_runs()
        stale = session.workspace.stale_stages()
        for stage in STAGES:
            state = "open" if stage not in done else ("warn" if stage in stale else "pass")
            more = "   out of date, R recomputes" if state == "warn" else ""
            lines.append(
                Content.assemble(
                    (f"  {marks.glyph(state)} ", marks.style(state)),
                    _STAGE_WORDS[stage],
                    (more, "$foreground-muted"),
                )
            )
        counts = session.verdict_counts()
        total = sum(counts.values())
        n_done = total - counts[Verdict.OPEN]
        if total:
            bar = marks.bar(n_done / total, 12)
            state = "pass" if n_done == total else "estimate"
            lines.append(
                Content.assemble(
                    (f"  {marks.glyph(state)} ", marks.style(state)),
                    "review ",
                    (bar, "$text-primary"),
                    f" {n_done:,} of {total:,}",
                )
            )
        else:
            lines.append(literal("  . review: no candidates", "$foreground-muted"))
        return Content("\n").join(lines)

    def _below(self, session: Session) -> Content:
        analysis = session.summary
        assert analysis is not None

        scope = session.workspace.settings.scope
        sentence, more = scope_summary(scope.sentence, len(scope.examples), self._by_hand(session))
        scope_text = Content(
            sentence or ("as the example items" if scope.examples else "all concepts")
        )
        is_short = self.app.size.height < 30
        step = Content.assemble(("Next      ", "bold $text-accent"), (self.next_step()[0], "bold"))
        lines = [
            Content.assemble(
                ("Scope     ", "bold $text-accent"),
                scope_text,
                (f"   {more}" if more else "", "$foreground-muted"),
                ("   c edits", "$foreground-muted"),
            ),
            Content.assemble(
                ("Revision  ", "bold $text-accent"),
                f"+ {len(session.log.accepted)} accepted   - {len(session.log.dropped)} dropped   "
                f"{_n_with_verdict(session, Verdict.REJECT)} rejected   "
                f"{_n_with_verdict(session, Verdict.DEFER)} deferred",
            ),
            *self._since(),
        ]
        # On a short screen the next step comes first, so that it is always visible.
        lines = [step, *reversed(lines)] if is_short else [Content(""), *lines, step]
        return Content("\n").join(lines)

    def _since(self) -> list[Content]:
        if self.since_export is None:
            return []

        arrow, width = self.marks.arrow, self.app.size.width - 3
        return [comparison_content(self.since_export, arrow=arrow, width=width)]

    def next_step(self) -> tuple[str, str]:
        """Return the next step, and the action that performs it."""
        session = self.session
        if session is None or session.summary is None:
            return ("Open a workspace.", "go('open')")
        if session.workspace.is_stale and session.can_write:
            return ("Some numbers are out of date.   enter recomputes", "recompute")
        counts = session.verdict_counts()
        if counts[Verdict.OPEN]:
            n_open = counts[Verdict.OPEN]
            candidates = plural(n_open, "candidate")
            n_gaps, n_filled = session.view.unfilled_counts
            fills = f"; accepting all fills {n_filled:,} of {n_gaps:,} gaps" if n_filled else ""
            return (f"{candidates} to review{fills}.   enter reviews", "go('candidates')")
        if session.log.accepted or session.log.dropped:
            return ("Review complete.   enter exports the revision", "go('export')")
        if session.view.gap_ids:
            return ("Inspect the gaps.   enter lists them", "go('gaps')")
        return ("No gaps with this rule.   enter shows all concepts", "go('concepts')")

    async def action_open_row(self) -> None:
        """Perform the next step."""
        await self.perform(self.next_step()[1])

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
                overrides=self._by_hand(session),
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

    def _by_hand(self, session: Session) -> tuple[ScopeOverride, ...]:

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


def _n_with_verdict(session: Session, verdict: Verdict) -> int:
    """Count decisions with a verdict, including items that are no longer proposed."""
    kinds = (Subject.ADD, Subject.REMOVE)
    return sum(len(session.log.ids(kind, verdict)) for kind in kinds)


def _share(part: int, whole: int) -> str:
    return percent(part / whole, 1, gap=" ") if whole else ""


def _row(state: str, label: str, value: Content, *, marks: Marks, width: int) -> Content:
    return Content.assemble(
        (f"  {marks.glyph(state):<3}", marks.style(state)), fit(label, width), "  ", value
    )
