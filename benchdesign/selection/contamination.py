"""Contamination: pool items that stand in lists of known text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item, Span
from benchdesign.errors import UsageError
from benchdesign.foundation.nearest import nearest
from benchdesign.selection.duplicates import NEAR_DUPLICATE, normalized_words

__all__ = ["ContaminationMatch", "KnownList", "WordRuns", "find_contamination"]


_MAX_TEXTS_PER_RUN = 3
"""Most texts of a list that may share a run; a more frequent run belongs to a template."""


@dataclass(frozen=True, slots=True)
class KnownList:
    """Texts that must not enter a benchmark, such as the items of a published one."""

    name: str
    texts: Sequence[str]
    embeddings: NDArray[np.float16] | None = None
    """(n_texts, d): unit-length embeddings; None to match only words."""


@dataclass(frozen=True, slots=True)
class ContaminationMatch:
    """A match between an item and a text of a known list."""

    row: int
    item_id: str
    list_name: str
    known_row: int
    """Row of the matched text in its list."""

    kind: str
    """`words` (a common run of words) or `near` (by embedding)."""

    similarity: float
    """Share of the item's words in common runs; the cosine for `near`."""

    n_words: int
    """Length of the longest common run, in words; 0 for `near`."""

    span: Span
    """Characters of the longest common run in the item's text; (0, 0) for `near`."""

    matched_text: str
    """The evidence: the run as written in the item; the known text for `near`."""


def find_contamination(
    items: Sequence[Item],
    lists: Sequence[KnownList],
    *,
    embeddings: NDArray[np.float16] | None = None,
    n_gram: int = 13,
    shortest: int = 6,
    threshold: float = NEAR_DUPLICATE,
) -> tuple[ContaminationMatch, ...]:
    """Return items that repeat a known text: a run of `n_gram` words, or a near duplicate.

    A text shorter than `n_gram` words must be repeated whole. A text shorter than `shortest` words
    is ignored, because it is likely to recur by chance. Each item has at most one match per list:
    the longest.
    """
    if n_gram < shortest or shortest < 1:
        raise UsageError(
            f"The n-gram length {n_gram} is below the minimum match length {shortest}."
        )
    matches: list[ContaminationMatch] = []
    for known_list in lists:
        index = WordRuns(known_list.texts, n_gram=n_gram, shortest=shortest)
        by_words = {
            row: match
            for row, item in enumerate(items)
            if (match := index.longest_match(row, item, known_list.name)) is not None
        }
        matches.extend(by_words.values())
        if embeddings is not None and known_list.embeddings is not None:
            matches.extend(
                match
                for match in _embedding_matches(items, known_list, embeddings, threshold)
                if match.row not in by_words
            )
    matches.sort(key=lambda match: (match.row, match.list_name))
    return tuple(matches)


class WordRuns:
    """Index of the distinctive word runs in a list of texts, stored as hashes.

    A run that occurs in many texts belongs to a template, and a run with few distinct words to a
    ruler or a table. Neither is evidence of contamination, so both are left out.
    """

    def __init__(self, texts: Sequence[str], *, n_gram: int = 13, shortest: int = 6) -> None:
        self._words = [[word for word, _, _ in normalized_words(text)] for text in texts]
        self._places: dict[int, dict[int, tuple[int, int]]] = {}
        for size, rows in self._rows_by_size(n_gram, shortest).items():
            in_texts = Counter(
                key for row in rows for key in {key for _, key in _runs(self._words[row], size)}
            )
            self._places[size] = {
                key: (row, start)
                for row in reversed(rows)
                for start, key in _runs(self._words[row], size)
                if in_texts[key] <= _MAX_TEXTS_PER_RUN
            }

    def _rows_by_size(self, n_gram: int, shortest: int) -> dict[int, list[int]]:
        """Group texts by run length; a text shorter than `n_gram` must match whole."""
        groups: dict[int, list[int]] = {}
        for row, words in enumerate(self._words):
            size = min(n_gram, len(words))
            if size >= shortest:
                groups.setdefault(size, []).append(row)
        return groups

    def n_words(self, known_row: int) -> int:
        """Count the words of a known text."""
        return len(self._words[known_row])

    def longest_match(self, row: int, item: Item, list_name: str) -> ContaminationMatch | None:
        """Return the longest run that an item shares with the list, verified word by word."""
        tokens = normalized_words(item.text)
        words = [word for word, _, _ in tokens]
        best = (0, 0, -1)
        common = np.zeros(len(words), dtype=bool)
        for size, places in self._places.items():
            matched_end = 0
            for start, key in _runs(words, size):
                place = places.get(key)
                if place is None or start + size <= matched_end:
                    continue
                known_row, known_start = place
                length = _run_length(words, start, self._words[known_row], known_start)
                if length < size:
                    continue
                common[start : start + length] = True
                matched_end = start + length
                best = max(best, (length, -start, known_row))
        length, start, known_row = best[0], -best[1], best[2]
        if known_row < 0:
            return None
        span = (tokens[start][1], tokens[start + length - 1][2])
        return ContaminationMatch(
            row=row,
            item_id=item.id,
            list_name=list_name,
            known_row=known_row,
            kind="words",
            similarity=float(common.mean()),
            n_words=length,
            span=span,
            matched_text=item.text[slice(*span)],
        )


def _embedding_matches(
    items: Sequence[Item],
    known_list: KnownList,
    embeddings: NDArray[np.float16],
    threshold: float,
) -> Iterator[ContaminationMatch]:
    """Yield a match for each item whose nearest known text reaches the threshold."""
    assert known_list.embeddings is not None
    neighbours = nearest(embeddings, known_list.embeddings)
    for row in np.flatnonzero(neighbours.similarities[:, 0] >= threshold).tolist():
        known_row = int(neighbours.rows[row, 0])
        yield ContaminationMatch(
            row=row,
            item_id=items[row].id,
            list_name=known_list.name,
            known_row=known_row,
            kind="near",
            similarity=float(neighbours.similarities[row, 0]),
            n_words=0,
            span=(0, 0),
            matched_text=known_list.texts[known_row],
        )


def _runs(words: Sequence[str], size: int) -> Iterator[tuple[int, int]]:
    """Yield position and hash of every run in which at least half the words are distinct."""
    for start in range(len(words) - size + 1):
        run = tuple(words[start : start + size])
        if 2 * len(set(run)) >= size:
            yield start, hash(run)


def _run_length(words: Sequence[str], start: int, others: Sequence[str], other_start: int) -> int:
    """Count the equal words from `start` and `other_start` on."""
    length = 0
    for word, other in zip(words[start:], others[other_start:], strict=False):
        if word != other:
            break
        length += 1
    return length
