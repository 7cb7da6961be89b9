"""The page of the Export screen: the files to write, the checks and what changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from benchdesign.foundation.number_words import percent
from benchdesign.foundation.text import display, fit
from benchdesign.pipeline.write_revision import planned_files
from benchdesign.revision.group_counts import closed_gaps
from benchdesign.revision.publish_checks import publish_checks
from benchdesign.tui.pages.page_parts import marked_line, page_lines
from benchdesign.tui.widgets.detail import heading
from benchdesign.tui.widgets.evidence import literal

if TYPE_CHECKING:
    from benchdesign.revision.plan import Revision
    from benchdesign.tui.marks import Marks
    from benchdesign.tui.session.session import Session
    from benchdesign.workspace.analysis import Analysis

__all__ = ["ExportPage", "gap_names"]

_FILE_DESCRIPTIONS = {
    "revision.json": "manifest and decisions",
    "concepts.parquet": "concepts, before and after",
    "report.html": "one file, works offline",
    "report.md": "plain text for diffs",
}
_CHECK_KEYS = {"duplicates": ": 6, f shows repeats", "stale": "; R recomputes them"}
"""Keys that help with a check, by its name."""

_MAX_GAPS_NAMED = 8
_MUTED = "$foreground-muted"


@dataclass(frozen=True, slots=True)
class ExportPage:
    """The parts of the page, drawn for one size of the screen."""

    session: Session
    marks: Marks
    screen_width: int
    screen_height: int
    is_narrow: bool
    """Whether there is one column instead of two."""

    format: str | None
    """The chosen format; None for the benchmark's own."""

    plan: Revision | None
    """The revision; None while it is being computed or if that failed."""

    problem: str
    """Why the revision could not be computed; empty if it was not tried or succeeded."""

    @property
    def _analysis(self) -> Analysis:
        assert self.session.analysis is not None
        return self.session.analysis

    @property
    def _space(self) -> list[Content]:
        """An empty line if the screen is high enough."""
        return [Content("")] if self.screen_height >= 30 else []

    def files(self) -> Content:
        """Return the files to write, and the number of items."""
        benchmark, log = self._analysis.benchmark, self.session.log
        own = benchmark.source.format
        kind = f"as {self.format}" if self.format else f"in the benchmark's own format, {own}"
        revised = f"{self.plan.n_items:,} items" if self.plan else "the revised benchmark"
        n, n_out, n_new = len(benchmark), len(log.dropped), len(log.accepted)
        return Content("\n").join(
            [
                Content.assemble(heading("Files to write"), (f"   {kind}", _MUTED)),
                *self._space,
                *(
                    Content.assemble(
                        "  ",
                        literal(fit(name, 28), "bold"),
                        literal(_FILE_DESCRIPTIONS.get(name, revised), _MUTED),
                    )
                    for name in planned_files(benchmark, format=self.format)
                ),
                *self._space,
                Content.assemble(
                    f"  Items   {n:,}  - {n_out} dropped  + {n_new} accepted  = ",
                    (f"{n - n_out + n_new:,}", "bold"),
                ),
            ]
        )

    def checks(self) -> Content:
        """Return what to check before publishing."""
        checks = publish_checks(
            self._analysis,
            self.session.log,
            self.plan,
            is_stale=self.session.workspace.is_stale,
            problem=self.problem,
        )
        lines = [
            marked_line(
                check.state,
                literal(check.text + _CHECK_KEYS.get(check.name, "")),
                marks=self.marks,
            )
            for check in checks
        ]
        width = self.screen_width if self.is_narrow else self.screen_width // 2
        return page_lines([heading("Before you publish"), *self._space, *lines], width=width - 4)

    def changes(self, command: str) -> Content:
        """Return what the revision changes, and the command that writes it."""
        return Content("\n").join(
            [
                *self._space,
                heading("Changes"),
                *self._change_lines(),
                Content(""),
                heading("Command that writes the same files (y copies it)"),
                literal(f"  {command}"),
                *self._space,
                literal(
                    "^e writes the files. Existing files are not overwritten without asking.",
                    _MUTED,
                ),
            ]
        )

    def _change_lines(self) -> list[Content]:
        if self.plan is None:
            return [literal("  unknown" if self.problem else "  computing ...")]
        before, after, arrow = self.plan.figures_before, self.plan.figures_after, self.marks.arrow
        shares = [
            percent(figures.covered_share, 1, unknown="unknown", gap=" ")
            for figures in (before, after)
        ]
        n_gaps = before.n_missing + before.n_under
        concepts = "" if self._analysis.groups is None else " concepts"
        return [
            Content(
                f"  well covered    {shares[0]} {arrow} "
                f"{shares[1]} of the concepts that can be judged"
            ),
            *self._closed_lines(self.plan, n_gaps),
            Content(f"  missing         {before.n_missing} {arrow} {after.n_missing}{concepts}"),
            *self._named_gaps(self.plan),
        ]

    def _closed_lines(self, plan: Revision, n_gaps: int) -> list[Content]:
        """Return how many lacking groups are closed; without groups, how many concepts."""
        groups = self._analysis.groups
        if groups is None:
            return [Content(f"  gaps closed     {plan.n_gaps_closed} of {n_gaps}")]
        n_groups, closed = len(groups.gaps), closed_gaps(groups, plan.group_counts)
        text = "could not tell" if groups.is_blind else f"{len(closed)} of {n_groups}"
        if not n_groups and not groups.is_blind:
            text = "none is lacking for certain"
        return [Content(f"  groups closed   {text}")]

    def _named_gaps(self, plan: Revision) -> list[Content]:
        """Return the worst gaps that are closed and the worst that stay open."""
        closed, left = gap_names(self._analysis, plan)
        lines = []
        for word, names in (("closes", closed), ("leaves", left)):
            if names:
                text = display("; ".join(names[:_MAX_GAPS_NAMED]), width=self.screen_width - 24)
                lines.append(Content.assemble(f"  {word:<16}", literal(text)))
        return [*lines, literal("                  p lists all", _MUTED)]


def gap_names(analysis: Analysis, plan: Revision) -> tuple[list[str], list[str]]:
    """Return the names of the gaps that a revision closes and of those it leaves, worst first.

    Gaps are the lacking groups; where there are none, single concepts.
    """
    if analysis.groups is not None and analysis.groups.gaps:
        closed = closed_gaps(analysis.groups, plan.group_counts)
        left = [group for group in analysis.groups.gaps if group not in closed]
        return [group.name for group in closed], [group.name for group in left]
    is_open, label = plan.gaps_after.is_gap, analysis.dictionary.label
    ids = analysis.gaps.ranked().tolist()
    return (
        [label(concept_id) for concept_id in ids if not is_open[concept_id]],
        [label(concept_id) for concept_id in ids if is_open[concept_id]],
    )
