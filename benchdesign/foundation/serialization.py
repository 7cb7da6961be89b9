"""Files of data classes: JSON, or a bundle of JSON and arrays.

For the files of a workspace (settings, proposals, evidence, coverage, gaps). Never pickle.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any, TypeVar

from benchdesign.foundation.atomic_files import whole_files, write_atomically
from benchdesign.foundation.paths import open_regular, read_regular_text

__all__ = [
    "from_json",
    "json_text",
    "load_bundle",
    "read_json",
    "save_bundle",
    "to_json",
    "write_json",
]

T = TypeVar("T")

_ARRAY = "__array__"


def to_json(value: object) -> Any:
    """Return a value as JSON types; NaN and infinities become None."""
    from benchdesign.foundation.converter import unstructure

    return unstructure(value)


def from_json(kind: type[T], data: Any, *, path: str = "") -> T:
    """Return a value from the output of `to_json`; unknown keys are ignored.

    Raises ValueError, which names the part of the data at `path` that does not fit the type.
    """
    from benchdesign.foundation.converter import structure

    return structure(kind, data, path=path)


def save_bundle(path: Path, value: object) -> None:
    """Write a data class with its numpy arrays to one `.npz` file, atomically."""
    import numpy as np

    from benchdesign.foundation.converter import unstructure_with_arrays

    arrays: dict[str, Any] = {}

    def store(array: Any) -> dict[str, str]:
        name = f"array{len(arrays)}"
        arrays[name] = array
        return {_ARRAY: name}

    # Arrays are numbered in the order of the fields, keys are sorted afterwards.
    content = json.loads(json.dumps(unstructure_with_arrays(value), default=store))
    text = json.dumps(content, ensure_ascii=True, sort_keys=True)
    with whole_files(path) as (temporary,), temporary.open("wb") as stream:
        np.savez(stream, json=np.frombuffer(text.encode("ascii"), dtype=np.uint8), **arrays)


def load_bundle(path: Path, kind: type[T]) -> T:
    """Read a file of `save_bundle`; raises OSError, KeyError, TypeError or ValueError."""
    import numpy as np

    try:
        with open_regular(path) as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, EOFError) as problem:
        raise ValueError(str(problem)) from None

    def restore(entry: dict[str, Any]) -> Any:
        return arrays[entry[_ARRAY]] if _ARRAY in entry else entry

    return from_json(kind, json.loads(arrays.pop("json").tobytes(), object_hook=restore))


def json_text(value: object) -> str:
    """Return a value as JSON with sorted keys and a final newline."""
    return json.dumps(to_json(value), ensure_ascii=True, sort_keys=True, indent=2) + "\n"


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON with sorted keys, atomically."""
    write_atomically(path, json_text(value), synced=True)


def read_json(path: Path) -> Any:
    """Read a JSON file; raises OSError or ValueError."""
    try:
        return json.loads(read_regular_text(path))
    except RecursionError:
        raise ValueError("nested too deeply") from None
