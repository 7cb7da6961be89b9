"""The coverage report: HTML and Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchdesign.foundation.atomic_files import write_atomically
from benchdesign.report.collect_coverage import collect_report
from benchdesign.report.coverage_data import ReportData
from benchdesign.report.render import render_page, render_text
from benchdesign.workspace.analysis import Analysis

if TYPE_CHECKING:
    from benchdesign.revision.plan import Revision

__all__ = ["ReportPaths", "render_html", "render_markdown", "write_report"]


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """Paths of a written report."""

    html: Path
    markdown: Path


def write_report(analysis: Analysis, revision: Revision, folder: Path) -> ReportPaths:
    """Write `report.html` and `report.md` to an existing folder, replacing earlier reports."""
    data = collect_report(analysis, revision)
    paths = ReportPaths(folder / "report.html", folder / "report.md")
    write_atomically(paths.html, render_html(data))
    write_atomically(paths.markdown, render_markdown(data))
    return paths


def render_html(data: ReportData) -> str:
    """Return the report as an HTML page."""
    return render_page("report.html.j2", report=data)


def render_markdown(data: ReportData) -> str:
    """Return the report as Markdown."""
    return render_text("report.md.j2", report=data)
