"""Which words of an item show a concept, cut into pieces that a page can mark.

Spans are characters of `Item.text`. Nothing here escapes: pieces are plain text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchdesign.conceptmap import ConceptMap

if TYPE_CHECKING:
    from benchdesign.mapping import TokenEvidence

__all__ = ["Mark", "Piece", "cut", "marked_words", "marks_of", "strongest_rows"]

_WEAKEST = 0.4
"""Tokens below this share of the strongest one are not marked: everything fires a little."""

_MOST_MARKS = 5
_BLOCK = 1 << 22
_BLANK = " \t\r\n"
_OUTSIDE = f"{_BLANK}.,;:!?"
_LONGEST_PIECE = 20
_NO_SPACES = "\u0e00"
"""Thai and what comes after it, East Asian scripts included."""


class Mark(NamedTuple):
    """A stretch of an item's text that shows a concept."""

    start: int
    end: int
    strength: float
    """From 0 to 1, against the strongest of its concept."""


class Piece(NamedTuple):
    """A stretch of text with one strength."""

    text: str
    strength: int
    """0 unmarked, 1 to 3 from weak to strong."""


def marks_of(
    evidence: Sequence[TokenEvidence], concept_map: ConceptMap, *, row: int, concept_id: int
) -> tuple[Mark, ...]:
    """Return what to mark for one concept: its token evidence, else the place of its peak."""
    positive = [one for one in evidence if one.activation > 0]
    if positive:
        top = max(one.activation for one in positive)
        strong = [one for one in positive if one.activation >= _WEAKEST * top]
        strong.sort(key=lambda one: -one.activation)
        return tuple(Mark(one.start, one.end, one.activation / top) for one in strong[:_MOST_MARKS])
    peak = concept_map.at(row, concept_id)
    return () if peak is None else (Mark(peak.start, peak.end, 1.0),)


def marked_words(text: str, marks: Iterable[Mark]) -> tuple[str, ...]:
    """Return the words that the marks stand on, each once, strongest first."""
    ordered = sorted(marks, key=lambda mark: -mark.strength)
    places = (_place(text, mark) for mark in ordered)
    return tuple(dict.fromkeys(text[start:end] for start, end in places if start < end))


def cut(text: str, marks: Iterable[Mark], *, limit: int = 420) -> tuple[Piece, ...]:
    """Cut a text into pieces at the marks; a long text keeps `limit` characters around the first.

    Where marks overlap the strongest wins. Marks grow to whole words, because models read pieces of
    words and people do not; blanks and full stops at their ends stay outside.
    """
    strengths = np.zeros(len(text), dtype=np.int8)
    for mark in marks:
        start, end = _place(text, mark)
        level = 1 + (mark.strength >= 0.5) + (mark.strength >= 0.8)
        strengths[start:end] = np.maximum(strengths[start:end], level)
    low, high = _window(text, strengths, limit)
    pieces = [Piece("… ", 0)] if low else []
    changes = np.flatnonzero(np.diff(strengths[low:high])) + low + 1
    places = [low, *changes.tolist(), high]
    pieces.extend(
        Piece(text[start:end], int(strengths[start]))
        for start, end in itertools.pairwise(places)
        if start < end
    )
    if high < len(text):
        pieces.append(Piece(" …", 0))
    return tuple(pieces)


def _place(text: str, mark: Mark) -> tuple[int, int]:
    """Return where a mark stands, without what surrounds it and grown to whole words."""
    start, end = max(mark.start, 0), min(mark.end, len(text))
    # A concept of full stops has nothing but those to show.
    outside = _OUTSIDE if text[start:end].strip(_OUTSIDE) else _BLANK
    while start < end and text[start] in outside:
        start += 1
    while end > start and text[end - 1] in outside:
        end -= 1
    return _whole_words(text, start, end)


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    if start >= end:
        return start, end
    first, last = max(start - _LONGEST_PIECE, 0), min(end + _LONGEST_PIECE, len(text))
    while start > first and _joins(text[start - 1]) and _joins(text[start]):
        start -= 1
    while end < last and _joins(text[end - 1]) and _joins(text[end]):
        end += 1
    return start, end


def _joins(character: str) -> bool:
    # Scripts written without spaces would grow to whole sentences.
    return character.isalnum() and character < _NO_SPACES


def _window(text: str, strengths: NDArray[np.int8], limit: int) -> tuple[int, int]:
    if len(text) <= limit:
        return 0, len(text)
    marked = np.flatnonzero(strengths)
    first = int(marked[0]) if len(marked) else 0
    low = 0 if first < limit * 2 // 3 else first - limit // 3
    high = min(low + limit, len(text))
    low = max(min(low, len(text) - limit), 0)
    # Words stay whole where there are any, but never at the price of half the window.
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
    wanted = np.zeros(concept_map.n_concepts, dtype=bool)
    wanted[list(concept_ids)] = True
    found: list[NDArray[np.int64]] = []
    for start in range(0, len(concept_map.indices), _BLOCK):
        part = concept_map.indices[start : start + _BLOCK]
        found.append(np.flatnonzero(wanted[part]) + start)
    places = np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
    ids, peaks = concept_map.indices[places], concept_map.peak[places]
    rows = np.searchsorted(concept_map.indptr, places, side="right") - 1
    # An item is the better evidence the more of it is about the concept, where peaks are alike.
    order = np.lexsort((rows, -concept_map.saliency[places], -peaks, ids))
    best: dict[int, list[int]] = {int(one): [] for one in concept_ids}
    for place in order.tolist():
        rows_of = best[int(ids[place])]
        if len(rows_of) < n:
            rows_of.append(int(rows[place]))
    return best
