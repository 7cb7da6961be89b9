"""The item mapper that the settings of a workspace ask for."""

from __future__ import annotations

from pathlib import Path

from benchdesign.concepts.mapping.item_mapper import ItemMapper, choose_cache_folder
from benchdesign.concepts.mapping.model_settings import ModelSettings
from benchdesign.foundation.progress import ProgressCallback, StopCheck
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.workspace import Workspace

__all__ = ["model_settings", "open_item_mapper"]


def open_item_mapper(
    workspace: Workspace,
    *,
    cache: Path | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> ItemMapper:
    """Return the mapper of a workspace; it opens the model only for items not in the cache."""
    folder = choose_cache_folder(cache, workspace.folder / "cache")
    return ItemMapper(
        model_settings(workspace.settings), cache=folder, progress=progress, stop=stop
    )


def model_settings(settings: Settings) -> ModelSettings:
    """Return the part of the settings that chooses the model and the dictionary."""
    return ModelSettings(
        model=settings.model,
        dictionary=settings.dictionary,
        device=settings.device,
        dtype=settings.dtype,
        hook_module=settings.hook_module,
        chat=settings.chat,
    )
