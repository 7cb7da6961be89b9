"""Exact and near duplicates, inside a set and across sets, and matches with known benchmarks.

Three criteria, from certain to likely: the same text after normalisation, a long run of words in
common (contamination), and a high cosine similarity of sentence embeddings. Comparison is done in
blocks, so memory depends on the block size and not on the product of the set sizes. Embeddings are
computed elsewhere, and the caller decides what to do about duplicates.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item
from benchdesign.errors import UsageError
from benchdesign.foundation.nearest import nearest

__all__ = [
    "NEAR_DUPLICATE",
    "DuplicatePair",
    "duplicate_key",
    "duplicate_threshold",
    "find_duplicates",
    "find_exact_duplicates",
]


NEAR_DUPLICATE = 0.95
"""Cosine similarity of sentence embeddings from which two items are near-duplicates."""


_MIN_CALIBRATION_ITEMS = 20


_MAX_CALIBRATION_ITEMS = 2_000


_TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"  # scripts without spaces: one character, one word
    r"|\w+(?:[.,]\w+)*"  # 3.5 and 1,000 are one word
    # Other symbols, such as + and <, carry meaning.
    r"|[^\w\s.,;:!?'\"`()\[\]{}\u2018\u2019\u201c\u201d\u2026]"
)


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Two duplicate items, by row and id."""

    kind: str
    """`exact` (after normalisation) or `near` (by embedding)."""

    row_a: int
    """Row in the first set."""

    row_b: int
    """Row in the second set; within one set always larger than `row_a`."""

    id_a: str
    id_b: str
    similarity: float
    """Cosine of the embeddings; 1.0 for exact pairs."""

    threshold: float
    """Similarity from which pairs are reported."""


def find_duplicates(
    items_a: Sequence[Item],
    items_b: Sequence[Item] | None = None,
    *,
    embeddings_a: NDArray[np.float16] | None = None,
    embeddings_b: NDArray[np.float16] | None = None,
    threshold: float = NEAR_DUPLICATE,
    max_per_item: int = 5,
) -> tuple[DuplicatePair, ...]:
    """Return exact and near duplicates across two sets, or within the first if `items_b` is None.

    Near duplicates need embeddings. Only the `max_per_item` closest near duplicates of an item are
    listed, because templated sets have quadratically many. Pairs are sorted by similarity.
    """
    if not 0.0 < threshold <= 1.0:
        raise UsageError(f"The duplicate threshold {threshold} is out of range; use 0 to 1.")
    is_single_set = items_b is None
    others = items_a if items_b is None else items_b
    pairs = find_exact_duplicates(items_a, items_b)
    exact = {(pair.row_a, pair.row_b) for pair in pairs}
    targets = embeddings_a if is_single_set else embeddings_b
    near: dict[tuple[int, int], float] = {}
    if embeddings_a is not None and targets is not None and len(targets):
        k = max_per_item + is_single_set
        neighbours = nearest(embeddings_a, targets, k=k)
        for row, rank in zip(*np.nonzero(neighbours.similarities >= threshold), strict=True):
            other = int(neighbours.rows[row, rank])
            pair = (int(row), other)
            if is_single_set:
                pair = (min(pair), max(pair))
            if not (is_single_set and pair[0] == pair[1]) and pair not in exact:
                near[pair] = float(neighbours.similarities[row, rank])
    pairs.extend(
        DuplicatePair("near", a, b, items_a[a].id, others[b].id, similarity, threshold)
        for (a, b), similarity in near.items()
    )
    pairs.sort(key=lambda pair: (pair.kind, -pair.similarity, pair.row_a, pair.row_b))
    return tuple(pairs)


def duplicate_threshold(embeddings: NDArray[np.float16] | None) -> float:
    """Return the similarity from which an item repeats an item of a set, calibrated on the set.

    Items that coexist in a set are not duplicates to its designer. If over a tenth of a set has a
    neighbour closer than 0.95, as in templated sets, the threshold rises to the 90th percentile of
    the nearest similarities.
    """
    if embeddings is None or len(embeddings) < _MIN_CALIBRATION_ITEMS:
        return NEAR_DUPLICATE
    step = -(-len(embeddings) // _MAX_CALIBRATION_ITEMS)
    neighbours = nearest(embeddings[::step], embeddings, k=2)
    percentile = float(np.quantile(neighbours.similarities[:, 1], 0.9))
    return min(max(percentile, NEAR_DUPLICATE), 0.999)


def find_exact_duplicates(
    items_a: Sequence[Item], items_b: Sequence[Item] | None = None
) -> list[DuplicatePair]:
    """Return the pairs with equal content after normalisation.

    Across sets, each item of the first is paired with the first equal item of the second. Within a
    set, each repetition is paired with the first occurrence.
    """
    first: dict[str, int] = {}
    pairs = []
    if items_b is not None:
        for row, item in enumerate(items_b):
            first.setdefault(duplicate_key(item), row)
    for row, item in enumerate(items_a):
        if items_b is None:
            earlier = first.setdefault(duplicate_key(item), row)
            if earlier != row:
                pairs.append(
                    DuplicatePair("exact", earlier, row, items_a[earlier].id, item.id, 1.0, 1.0)
                )
        elif (other := first.get(duplicate_key(item))) is not None:
            pairs.append(DuplicatePair("exact", row, other, item.id, items_b[other].id, 1.0, 1.0))
    return pairs


def duplicate_key(item: Item) -> str:
    """Return the normalised content; duplicates have the same key.

    Case, spacing, punctuation and compatibility forms are folded. Choice letters and other
    boilerplate are dropped. Parts are sorted, so that shuffled choices have the same key. Symbols
    that carry meaning (+, <, %) are kept.
    """
    spans = item.content or ((0, len(item.text)),)
    parts = [
        " ".join(word for word, _, _ in normalized_words(item.text[start:end]))
        for start, end in spans
    ]
    return "\n".join(sorted(part for part in parts if part)) or item.text.strip()


def normalized_words(text: str) -> list[tuple[str, int, int]]:
    """Return case-folded words with their start and end in the text."""
    return [
        (unicodedata.normalize("NFKC", match.group()).casefold(), match.start(), match.end())
        for match in _TOKEN.finditer(text)
    ]
