"""The workspace that `run` works in."""

from __future__ import annotations

import json
import shlex
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

__all__ = []


def run_workspace(request: RunRequest, out: Path, *, who: str, talk: Messages) -> Workspace:
    """Open the workspace of an earlier run on the same benchmark, or make one beside the output."""
    if request.workspace is not None:
        folder = expand_home(request.workspace)
        if not _is_vacant(folder) and not _is_workspace_of(folder, request.benchmark):
            raise UsageError(
                f"--workspace {request.workspace}: holds another benchmark; give another folder."
            )
        return _reopen(folder, request, who=who)
    base = out.parent / f"{benchmark_stem(request.benchmark)}-workspace"
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
    return not path_exists(folder) or (is_folder(folder) and not any(folder.iterdir()))


def _is_workspace_of(folder: Path, benchmark: str) -> bool:
    if not path_exists(folder / "workspace.json"):
        return False
    with Workspace.open(folder, access="read") as workspace:
        return workspace.is_of(benchmark)


def _why_left_alone(folder: Path, settings: Settings) -> str | None:
    """Say what a person put into a workspace that a run must not change unasked; None if nothing.

    Looked at without the lock: one that is being reviewed just now is left alone like any other.
    """
    with Workspace.open(folder, access="read") as workspace:
        if n := len(workspace.decisions):
            return f"{plural(n, 'decision was', 'decisions were')} made in it"
        if _said_of_scope(workspace.settings) - _said_of_scope(settings):
            return "it has a scope that this run was not given"
    return None


def _said_of_scope(settings: Settings) -> set[str]:
    """Return each thing that was said of the scope, in a form that can be compared."""
    # The interface keeps every part of a scope, also those that nobody touched.
    unsaid = to_json(Scope())
    return {
        json.dumps([name, one])
        for name, said in to_json(settings.scope).items()
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
