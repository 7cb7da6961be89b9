"""The page of the Overview screen: coverage, worst gaps, stages, scope and the next step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from textual.content import Content

from benchdesign.foundation.number_words import noun, percent, plural
from benchdesign.foundation.text import fit
from benchdesign.tui.pages.group_bars import group_bar_lines
from benchdesign.tui.pages.group_page import sentence_lines
from benchdesign.tui.pages.scope_summary import scope_summary
from benchdesign.tui.rows.gap_rows import GapRows
from benchdesign.tui.rows.scope_rows import scope_overrides
from benchdesign.tui.session.since_export import comparison_content
from benchdesign.tui.widgets.bars import histogram
from benchdesign.tui.widgets.detail import heading
from benchdesign.tui.widgets.evidence import literal
from benchdesign.workspace.decisions import Subject, Verdict
from benchdesign.workspace.stage_record import STAGES

if TYPE_CHECKING:
    from benchdesign.coverage.figures import CoverageFigures
    from benchdesign.coverage.groups.gap_group import GapGroups
    from benchdesign.tui.marks import Marks
    from benchdesign.tui.session.session import Session
    from benchdesign.tui.session.since_export import ExportComparison
    from benchdesign.workspace.analysis import Summary

__all__ = ["OverviewPage", "next_step"]

_STAGE_WORDS = {
    "read": "read items",
    "map": "map to concepts",
    "gaps": "find gaps",
    "propose": "propose candidates",
    "evidence": "mark evidence",
}
_MAX_AREAS = 5
_MAX_OVER_COVERED = 4
_HEIGHT_FOR_ALL = 50
"""Lines from which the page has room for the histogram and the areas below the groups."""

_HEADING = "bold $text-accent"
_MUTED = "$foreground-muted"


@dataclass(frozen=True)
class OverviewPage:
    """The parts of the page, drawn for one size of the screen."""

    session: Session
    marks: Marks
    screen_width: int
    screen_height: int
    is_narrow: bool
    """Whether the two columns are shown one at a time."""

    figures_after: CoverageFigures | None = None
    """Figures of the revision; None if nothing is decided or they are not computed yet."""

    since_export: ExportComparison | None = None
    """Changes since the last export; None if there is no export or they are not computed yet."""

    @property
    def _summary(self) -> Summary:
        assert self.session.summary is not None
        return self.session.summary

    @property
    def _is_short(self) -> bool:
        return self.screen_height < 30

    @property
    def _column(self) -> int:
        return self.screen_width if self.is_narrow else self.screen_width // 2

    @property
    def _space(self) -> list[Content]:
        """An empty line if the screen is high enough."""
        return [] if self._is_short else [Content("")]

    @property
    def _added_header(self) -> str:
        """The header of the column of accepted items; empty if nothing is accepted."""
        return "  add" if self.session.log.accepted else ""

    # coverage

    def left(self) -> Content:
        """Return the left column: coverage, the histogram and the worst areas."""
        lines = [self._coverage_heading(), *self._space, *self._scope_lines(), *self._gap_lines()]
        if self.groups is not None:
            lines = [*self._group_lines(self.groups), *self._space, *lines]
            # Next must stay in view: what is lacking comes before counts of the dictionary.
            if self.screen_height < _HEIGHT_FOR_ALL:
                return Content("\n").join(lines)
        lines += [*self._space, heading("Concepts by number of items")]
        width = 14 if self.screen_width < 120 else 26
        lines.append(histogram(self.session.view.figures.histogram, marks=self.marks, width=width))
        return Content("\n").join([*lines, *([] if self._is_short else self._area_lines())])

    @cached_property
    def _stale_stages(self) -> tuple[str, ...]:
        # Read once a page: each look reads the files of the workspace.
        return self.session.workspace.stale_stages()

    @property
    def groups(self) -> GapGroups | None:
        """Groups of similar items that are lacking; None if they were not searched for yet."""
        return self._summary.groups

    def verdict(self) -> Content:
        """Return what the benchmark lacks in one sentence, what could be seen, and warnings."""
        assert self.groups is not None
        lines = sentence_lines(self.groups, marks=self.marks)
        if self._is_stale:
            text = f"{self.marks.glyph('warn')} out of date; R searches again"
            lines.append(Content.styled(text, self.marks.style("warn")))
        # On a short screen the next step comes first, so that it is always visible.
        lines.append(self._step_line() if self._is_short else Content(""))
        return Content("\n").join(lines)

    def _group_lines(self, groups: GapGroups) -> list[Content]:
        n = 4 if self._is_short else 6 if self.screen_height < _HEIGHT_FOR_ALL else 10
        width = self._column - 3
        return group_bar_lines(self.session, groups, marks=self.marks, width=width, n=n)

    @property
    def _is_stale(self) -> bool:
        return "gaps" in self._stale_stages

    def _coverage_heading(self) -> Content:
        stale = f"   {self.marks.glyph('warn')} out of date" if self._is_stale else ""
        more = "      → worst gaps, stages" if self.is_narrow else ""
        title = heading("Coverage of the concept dictionary")
        return Content.assemble(title, (stale, self.marks.style("warn")), (more, _MUTED))

    def _figure(self, name: str, value: int, more: str = "") -> Content:
        style = _MUTED if self._is_stale else "bold"
        return Content.assemble(f"  {name:<22}", (f"{value:>8,}", style), (f"  {more}", _MUTED))

    def _scope_lines(self) -> list[Content]:
        figures = self.session.view.figures
        n_in_scope = figures.n_in_scope
        touched = [
            ("touched by an item", figures.n_touched),
            ("touched by 5 or more", figures.n_touched_5),
        ]
        if self._is_short and self.groups is not None:
            touched.clear()
        return [
            self._figure("concepts in scope", n_in_scope, f"{figures.n_kept_out:,} excluded"),
            *(self._figure(name, n, _share(n, n_in_scope)) for name, n in touched),
            self._figure("well covered", figures.n_covered, self._covered_text(figures)),
            *self._interval_lines(),
        ]

    def _covered_text(self, figures: CoverageFigures) -> str:
        """Return the covered share before and after the decisions."""
        share = _share(figures.n_covered, figures.n_judged)
        if self.figures_after is not None and self.figures_after.covered_share is not None:
            after = percent(self.figures_after.covered_share, 1, gap=" ")
            share = f"{share.removesuffix(' %')} {self.marks.arrow} {after}"
        text = f"{share} of {figures.n_judged:,} judged"
        return text if len(text) <= self._column - 36 else text.removesuffix(" judged")

    def _interval_lines(self) -> list[Content]:
        """Return a line with the bootstrap interval of the covered share, if there is one."""
        interval = self._summary.current_share_interval
        if interval is None:
            return []
        note = "if the items are resampled" if self._column >= 72 else "items resampled"
        return [
            Content.assemble(
                f"  {percent(interval.level, gap=' ') + ' interval':<22}",
                (f"{100 * interval.low:.1f} - {100 * interval.high:.1f} %", "bold"),
                (f"  {note}", _MUTED),
            )
        ]

    def _gap_lines(self) -> list[Content]:
        session, figures = self.session, self.session.view.figures
        n_missing, n_under = figures.n_missing, figures.n_under
        lines = [
            self._figure("gaps", n_missing + n_under, f"{n_missing:,} missing, {n_under:,} under")
        ]
        n_filled = session.view.n_closed(session.view.gap_ids) if session.log.accepted else 0
        if n_filled:
            lines.append(self._figure("filled", n_filled, "by accepted candidates"))
        n_over, n_rare, n_both = figures.n_over, figures.n_rare, figures.n_rare_over
        if self._is_short:
            both = f", {n_both:,} of them over" if n_both else ""
            lines.append(
                self._figure("over-covered", n_over, f"{n_rare:,} too rare to judge{both}")
            )
        else:
            both = f"{n_both:,} of them over-covered" if n_both else ""
            lines.append(self._figure("over-covered", n_over))
            lines.append(self._figure("too rare to judge", n_rare, both))
        if self._summary.duplicates:
            lines.append(self._figure("near-duplicate pairs", len(self._summary.duplicates)))
        return lines

    def _area_lines(self) -> list[Content]:
        """Return the worst areas; an area is more robust than a single concept."""
        rows = GapRows(self.session, set(), marks=self.marks, flat=False)
        if rows.is_flat or not len(rows):
            return []
        added = self._added_header
        width = max(self.screen_width // 2 - 26, 24) - len(added)
        lines = [
            Content(""),
            heading(f"{'Worst areas':<{width + 5}}gaps   have{added} / want"),
        ]
        is_full = self.since_export is not None and self.screen_height < 40
        for row in range(min(len(rows), _MAX_AREAS - 2 if is_full else _MAX_AREAS)):
            have, want = rows.sort_value(row, "have"), rows.sort_value(row, "want")
            new = rows.cell(row, "add").text if added else ""
            lines.append(
                Content.assemble(
                    self._mark(rows.state(row) or "adequate"),
                    fit(rows.row_id(row).removeprefix("area:"), width),
                    (f"{len(rows.concepts(rows.row_id(row))):>4}", "bold"),
                    f"   {have:>4,}",
                    (f"{new:>{len(added)}}", self.marks.style("new")),
                    f" / {want:<5,}",
                )
            )
        return lines

    def _mark(self, state: str) -> tuple[str, str]:
        return (f"  {self.marks.glyph(state):<3}", self.marks.style(state))

    # gaps, over-covered concepts, stages

    def right(self) -> Content:
        """Return the right column: the worst gaps, over-covered concepts, stages and review."""
        return Content("\n").join(
            [
                *self._worst_gap_lines(),
                Content(""),
                *self._over_covered_lines(),
                Content(""),
                heading("Stages"),
                *self._stage_lines(),
                self._review_line(),
            ]
        )

    @property
    def _label_width(self) -> int:
        return max(self.screen_width // 2 - 24, 24)

    def _concept_line(self, state: str, concept_id: int, value: Content, *, width: int) -> Content:
        label = self._summary.dictionary.label(concept_id)
        return Content.assemble(self._mark(state), fit(label, width), "  ", value)

    def _worst_gap_lines(self) -> list[Content]:
        session, added = self.session, self._added_header
        ids = session.view.gap_ids
        width = self._label_width - len(added)
        title = "Worst gaps" if self.groups is None else "Worst concepts"
        lines = [heading(f"{title:<{width + 7}}have{added} / want")]
        n_listed = 7 if self.screen_height < 40 else 12
        for concept_id in ids[:n_listed]:
            n_new = int(session.view.added_counts[concept_id])
            new = f"{f'+{n_new}' if n_new else '':>{len(added)}}" if added else ""
            value = Content.assemble(
                (f"{int(self._summary.gaps.count[concept_id]):>4}", "bold"),
                (new, self.marks.style("new")),
                (f" / {session.target(concept_id):<4}", "bold"),
            )
            state = session.view.concept_states[concept_id]
            lines.append(self._concept_line(state, concept_id, value, width=width))
        if len(ids) > n_listed:
            lines.append(literal(f"   ... {len(ids) - n_listed} more, key 4", _MUTED))
        if not ids:
            lines.append(literal("   none with this rule", _MUTED))
        return lines

    def _over_covered_lines(self) -> list[Content]:
        gaps, width = self._summary.gaps, self._label_width
        lines = [heading(f"{'Most over-covered':<{width + 6}}items  share")]
        over = self.session.view.top_over_covered(_MAX_OVER_COVERED)
        for concept_id in over:
            share = percent(float(gaps.rate[concept_id]), gap=" ")
            value = Content.styled(f"{int(gaps.count[concept_id]):>4}  {share:>5}", "bold")
            lines.append(self._concept_line("over", concept_id, value, width=width))
        return lines if over else [*lines, literal("   none", _MUTED)]

    def _stage_lines(self) -> list[Content]:
        runs = self.session.workspace.stage_runs()
        return [
            self._stage_line(
                stage,
                "open" if stage not in runs else "warn" if stage in self._stale_stages else "pass",
            )
            for stage in STAGES
        ]

    def _stage_line(self, stage: str, state: str) -> Content:
        more = "   out of date, R recomputes" if state == "warn" else ""
        return Content.assemble(
            (f"  {self.marks.glyph(state)} ", self.marks.style(state)),
            _STAGE_WORDS[stage],
            (more, _MUTED),
        )

    def _review_line(self) -> Content:
        counts, marks = self.session.verdict_counts(), self.marks
        total = sum(counts.values())
        if not total:
            return literal("  . review: no candidates", _MUTED)
        n_done = total - counts[Verdict.OPEN]
        state = "pass" if n_done == total else "estimate"
        return Content.assemble(
            (f"  {marks.glyph(state)} ", marks.style(state)),
            "review ",
            (marks.bar(n_done / total, 12), "$text-primary"),
            f" {n_done:,} of {total:,}",
        )

    # scope, revision, next step

    def below(self) -> Content:
        """Return the lines below the columns: scope, revision, last export and next step."""
        lines = [self._scope_line(), self._revision_line(), *self._since_lines()]
        if not self._is_short:
            return Content("\n").join([Content(""), *lines, self._step_line()])
        # On a short screen the next step comes first, below the verdict if there is one.
        first = [] if self.groups is not None else [self._step_line()]
        return Content("\n").join([*first, *reversed(lines)])

    def _step_line(self) -> Content:
        return Content.assemble(("Next      ", _HEADING), (next_step(self.session)[0], "bold"))

    def _scope_line(self) -> Content:
        session = self.session
        scope = session.workspace.settings.scope
        overrides = scope_overrides(session.log, self._summary.dictionary.table.label)
        sentence, more = scope_summary(scope.sentence, len(scope.examples), overrides)
        return Content.assemble(
            ("Scope     ", _HEADING),
            Content(sentence or ("as the example items" if scope.examples else "all concepts")),
            (f"   {more}" if more else "", _MUTED),
            ("   c edits", _MUTED),
        )

    def _revision_line(self) -> Content:
        log = self.session.log
        return Content.assemble(
            ("Revision  ", _HEADING),
            f"+ {len(log.accepted)} accepted   - {len(log.dropped)} dropped   "
            f"{_n_with_verdict(self.session, Verdict.REJECT)} rejected   "
            f"{_n_with_verdict(self.session, Verdict.DEFER)} deferred",
        )

    def _since_lines(self) -> list[Content]:
        if self.since_export is None:
            return []
        width = self.screen_width - 3
        arrow, unit = self.marks.arrow, "gaps" if self.groups is None else "concept gaps"
        return [comparison_content(self.since_export, arrow=arrow, width=width, unit=unit)]


def next_step(session: Session | None) -> tuple[str, str]:
    """Return the next step, and the action that performs it."""
    if session is None or session.summary is None:
        return ("Open a workspace.", "go('open')")
    if session.workspace.is_stale and session.can_write:
        return ("Some numbers are out of date.   enter recomputes", "recompute")
    n_open = session.verdict_counts()[Verdict.OPEN]
    if n_open:
        n_unfilled, n_filled = session.view.unfilled_counts
        unit = "gaps" if session.summary.groups is None else noun(n_unfilled, "group")
        fills = f"; accepting all fills {n_filled:,} of {n_unfilled:,} {unit}" if n_filled else ""
        step = f"{plural(n_open, 'candidate')} to review{fills}.   enter reviews"
        return (step, "go('candidates')")
    if session.log.accepted or session.log.dropped:
        return ("Review complete.   enter exports the revision", "go('export')")
    groups = session.summary.groups
    if session.view.gap_ids or (groups is not None and groups.groups):
        return ("Inspect the gaps.   enter lists them", "go('gaps')")
    if groups is not None and groups.could_not_tell is not None:
        return ("Could not tell what is missing.   enter shows all concepts", "go('concepts')")
    return ("No gaps with this rule.   enter shows all concepts", "go('concepts')")


def _n_with_verdict(session: Session, verdict: Verdict) -> int:
    """Count decisions with a verdict, including items that are no longer proposed."""
    kinds = (Subject.ADD, Subject.REMOVE)
    return sum(len(session.log.ids(kind, verdict)) for kind in kinds)


def _share(part: int, whole: int) -> str:
    return percent(part / whole, 1, gap=" ") if whole else ""
