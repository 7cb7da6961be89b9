"""The reader that the settings of a workspace ask for."""

from __future__ import annotations

from pathlib import Path

from benchdesign.concepts.mapping.reader import Reader, usable_cache
from benchdesign.foundation.progress import ProgressCallback, StopCheck
from benchdesign.workspace.workspace import Workspace

__all__ = ["reader_of"]


def reader_of(
    workspace: Workspace,
    *,
    cache: Path | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> Reader:
    """Return the reader of a workspace; it opens the model only for items not in the cache."""
    folder = usable_cache(cache, workspace.folder / "cache")
    return Reader(workspace.settings, cache=folder, progress=progress, stop=stop)
