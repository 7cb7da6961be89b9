"""The words of an item that show a concept, cut into pieces that a page can highlight.

Spans are character positions in `Item.text`. Pieces are plain text; the caller escapes them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.maps.concept_map import ConceptMap

if TYPE_CHECKING:
    from benchdesign.concepts.maps.token_evidence import TokenEvidence

__all__ = ["Piece", "TextMark", "cut", "find_marks", "marked_words", "strongest_rows"]

_MIN_STRENGTH = 0.4
"""Tokens below this share of the strongest activation are not marked: most tokens fire weakly."""

_MAX_MARKS = 5
_BLOCK = 1 << 22
_BLANK = " \t\r\n"
_STRIPPED = f"{_BLANK}.,;:!?"
_MAX_GROWTH = 20
_FIRST_UNSPACED = "\u0e00"
"""First character from which scripts have no spaces: Thai, East Asian and later blocks."""


class TextMark(NamedTuple):
    """A stretch of an item's text that shows a concept."""

    start: int
    end: int
    strength: float
    """From 0 to 1, relative to the strongest mark of the concept."""


class Piece(NamedTuple):
    """A stretch of text with uniform strength."""

    text: str
    strength: int
    """0 (unmarked), or 1 (weak) to 3 (strong)."""


def find_marks(
    evidence: Sequence[TokenEvidence], concept_map: ConceptMap, *, row: int, concept_id: int
) -> tuple[TextMark, ...]:
    """Return the marks for one concept, from its token evidence, else from its peak."""
    positive = [token for token in evidence if token.activation > 0]
    if positive:
        top = max(token.activation for token in positive)
        strong = [token for token in positive if token.activation >= _MIN_STRENGTH * top]
        strong.sort(key=lambda token: -token.activation)
        return tuple(
            TextMark(token.start, token.end, token.activation / top)
            for token in strong[:_MAX_MARKS]
        )
    peak = concept_map.at(row, concept_id)
    return () if peak is None else (TextMark(peak.start, peak.end, 1.0),)


def marked_words(text: str, marks: Iterable[TextMark]) -> tuple[str, ...]:
    """Return the marked words without repetitions, strongest first."""
    ordered = sorted(marks, key=lambda mark: -mark.strength)
    spans = (_place(text, mark) for mark in ordered)
    return tuple(dict.fromkeys(text[start:end] for start, end in spans if start < end))


def cut(text: str, marks: Iterable[TextMark], *, limit: int = 420) -> tuple[Piece, ...]:
    """Cut a text into pieces at the marks; show `limit` characters of a long text.

    The excerpt of a long text surrounds the first mark. The strongest of overlapping marks wins.
    Marks grow from tokens to whole words, without blanks and punctuation at the ends.
    """
    strengths = np.zeros(len(text), dtype=np.int8)
    for mark in marks:
        start, end = _place(text, mark)
        level = 1 + (mark.strength >= 0.5) + (mark.strength >= 0.8)
        strengths[start:end] = np.maximum(strengths[start:end], level)
    low, high = _window(text, strengths, limit)
    pieces = [Piece("… ", 0)] if low else []
    changes = np.flatnonzero(np.diff(strengths[low:high])) + low + 1
    ends = [low, *changes.tolist(), high]
    pieces.extend(
        Piece(text[start:end], int(strengths[start]))
        for start, end in itertools.pairwise(ends)
        if start < end
    )
    if high < len(text):
        pieces.append(Piece(" …", 0))
    return tuple(pieces)


def _place(text: str, mark: TextMark) -> tuple[int, int]:
    """Return the span of a mark, stripped of punctuation and grown to whole words."""
    start, end = max(mark.start, 0), min(mark.end, len(text))
    # Keep punctuation if the mark contains nothing else: some concepts are about punctuation.
    outside = _STRIPPED if text[start:end].strip(_STRIPPED) else _BLANK
    while start < end and text[start] in outside:
        start += 1
    while end > start and text[end - 1] in outside:
        end -= 1
    return _whole_words(text, start, end)


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    if start >= end:
        return start, end
    first, last = max(start - _MAX_GROWTH, 0), min(end + _MAX_GROWTH, len(text))
    while start > first and _joins(text[start - 1]) and _joins(text[start]):
        start -= 1
    while end < last and _joins(text[end - 1]) and _joins(text[end]):
        end += 1
    return start, end


def _joins(character: str) -> bool:
    # In scripts without spaces, a mark would grow to a whole sentence.
    return character.isalnum() and character < _FIRST_UNSPACED


def _window(text: str, strengths: NDArray[np.int8], limit: int) -> tuple[int, int]:
    if len(text) <= limit:
        return 0, len(text)
    marked = np.flatnonzero(strengths)
    first = int(marked[0]) if len(marked) else 0
    low = 0 if first < limit * 2 // 3 else first - limit // 3
    high = min(low + limit, len(text))
    low = max(min(low, len(text) - limit), 0)
    # Keep words whole, but never shorten the window by more than 30 characters per end.
    if low:
        blank = text.find(" ", low, low + 30)
        low = blank + 1 if blank >= 0 else low
    if high < len(text):
        blank = text.rfind(" ", high - 30, high)
        high = blank if blank > low else high
    return low, high


def strongest_rows(
    concept_map: ConceptMap, concept_ids: Sequence[int], *, n: int
) -> dict[int, list[int]]:
    """Return the `n` rows with the largest peak of each concept, strongest first."""
    is_selected = np.zeros(concept_map.n_concepts, dtype=bool)
    is_selected[list(concept_ids)] = True
    parts: list[NDArray[np.int64]] = []
    for start in range(0, len(concept_map.indices), _BLOCK):
        block = concept_map.indices[start : start + _BLOCK]
        parts.append(np.flatnonzero(is_selected[block]) + start)
    entries = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    ids, peaks = concept_map.indices[entries], concept_map.peak[entries]
    rows = np.searchsorted(concept_map.indptr, entries, side="right") - 1
    # Break ties between equal peaks by saliency: the item is about the concept in more of its text.
    order = np.lexsort((rows, -concept_map.saliency[entries], -peaks, ids))
    best: dict[int, list[int]] = {int(concept_id): [] for concept_id in concept_ids}
    for index in order.tolist():
        rows_of = best[int(ids[index])]
        if len(rows_of) < n:
            rows_of.append(int(rows[index]))
    return best
