"""Data classes to files and back, by their type hints: JSON, or a bundle of JSON and arrays.

For what a workspace keeps (settings, proposals, evidence, coverage, gaps). Never pickle.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import types
import typing
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from benchdesign.regular import open_regular, read_regular_text
from benchdesign.whole_files import whole_files, write_whole

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
    return lambda data: data if hasattr(data, "dtype") else build(data)


def _builder(kind: Any) -> Callable[[Any], Any] | None:
    """Return what builds a value that is no array; None where anything will do."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _union_builder(inner)
    if origin is typing.Literal:
        return lambda data: _fitting(data, data in inner, kind)
    if origin is tuple and not (len(inner) == 2 and inner[1] is Ellipsis):
        parts = [_reviver(one) for one in inner]
        return lambda data: tuple(one(part) for one, part in zip(parts, _list(data), strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, value = _key_reviver(inner[0]), _reviver(inner[1])
        return lambda data: {key(k): value(v) for k, v in _dict(data).items()}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        each = _reviver(inner[0])
        return lambda data: tuple([each(one) for one in _list(data)])
    if origin in (set, frozenset):
        each = _reviver(inner[0])
        return lambda data: frozenset([each(one) for one in _list(data)])
    return _class_builder(kind) if isinstance(kind, type) else None


def _union_builder(kinds: tuple[Any, ...]) -> Callable[[Any], Any]:
    """Take the first kind that fits; None only where it is one of them."""
    *others, last = [_reviver(one) for one in kinds if one is not type(None)]
    or_none = type(None) in kinds

    def build(data: Any) -> Any:
        if data is None and or_none:
            return None
        for one in others:
            with contextlib.suppress(KeyError, TypeError, ValueError):
                return one(data)
        return last(data)

    return build


def _class_builder(kind: type) -> Callable[[Any], Any] | None:
    make: Any = kind
    if is_dataclass(kind):
        # The types of fields are looked at later: a class may hold itself.
        names = [one.name for one in fields(kind) if one.init]

        def build(data: Any) -> Any:
            held = _dict(data)
            return make(**{name: _field(make, name)(held[name]) for name in names if name in held})

        return build
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        places = make._fields
        return lambda data: make(
            *(_field(make, name)(one) for name, one in zip(places, _list(data), strict=True))
        )
    if issubclass(kind, Enum | Path):
        return kind
    return functools.partial(_scalar, kind) if kind in (str, bool, int, float) else None


def _scalar(kind: Any, data: Any) -> Any:
    # NaN and infinities were written as null.
    if data.__class__ is kind or (data is None and kind is float):
        return data
    return kind(_fitting(data, kind in (int, float) and _is_number(data, whole=kind is int), kind))


def _key_reviver(kind: Any) -> Callable[[Any], Any]:
    """Return what reads the keys of an object, which JSON has as text whatever they were."""
    return kind if kind in (int, float) else _reviver(kind)


@functools.cache
def _field(kind: type, name: str) -> Callable[[Any], Any]:
    return _reviver(_hints(kind)[name])


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
    with whole_files(path) as (fresh,), fresh.open("wb") as handle:
        np.savez(handle, json=np.frombuffer(text.encode("ascii"), dtype=np.uint8), **arrays)


def load_bundle(path: Path, kind: type[T]) -> T:
    """Read what `save_bundle` wrote; raises OSError, KeyError, TypeError or ValueError."""
    import numpy as np

    try:
        with open_regular(path) as handle, np.load(handle, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (zipfile.BadZipFile, EOFError) as problem:
        raise ValueError(str(problem)) from None
    return revive(kind, json.loads(arrays.pop("json").tobytes()), arrays=arrays)


def json_text(value: object) -> str:
    """Return a value as JSON with sorted keys and a line end."""
    return json.dumps(plain(value), ensure_ascii=True, sort_keys=True, indent=2) + "\n"


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON with sorted keys, all or nothing."""
    write_whole(path, json_text(value), synced=True)


def read_json(path: Path) -> Any:
    """Read a JSON file; raises OSError or ValueError."""
    try:
        return json.loads(read_regular_text(path))
    except RecursionError:
        raise ValueError("nested too deeply") from None
