"""The statuses of a concept."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["STATUSES", "Status"]


class Status(StrEnum):
    """Status of a concept's coverage."""

    MISSING = "missing"
    """No item shows it, and the deficit is significant."""

    UNDER = "under"
    """Significantly and considerably fewer items than expected from the reference."""

    ADEQUATE = "adequate"
    OVER = "over"
    """Significantly and considerably more items than expected from the reference."""

    UNTESTABLE = "untestable"
    """Too rare for a deficit to be significant in a set of this size."""

    KEPT_OUT = "kept_out"
    """Never judged: dead, dense, structural, form or out of scope."""


STATUSES: tuple[Status, ...] = tuple(Status)
"""The statuses, indexed by `Gaps.status_codes`."""
