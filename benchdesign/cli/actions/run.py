"""`run`, `export` and `demo`: the whole job and its last step."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.benchmarks.example_data import example_folder
from benchdesign.cli.actions.revision_summary import print_revision
from benchdesign.cli.actions.run_request import RunRequest, benchmark_stem, check_request, read_sets
from benchdesign.cli.actions.run_workspace import run_workspace
from benchdesign.cli.options import stopping
from benchdesign.cli.output import Messages
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
    from benchdesign.workspace.analysis import Analysis

__all__ = ["demo_job", "run_job", "weigh_job"]


def run_job(request: RunRequest, *, force: bool, as_json: bool, quiet: bool) -> None:
    """Run every stage and write the revision with every proposal in it."""
    talk = Messages(quiet=quiet)
    check_request(request)
    if request.pool is None and request.settings.n_add:
        request = replace(request, settings=replace(request.settings, n_add=0))
        talk.say("No --pool: gaps are found against the dictionary's corpus, and nothing is added.")
    preferences, _ = load_preferences({"device": request.settings.device})
    request = replace(request, settings=replace(request.settings, device=preferences.device))
    stem = benchmark_stem(request.benchmark)
    out = expand_home(request.out or f"{stem}-revised")
    # Before anything is computed: an hour of mapping must not end in "exists already".
    revised = [one.name for one in out.glob("*.revised*")] if is_folder(out) else []
    try:
        check_targets(
            out,
            ["revision.json", "report.html", "report.md", "concepts.parquet", *revised],
            force=force,
        )
    except OutputExistsError:
        # What is wrong with the input comes first: another folder would not help.
        read_sets(request)
        raise
    with (
        run_workspace(request, out, who=preferences.who, talk=talk) as workspace,
        stopping(talk.say) as stop,
    ):
        try:
            analysis = run_pipeline(
                workspace, cache=cache_folder(preferences), progress=talk.progress, stop=stop
            )
        except InputError:
            # Nothing was read, so a workspace made for it holds nothing worth keeping.
            if not workspace.stage_runs():
                shutil.rmtree(workspace.folder, ignore_errors=True)
            raise
        talk.done()
        if analysis is None:
            raise WorkspaceError(f"{workspace.folder}: the run did not finish; run it again.")
        check_targets(out, planned_files(analysis.benchmark, format=request.format), force=force)
        talk.say_findings(analysis.findings, rest="in the report")
        if analysis.required and request.settings.constraints.required_fields is None:
            talk.say(
                f"note: only candidates with {' and '.join(analysis.required)} were considered, as "
                "the benchmark's items have them; --require none takes any."
            )
        if request.settings.n_add and not analysis.proposals:
            talk.say(f"note: nothing was proposed: {_why_nothing(analysis)}")
        if request.settings.limit == len(analysis.benchmark):
            talk.say(
                f"note: only the first {request.settings.limit} items were read (--limit), and "
                "the revision holds only them."
            )
        talk.say("writing the revision")
        revision = write_revision(analysis, out, format=request.format, force=force)
        folder = workspace.folder
    print_revision(analysis, revision, folder, as_json=as_json, quiet=quiet)


def weigh_job(folder: Path, wanted: Mapping[str, Any], *, quiet: bool) -> None:
    """Change what proposals prefer and make them anew; decisions stay."""
    talk = Messages(quiet=quiet)
    preferences, _ = load_preferences()
    with Workspace.open(folder) as workspace, stopping(talk.say) as stop:
        workspace.change_settings(replace(workspace.settings, **wanted))
        run_pipeline(workspace, cache=cache_folder(preferences), progress=talk.progress, stop=stop)
    talk.done()


def demo_job(out: Path, *, as_json: bool, quiet: bool) -> None:
    """Run the shipped example from start to end."""
    examples = example_folder()
    request = RunRequest(
        benchmark=str(examples / "benchmark.jsonl"),
        pool=str(examples / "pool.jsonl"),
        settings=Settings(n_add=40),
        out=out / "revised",
        workspace=out / "workspace",
    )
    if not quiet:
        Messages().say(
            f"The example: {examples / 'benchmark.jsonl'}, whose subjects have holes, "
            f"and a pool that can fill them."
        )
    # The demonstration's own folder: a second run replaces the first.
    run_job(request, force=True, as_json=as_json, quiet=quiet)


def _why_nothing(analysis: Analysis) -> str:

    if not analysis.gaps.is_tested.any():
        return (
            f"with {len(analysis.benchmark):,} items and this pool no concept is common enough to "
            "be judged."
        )
    if analysis.left_out:
        reasons = Counter(analysis.left_out).most_common()
        said = ", ".join(f"{n:,} {passed_over(why)}" for why, n in reasons)
        return f"candidates that would help were passed over: {display(said)}."
    return "no candidate shows a concept that the benchmark has less of than expected."
