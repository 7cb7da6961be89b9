"""The reader that the settings of a workspace ask for."""

from __future__ import annotations

from pathlib import Path

from benchdesign.concepts.mapping.reader import ItemMapper, choose_cache_folder
from benchdesign.foundation.progress import ProgressCallback, StopCheck
from benchdesign.workspace.workspace import Workspace

__all__ = ["reader_of"]


def reader_of(
    workspace: Workspace,
    *,
    cache: Path | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> ItemMapper:
    """Return the reader of a workspace; it opens the model only for items not in the cache."""
    folder = choose_cache_folder(cache, workspace.folder / "cache")
    return ItemMapper(workspace.settings, cache=folder, progress=progress, stop=stop)
