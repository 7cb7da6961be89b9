"""Find the records of a JSON file, with their exact ranges in the text.

The ranges allow copying records unchanged, in any layout of the file.
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass, field
from typing import Any

from benchdesign.errors import FormatError

__all__ = ["Layout", "find_layouts"]

_DECODER = json.JSONDecoder()
_BLANK = " \t\n\r"
_LIST_NAMES = ("examples", "data", "items", "questions", "rows", "instances", "records", "samples")


@dataclass
class Layout:
    """Records of one list, object or table inside a JSON text."""

    kind: str
    """array, stream (values one after another), keyed (object of records), columns or single."""

    name: str = ""
    """Key of the list in the wrapping object; empty for the top level."""

    starts: array[int] = field(default_factory=lambda: array("Q"))
    ends: array[int] = field(default_factory=lambda: array("Q"))
    keys: list[str] = field(default_factory=list)
    """Keys of a keyed object, in order."""

    columns: dict[str, Any] = field(default_factory=dict)
    """The table, for columns."""

    row_keys: list[str] = field(default_factory=list)
    """Row names of a table whose columns are objects."""

    n_records: int = 0


@dataclass
class _Member:
    key: str
    key_start: int
    start: int
    end: int
    value: Any


def find_layouts(text: str, place: str) -> list[Layout]:
    """Return the possible layouts of the records, best first."""
    try:
        at = _skip(text, 0)
        if at >= len(text):
            raise FormatError(f"{place}: only whitespace. Check the file.")
        if text[at] == "[":
            layout, end = _scan_array(text, at)
            _check_end(text, end)
            return [layout]
        if text[at] != "{":
            raise FormatError(f"{place}: neither a JSON array nor an object. Check the file.")
        members, end = _scan_object(text, at)
        if _skip(text, end) < len(text):
            return [_scan_stream(text, at)]
    except json.JSONDecodeError as error:
        raise FormatError(
            f"{place}:{error.lineno}: not JSON ({error.msg} at column {error.colno}). "
            "Check that the file is complete."
        ) from error
    except RecursionError:
        raise FormatError(f"{place}: nested too deeply. Flatten the data.") from None
    except ValueError as error:
        problem = str(error).split(";")[0]
        raise FormatError(f"{place}: not usable JSON ({problem}). Check the file.") from error
    return _layouts_of_object(text, members) or [_single(at, end)]


def _layouts_of_object(text: str, members: list[_Member]) -> list[Layout]:
    layouts = _wrapped_layouts(text, members)
    if not layouts:
        for member in members:
            if isinstance(member.value, dict) and member.value:
                inner, _ = _scan_object(text, member.start)
                layouts += _wrapped_layouts(text, inner)
    if layouts:
        return layouts
    for layout in (_column_table(members), _keyed(members)):
        if layout is not None:
            return [layout]
    return []


def _wrapped_layouts(text: str, members: list[_Member]) -> list[Layout]:
    """Return the lists of records among members, likeliest first."""
    layouts = []
    for member in members:
        value = member.value
        if isinstance(value, list) and value and _mostly_objects(value):
            layout, _ = _scan_array(text, member.start)
            layout.name = member.key
            layouts.append(layout)
    return sorted(layouts, key=lambda layout: (layout.name not in _LIST_NAMES, -layout.n_records))


def _mostly_objects(values: list[Any]) -> bool:
    return sum(isinstance(value, dict) for value in values) > len(values) / 2


def _column_table(members: list[_Member]) -> Layout | None:
    """Return the layout of {"question": [...], ...}; a column may be an object of rows."""
    values = [member.value for member in members]
    if len(members) < 2 or any(not isinstance(value, list | dict) for value in values):
        return None
    sizes = {len(value) for value in values}
    if len(sizes) != 1 or 0 in sizes or len({type(value) for value in values}) != 1:
        return None
    layout = Layout("columns", columns={member.key: member.value for member in members})
    if isinstance(values[0], dict):
        layout.row_keys = list(values[0])
        same_rows = all(list(value) == layout.row_keys for value in values)
        # Records by key look the same: only a table has numbered rows.
        if not same_rows or not all(key.isdigit() for key in layout.row_keys):
            return None
    layout.n_records = sizes.pop()
    return layout


def _keyed(members: list[_Member]) -> Layout | None:
    """Return the layout of {"item-1": {...}, "item-2": {...}}."""
    if len(members) < 2 or not all(isinstance(member.value, dict) for member in members):
        return None
    first = set(members[0].value)
    if not first or sum(bool(first & set(member.value)) for member in members) < len(members):
        return None
    layout = Layout("keyed", keys=[member.key for member in members])
    layout.starts.extend(member.key_start for member in members)
    layout.ends.extend(member.end for member in members)
    layout.n_records = len(members)
    return layout


def _single(start: int, end: int) -> Layout:
    return Layout("single", starts=array("Q", [start]), ends=array("Q", [end]), n_records=1)


def _scan_stream(text: str, at: int) -> Layout:
    layout = Layout("stream")
    while at < len(text):
        _, end = _DECODER.raw_decode(text, at)
        layout.starts.append(at)
        layout.ends.append(end)
        at = _skip(text, end)
    layout.n_records = len(layout.starts)
    return layout


def _scan_array(text: str, at: int) -> tuple[Layout, int]:
    layout = Layout("array")
    at = _skip(text, at + 1)
    while at < len(text) and text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        layout.starts.append(at)
        layout.ends.append(end)
        at = _skip(text, end)
        if at < len(text) and text[at] == ",":
            at = _skip(text, at + 1)
        elif at >= len(text) or text[at] != "]":
            raise json.JSONDecodeError("Expecting ',' or ']'", text, min(at, len(text)))
    if at >= len(text):
        raise json.JSONDecodeError("Array is not closed", text, len(text))
    layout.n_records = len(layout.starts)
    return layout, at + 1


def _scan_object(text: str, at: int) -> tuple[list[_Member], int]:
    members = []
    at = _skip(text, at + 1)
    while at < len(text) and text[at] != "}":
        if text[at] != '"':
            raise json.JSONDecodeError("Expecting a key in double quotes", text, at)
        key_start = at
        key, end = _DECODER.raw_decode(text, at)
        at = _skip(text, end)
        if text[at : at + 1] != ":":
            raise json.JSONDecodeError("Expecting ':'", text, min(at, len(text)))
        start = _skip(text, at + 1)
        value, end = _DECODER.raw_decode(text, start)
        members.append(_Member(key, key_start, start, end, value))
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
            if text[at : at + 1] == "}":
                raise json.JSONDecodeError("Comma after the last value", text, at)
        elif text[at : at + 1] != "}":
            raise json.JSONDecodeError("Expecting ',' or '}'", text, min(at, len(text)))
    if at >= len(text):
        raise json.JSONDecodeError("Object is not closed", text, len(text))
    return members, at + 1


def _check_end(text: str, end: int) -> None:
    rest = _skip(text, end)
    if rest < len(text):
        raise json.JSONDecodeError("Extra text after the end", text, rest)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at
