"""Formats that installed packages add by an entry point of the group `benchdesign.formats`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from benchdesign.benchmarks.formats.format_reader import FormatReader
from benchdesign.errors import PackagingError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["GROUP", "load_plug_ins"]

GROUP = "benchdesign.formats"


@cache
def load_plug_ins(names: frozenset[str], suffixes: frozenset[str]) -> tuple[FormatReader, ...]:
    """Return the readers of installed plug-ins, by name; they are loaded once.

    Raise `PackagingError` if one fails to load, has the name of another format or one in `names`,
    or claims one of `suffixes`.
    """
    from importlib.metadata import entry_points

    readers: dict[str, FormatReader] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        reader = _load(entry)
        problem = _problem_of(reader, {*names, *readers}, suffixes)
        if problem:
            raise _plug_in_error(entry, problem)
        readers[reader.name] = reader
    return tuple(readers.values())


def _load(entry: EntryPoint) -> FormatReader:
    try:
        reader: object = entry.load()
    except Exception as error:  # a module of another author raises anything when it is imported
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise _plug_in_error(entry, f"cannot be loaded ({reason})") from error
    if isinstance(reader, type) or not isinstance(reader, FormatReader):
        raise _plug_in_error(entry, "is not an object with the members of FormatReader")
    return reader


def _problem_of(reader: FormatReader, names: set[str], suffixes: frozenset[str]) -> str:
    if reader.name in names:
        return f"has the name of another format ({reader.name!r})"
    if not reader.suffixes:
        return "names no suffix of its files"
    for suffix in sorted(reader.suffixes):
        if suffix in suffixes:
            return f"claims the suffix {suffix!r}, which a built-in format has"
        if not suffix.startswith(".") or suffix != suffix.lower() or "." in suffix[1:]:
            return f"claims {suffix!r}, which is not a suffix such as '.quiz'"
    return ""


def _plug_in_error(entry: EntryPoint, problem: str) -> PackagingError:
    package = entry.module if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
    return PackagingError(
        f"Package {package}: its format {entry.name!r} {problem}. Update or uninstall the package."
    )
