"""Data classes to files and back, by their type hints: JSON, or a bundle of JSON and arrays.

For what a workspace keeps (settings, proposals, evidence, coverage, gaps). Never pickle.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import types
import typing
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from benchdesign.regular import open_regular, read_regular_text

__all__ = ["load_bundle", "plain", "read_json", "revive", "save_bundle", "write_json"]

T = TypeVar("T")

_ARRAY = "__array__"
_NAMES = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


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
    return typing.cast("T", _revive(kind, _with_arrays(data, arrays) if arrays else data))


def _with_arrays(data: Any, arrays: Mapping[str, Any]) -> Any:
    if isinstance(data, dict):
        if _ARRAY in data:
            return arrays[data[_ARRAY]]
        return {key: _with_arrays(one, arrays) for key, one in data.items()}
    if isinstance(data, list):
        return [_with_arrays(one, arrays) for one in data]
    return data


def _revive(kind: Any, data: Any) -> Any:
    origin = get_origin(kind)
    # NaN and infinities were written as null.
    if kind is Any or hasattr(data, "dtype") or (data is None and kind is float):
        return data
    if origin in (typing.Union, types.UnionType):
        return _revive_one_of(get_args(kind), data)
    if origin is typing.Literal:
        return _fitting(data, data in get_args(kind), kind)
    if origin is tuple:
        inner = get_args(kind)
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(_revive(inner[0], one) for one in _list(data))
        return tuple(_revive(one, part) for one, part in zip(inner, _list(data), strict=True))
    if origin is not None and issubclass(origin, Mapping):
        key, inner_value = get_args(kind)
        return {_revive_key(key, k): _revive(inner_value, v) for k, v in _dict(data).items()}
    if origin is not None and issubclass(origin, Sequence):
        return tuple(_revive(get_args(kind)[0], one) for one in _list(data))
    if origin in (set, frozenset):
        return frozenset(_revive(get_args(kind)[0], one) for one in _list(data))
    return _revive_class(kind, data)


def _revive_one_of(kinds: tuple[Any, ...], data: Any) -> Any:
    """Take the first kind that fits; None only where it is one of them."""
    if data is None and type(None) in kinds:
        return None
    given = [one for one in kinds if one is not type(None)]
    for one in given[:-1]:
        with contextlib.suppress(KeyError, TypeError, ValueError):
            return _revive(one, data)
    return _revive(given[-1], data)


def _revive_class(kind: Any, data: Any) -> Any:
    if not isinstance(kind, type):
        return data
    if is_dataclass(kind):
        hints, data = _hints(kind), _dict(data)
        known = {one.name for one in fields(kind) if one.init}
        return kind(**{name: _revive(hints[name], data[name]) for name in known if name in data})
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        hints, data = _hints(kind), _list(data)
        return kind(*(_revive(hints[n], one) for n, one in zip(kind._fields, data, strict=True)))
    if issubclass(kind, Enum | Path):
        return kind(data)
    if kind in (int, float):
        return kind(_fitting(data, _is_number(data, whole=kind is int), kind))
    if kind in (str, bool):
        return _fitting(data, isinstance(data, kind), kind)
    return data


def _revive_key(kind: Any, text: Any) -> Any:
    """Read the key of an object, which JSON has as text whatever it was."""
    return kind(text) if kind in (int, float) else _revive(kind, text)


def _is_number(data: Any, *, whole: bool) -> bool:
    if isinstance(data, float):
        return data.is_integer() or not whole
    return isinstance(data, int) and not isinstance(data, bool)


def _list(data: Any) -> Any:
    return _fitting(data, isinstance(data, list | tuple), list)


def _dict(data: Any) -> Any:
    return _fitting(data, isinstance(data, dict), dict)


def _fitting(data: Any, fits: bool, kind: Any) -> Any:
    if not fits:
        wanted = _NAMES.get(kind, str(kind))
        raise TypeError(f"{json.dumps(data, default=str)[:60]} where {wanted} should be")
    return data


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
        with open_regular(path) as handle, np.load(handle, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (zipfile.BadZipFile, EOFError) as problem:
        raise ValueError(str(problem)) from None
    return revive(kind, json.loads(arrays.pop("json").tobytes()), arrays=arrays)


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON with sorted keys, all or nothing."""
    text = json.dumps(plain(value), ensure_ascii=True, sort_keys=True, indent=2)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as handle:
            handle.write(text + "\n")
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """Read a JSON file; raises OSError or ValueError."""
    try:
        return json.loads(read_regular_text(path))
    except RecursionError:
        raise ValueError("nested too deeply") from None
