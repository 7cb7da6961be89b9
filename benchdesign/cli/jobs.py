"""`run`, `export` and `demo`: the whole job and its last step."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.cli.options import stopping
from benchdesign.cli.output import Talk, print_json, print_lines, share
from benchdesign.config import Settings, cache_folder, load_preferences
from benchdesign.errors import InputError, OutputExistsError, UsageError, WorkspaceError
from benchdesign.regular import expanded, full_path, is_folder, is_there
from benchdesign.shipped import example_folder
from benchdesign.text import display
from benchdesign.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.analysis import Analysis
    from benchdesign.revision import Revision

__all__ = ["RunRequest", "demo_job", "export_job", "run_job", "weigh_job"]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What `run` was asked for."""

    benchmark: str
    pool: str | None
    settings: Settings
    out: Path | None = None
    workspace: Path | None = None
    format: str | None = None


def run_job(request: RunRequest, *, force: bool, as_json: bool, quiet: bool) -> None:
    """Run every stage and write the revision with every proposal in it."""
    from benchdesign.pipeline import run_pipeline
    from benchdesign.revision import check_targets, planned_files, write_revision

    talk = Talk(quiet=quiet)
    _check_request(request)
    if request.pool is None and request.settings.n_add:
        request = replace(request, settings=replace(request.settings, n_add=0))
        talk.say("No --pool: gaps are found against the dictionary's corpus, and nothing is added.")
    preferences, _ = load_preferences({"device": request.settings.device})
    request = replace(request, settings=replace(request.settings, device=preferences.device))
    stem = _stem(request.benchmark)
    out = expanded(request.out or f"{stem}-revised")
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
        _read_sets(request)
        raise
    with (
        _run_workspace(request, out, who=preferences.who, talk=talk) as workspace,
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
        if analysis.required and "required_fields" not in request.settings.constraints:
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
    _print_revision(analysis, revision, folder, as_json=as_json, quiet=quiet)


def weigh_job(folder: Path, wanted: Mapping[str, Any], *, quiet: bool) -> None:
    """Change what proposals prefer and make them anew; decisions stay."""
    from benchdesign.pipeline import run_pipeline

    talk = Talk(quiet=quiet)
    preferences, _ = load_preferences()
    with Workspace.open(folder) as workspace, stopping(talk.say) as stop:
        workspace.change_settings(replace(workspace.settings, **wanted))
        run_pipeline(workspace, cache=cache_folder(preferences), progress=talk.progress, stop=stop)
    talk.done()


def _check_request(request: RunRequest) -> None:
    """Refuse what would only be noticed after everything was mapped."""
    from benchdesign.pipeline import check_settings

    _check_format(request.format)
    check_settings(request.settings)
    for path in request.settings.keep_out:
        if not path.startswith("hf:") and not is_there(path):
            raise InputError(f"--keep-out {path}: no such file or folder. Check the path.")
    if request.pool is not None and _is_same(request.benchmark, request.pool):
        raise UsageError(
            f"--pool {request.pool}: is the benchmark itself. Give a file with other items."
        )


def _read_sets(request: RunRequest) -> None:
    """Read benchmark and pool only to raise what is wrong with them."""
    from benchdesign.sets import read_benchmark, read_pool

    read_benchmark(request.benchmark, request.settings)
    if request.pool is not None:
        read_pool(request.pool, request.settings)


def _check_format(format: str | None) -> None:
    """Refuse a format that no benchmark is written in."""
    from benchdesign.formats.exports import EXPORTS

    if format is not None and format not in EXPORTS:
        raise UsageError(
            f"--format {format}: not one of {', '.join(EXPORTS)}. "
            "Leave it out to keep the benchmark's own form."
        )


def _is_same(one: str, other: str) -> bool:
    if one.startswith("hf:") or other.startswith("hf:"):
        return one == other
    return full_path(one) == full_path(other)


def export_job(
    folder: Path,
    *,
    out: Path | None,
    format: str | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write the revision from the decisions made so far."""
    from benchdesign.pipeline import map_rewritten
    from benchdesign.revision import Choice, check_targets, planned_files, write_revision

    talk = Talk(quiet=quiet)
    _check_format(format)
    preferences, _ = load_preferences()
    with Workspace.open(folder, access="read") as workspace:
        analysis = workspace.load_analysis()
        choice = Choice.from_decisions(workspace.decisions)
        out = expanded(out or f"{_stem(workspace.benchmark_file.path)}-revised")
        check_targets(out, planned_files(analysis.benchmark, format=format), force=force)
        if not choice.added and not choice.removed:
            talk.say(
                "Nothing was accepted yet, so the revision is the benchmark as it was. "
                f"Decide first: benchdesign proposals {shlex.quote(str(folder))}"
            )
        with stopping(talk.say) as stop:
            rewritten = map_rewritten(
                workspace,
                analysis,
                choice,
                cache=cache_folder(preferences),
                progress=talk.progress,
                stop=stop,
            )
    talk.done()
    revision = write_revision(
        analysis, out, choice=choice, rewritten=rewritten, format=format, force=force
    )
    _print_revision(analysis, revision, folder, as_json=as_json, quiet=quiet)


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
        Talk().say(
            f"The example: {examples / 'benchmark.jsonl'}, whose subjects have holes, "
            f"and a pool that can fill them."
        )
    # The demonstration's own folder: a second run replaces the first.
    run_job(request, force=True, as_json=as_json, quiet=quiet)


def _run_workspace(request: RunRequest, out: Path, *, who: str, talk: Talk) -> Workspace:
    """Open the workspace of an earlier run on the same benchmark, or make one beside the output."""
    if request.workspace is not None:
        folder = expanded(request.workspace)
        if not _is_vacant(folder) and not _is_workspace_of(folder, request.benchmark):
            raise UsageError(
                f"--workspace {request.workspace}: holds another benchmark; give another folder."
            )
        return _reopen(folder, request, who=who)
    base = out.parent / f"{_stem(request.benchmark)}-workspace"
    left_alone = {}
    for number in range(1, 1000):
        folder = base if number == 1 else base.with_name(f"{base.name}-{number}")
        if not _is_vacant(folder):
            if not _is_workspace_of(folder, request.benchmark):
                continue
            if why := _why_left_alone(folder, request.settings):
                left_alone[folder] = why
                continue
        if left_alone:
            said = "; ".join(f"{one} is left as it is: {why}" for one, why in left_alone.items())
            again = shlex.quote(str(next(iter(left_alone))))
            talk.say(
                f"note: {said}. This run keeps its results in {folder}; "
                f"--workspace {again} uses it all the same."
            )
        return _reopen(folder, request, who=who)
    raise UsageError(f"{base}: too many workspaces of this name; give one with --workspace.")


def _is_vacant(folder: Path) -> bool:
    """Whether a workspace can be made here: nothing is, or an empty folder."""
    return not is_there(folder) or (is_folder(folder) and not any(folder.iterdir()))


def _is_workspace_of(folder: Path, benchmark: str) -> bool:
    if not is_there(folder / "workspace.json"):
        return False
    with Workspace.open(folder, access="read") as workspace:
        return workspace.is_of(benchmark)


def _why_left_alone(folder: Path, settings: Settings) -> str | None:
    """Say what a person put into a workspace that a run must not change unasked; None if nothing.

    Looked at without the lock: one that is being reviewed just now is left alone like any other.
    """
    with Workspace.open(folder, access="read") as workspace:
        if n := len(workspace.decisions):
            return f"{n:,} {'decision was' if n == 1 else 'decisions were'} made in it"
        if _said_of_scope(workspace.settings) - _said_of_scope(settings):
            return "it has a scope that this run was not given"
    return None


def _said_of_scope(settings: Settings) -> set[str]:
    """Return each thing that was said of the scope, in a form that can be compared."""
    from benchdesign.records import plain
    from benchdesign.scope import Scope

    # The interface keeps every part of a scope, also those that nobody touched.
    unsaid = plain(Scope())
    return {
        json.dumps([name, one])
        for name, said in plain(settings.scope).items()
        for one in (said if isinstance(said, list) else [said])
        if said != unsaid.get(name)
    }


def _reopen(folder: Path, request: RunRequest, *, who: str) -> Workspace:
    """Open the workspace in a folder with the request's settings, or make it."""
    if _is_vacant(folder):
        return Workspace.create(
            folder, request.benchmark, pool=request.pool, settings=request.settings, who=who
        )
    workspace = Workspace.open(folder, who=who)
    workspace.change_settings(request.settings)
    if not workspace.has_pool(request.pool):
        workspace.change_pool(request.pool)
    return workspace


def _stem(path: str) -> str:
    name = path.rstrip("/").rpartition("/")[2] or "benchmark"
    if path.startswith("hf:"):
        return name
    stem = name.split(".")[0] if not name.startswith(".") else name.lstrip(".").split(".")[0]
    return stem or "benchmark"


def _program() -> str:
    """Return how this program is called here: `make demo` leaves it in a folder of its own."""
    called = Path(sys.argv[0])
    is_elsewhere = called.name == "benchdesign" and shutil.which("benchdesign") is None
    return shlex.quote(str(called)) if is_elsewhere else "benchdesign"


def _why_nothing(analysis: Analysis) -> str:
    from benchdesign.candidates import passed_over

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


def _print_revision(
    analysis: Analysis, revision: Revision, workspace: Path, *, as_json: bool, quiet: bool
) -> None:
    folder = revision.folder or Path()
    if as_json:
        print_json(_summary(revision, workspace))
    if as_json or quiet:
        return
    before, after = revision.figures_before, revision.figures_after
    gaps = int(analysis.gaps.is_gap.sum())
    lapsed = revision.n_gaps_lapsed
    besides = f"; {lapsed} more called gaps no longer, with nothing added" if lapsed else ""
    removed = f", {len(revision.removed)} removed" if revision.removed else ""
    command = f"{_program()} open {shlex.quote(str(workspace))}"
    changes = f"{len(revision.added)} added{removed}, {revision.n_items:,} now"
    print_lines(
        f"{analysis.benchmark.name}: {before.n_items:,} items, {changes}",
        f"  covered     {share(before.covered_share)} -> {share(after.covered_share)} "
        "of the concepts that can be judged"
        if before.n_tested or after.n_tested
        else "  covered     not known: no concept is common enough to be judged",
        f"  judged      {before.n_tested:,} -> {after.n_tested:,} "
        f"of {before.n_in_scope:,} concepts in scope; the others are too rare to tell",
        f"  missing     {before.n_missing} -> {after.n_missing}",
        f"  under       {before.n_under} -> {after.n_under}",
        f"  gaps closed {revision.n_gaps_closed} of {gaps}, no longer short by more than chance"
        f"{besides}",
        "",
        f"Revised benchmark  {folder / revision.files[0]}",
        f"Report             {folder / 'report.html'}",
        f"Manifest           {folder / 'revision.json'}",
        f"Review it          {command}",
    )
    if gaps and not analysis.settings.scope:
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
