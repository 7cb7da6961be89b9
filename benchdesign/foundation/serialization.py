"""Serialization of data classes by their type hints: JSON, or a bundle of JSON and arrays.

For the files of a workspace (settings, proposals, evidence, coverage, gaps). Never pickle.
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
_NAMES = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def to_json(value: Any, *, arrays: dict[str, Any] | None = None) -> Any:
    """Convert a value to JSON types; NaN and infinities become None.

    With `arrays`, numpy arrays are stored there and replaced by a reference, and NaN is kept.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_json(getattr(value, field.name), arrays=arrays)
            for field in fields(value)
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if arrays is not None or value - value == 0 else None
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): to_json(entry, arrays=arrays) for key, entry in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(to_json(entry) for entry in value)
    if isinstance(value, Sequence):
        return [to_json(entry, arrays=arrays) for entry in value]
    if hasattr(value, "tolist"):  # numpy, without importing it
        if arrays is not None and value.ndim:
            name = f"array{len(arrays)}"
            arrays[name] = value
            return {_ARRAY: name}
        return to_json(value.tolist())
    raise TypeError(f"cannot be written as JSON: {type(value).__name__}")


def from_json(kind: type[T], data: Any, *, arrays: Mapping[str, Any] | None = None) -> T:
    """Build a data class from the output of `plain`; unknown keys are ignored.

    Raises KeyError, TypeError or ValueError if the data does not fit the type.
    """
    hint: Any = kind
    return typing.cast("T", _cached_builder(hint)(_with_arrays(data, arrays) if arrays else data))


def _with_arrays(data: Any, arrays: Mapping[str, Any]) -> Any:
    if isinstance(data, dict):
        if _ARRAY in data:
            return arrays[data[_ARRAY]]
        return {key: _with_arrays(entry, arrays) for key, entry in data.items()}
    if isinstance(data, list):
        return [_with_arrays(entry, arrays) for entry in data]
    return data


@functools.cache
def _cached_builder(kind: Any) -> Callable[[Any], Any]:
    """Return the builder of a type, cached because bundles contain thousands of values."""
    build = _builder(kind)
    if build is None:
        return lambda data: data
    return lambda data: data if hasattr(data, "dtype") else build(data)


def _builder(kind: Any) -> Callable[[Any], Any] | None:
    """Return the builder of values other than arrays; None if any value is accepted."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _union_builder(inner)
    if origin is typing.Literal:
        return lambda data: _check_type(data, data in inner, kind)
    if origin is tuple and not (len(inner) == 2 and inner[1] is Ellipsis):
        builders = [_cached_builder(part) for part in inner]
        return lambda data: tuple(
            build(part) for build, part in zip(builders, _list(data), strict=True)
        )
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, value = _key_builder(inner[0]), _cached_builder(inner[1])
        return lambda data: {key(k): value(v) for k, v in _dict(data).items()}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        each = _cached_builder(inner[0])
        return lambda data: tuple([each(entry) for entry in _list(data)])
    if origin in (set, frozenset):
        each = _cached_builder(inner[0])
        return lambda data: frozenset([each(entry) for entry in _list(data)])
    return _class_builder(kind) if isinstance(kind, type) else None


def _union_builder(kinds: tuple[Any, ...]) -> Callable[[Any], Any]:
    """Return a builder that uses the first type that fits; None only if the union allows it."""
    *others, last = [_cached_builder(kind) for kind in kinds if kind is not type(None)]
    allows_none = type(None) in kinds

    def build(data: Any) -> Any:
        if data is None and allows_none:
            return None
        for build_other in others:
            with contextlib.suppress(KeyError, TypeError, ValueError):
                return build_other(data)
        return last(data)

    return build


def _class_builder(kind: type) -> Callable[[Any], Any] | None:
    make: Any = kind
    if is_dataclass(kind):
        # Resolve the types of fields lazily, because a class may refer to itself.
        names = [field.name for field in fields(kind) if field.init]

        def build(data: Any) -> Any:
            values = _dict(data)
            return make(
                **{
                    name: _field_builder(make, name)(values[name])
                    for name in names
                    if name in values
                }
            )

        return build
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        field_names = make._fields
        return lambda data: make(
            *(
                _field_builder(make, name)(entry)
                for name, entry in zip(field_names, _list(data), strict=True)
            )
        )
    if issubclass(kind, Enum | Path):
        return kind
    return functools.partial(_scalar, kind) if kind in (str, bool, int, float) else None


def _scalar(kind: Any, data: Any) -> Any:
    # `plain` writes NaN and infinities as null.
    if data.__class__ is kind or (data is None and kind is float):
        return data
    return kind(
        _check_type(data, kind in (int, float) and _is_number(data, whole=kind is int), kind)
    )


def _key_builder(kind: Any) -> Callable[[Any], Any]:
    """Return the builder of a mapping's keys, which JSON stores as text."""
    return kind if kind in (int, float) else _cached_builder(kind)


@functools.cache
def _field_builder(kind: type, name: str) -> Callable[[Any], Any]:
    return _cached_builder(_hints(kind)[name])


def _is_number(data: Any, *, whole: bool) -> bool:
    if isinstance(data, float):
        return data.is_integer() or not whole
    return isinstance(data, int) and not isinstance(data, bool)


def _list(data: Any) -> Any:
    return _check_type(data, isinstance(data, list | tuple), list)


def _dict(data: Any) -> Any:
    return _check_type(data, isinstance(data, dict), dict)


def _check_type(data: Any, fits: bool, kind: Any) -> Any:
    if not fits:
        expected = _NAMES.get(kind, str(kind))
        raise TypeError(f"expected {expected}, got {json.dumps(data, default=str)[:60]}")
    return data


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    try:
        return get_type_hints(kind)
    except NameError:
        # Types imported only for type checking (such as arrays) need no builder.
        scope = vars(sys.modules[kind.__module__])
        return {name: _hint(text, scope) for name, text in kind.__annotations__.items()}


def _hint(text: Any, scope: dict[str, Any]) -> Any:
    try:
        return typing.get_type_hints(
            type("Holder", (), {"__annotations__": {"field": text}}), scope
        )["field"]
    except NameError:
        return Any


def save_bundle(path: Path, value: object) -> None:
    """Write a data class with its numpy arrays to one `.npz` file, atomically."""
    import numpy as np

    arrays: dict[str, Any] = {}
    text = json.dumps(to_json(value, arrays=arrays), ensure_ascii=True, sort_keys=True)
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
    return from_json(kind, json.loads(arrays.pop("json").tobytes()), arrays=arrays)


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
