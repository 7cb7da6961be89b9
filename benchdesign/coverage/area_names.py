"""Names of areas, from the labels of their concepts."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.foundation.arrays import Floats
from benchdesign.foundation.words import EMPTY_SUBJECT_WORDS, are_forms

__all__ = ["name_areas"]


_LABELS_IN_NAME = 2


_WORDS_IN_NAME = 3


_KEYWORD = re.compile(r"[^\W\d_]{3,}")


def name_areas(
    dictionary: Dictionary,
    area_of: NDArray[np.int32],
    concept_ids: NDArray[np.int64],
    clusters: NDArray[np.int32],
    features: Floats,
) -> tuple[str, ...]:
    """Name each area after its most central concepts, or after the keywords they share."""
    labels = dictionary.table.label
    present = [label for label in labels if label]
    # Keyword labels are too specific for an area; use the keywords that its concepts share.
    has_keywords = sum("," in label for label in present) > len(present) / 2
    words = _common_words(dictionary, area_of, int(clusters.max()) + 1) if has_keywords else None
    scores = np.nan_to_num(dictionary.table.label_score[concept_ids], nan=0.5)
    names: list[str] = []
    for cluster in range(int(clusters.max()) + 1):
        inside = np.flatnonzero(clusters == cluster)
        centre = features[inside].mean(axis=0)
        order = inside[np.argsort(-(features[inside] @ centre) * scores[inside], kind="stable")]
        central = dict.fromkeys(label for row in order if (label := labels[concept_ids[row]]))
        name = " · ".join(list(central)[:_LABELS_IN_NAME])
        if words is not None and words[cluster]:
            name = ", ".join(words[cluster])
        name = name or f"area {cluster + 1}"
        names.append(name if name not in names else f"{name} ({cluster + 1})")
    return tuple(names)


def _common_words(
    dictionary: Dictionary, area_of: NDArray[np.int32], n_areas: int
) -> list[list[str]]:
    """Return the keywords that distinguish each area's labels from those of all others."""
    inside: list[Counter[str]] = [Counter() for _ in range(n_areas)]
    for area, label in zip(area_of, dictionary.table.label, strict=True):
        if area >= 0 and label:
            inside[area].update(set(_KEYWORD.findall(label.lower())) - EMPTY_SUBJECT_WORDS)
    overall: Counter[str] = Counter()
    for counts in inside:
        overall.update(counts)
    words = []
    for counts in inside:
        # Rank by count times share: frequent in this area and rare elsewhere.
        ranked = sorted(counts, key=lambda word: (-(counts[word] ** 2) / overall[word], word))
        chosen: list[str] = []
        for word in ranked:
            # Keep one form of a word: eat, not both eat and eating.
            if not any(are_forms(word, other) for other in chosen):
                chosen.append(word)
            if len(chosen) == _WORDS_IN_NAME:
                break
        words.append(chosen)
    return words
