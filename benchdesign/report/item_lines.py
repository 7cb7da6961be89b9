"""Items as a report shows them: as evidence, and as additions with their reasons."""

from __future__ import annotations

from dataclasses import dataclass

from benchdesign.concepts.maps.highlights import Piece

__all__ = ["AddedLine", "ConceptGain", "Snippet"]


@dataclass(frozen=True, slots=True)
class Snippet:
    """An item as evidence, with the relevant words marked."""

    where: str
    """benchmark or pool."""

    item_id: str
    category: str | None
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class ConceptGain:
    """Effect of an added item on the count of one concept."""

    label: str
    before: int
    after: int
    target: int
    is_gap: bool
    """Whether the concept was a gap; otherwise it was only rarer than expected."""


@dataclass(frozen=True, slots=True)
class AddedLine:
    """One added item, with the reasons."""

    revised_id: str
    pool_id: str
    pool_row: int
    """1-based, like line numbers in an editor."""

    rank: int | None
    gain: float | None
    category: str | None
    licence: str | None
    pieces: tuple[Piece, ...]
    answer: str | None
    fills: tuple[ConceptGain, ...]
    n_more_fills: int
    nearest_id: str | None
    nearest_similarity: float | None
    failed_checks: tuple[str, ...]
    edited: tuple[str, ...]
    """Fields that the designer edited."""

    is_unread: bool
    """Whether `fills` was computed from the text before the edit."""

    note: str | None
    place: int
    """1-based place among the additions."""

    prompt: str
    choices: tuple[str, ...]
    group: str | None
    """Name of the narrowest group it is in; None also if none were searched for."""
