"""The workspace of a run."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

from benchdesign.cli.actions.run_request import RunRequest, benchmark_stem
from benchdesign.cli.output import Messages
from benchdesign.coverage.scope import Scope
from benchdesign.errors import UsageError
from benchdesign.foundation.number_words import plural
from benchdesign.foundation.paths import expand_home, is_folder, path_exists
from benchdesign.foundation.serialization import to_json
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.workspace import Workspace

__all__ = ["run_workspace"]

_MAX_FOLDERS = 1000


def run_workspace(request: RunRequest, out: Path, *, who: str, messages: Messages) -> Workspace:
    """Open the workspace of an earlier run on the same benchmark, or create one beside the output.

    A workspace that holds a person's work is left alone unless `--workspace` names it.
    """
    if request.output.workspace is not None:
        folder = expand_home(request.output.workspace)
        if not _is_vacant(folder) and not _is_workspace_of(folder, request.benchmark):
            raise UsageError(
                f"--workspace {request.output.workspace}: holds another benchmark; "
                "give another folder."
            )
        return _reopen(folder, request, who=who)
    base = out.parent / f"{benchmark_stem(request.benchmark)}-workspace"
    left_alone: dict[Path, str] = {}
    for number in range(1, _MAX_FOLDERS):
        folder = base if number == 1 else base.with_name(f"{base.name}-{number}")
        if not _is_vacant(folder):
            if not _is_workspace_of(folder, request.benchmark):
                continue
            if reason := _reason_to_leave_alone(folder, request.settings):
                left_alone[folder] = reason
                continue
        if left_alone:
            reasons = "; ".join(
                f"{path} is left as it is: {reason}" for path, reason in left_alone.items()
            )
            first = shlex.quote(str(next(iter(left_alone))))
            messages.say(
                f"note: {reasons}. This run keeps its results in {folder}; "
                f"--workspace {first} uses it nevertheless."
            )
        return _reopen(folder, request, who=who)
    raise UsageError(f"{base}: too many workspaces of this name; give one with --workspace.")


def _is_vacant(folder: Path) -> bool:
    """Whether a workspace can be created here: the path is free, or an empty folder."""
    return not path_exists(folder) or (is_folder(folder) and not any(folder.iterdir()))


def _is_workspace_of(folder: Path, benchmark: str) -> bool:
    if not path_exists(folder / "workspace.json"):
        return False
    with Workspace.open(folder, access="read") as workspace:
        return workspace.is_for_benchmark(benchmark)


def _reason_to_leave_alone(folder: Path, settings: Settings) -> str | None:
    """Return what a person put into a workspace that a run must not change; None for nothing.

    The workspace is read without its lock: one under review is left alone like any other.
    """
    with Workspace.open(folder, access="read") as workspace:
        if n := len(workspace.decisions):
            return f"{plural(n, 'decision was', 'decisions were')} made in it"
        if _scope_statements(workspace.settings) - _scope_statements(settings):
            return "it has a scope that this run was not given"
    return None


def _scope_statements(settings: Settings) -> set[str]:
    """Return each statement of the scope as JSON, for comparison."""
    # The interface also stores the parts of a scope that are at their defaults.
    defaults = to_json(Scope())
    return {
        json.dumps([name, part])
        for name, value in to_json(settings.scope).items()
        for part in (value if isinstance(value, list) else [value])
        if value != defaults.get(name)
    }


def _reopen(folder: Path, request: RunRequest, *, who: str) -> Workspace:
    """Open the workspace in a folder with the request's settings, or create it."""
    if _is_vacant(folder):
        return Workspace.create(
            folder, request.benchmark, pool=request.pool, settings=request.settings, who=who
        )
    workspace = Workspace.open(folder, who=who)
    # A workspace from before wrappers were masked keeps the content that its results are about.
    mask = workspace.settings.mask_wrappers
    workspace.change_settings(replace(request.settings, mask_wrappers=mask))
    if not workspace.has_pool(request.pool):
        workspace.change_pool(request.pool)
    return workspace
