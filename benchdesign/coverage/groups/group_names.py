"""Names of groups of items, from the words and concepts that set them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.coverage.groups.gap_group import ConceptShare
from benchdesign.coverage.kept_out import find_kept_out
from benchdesign.foundation.arrays import Floats
from benchdesign.foundation.words import EMPTY_SUBJECT_WORDS, TASK_WORDS, are_forms

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["GroupNames"]

_MAX_CONCEPTS = 8
_MAX_WORDS = 8
_WORDS_IN_NAME = 3
_MIN_ITEMS_WITH_WORD = 3
_MIN_SHARE = 0.05
_MAX_SHARE_ELSEWHERE = 0.30
_MIN_RATIO = 1.5
_MIN_TRUST = 0.6
"""Smallest measured trust of a label that names a group."""


class GroupNames:
    """Words and concepts of all searched items, from which groups are named."""

    def __init__(self, texts: Sequence[str], presence: csr_array, dictionary: Dictionary) -> None:
        """Count the words and concepts of items; `presence` is (n_items, n_concepts)."""
        from sklearn.feature_extraction.text import CountVectorizer

        self._dictionary = dictionary
        self._concepts = (presence > 0).astype(np.float64).tocsr()
        scores = np.nan_to_num(dictionary.table.label_score, nan=1.0)
        self._unnamed = np.asarray([label is None for label in dictionary.table.label], dtype=bool)
        self._unnamed |= (find_kept_out(dictionary).codes >= 0) | (scores < _MIN_TRUST)
        vectorizer = CountVectorizer(
            binary=True,
            min_df=min(_MIN_ITEMS_WITH_WORD, max(len(texts) // 2, 1)),
            stop_words="english",
            token_pattern=r"(?u)\b[^\W\d_][\w'-]*[^\W_]\b",
            ngram_range=(1, 2),
        )
        try:
            self._words: csr_array | None = vectorizer.fit_transform(texts).tocsr()
            self._vocabulary = vectorizer.get_feature_names_out()
        except ValueError:
            # No word is left, as in sets of numbers or of another script.
            self._words, self._vocabulary = None, np.empty(0, dtype=object)

    def concepts(
        self, rows: NDArray[np.int64], others: NDArray[np.int64]
    ) -> tuple[ConceptShare, ...]:
        """Return the concepts shown more often by the rows, most distinctive first."""
        share, share_elsewhere, order = _distinctive(self._concepts, rows, others, self._unnamed)
        return tuple(
            ConceptShare(
                int(place),
                self._dictionary.label(int(place)),
                float(share[place]),
                float(share_elsewhere[place]),
            )
            for place in order[:_MAX_CONCEPTS]
        )

    def words(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> tuple[str, ...]:
        """Return the words that set the rows apart, most distinctive first, one form of each."""
        if self._words is None:
            return ()
        _, _, order = _distinctive(self._words, rows, others, None)
        chosen: list[str] = []
        for place in order[:60]:
            word = str(self._vocabulary[place])
            parts = word.split()
            if any(part in EMPTY_SUBJECT_WORDS | TASK_WORDS for part in parts):
                continue
            if not any(
                are_forms(part, other)
                for part in parts
                for kept in chosen
                for other in kept.split()
            ):
                chosen.append(word)
            if len(chosen) == _MAX_WORDS:
                break
        return tuple(chosen)

    def name(self, words: Sequence[str], concepts: Sequence[ConceptShare], used: set[str]) -> str:
        """Return a unique name of words, or of concept labels where there are none."""
        plain = ", ".join(words[:_WORDS_IN_NAME])
        plain = plain or " · ".join(concept.label for concept in concepts[:2]) or "similar items"
        name, n = plain, 1
        while name in used:
            n += 1
            name = f"{plain} ({n})"
        used.add(name)
        return name


def _distinctive(
    shown: csr_array,
    rows: NDArray[np.int64],
    others: NDArray[np.int64],
    excluded: NDArray[np.bool_] | None,
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return shares inside and outside, and the columns by p log(p / q), best first."""
    count = np.asarray(shown[rows].sum(axis=0)).ravel()
    share = count / max(len(rows), 1)
    share_elsewhere = np.asarray(shown[others].sum(axis=0)).ravel() / max(len(others), 1)
    smoothed = (share_elsewhere * len(others) + 0.5) / (len(others) + 1)
    score = share * np.log((share + 1e-9) / smoothed)
    score[(share < _MIN_RATIO * smoothed) | (share < _MIN_SHARE)] = 0
    score[
        (count < min(_MIN_ITEMS_WITH_WORD, len(rows))) | (share_elsewhere > _MAX_SHARE_ELSEWHERE)
    ] = 0
    if excluded is not None:
        score[excluded] = 0
    order = np.argsort(-score, kind="stable")
    return share, share_elsewhere, order[score[order] > 0]
