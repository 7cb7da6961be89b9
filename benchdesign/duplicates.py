"""Exact and near duplicates, inside a set and across sets, and matches with known benchmarks.

Three criteria, from certain to likely: the same text after normalisation, a long run of words in
common (contamination), and a high cosine similarity of sentence embeddings. Comparison is done in
blocks, so memory depends on the block size and not on the product of the set sizes. Embeddings are
computed elsewhere, and the caller decides what to do about duplicates.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchdesign.errors import UsageError
from benchdesign.items import Item, Span

__all__ = [
    "NEAR_DUPLICATE",
    "ContaminationMatch",
    "DuplicatePair",
    "KnownList",
    "Nearest",
    "WordRuns",
    "duplicate_key",
    "duplicate_threshold",
    "find_contamination",
    "find_duplicates",
    "find_exact_duplicates",
    "nearest",
]

NEAR_DUPLICATE = 0.95
"""Cosine similarity of sentence embeddings from which two items are near-duplicates."""

_BLOCK_CELLS = 16_000_000
"""Similarities in memory at once: 64 MB as float32, whatever the sizes of the two sets."""

_TARGET_BLOCK = 16_384

_FEWEST_TO_LEARN_FROM = 20
_MOST_TO_LEARN_FROM = 2_000

_TEMPLATE = 3
"""Most texts of a list that may share a run; a more frequent run belongs to a template."""

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


class Nearest(NamedTuple):
    """The k nearest targets of each query, most similar first."""

    rows: NDArray[np.int64]
    """(n_queries, k): rows of the targets; -1 if there are fewer than k."""

    similarities: NDArray[np.float32]
    """(n_queries, k): cosines; -1.0 if there are fewer than k."""


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
    if embeddings is None or len(embeddings) < _FEWEST_TO_LEARN_FROM:
        return NEAR_DUPLICATE
    step = -(-len(embeddings) // _MOST_TO_LEARN_FROM)
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
    parts = [" ".join(word for word, _, _ in _words(item.text[start:end])) for start, end in spans]
    return "\n".join(sorted(part for part in parts if part)) or item.text.strip()


def nearest(
    queries: NDArray[np.float16] | NDArray[np.float32],
    targets: NDArray[np.float16] | NDArray[np.float32],
    *,
    k: int = 1,
) -> Nearest:
    """Return the `k` most similar targets of every query, by exhaustive search over unit vectors.

    Similarities are computed in blocks of 64 MB, so that even a million queries against ten
    thousand targets need little memory beyond the vectors.
    """
    n_queries, n_targets = len(queries), len(targets)
    rows = np.full((n_queries, k), -1, dtype=np.int64)
    similarities = np.full((n_queries, k), -1.0, dtype=np.float32)
    if not n_queries or not n_targets:
        return Nearest(rows, similarities)
    target_step = min(n_targets, _TARGET_BLOCK)
    query_step = max(1, _BLOCK_CELLS // target_step)
    for low in range(0, n_targets, target_step):
        block = np.ascontiguousarray(targets[low : low + target_step], dtype=np.float32).T
        for start in range(0, n_queries, query_step):
            part = slice(start, start + query_step)
            cosines = np.asarray(queries[part], dtype=np.float32) @ block
            best = _top(cosines, min(k, cosines.shape[1]))
            values = np.take_along_axis(cosines, best, axis=1)
            # Merge with the best matches of earlier target blocks.
            all_rows = np.concatenate([rows[part], best + low], axis=1)
            all_values = np.concatenate([similarities[part], values], axis=1)
            order = np.argsort(-all_values, axis=1, kind="stable")[:, :k]
            rows[part] = np.take_along_axis(all_rows, order, axis=1)
            similarities[part] = np.take_along_axis(all_values, order, axis=1)
    # Unit vectors in float16 can be slightly too long.
    return Nearest(rows, np.minimum(similarities, 1.0, out=similarities))


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
        self._words = [[word for word, _, _ in _words(text)] for text in texts]
        self._places: dict[int, dict[int, tuple[int, int]]] = {}
        for size, rows in self._rows_by_size(n_gram, shortest).items():
            in_texts = Counter(
                key for row in rows for key in {key for _, key in _runs(self._words[row], size)}
            )
            self._places[size] = {
                key: (row, start)
                for row in reversed(rows)
                for start, key in _runs(self._words[row], size)
                if in_texts[key] <= _TEMPLATE
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
        tokens = _words(item.text)
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


def _words(text: str) -> list[tuple[str, int, int]]:
    """Return case-folded words with their start and end in the text."""
    return [
        (unicodedata.normalize("NFKC", match.group()).casefold(), match.start(), match.end())
        for match in _TOKEN.finditer(text)
    ]


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


def _top(values: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the columns of the `k` largest values of each row, unordered."""
    columns = values.shape[1]
    if k == 1:
        best: NDArray[np.int64] = values.argmax(axis=1)[:, None]
    elif k >= columns:
        best = np.tile(np.arange(columns), (len(values), 1))
    else:
        best = np.argpartition(-values, k - 1, axis=1)[:, :k]
    return best
