"""The items that show a concept."""

from __future__ import annotations

from collections.abc import Sequence

from benchdesign.tui.session.session import Session

__all__ = ["rows_showing"]


def rows_showing(session: Session, concept_ids: Sequence[int], *, in_pool: bool) -> set[int]:
    """Return the rows of the items that show any of the concepts."""
    loaded = session.loaded
    occurrences = None if loaded is None else loaded.occurrences(in_pool=in_pool)
    if occurrences is None:
        return set()
    return {int(row) for concept in concept_ids for row in occurrences.of(concept)}
