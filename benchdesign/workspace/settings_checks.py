"""Check the settings of a workspace before a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from benchdesign.coverage.gap_settings import GapSettings
from benchdesign.coverage.scope import Scope
from benchdesign.errors import UsageError
from benchdesign.foundation.serialization import from_json, to_json
from benchdesign.selection.constraints import Constraints
from benchdesign.workspace.settings import Settings

__all__ = ["check_settings"]


T = TypeVar("T")


_MAX_SETTING = 10**9
"""Largest number allowed in settings; larger ones overflow some integer types."""


def check_settings(settings: Settings) -> None:
    """Raise UsageError if a stage cannot use its settings; reads no files."""
    for kind, values, name in (
        (Scope, settings.scope, "scope"),
        (GapSettings, settings.gaps, "gaps"),
        (Constraints, settings.constraints, "constraints"),
    ):
        parse_settings(kind, values, name)
    _check_magnitude({**to_json(settings), "seed": 0}, "")


def _check_magnitude(value: Any, name: str) -> None:
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts:
            _check_magnitude(part, f"{name} {key}".strip())
    elif isinstance(value, int) and abs(value) > _MAX_SETTING:
        raise UsageError(
            f"The number of {name} is above {_MAX_SETTING:,}; choose a smaller number."
        )


def parse_settings(kind: type[T], values: Mapping[str, Any], name: str) -> T:
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - names)
    if unknown:
        raise UsageError(
            f"Unknown setting {name}.{unknown[0]}; the settings are {', '.join(sorted(names))}."
        )
    try:
        return from_json(kind, to_json(values))
    except (TypeError, ValueError, KeyError) as problem:
        raise UsageError(f"The {name} settings are invalid: {problem}.") from None
