"""The record of a stage's run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["STAGES", "StageRun"]


STAGES = ("read", "map", "gaps", "propose", "evidence")
"""The stages in order; each needs the ones before it."""


@dataclass(frozen=True, slots=True)
class StageRun:
    """One finished stage."""

    key: str
    """Digest of all inputs of the stage."""

    finished: str
    """Time of completion, ISO 8601."""

    figures: Mapping[str, Any] = field(default_factory=dict)
    """Figures for display: items mapped, seconds, gaps found."""
