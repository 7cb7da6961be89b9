"""Labels from key words: offline, always there, never more than words.

Activation-weighted class-based TF-IDF: a word counts for a concept by how strongly the concept
fires where the word stands, and against it by how many concepts share the word.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from benchdesign.mapping.contexts import ConceptContexts, Context
from benchdesign.mapping.label import ConceptLabel, clean_label

__all__ = ["label_by_keywords"]

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_ELSEWHERE = 0.15
"""Weight of a word beside the strongest token, against 1 for the word it is in."""


def label_by_keywords(
    contexts: Iterable[ConceptContexts], *, n_words: int = 3
) -> tuple[ConceptLabel, ...]:
    """Label every concept that has contexts with its most telling words."""
    weights: dict[int, dict[str, float]] = {}
    for one in contexts:
        counts = _count((*one.strong, *one.middle))
        if counts:
            weights[one.concept_id] = counts
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
    """Order a concept's words by how telling they are."""
    telling = {word: count * math.log(1 + n / spread[word]) for word, count in counts.items()}
    return sorted(telling, key=lambda word: (-telling[word], word))


def _count(contexts: Sequence[Context]) -> dict[str, float]:
    """Weigh words; a word counts once per context, so that one text cannot decide."""
    counts: dict[str, float] = {}
    support: Counter[str] = Counter()
    for context in contexts:
        best: dict[str, float] = {}
        whole = context.start == 0 and context.end >= len(context.text)
        for match in _WORD.finditer(context.text):
            inside = whole or (match.start() < context.end and match.end() > context.start)
            word = match.group().lower()
            weight = context.activation * (1.0 if inside else _ELSEWHERE)
            best[word] = max(best.get(word, 0.0), weight)
        for word, weight in best.items():
            counts[word] = counts.get(word, 0.0) + weight
        support.update(best)
    for word in counts:
        if support[word] == 1 and len(contexts) > 1:
            # In one context only: a name or a rare word of that text, not of the concept.
            counts[word] *= _ELSEWHERE
    return counts


def _distinct(ranked: list[str], n: int) -> list[str]:
    """Leave out forms of a word that is there already."""
    kept: list[str] = []
    for word in ranked:
        stem = word[: max(4, len(word) - 2)]
        if not any(other.startswith(stem) or word.startswith(other) for other in kept):
            kept.append(word)
        if len(kept) == n:
            break
    return kept
