"""The summary of a revision, as text or as JSON."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.cli.actions.group_summary import print_group_head, print_groups
from benchdesign.cli.options import OutputOptions
from benchdesign.cli.output import print_json, print_lines, share
from benchdesign.foundation.text import display
from benchdesign.revision.group_counts import closed_sentence

if TYPE_CHECKING:
    from benchdesign.revision.plan import Revision
    from benchdesign.workspace.analysis import Analysis

__all__ = ["print_revision"]

_MAX_GROUPS = 12
_GROUP_KEYS = (
    "gap_groups",
    "over_groups",
    "power",
    "reference_items",
    "could_not_tell",
    "verdict",
    "group_warnings",
)


def _program() -> str:
    """Return the command that starts this program; `make demo` does not put it on the path."""
    program = Path(sys.argv[0])
    is_off_path = program.name == "benchdesign" and shutil.which("benchdesign") is None
    return shlex.quote(str(program)) if is_off_path else "benchdesign"


def print_revision(
    analysis: Analysis, revision: Revision, workspace: Path, output: OutputOptions
) -> None:
    """Print a revision's figures, its files and the next command."""
    if output.as_json:
        print_json(_summary(revision, workspace))
    if output.as_json or output.quiet:
        return
    groups = analysis.groups
    if groups is not None:
        print_group_head(groups)
        print_groups(groups, revision.group_counts, top=_MAX_GROUPS)
        print_lines("")
    _print_changes(analysis, revision)
    print_lines("")
    _print_next(analysis, revision, workspace)


def _print_changes(analysis: Analysis, revision: Revision) -> None:
    """Print what was added and removed, and the figures before and after."""
    before, after = revision.figures_before, revision.figures_after
    removed = f", {len(revision.removed)} removed" if revision.removed else ""
    changes = f"{len(revision.added)} added{removed}, {revision.n_items:,} now"
    print_lines(
        f"{display(analysis.benchmark.name)}: {before.n_items:,} items, {changes}",
        *_closed_lines(analysis, revision),
        f"  covered     {share(before.covered_share)} -> {share(after.covered_share)} "
        "of the concepts that can be judged"
        if before.n_judged or after.n_judged
        else "  covered     not known: no concept is common enough to be judged",
        f"  judged      {before.n_judged:,} -> {after.n_judged:,} "
        f"of {before.n_in_scope:,} concepts in scope; the others are too rare to judge",
        f"  missing     {before.n_missing} -> {after.n_missing} concepts",
        f"  under       {before.n_under} -> {after.n_under} concepts",
    )


def _closed_lines(analysis: Analysis, revision: Revision) -> list[str]:
    """Return how many groups reach what is expected; without groups, the same of concepts."""
    if analysis.groups is not None:
        sentence = closed_sentence(analysis.groups, revision.group_counts)
        return [f"  {display(sentence)}"] if sentence else []
    lapsed = revision.n_gaps_lapsed
    besides = (
        f"; {lapsed} more are no longer gaps although nothing was added for them" if lapsed else ""
    )
    return [
        f"  gaps        {revision.n_gaps_closed} of {int(analysis.gaps.is_gap.sum())} concepts are "
        f"no longer short by more than chance{besides}"
    ]


def _print_next(analysis: Analysis, revision: Revision, workspace: Path) -> None:
    """Print the files and what to do next."""
    folder = revision.folder or Path()
    place = shlex.quote(str(workspace))
    print_lines(
        f"Revised benchmark  {folder / revision.files[0]}",
        f"Report             {folder / 'report.html'}",
        f"Manifest           {folder / 'revision.json'}",
        f"Review it          {_program()} open {place}",
    )
    gaps = () if analysis.groups is None else analysis.groups.gaps
    counts = revision.group_counts
    n_wanted = sum(counts[group.id].n_wanted for group in gaps)
    if n_wanted and revision.added:
        print_lines(f"Add more           --add {len(revision.added) + n_wanted}")
    if gaps:
        name = display(gaps[0].name)
        print_lines(
            f"Not meant?         {_program()} decide {place} --group {gaps[0].id} not-meant",
            f"                   ({name}); then run again with --workspace {place}",
        )
    scope = analysis.settings.scope
    if scope.is_empty and not scope.takes_all and (gaps or analysis.gaps.is_gap.any()):
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
        **{name: manifest[name] for name in (*names, *_GROUP_KEYS)},
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
