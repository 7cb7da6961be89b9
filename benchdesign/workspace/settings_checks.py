"""Check the settings of a workspace before a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from benchdesign.coverage.gap_settings import GapSettings
from benchdesign.coverage.scope import Scope
from benchdesign.errors import UsageError
from benchdesign.foundation.serialization import plain, revive
from benchdesign.selection.constraints import Constraints
from benchdesign.workspace.settings import Settings

__all__ = ["check_settings"]


T = TypeVar("T")


_LARGEST_NUMBER = 10**9
"""Largest number allowed in settings; larger ones overflow some integer types."""


def check_settings(settings: Settings) -> None:
    """Raise UsageError if a stage cannot use its settings; reads no files."""
    for kind, values, name in (
        (Scope, settings.scope, "scope"),
        (GapSettings, settings.gaps, "gaps"),
        (Constraints, settings.constraints, "constraints"),
    ):
        _given(kind, values, name)
    _refuse_huge({**plain(settings), "seed": 0}, "")


def _refuse_huge(value: Any, name: str) -> None:
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts:
            _refuse_huge(part, f"{name} {key}".strip())
    elif isinstance(value, int) and abs(value) > _LARGEST_NUMBER:
        raise UsageError(
            f"The number of {name} is above {_LARGEST_NUMBER:,}; choose a smaller number."
        )


def _given(kind: type[T], values: Mapping[str, Any], name: str) -> T:
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - names)
    if unknown:
        raise UsageError(
            f"Unknown setting {name}.{unknown[0]}; the settings are {', '.join(sorted(names))}."
        )
    try:
        return revive(kind, plain(values))
    except (TypeError, ValueError, KeyError) as problem:
        raise UsageError(f"The {name} settings are invalid: {problem}.") from None
