"""A dictionary with another table: written in its own folder, or as a copy beside its weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchdesign.dictionary import ConceptTable, Dictionary, Level
from benchdesign.errors import UsageError
from benchdesign.mapping.folders import check_folder, put_in_place

__all__ = ["check_target", "store_changed"]


def check_target(dictionary: Dictionary, folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that the changed dictionary cannot be written to."""
    from benchdesign.mapping.dictionaries import SUMMARY

    if not _is_own(dictionary, folder):
        check_folder(folder, overwrite=overwrite)
    elif not (folder / SUMMARY).is_file():
        raise UsageError(
            f"{folder}: a plain sae-lens folder has no place for a table; give --out DIR."
        )


def store_changed(
    dictionary: Dictionary,
    folder: Path,
    *,
    table: ConceptTable,
    length_edges: tuple[int, ...] | None = None,
    notes: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Dictionary:
    """Write the dictionary with this table to `folder` and return it.

    `folder` is the dictionary's own, or a new one that gets a copy of the weights. `notes` are
    added to what is recorded of how the dictionary was made.
    """
    from benchdesign.mapping.dictionaries import SUMMARY, save_dictionary

    check_target(dictionary, folder, overwrite=overwrite)
    home = _home(dictionary)
    recipe: dict[str, Any] = {}
    name = dictionary.name
    if home is not None and (home / SUMMARY).is_file():
        summary = json.loads((home / SUMMARY).read_text(encoding="utf-8"))
        recipe, name = summary.get("recipe", {}), summary.get("name", name)
    recipe = recipe | dict(notes or {})
    edges = dictionary.length_edges if length_edges is None else length_edges
    changed = replace(dictionary, table=table, name=name, length_edges=edges)
    if _is_own(dictionary, folder):
        save_dictionary(changed, folder, recipe=recipe)
        return changed
    fresh = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    changed = _copy_levels(changed, fresh)
    save_dictionary(changed, fresh, recipe=recipe)
    put_in_place(fresh, folder)
    return replace(
        changed,
        levels=tuple(replace(level, folder=folder / level.name) for level in changed.levels),
    )


def _is_own(dictionary: Dictionary, folder: Path) -> bool:
    home = _home(dictionary)
    return home is not None and home.resolve() == folder.resolve()


def _home(dictionary: Dictionary) -> Path | None:
    """Return the folder that holds the dictionary."""
    from benchdesign.mapping.dictionaries import SUMMARY

    folder = dictionary.levels[0].folder
    if folder is None:
        return None
    return folder.parent if (folder.parent / SUMMARY).is_file() else folder


def _copy_levels(dictionary: Dictionary, folder: Path) -> Dictionary:
    from benchdesign.mapping.dictionaries import level_files

    levels: list[Level] = []
    for level in dictionary.levels:
        if level.folder is None:
            raise UsageError(f"{dictionary.name}: has no weights to copy.")
        inside = folder / level.name
        inside.mkdir(parents=True, exist_ok=True)
        for file in level_files(level.folder):
            shutil.copyfile(file, inside / file.name)
        levels.append(replace(level, folder=inside))
    return replace(dictionary, levels=tuple(levels))
