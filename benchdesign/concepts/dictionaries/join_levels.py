"""Join levels from separate training runs into one dictionary.

Statistics and labels are copied; concept ids follow the order of the levels.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from benchdesign.concepts.dictionaries.dictionary import ConceptTable, Dictionary, Level
from benchdesign.concepts.dictionaries.folder import (
    SUMMARY,
    fingerprint,
    level_files,
    save_dictionary,
)
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.dictionaries.output_folder import check_folder, replace_folder
from benchdesign.errors import DictionaryError, UsageError

__all__ = ["LevelSource", "join_levels"]


@dataclass(frozen=True, slots=True, eq=False)
class LevelSource:
    """A level and its source dictionary."""

    name: str
    """Name of the level in the new dictionary."""

    source: Dictionary
    level: Level

    @classmethod
    def parse(cls, text: str) -> LevelSource:
        """Parse `NAME=DICTIONARY`; the level of a one-level dictionary is renamed to `NAME`."""
        name, equals, spec = text.partition("=")
        if not equals or not spec or not name.replace("-", "").replace("_", "").isalnum():
            raise UsageError(f"--level {text!r}: must be NAME=DICTIONARY.")
        source = load_dictionary(spec)
        levels = [level for level in source.levels if level.name == name]
        if not levels and len(source.levels) == 1:
            levels = list(source.levels)
        if not levels:
            names = ", ".join(level.name for level in source.levels)
            raise UsageError(f"--level {text}: {spec} has no level {name}; it has {names}.")
        return cls(name, source, levels[0])


def join_levels(
    parts: Sequence[LevelSource], out: Path, *, name: str | None = None, overwrite: bool = False
) -> Dictionary:
    """Write a dictionary of these levels to `out`; their model must be the same."""
    _check(parts, out, overwrite=overwrite)
    fresh = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    levels: list[Level] = []
    offset = 0
    for part in parts:
        folder = fresh / part.name
        folder.mkdir(parents=True)
        for file in level_files(_folder_of(part)):
            shutil.copyfile(file, folder / file.name)
        levels.append(replace(part.level, name=part.name, offset=offset, folder=folder))
        offset += part.level.width
    first = parts[0].source
    joined = Dictionary(
        name=name or out.name,
        model=first.model,
        levels=tuple(levels),
        table=_join_tables(parts),
        length_edges=first.length_edges,
        fingerprint=fingerprint(first.model, levels),
    )
    save_dictionary(
        joined, fresh, recipe={"joined": {part.name: _recipe_of(part) for part in parts}}
    )
    replace_folder(fresh, out)
    return replace(
        joined, levels=tuple(replace(level, folder=out / level.name) for level in levels)
    )


def _check(parts: Sequence[LevelSource], out: Path, *, overwrite: bool) -> None:
    if len(parts) < 2:
        raise UsageError("Pass two or more --level NAME=DICTIONARY.")
    names = [part.name for part in parts]
    if len(set(names)) < len(names):
        raise UsageError("Two levels have the same name; level names must be unique.")
    first = parts[0]
    for part in parts:
        _folder_of(part)
        if part.source.model != first.source.model:
            raise DictionaryError(
                f"{part.name}: reads {part.source.model or 'an unnamed model'}, but {first.name} "
                f"reads {first.source.model or 'an unnamed model'}; join levels of the same model."
            )
        if part.source.length_edges != first.source.length_edges:
            raise DictionaryError(
                f"{part.name}: its length bins differ from those of {first.name}; "
                "train both with the same version of benchdesign."
            )
    check_folder(out, overwrite=overwrite)


def _folder_of(part: LevelSource) -> Path:
    if part.level.folder is None:
        raise UsageError(f"{part.source.name}: has no weights to copy.")
    return part.level.folder


def _join_tables(parts: Sequence[LevelSource]) -> ConceptTable:
    import numpy as np

    columns: dict[str, Any] = {}
    for field in fields(ConceptTable):
        pieces = [
            getattr(part.source.table, field.name)[
                part.level.offset : part.level.offset + part.level.width
            ]
            for part in parts
        ]
        if isinstance(pieces[0], tuple):
            columns[field.name] = tuple(value for piece in pieces for value in piece)
        else:
            columns[field.name] = np.concatenate(pieces)
    widths = [part.level.width for part in parts]
    columns["level"] = np.repeat(np.arange(len(parts), dtype=np.int8), widths)
    return ConceptTable(**columns)


def _recipe_of(part: LevelSource) -> dict[str, Any]:
    """Return the recipe of the level, without those of other levels in its dictionary."""
    file = _folder_of(part).parent / SUMMARY
    if not file.is_file():
        return {}
    recipe: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")).get("recipe", {})
    if "joined" in recipe:
        level_recipe: dict[str, Any] = recipe["joined"].get(part.level.name, {})
        return level_recipe
    name = part.level.name
    report = recipe.get("report", {})
    return recipe | {
        "levels": [level for level in recipe.get("levels", []) if level.get("name") == name],
        "report": {
            **report,
            "levels": [level for level in report.get("levels", []) if level.get("level") == name],
        },
    }
