"""`export`: the revision from the decisions."""

from __future__ import annotations

import shlex
from pathlib import Path

from benchdesign.cli.actions.revision_summary import print_revision
from benchdesign.cli.actions.run_request import benchmark_stem, check_format
from benchdesign.cli.interrupt import stop_on_interrupt
from benchdesign.cli.options import OutputOptions
from benchdesign.cli.output import Messages
from benchdesign.cli.revision_options import RevisionOptions
from benchdesign.foundation.paths import expand_home
from benchdesign.foundation.preferences import cache_folder, load_preferences
from benchdesign.pipeline.load_analysis import load_analysis
from benchdesign.pipeline.write_revision import check_targets, planned_files, write_revision
from benchdesign.revision.choice import Choice
from benchdesign.revision.map_edited import map_edited_items
from benchdesign.revision.publish_checks import publish_checks
from benchdesign.workspace.workspace import Workspace

__all__ = ["export_job"]


def export_job(folder: Path, options: RevisionOptions, output: OutputOptions) -> None:
    """Write the revision from the decisions made so far."""
    messages = Messages(quiet=output.quiet)
    check_format(options.format)
    preferences, _ = load_preferences()
    with Workspace.open(folder, access="read") as workspace:
        analysis = load_analysis(workspace)
        log, is_stale = workspace.decisions, workspace.is_stale
        choice = Choice.from_decisions(log)
        out = expand_home(options.out or f"{benchmark_stem(workspace.benchmark_file.path)}-revised")
        check_targets(
            out, planned_files(analysis.benchmark, format=options.format), force=options.force
        )
        if not choice.added and not choice.removed:
            messages.say(
                "Nothing has been accepted, so the revision equals the benchmark. "
                f"Decide first: benchdesign proposals {shlex.quote(str(folder))}"
            )
        with stop_on_interrupt(messages) as stop:
            edited_map = map_edited_items(
                workspace,
                analysis,
                choice,
                cache=cache_folder(preferences),
                progress=messages.progress,
                stop=stop,
            )
    revision = write_revision(
        analysis,
        out,
        choice=choice,
        edited_map=edited_map,
        format=options.format,
        force=options.force,
    )
    for check in publish_checks(analysis, log, revision, is_stale=is_stale):
        if check.state == "warn":
            messages.say(f"warning: {check.text}")
    print_revision(analysis, revision, folder, output)
