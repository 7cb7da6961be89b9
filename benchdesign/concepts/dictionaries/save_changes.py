"""Save a dictionary with a changed table: in its own folder, or as a copy with its weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchdesign.concepts.dictionaries.dictionary import ConceptTable, Dictionary, Level
from benchdesign.concepts.dictionaries.folder import SUMMARY, level_files, save_dictionary
from benchdesign.concepts.dictionaries.output_folder import check_folder, replace_folder
from benchdesign.errors import UsageError

__all__ = ["check_target", "save_changed_dictionary"]


def check_target(dictionary: Dictionary, folder: Path, *, overwrite: bool) -> None:
    """Raise if the changed dictionary cannot be written to this folder."""
    if not _is_own(dictionary, folder):
        check_folder(folder, overwrite=overwrite)
    elif not (folder / SUMMARY).is_file():
        raise UsageError(f"{folder}: a plain sae-lens folder cannot store a table; add --out DIR.")


def save_changed_dictionary(
    dictionary: Dictionary,
    folder: Path,
    *,
    table: ConceptTable,
    length_edges: tuple[int, ...] | None = None,
    notes: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Dictionary:
    """Write the dictionary with this table to `folder` and return it.

    `folder` is the dictionary's own folder, or a new one, to which the weights are copied. `notes`
    are added to the recipe in dictionary.json.
    """
    check_target(dictionary, folder, overwrite=overwrite)
    root = _root_folder(dictionary)
    recipe: dict[str, Any] = {}
    name = dictionary.name
    if root is not None and (root / SUMMARY).is_file():
        summary = json.loads((root / SUMMARY).read_text(encoding="utf-8"))
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
    replace_folder(fresh, folder)
    return replace(
        changed,
        levels=tuple(replace(level, folder=folder / level.name) for level in changed.levels),
    )


def _is_own(dictionary: Dictionary, folder: Path) -> bool:
    root = _root_folder(dictionary)
    return root is not None and root.resolve() == folder.resolve()


def _root_folder(dictionary: Dictionary) -> Path | None:
    """Return the root folder of the dictionary, None if it is not on disk."""
    folder = dictionary.levels[0].folder
    if folder is None:
        return None
    return folder.parent if (folder.parent / SUMMARY).is_file() else folder


def _copy_levels(dictionary: Dictionary, folder: Path) -> Dictionary:

    levels: list[Level] = []
    for level in dictionary.levels:
        if level.folder is None:
            raise UsageError(f"{dictionary.name}: has no weights to copy.")
        level_folder = folder / level.name
        level_folder.mkdir(parents=True, exist_ok=True)
        for file in level_files(level.folder):
            shutil.copyfile(file, level_folder / file.name)
        levels.append(replace(level, folder=level_folder))
    return replace(dictionary, levels=tuple(levels))
