"""The converters between data classes and JSON types, configured once.

Values are written by what they are and read by the type hints of their class. Reading is strict:
a value of another type is an error, except that unknown keys are ignored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from enum import Enum, StrEnum
from functools import partial
from types import NoneType
from typing import Any, NewType, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from cattrs import BaseValidationError, Converter, transform_error
from cattrs.cols import (
    homogenous_tuple_structure_factory,
    is_frozenset,
    is_mapping,
    is_namedtuple,
    is_sequence,
    mapping_structure_factory,
)
from cattrs.gen import make_dict_structure_fn

__all__ = ["structure", "unstructure", "unstructure_with_arrays"]

T = TypeVar("T")

_Hook = Callable[[Any, Any], Any]
_Convert = Callable[[object], Any]

_IntKey = NewType("_IntKey", int)
"""Whole number that is a key, which JSON stores as text."""

_NAMES: Mapping[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def unstructure(value: object) -> Any:
    """Return a value as JSON types; NaN, infinities become None, numpy arrays become lists."""
    return _JSON.unstructure(value)


def unstructure_with_arrays(value: object) -> Any:
    """Return a value as JSON types, but keep numpy arrays, NaN and infinities."""
    return _WITH_ARRAYS.unstructure(value)


def structure(kind: type[T], data: Any, *, path: str = "") -> T:
    """Build a value from JSON types; numpy arrays are kept.

    Raises ValueError with the path of the first value that does not fit, below `path`.
    """
    try:
        return _JSON.structure(data, kind)
    except (BaseValidationError, TypeError, ValueError) as problem:
        text, _, place = transform_error(problem, path, _describe)[0].rpartition(" @ ")
        place = place.removeprefix(".")
        raise ValueError(f"{place}: {text}" if place else text) from None


def _describe(problem: BaseException, _kind: type | None) -> str:
    return "missing" if isinstance(problem, KeyError) else str(problem)


def _check(data: Any, fits: bool, kind: type) -> Any:
    if not fits:
        got = json.dumps(data, default=str)[:60]
        raise TypeError(f"expected {_NAMES[kind]}, got {got}")
    return data


def _structure_scalar(data: Any, kind: Any) -> Any:
    # NaN and infinities are written as null.
    if data.__class__ is kind or (data is None and kind is float):
        return data
    is_number = isinstance(data, int | float) and not isinstance(data, bool)
    is_whole = is_number and data == data // 1
    return kind(_check(data, (kind is float and is_number) or (kind is int and is_whole), kind))


def _class_hook(kind: Any, converter: Converter) -> _Hook:
    build = make_dict_structure_fn(kind, converter)
    return lambda data, _: build(_check(data, isinstance(data, dict), dict), kind)


def _mapping_hook(kind: Any, converter: Converter) -> _Hook:
    key, value = get_args(kind)
    key = _IntKey if key is int else key
    build = mapping_structure_factory(kind, converter, key_type=key, val_type=value)
    return lambda data, _: build(_check(data, isinstance(data, dict), dict), kind)


def _tuple_hook(kind: Any, converter: Converter) -> _Hook:
    build = homogenous_tuple_structure_factory(kind, converter)
    return lambda data, _: build(_check(data, isinstance(data, list | tuple), list), kind)


def _frozenset_hook(kind: Any, converter: Converter) -> _Hook:
    entries: Any = tuple.__class_getitem__((*get_args(kind), ...))
    build = _tuple_hook(entries, converter)
    return lambda data, _: frozenset(build(data, kind))


def _named_tuple_hook(kind: Any, converter: Converter) -> _Hook:
    # cattrs 26.2 does not resolve the postponed type hints of a named tuple.
    parts: Any = tuple.__class_getitem__(tuple(get_type_hints(kind).values()))
    build = converter.get_structure_hook(parts)
    return lambda data, _: kind(*build(_check(data, isinstance(data, list | tuple), list), parts))


def _unstructure_class(value: Any, *, convert: _Convert) -> dict[str, Any]:
    return {field.name: convert(getattr(value, field.name)) for field in fields(value)}


def _unstructure_mapping(value: Mapping[Any, Any], *, convert: _Convert) -> dict[str, Any]:
    return {str(key): convert(entry) for key, entry in value.items()}


def _unstructure_set(value: Set[Any], *, convert: _Convert) -> list[Any]:
    return sorted(convert(entry) for entry in value)


def _unstructure_sequence(value: Sequence[Any], *, convert: _Convert) -> list[Any]:
    return [convert(entry) for entry in value]


def _identity(value: Any, _kind: Any = None) -> Any:
    return value


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _refuse(value: object) -> Any:
    raise TypeError(f"cannot be written as JSON: {type(value).__name__}")


def _make_converter(*, keeps_arrays: bool) -> Converter:
    converter = Converter(unstructure_fallback_factory=lambda _: _refuse)
    _add_structure_hooks(converter)
    convert: _Convert = converter.unstructure
    # A hook that is registered later goes first: a data class may be a sequence as well.
    for fits, unstructure_kind in (
        (lambda kind: issubclass(kind, Sequence), _unstructure_sequence),
        (lambda kind: issubclass(kind, Set), _unstructure_set),
        (lambda kind: issubclass(kind, Mapping), _unstructure_mapping),
        (is_dataclass, _unstructure_class),
    ):
        hook: Any = partial(unstructure_kind, convert=convert)
        converter.register_unstructure_hook_func(fits, hook)
    for scalar in (NoneType, bool, int):
        converter.register_unstructure_hook(scalar, _identity)
    for enum in (Enum, StrEnum):
        converter.register_unstructure_hook(enum, lambda member: convert(member.value))
    converter.register_unstructure_hook(float, _identity if keeps_arrays else _finite)
    converter.register_unstructure_hook(np.generic, lambda scalar: convert(scalar.item()))
    converter.register_unstructure_hook(
        np.ndarray,
        lambda array: array if keeps_arrays and array.ndim else convert(array.tolist()),
    )
    return converter


def _is_generic(kind: Any, origin: type) -> bool:
    found: Any = get_origin(kind)
    return found is origin


def _add_structure_hooks(converter: Converter) -> None:
    for kind in (str, bool, int, float):
        converter.register_structure_hook(kind, _structure_scalar)
    # A text enumeration is a text as well; without its own hook it would be read as one.
    converter.register_structure_hook(StrEnum, lambda data, kind: kind(data))
    converter.register_structure_hook(_IntKey, lambda text, _: int(text))
    converter.register_structure_hook_func(
        lambda kind: kind is np.ndarray or _is_generic(kind, np.ndarray), _identity
    )
    for fits, make_hook in (
        (is_dataclass, _class_hook),
        (is_mapping, _mapping_hook),
        (is_sequence, _tuple_hook),
        (lambda kind: _is_generic(kind, tuple) and get_args(kind)[1:] == (...,), _tuple_hook),
        (is_namedtuple, _named_tuple_hook),
        (is_frozenset, _frozenset_hook),
    ):
        converter.register_structure_hook_factory(fits, make_hook)


_JSON = _make_converter(keeps_arrays=False)
_WITH_ARRAYS = _make_converter(keeps_arrays=True)
