"""`run` and `demo`: every stage, and the revision."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchdesign.benchmarks.example_data import example_folder
from benchdesign.cli.actions.option_settings import weigh
from benchdesign.cli.actions.revision_summary import print_revision
from benchdesign.cli.actions.run_request import RunRequest, benchmark_stem, check_request, read_sets
from benchdesign.cli.actions.run_workspace import run_workspace
from benchdesign.cli.interrupt import stop_on_interrupt
from benchdesign.cli.options import OutputOptions
from benchdesign.cli.output import Messages
from benchdesign.cli.revision_options import RevisionOptions, RunOutputOptions, WeightOptions
from benchdesign.errors import InputError, OutputExistsError, WorkspaceError
from benchdesign.foundation.paths import expand_home, is_folder
from benchdesign.foundation.preferences import cache_folder, load_preferences
from benchdesign.foundation.text import display
from benchdesign.pipeline.run import run_pipeline
from benchdesign.pipeline.write_revision import check_targets, planned_files, write_revision
from benchdesign.selection.eligibility import passed_over
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.foundation.preferences import Preferences
    from benchdesign.foundation.progress import StopCheck
    from benchdesign.workspace.analysis import Analysis

__all__ = ["demo_job", "run_job", "weigh_job"]


def run_job(request: RunRequest) -> None:
    """Run every stage and write the revision with every proposal in it."""
    output, revision_options = request.output.output, request.output.revision
    messages = Messages(quiet=output.quiet)
    check_request(request)
    if request.pool is None and request.settings.n_add:
        request = replace(request, settings=replace(request.settings, n_add=0))
        messages.say("No --pool: the dictionary's corpus is the reference, and nothing is added.")
    preferences, _ = load_preferences({"device": request.settings.device})
    request = replace(request, settings=replace(request.settings, device=preferences.device))
    out = expand_home(revision_options.out or f"{benchmark_stem(request.benchmark)}-revised")
    _check_output(request, out)
    with (
        run_workspace(request, out, who=preferences.who, messages=messages) as workspace,
        stop_on_interrupt(messages) as stop,
    ):
        analysis = _run_stages(workspace, preferences, messages, stop)
        check_targets(
            out,
            planned_files(analysis.benchmark, format=revision_options.format),
            force=revision_options.force,
        )
        _print_notes(analysis, request.settings, messages)
        messages.say("writing the revision")
        revision = write_revision(
            analysis, out, format=revision_options.format, force=revision_options.force
        )
    print_revision(analysis, revision, workspace.folder, output)


def weigh_job(folder: Path, options: WeightOptions, *, quiet: bool) -> None:
    """Change what proposals prefer and make them again; decisions are kept."""
    messages = Messages(quiet=quiet)
    preferences, _ = load_preferences()
    with Workspace.open(folder) as workspace, stop_on_interrupt(messages) as stop:
        workspace.change_settings(weigh(workspace.settings, options))
        run_pipeline(
            workspace, cache=cache_folder(preferences), progress=messages.progress, stop=stop
        )


def demo_job(out: Path, output: OutputOptions) -> None:
    """Run every stage on the example data."""
    examples = example_folder()
    if not output.quiet:
        Messages().say(
            f"The example: {examples / 'benchmark.jsonl'}, which has gaps in its subjects, "
            f"and a pool that can fill them."
        )
    run_job(
        RunRequest(
            benchmark=str(examples / "benchmark.jsonl"),
            pool=str(examples / "pool.jsonl"),
            settings=Settings(n_add=40, mask_wrappers=True),
            output=RunOutputOptions(
                workspace=out / "workspace",
                # The folder belongs to the demonstration: a second run replaces the first.
                revision=RevisionOptions(out=out / "revised", force=True),
                output=output,
            ),
        )
    )


def _check_output(request: RunRequest, out: Path) -> None:
    """Raise OutputExistsError before anything is mapped, unless the input has an error."""
    revised = [path.name for path in out.glob("*.revised*")] if is_folder(out) else []
    try:
        check_targets(
            out,
            ["revision.json", "report.html", "report.md", "concepts.parquet", *revised],
            force=request.output.revision.force,
        )
    except OutputExistsError:
        # Errors in the input come first: another output folder would not help.
        read_sets(request)
        raise


def _run_stages(
    workspace: Workspace, preferences: Preferences, messages: Messages, stop: StopCheck
) -> Analysis:
    try:
        analysis = run_pipeline(
            workspace, cache=cache_folder(preferences), progress=messages.progress, stop=stop
        )
    except InputError:
        # Nothing was read, so a workspace created for this run holds nothing to keep.
        if not workspace.stage_runs():
            shutil.rmtree(workspace.folder, ignore_errors=True)
        raise
    if analysis is None:
        raise WorkspaceError(f"{workspace.folder}: the run did not finish; run it again.")
    return analysis


def _print_notes(analysis: Analysis, settings: Settings, messages: Messages) -> None:
    messages.say_findings(analysis.findings, rest="in the report")
    if analysis.required and settings.constraints.required_fields is None:
        messages.say(
            f"note: only candidates with {' and '.join(analysis.required)} were considered, as "
            "the benchmark's items have them; --require none allows any."
        )
    if settings.n_add and not analysis.proposals:
        messages.say(f"note: nothing was proposed: {_reason_for_no_proposals(analysis)}")
    if settings.limit == len(analysis.benchmark):
        messages.say(
            f"note: only the first {settings.limit} items were read (--limit), and "
            "the revision holds only these."
        )


def _reason_for_no_proposals(analysis: Analysis) -> str:
    if not analysis.gaps.is_tested.any():
        return (
            f"with {len(analysis.benchmark):,} items and this pool, no concept is common enough to "
            "be judged."
        )
    if analysis.left_out:
        counts = Counter(analysis.left_out).most_common()
        reasons = ", ".join(f"{n:,} {passed_over(reason)}" for reason, n in counts)
        return f"candidates that would help were passed over: {display(reasons)}."
    return "no candidate shows a concept that the benchmark has less of than expected."
