"""Read and validate the columns of concepts.parquet.

A dictionary may come from anyone: a column of the wrong type, or a share above 1, must raise an
error that names it, not show up as a wrong number in a report.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.formats.parquet_file import ParquetFile
from benchdesign.concepts.dictionaries.dictionary import ConceptTable
from benchdesign.errors import DictionaryError, FormatError
from benchdesign.foundation.arrow_arrays import numbers

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_columns"]

_Reader = Callable[[Any, str, int], Any]
"""Converts a column to a field, given its location (for errors) and the number of length bins."""

_SHARES = frozenset({"base_rates", "density"})
_NOT_NEGATIVE = frozenset({"threshold", "q90"})


def read_columns(path: Path, *, n_concepts: int, n_bins: int) -> dict[str, Any]:
    """Read the fields of `ConceptTable` that a file has; check their length and type."""
    table = _read(path, n_concepts)
    readers: dict[str, _Reader] = {
        field.name: _READERS.get(field.name, _number) for field in fields(ConceptTable)
    }
    columns: dict[str, Any] = {}
    for name in table.column_names:
        if name not in readers:
            continue
        if table.column_names.count(name) > 1:
            raise DictionaryError(f"{path}: has several columns named {name}; keep one.")
        place = f"{path}: column {name}"
        columns[name] = readers[name](table.column(name).combine_chunks(), place, n_bins)
        if name in _SHARES | _NOT_NEGATIVE:
            _check_range(columns[name], place, maximum=1.0 if name in _SHARES else np.inf)
    return columns


def _read(path: Path, n_concepts: int) -> pa.Table:
    """Read the file as one table; raise if unreadable, too large or of another length."""
    try:
        source = ParquetFile(path)
        if source.n_rows != n_concepts:
            raise DictionaryError(f"{path}: {source.n_rows} rows for {n_concepts} concepts.")
        return source.read_blocks()
    except FormatError as problem:
        raise DictionaryError(str(problem)) from None


def _number(column: Any, place: str, _n_bins: int) -> NDArray[np.float32]:
    _need(_is_number(column.type), place, column, "numbers")
    return _as_floats(column, place)


def _threshold(column: Any, place: str, n_bins: int) -> NDArray[np.float32]:
    values = _number(column, place, n_bins)
    _refuse(~np.isfinite(values), place, "a finite number")
    return values


def _label_score(column: Any, place: str, n_bins: int) -> NDArray[np.float32]:
    """Read scores; scores outside 0 to 1, which older dictionaries may have, count as unknown."""
    values = _number(column, place, n_bins)
    return np.where((values >= 0) & (values <= 1), values, np.float32(np.nan))


def _level(column: Any, place: str, _n_bins: int) -> NDArray[Any]:
    import pyarrow as pa

    _need(pa.types.is_integer(column.type), place, column, "whole numbers")
    if column.null_count:
        raise DictionaryError(f"{place}: has empty rows; every concept must have a value.")
    return numbers(column)


def _texts(column: Any, place: str, _n_bins: int) -> tuple[str | None, ...]:
    _need(_is_text(column.type), place, column, "text")
    return tuple(column.to_pylist())


def _flags(column: Any, place: str, _n_bins: int) -> tuple[frozenset[str], ...]:
    _need(_is_list_of(column.type, _is_text), place, column, "lists of text")
    return tuple(frozenset(flag for flag in flags or () if flag) for flags in column.to_pylist())


def _base_rates(column: Any, place: str, n_bins: int) -> NDArray[np.float32]:
    import pyarrow.compute as pc

    _need(_is_list_of(column.type, _is_number), place, column, "lists of numbers")
    row = column.is_null().index(True).as_py() if column.null_count else -1
    if row < 0:
        differs = numbers(pc.list_value_length(column)) != n_bins
        row = int(np.argmax(differs)) if differs.any() else -1
    if row >= 0:
        raise DictionaryError(
            f"{place}: must have {n_bins} length bins per concept; row {row + 1} does not."
        )
    return _as_floats(column.flatten(), place).reshape(len(column), n_bins)


_READERS: dict[str, _Reader] = {
    "level": _level,
    "base_rates": _base_rates,
    "flags": _flags,
    "label": _texts,
    "label_source": _texts,
    "label_score": _label_score,
    "threshold": _threshold,
    "area": _texts,
}


def _as_floats(column: Any, place: str) -> NDArray[np.float32]:
    import pyarrow as pa

    try:
        return numbers(column.cast(pa.float64(), safe=False)).astype(np.float32)
    except pa.ArrowException as problem:
        raise DictionaryError(f"{place}: cannot be read ({problem}); download it again.") from None


def _check_range(values: NDArray[np.float32], place: str, *, maximum: float) -> None:
    """Raise if a number is out of range; NaN means unknown and is allowed."""
    requirement = f"between 0 and {maximum:g}" if np.isfinite(maximum) else "0 or more"
    _refuse((values < 0) | (values > maximum), place, requirement)


def _refuse(is_invalid: NDArray[np.bool_], place: str, requirement: str) -> None:
    """Raise if a row is invalid, naming the first such row and the requirement."""
    if is_invalid.any():
        row = int(np.argwhere(is_invalid)[0][0])
        raise DictionaryError(
            f"{place}: row {row + 1} must be {requirement}; download the dictionary again."
        )


def _need(fits: bool, place: str, column: Any, content: str) -> None:
    if not fits:
        kind = str(column.type)[:60]
        raise DictionaryError(
            f"{place}: contains {kind} but must contain {content}; download it again."
        )


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return _is_text(kind.value_type)
    # A column without any value may have been written with the null type.
    texts = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    return any(is_kind(kind) for is_kind in texts)


def _is_list_of(kind: Any, fits: Callable[[Any], bool]) -> bool:
    import pyarrow as pa

    types = pa.types
    if types.is_null(kind):
        return fits(kind)
    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    return fits(kind.value_type)
