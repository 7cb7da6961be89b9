"""Files of example contexts, one list for every concept."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchdesign.concepts.dictionaries.dictionary import Dictionary, Level
from benchdesign.concepts.dictionaries.folder import WEIGHTS
from benchdesign.concepts.training.contexts import ConceptContexts, Context
from benchdesign.errors import InputError
from benchdesign.foundation.atomic_files import whole_files
from benchdesign.foundation.paths import is_gzip, open_lines

__all__ = ["assign_concept_ids", "digest_of", "read_contexts", "write_contexts"]


def write_contexts(contexts: Iterable[ConceptContexts], path: Path, **columns: Any) -> None:
    """Write one JSON line per concept atomically; gzip if the name ends in .gz.

    `columns` are added to each line: sequences indexed by concept id.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_files(path) as (fresh,), fresh.open("wb") as raw:
        # A fixed time in the gzip header, so that equal runs write equal bytes.
        stream = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if is_gzip(path) else raw
        for entry in contexts:
            record = asdict(entry) | {
                name: column[entry.concept_id] for name, column in columns.items()
            }
            stream.write(json.dumps(record, ensure_ascii=False, sort_keys=True).encode() + b"\n")
        if stream is not raw:
            stream.close()


def read_contexts(path: Path) -> Iterator[ConceptContexts]:
    """Yield the contexts in a file written by `write_contexts`."""
    try:
        with open_lines(path) as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    record = json.loads(line)
                    yield ConceptContexts(
                        concept_id=int(record["concept_id"]),
                        level=str(record["level"]),
                        weights=str(record.get("weights", "")),
                        **{
                            name: tuple(Context(**context) for context in record[name])
                            for name in (
                                "strong",
                                "middle",
                                "absent",
                                "scored_present",
                                "scored_absent",
                            )
                        },
                    )
                except (ValueError, KeyError, TypeError):
                    raise InputError(
                        f"{path}:{number}: not a line of contexts; create the file with "
                        "`benchdesign dictionary train --contexts`."
                    ) from None
    except (OSError, EOFError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise InputError(f"{path}: cannot be read ({reason}); check the path.") from None


def assign_concept_ids(
    contexts: Iterable[ConceptContexts], dictionary: Dictionary, *, path: Path
) -> list[ConceptContexts]:
    """Convert the concept ids in contexts to those of a dictionary; `path` is named in errors.

    Joining levels changes their ids, so they differ from those in the run that wrote the contexts.
    """
    by_level: dict[str, list[ConceptContexts]] = {}
    for entry in contexts:
        by_level.setdefault(entry.level, []).append(entry)
    levels = {level.name: level for level in dictionary.levels}
    converted: list[ConceptContexts] = []
    for name, entries in by_level.items():
        level = levels.get(name)
        # The dictionary may lack a level of the training run, or have another one of that name.
        if level is None or entries[0].weights not in ("", digest_of(level)):
            continue
        lowest = min(entry.concept_id for entry in entries)
        shift = level.offset - lowest if len(entries) == level.width else 0
        converted += [replace(entry, concept_id=entry.concept_id + shift) for entry in entries]
        if any(
            not 0 <= entry.concept_id - level.offset < level.width
            for entry in converted[-len(entries) :]
        ):
            raise InputError(f"{path}: made for another dictionary; create it again.")
    if not converted:
        raise InputError(
            f"{path}: made for another dictionary; use the file of the run that made this one."
        )
    return sorted(converted, key=lambda entry: entry.concept_id)


def digest_of(level: Level) -> str:
    """Return the value of `weights` for contexts of a level; empty for a level without weights."""
    if level.folder is None:
        return ""
    with (level.folder / WEIGHTS).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]
