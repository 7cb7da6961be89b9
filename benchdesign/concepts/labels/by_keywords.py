"""Label concepts by keywords, offline.

Activation-weighted class-based TF-IDF: the weight of a word grows with the activation of the
concept at the word, and falls with the number of concepts that share the word.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from benchdesign.concepts.labels.labels import ConceptLabel, clean_label
from benchdesign.concepts.training.contexts import ConceptContexts, Context
from benchdesign.foundation.words import are_forms

__all__ = ["label_by_keywords"]

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_OTHER_WORD_WEIGHT = 0.15
"""Weight of a word that does not overlap the strongest token; 1 for one that does."""


def label_by_keywords(
    contexts: Iterable[ConceptContexts], *, n_words: int = 3
) -> tuple[ConceptLabel, ...]:
    """Label every concept that has contexts with its most distinctive words."""
    weights: dict[int, dict[str, float]] = {}
    for entry in contexts:
        counts = _count((*entry.strong, *entry.middle))
        if counts:
            weights[entry.concept_id] = counts
    spread = Counter(word for counts in weights.values() for word in counts)
    return tuple(
        ConceptLabel(
            concept,
            clean_label(", ".join(_distinct(_rank(counts, spread, len(weights)), n_words))),
            "keywords",
        )
        for concept, counts in weights.items()
    )


def _rank(counts: dict[str, float], spread: Counter[str], n: int) -> list[str]:
    """Sort the words of a concept, most distinctive first."""
    scores = {word: count * math.log(1 + n / spread[word]) for word, count in counts.items()}
    return sorted(scores, key=lambda word: (-scores[word], word))


def _count(contexts: Sequence[Context]) -> dict[str, float]:
    """Sum the weights of words, each counted once per context, so that no text dominates."""
    counts: dict[str, float] = {}
    support: Counter[str] = Counter()
    for context in contexts:
        best: dict[str, float] = {}
        whole = context.start == 0 and context.end >= len(context.text)
        for match in _WORD.finditer(context.text):
            inside = whole or (match.start() < context.end and match.end() > context.start)
            word = match.group().lower()
            weight = context.activation * (1.0 if inside else _OTHER_WORD_WEIGHT)
            best[word] = max(best.get(word, 0.0), weight)
        for word, weight in best.items():
            counts[word] = counts.get(word, 0.0) + weight
        support.update(best)
    for word in counts:
        if support[word] == 1 and len(contexts) > 1:
            # A word in a single context is specific to that text, not to the concept.
            counts[word] *= _OTHER_WORD_WEIGHT
    return counts


def _distinct(ranked: list[str], n: int) -> list[str]:
    """Return the first `n` words, without other forms of an earlier word."""
    words: list[str] = []
    for word in ranked:
        if not any(are_forms(word, earlier) for earlier in words):
            words.append(word)
        if len(words) == n:
            break
    return words
