"""Check the settings of a workspace before a run."""

from __future__ import annotations

from typing import Any

from benchdesign.errors import UsageError
from benchdesign.workspace.settings import Settings, settings_to_json

__all__ = ["check_settings"]


_MAX_SETTING = 10**9
"""Largest number allowed in settings; larger ones overflow some integer types."""


def check_settings(settings: Settings) -> None:
    """Raise UsageError if a number is too large for a stage."""
    _check_magnitude({**settings_to_json(settings), "seed": 0}, "")


def _check_magnitude(value: Any, name: str) -> None:
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts:
            _check_magnitude(part, f"{name} {key}".strip())
    elif isinstance(value, int) and abs(value) > _MAX_SETTING:
        raise UsageError(
            f"The number of {name} is above {_MAX_SETTING:,}; choose a smaller number."
        )
