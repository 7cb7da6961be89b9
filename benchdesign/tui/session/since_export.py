"""The line on Overview about changes since the last export; computed in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content

from benchdesign.errors import BenchdesignError
from benchdesign.foundation.number_words import local_time_text, percent
from benchdesign.foundation.text import display
from benchdesign.pipeline.last_export import find_last_export
from benchdesign.revision.choice import Choice
from benchdesign.revision.plan import plan_revision
from benchdesign.tui.session.background_jobs import edited_items_map

if TYPE_CHECKING:
    from benchdesign.coverage.figures import CoverageFigures
    from benchdesign.pipeline.last_export import DecisionsSinceExport, LastExport
    from benchdesign.tui.session.session import Session
    from benchdesign.workspace.analysis import Analysis

__all__ = ["ExportComparison", "compare_with_export", "comparison_content", "current_figures"]


@dataclass(frozen=True, slots=True)
class ExportComparison:
    """The last export, compared with the current state."""

    last: LastExport
    since: DecisionsSinceExport
    now: CoverageFigures | None
    """Figures of the revision that would be exported now; None if there is none."""


def current_figures(session: Session, analysis: Analysis) -> CoverageFigures | None:
    """Return the figures of the revision that would be exported now; None if it cannot be planned.

    Takes as long as planning a revision. Only reads the session.
    """
    choice = Choice.from_decisions(session.log)
    try:
        edited_map = edited_items_map(session.workspace, analysis, choice, may_wait=False)
        return plan_revision(analysis, choice, edited_map=edited_map).figures_after
    except BenchdesignError:
        return None


def compare_with_export(
    session: Session,
    analysis: Analysis,
    folders: tuple[Path, ...],
    *,
    now: CoverageFigures | None,
) -> ExportComparison | None:
    """Read the last export and compare it with the current state; None if there is no export.

    `now` is the result of `current_figures`, if it was computed already.
    """
    last = find_last_export(folders, analysis)
    if last is None:
        return None
    since = last.since(Choice.from_decisions(session.log))
    if since.is_same and last.has_same_rule:
        return ExportComparison(last, since, None)
    return ExportComparison(last, since, now or current_figures(session, analysis))


def comparison_content(
    comparison: ExportComparison, *, arrow: str, width: int, unit: str
) -> Content:
    """Format the comparison on one line or two; `unit` says what the gaps are."""
    last, since, now = comparison.last, comparison.since, comparison.now
    title = ("Since     ", "bold $text-accent")
    is_narrow = width < 97
    gap = "  " if is_narrow else "   "
    changes = "no decisions since" if since.is_same else gap.join(_change_texts(since))
    prefix, when = (
        "" if is_narrow else "export ",
        f" ({local_time_text(last.when.isoformat())}){gap}",
    )
    room = width - cell_len(title[0] + prefix + when + changes)
    folder = display(last.folder.name, width=min(max(room, 6), 28))
    head = f"{prefix}{folder}{when}{changes}"
    if now is None:
        return Content.assemble(title, head)
    before, after = (
        percent(share, 1, unknown="-", gap=" ") for share in (last.covered_share, now.covered_share)
    )
    figures = (
        f"{unit} {last.n_gaps:,} {arrow} {now.n_missing + now.n_under:,}   "
        f"covered {before} {arrow} {after}"
    )
    rule = "" if last.has_same_rule else "   with another rule"
    fits = cell_len(title[0] + head + figures + rule) + 3 <= width
    space = "   " if fits else f"\n{'':<10}"
    return Content.assemble(title, f"{head}{space}", (figures, "bold"), (rule, "$foreground-muted"))


def _change_texts(since: DecisionsSinceExport) -> list[str]:
    parts = []
    if not since.has_same_items:
        parts += [f"+ {since.n_accepted:,} accepted", f"- {since.n_dropped:,} dropped"]
    if since.n_withdrawn:
        parts.append(f"{since.n_withdrawn:,} reverted")
    if not since.has_same_concepts:
        parts.append("concept decisions")
    return parts
