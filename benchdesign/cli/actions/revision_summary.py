"""The summary of a revision, as text or as JSON."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.cli.options import OutputOptions
from benchdesign.cli.output import print_json, print_lines, share
from benchdesign.foundation.text import display

if TYPE_CHECKING:
    from benchdesign.revision.plan import Revision
    from benchdesign.workspace.analysis import Analysis

__all__ = ["print_revision"]


def _program() -> str:
    """Return the command that starts this program; `make demo` does not put it on the path."""
    program = Path(sys.argv[0])
    is_off_path = program.name == "benchdesign" and shutil.which("benchdesign") is None
    return shlex.quote(str(program)) if is_off_path else "benchdesign"


def print_revision(
    analysis: Analysis, revision: Revision, workspace: Path, output: OutputOptions
) -> None:
    """Print a revision's figures, its files and the next command."""
    folder = revision.folder or Path()
    if output.as_json:
        print_json(_summary(revision, workspace))
    if output.as_json or output.quiet:
        return
    before, after = revision.figures_before, revision.figures_after
    gaps = int(analysis.gaps.is_gap.sum())
    lapsed = revision.n_gaps_lapsed
    besides = (
        f"; {lapsed} more are no longer gaps although nothing was added for them" if lapsed else ""
    )
    removed = f", {len(revision.removed)} removed" if revision.removed else ""
    command = f"{_program()} open {shlex.quote(str(workspace))}"
    changes = f"{len(revision.added)} added{removed}, {revision.n_items:,} now"
    print_lines(
        f"{analysis.benchmark.name}: {before.n_items:,} items, {changes}",
        f"  covered     {share(before.covered_share)} -> {share(after.covered_share)} "
        "of the concepts that can be judged"
        if before.n_judged or after.n_judged
        else "  covered     not known: no concept is common enough to be judged",
        f"  judged      {before.n_judged:,} -> {after.n_judged:,} "
        f"of {before.n_in_scope:,} concepts in scope; the others are too rare to judge",
        f"  missing     {before.n_missing} -> {after.n_missing}",
        f"  under       {before.n_under} -> {after.n_under}",
        f"  gaps closed {revision.n_gaps_closed} of {gaps}: no longer short by more than chance"
        f"{besides}",
        "",
        f"Revised benchmark  {folder / revision.files[0]}",
        f"Report             {folder / 'report.html'}",
        f"Manifest           {folder / 'revision.json'}",
        f"Review it          {command}",
    )
    if gaps and analysis.settings.scope.is_empty:
        print_lines('Narrow it          --scope "what the benchmark is meant to test"')
    for name, count in revision.empty_fields.items():
        print_lines(f"Left empty         {display(name)} in {count} added items")


def _summary(revision: Revision, workspace: Path) -> dict[str, Any]:
    manifest = revision.manifest
    names = (
        "schema_version",
        "benchmark",
        "pool",
        "revised",
        "reference_model",
        "dictionary",
        "seed",
        "coverage_before",
        "covered_share_before_interval",
        "coverage_after",
    )
    return {
        **{name: manifest[name] for name in names},
        "folder": str(revision.folder),
        "files": list(revision.files),
        "workspace": str(workspace),
        "n_gaps": len(manifest["gaps"]),
        "n_gaps_closed": revision.n_gaps_closed,
        "n_gaps_lapsed": revision.n_gaps_lapsed,
        "n_added": len(revision.added),
        "n_removed": len(revision.removed),
        "added": manifest["added"],
        "removed": manifest["removed"],
        "skipped": manifest["skipped"],
    }
