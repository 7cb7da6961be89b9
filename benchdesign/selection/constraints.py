"""Constraints on a selection: quotas, lengths, sources, pinned and excluded items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchdesign.errors import UsageError

__all__ = ["Constraints"]


@dataclass(frozen=True, slots=True)
class Constraints:
    """Limits set by the designer; unset fields do not limit anything."""

    budget: int | None = None
    """Most items to add; None for the requested number."""

    quotas_by_category: Mapping[str, int] = field(default_factory=dict)
    """Most items of each category; `*` applies to every category without a quota."""

    quotas_by_source: Mapping[str, int] = field(default_factory=dict)
    """Most items of each source; `*` applies to every source without a quota."""

    min_tokens: int | None = None
    """Length of the shortest item allowed, in content tokens."""

    max_tokens: int | None = None
    required_fields: tuple[str, ...] | None = None
    """Fields that must not be empty: of the item (answer, choices, ...) or its record (dotted);
    None for those that the benchmark's items have."""

    pinned: frozenset[str] = frozenset()
    """Ids of pool items that are proposed first, whatever their gain."""

    excluded: frozenset[str] = frozenset()
    """Ids of pool items that are never proposed."""

    def __post_init__(self) -> None:
        conflicts = sorted(self.pinned & self.excluded)
        if conflicts:
            raise UsageError(
                f"Item {conflicts[0]!r} is both pinned and excluded; drop one of them."
            )
        low, high = self.min_tokens, self.max_tokens
        if low is not None and high is not None and low > high:
            raise UsageError(f"The minimum length {low} is greater than the maximum {high}.")
        for quotas in (self.quotas_by_category, self.quotas_by_source):
            for name, quota in quotas.items():
                if quota < 0:
                    raise UsageError(f"The quota of {name!r} is {quota}; it must be 0 or more.")
