"""Data classes to files and back, by their type hints: JSON, or a bundle of JSON and arrays.

For what a workspace keeps (settings, proposals, evidence, coverage, gaps). Never pickle.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import types
import typing
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

__all__ = [
    "json_text",
    "load_bundle",
    "plain",
    "read_json",
    "revive",
    "save_bundle",
    "write_json",
]

T = TypeVar("T")

_ARRAY = "__array__"


def plain(value: Any, *, arrays: dict[str, Any] | None = None) -> Any:
    """Return a value as JSON types; NaN and infinities become None.

    With `arrays`, numpy arrays go there under a new name that takes their place, and NaN stays.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name), arrays=arrays) for one in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if arrays is not None or value - value == 0 else None
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one, arrays=arrays) for key, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(plain(one) for one in value)
    if isinstance(value, Sequence):
        return [plain(one, arrays=arrays) for one in value]
    if hasattr(value, "tolist"):  # numpy, without importing it
        if arrays is not None and value.ndim:
            name = f"array{len(arrays)}"
            arrays[name] = value
            return {_ARRAY: name}
        return plain(value.tolist())
    raise TypeError(f"cannot be written as JSON: {type(value).__name__}")


def revive(kind: type[T], data: Any, *, arrays: Mapping[str, Any] | None = None) -> T:
    """Build a data class from what `plain` made of it; unknown keys are ignored.

    Raises KeyError, TypeError or ValueError where the data does not fit.
    """
    wanted: Any = kind
    return typing.cast("T", _reviver(wanted)(_with_arrays(data, arrays) if arrays else data))


def _with_arrays(data: Any, arrays: Mapping[str, Any]) -> Any:
    if isinstance(data, dict):
        if _ARRAY in data:
            return arrays[data[_ARRAY]]
        return {key: _with_arrays(one, arrays) for key, one in data.items()}
    if isinstance(data, list):
        return [_with_arrays(one, arrays) for one in data]
    return data


@functools.cache
def _reviver(kind: Any) -> Callable[[Any], Any]:
    """Return what builds a value of a type; asked of a type once, as bundles hold thousands."""
    build = _builder(kind)
    if build is None:
        return lambda data: data
    return lambda data: data if data is None or hasattr(data, "dtype") else build(data)


def _builder(kind: Any) -> Callable[[Any], Any] | None:
    """Return what builds a value that is neither None nor an array; None where nothing has to."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _reviver(next(one for one in inner if one is not type(None)))
    if origin is tuple and not (len(inner) == 2 and inner[1] is Ellipsis):
        parts = [_reviver(one) for one in inner]
        return lambda data: tuple(one(part) for one, part in zip(parts, data, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, value = map(_reviver, inner)
        return lambda data: {key(k): value(v) for k, v in data.items()}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        each = _reviver(inner[0])
        return lambda data: tuple([each(one) for one in data])
    if origin in (set, frozenset):
        each = _reviver(inner[0])
        return lambda data: frozenset([each(one) for one in data])
    return _class_builder(kind) if isinstance(kind, type) else None


def _class_builder(kind: type) -> Callable[[Any], Any] | None:
    make: Any = kind
    if is_dataclass(kind):
        # The types of fields are looked at later: a class may hold itself.
        names = [one.name for one in fields(kind) if one.init]
        return lambda data: make(
            **{name: _field(make, name)(data[name]) for name in names if name in data}
        )
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        places = make._fields
        return lambda data: make(
            *(_field(make, name)(one) for name, one in zip(places, data, strict=True))
        )
    return kind if issubclass(kind, Enum | Path | float | int) and kind is not bool else None


@functools.cache
def _field(kind: type, name: str) -> Callable[[Any], Any]:
    return _reviver(_hints(kind)[name])


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    try:
        return get_type_hints(kind)
    except NameError:
        # Names imported for type checkers only are arrays and the like, which need no reviving.
        scope = vars(sys.modules[kind.__module__])
        return {name: _hint(text, scope) for name, text in kind.__annotations__.items()}


def _hint(text: Any, scope: dict[str, Any]) -> Any:
    try:
        return typing.get_type_hints(type("One", (), {"__annotations__": {"it": text}}), scope)[
            "it"
        ]
    except NameError:
        return Any


def save_bundle(path: Path, value: object) -> None:
    """Write a data class with its numpy arrays as one `.npz` file, all or nothing."""
    import numpy as np

    arrays: dict[str, Any] = {}
    text = json.dumps(plain(value, arrays=arrays), ensure_ascii=True, sort_keys=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as handle:
            np.savez(handle, json=np.frombuffer(text.encode("ascii"), dtype=np.uint8), **arrays)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_bundle(path: Path, kind: type[T]) -> T:
    """Read what `save_bundle` wrote; raises OSError, KeyError, TypeError or ValueError."""
    import numpy as np

    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (zipfile.BadZipFile, EOFError) as problem:
        raise ValueError(str(problem)) from None
    return revive(kind, json.loads(arrays.pop("json").tobytes()), arrays=arrays)


def json_text(value: object) -> str:
    """Return a value as JSON with sorted keys and a line end."""
    return json.dumps(plain(value), ensure_ascii=True, sort_keys=True, indent=2) + "\n"


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON with sorted keys, all or nothing."""
    text = json_text(value)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """Read a JSON file; raises OSError or ValueError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
