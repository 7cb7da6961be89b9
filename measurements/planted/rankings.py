"""Rankings of a pool against a benchmark: ours and its baselines.

Each ranks the pool of a draw and returns pool positions, best first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.dictionary import ConceptTable, Dictionary, Level
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.reference import Reference
from benchdesign.selection.additions import ProposalSettings, plan_additions

Floats = NDArray[np.float64]
RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The benchmark or the pool of a draw."""

    items: Sequence[Item]
    map: ConceptMap
    words: ConceptMap
    """The same items as bags of words."""

    def take(self, rows: NDArray[np.int64]) -> Side:
        """Return the given rows."""
        return Side([self.items[row] for row in rows], self.map.take(rows), self.words.take(rows))

    @property
    def vectors(self) -> Floats:
        """Sentence embeddings."""
        assert self.map.embeddings is not None
        return self.map.embeddings.astype(np.float64)


def rank_by_concepts(
    benchmark: Side,
    pool: Side,
    n: int,
    *,
    dictionary: Dictionary,
    seed: int,
    settings: ProposalSettings | None = None,
) -> list[int]:
    """Rank by the proposals of the library, duplicate control included."""
    gaps = find_gaps(
        measure_coverage(
            benchmark.map, dictionary, reference=Reference.from_map(pool.map, dictionary)
        ),
        dictionary,
    )
    plan = plan_additions(
        benchmark.map,
        pool.map,
        gaps,
        dictionary,
        n=n,
        pool_items=pool.items,
        benchmark_items=benchmark.items,
        settings=settings,
        rng=np.random.default_rng(seed),
    )
    return [proposal.row for proposal in plan.proposals]


def rank_by_words(
    benchmark: Side, pool: Side, n: int, *, dictionary: Dictionary, seed: int
) -> list[int]:
    """Rank by bags of words with our scoring: words instead of concepts."""
    return rank_by_concepts(
        replace(benchmark, map=benchmark.words),
        replace(pool, map=pool.words),
        n,
        dictionary=dictionary,
        seed=seed,
    )


def rank_at_random(pool: Side, n: int, *, seed: int) -> list[int]:
    """Return a random order."""
    return list(map(int, np.random.default_rng(seed).permutation(len(pool.items))[:n]))


def rank_by_novelty(benchmark: Side, pool: Side, n: int) -> list[int]:
    """Rank by distance to the nearest benchmark item, largest first."""
    closest = (pool.vectors @ benchmark.vectors.T).max(axis=1)
    return _first(-closest, n)


def rank_by_k_center(benchmark: Side, pool: Side, n: int) -> list[int]:
    """Rank farthest first: by distance to the benchmark and to the items chosen before."""
    vectors = pool.vectors
    closest = (vectors @ benchmark.vectors.T).max(axis=1)
    chosen: list[int] = []
    for _ in range(min(n, len(vectors))):
        row = int(closest.argmin())
        chosen.append(row)
        closest = np.maximum(closest, vectors @ vectors[row])
        closest[row] = np.inf
    return chosen


def rank_by_mean_difference(benchmark: Side, pool: Side, n: int) -> list[int]:
    """Rank by projection on the difference between the two means."""
    direction = pool.vectors.mean(axis=0) - benchmark.vectors.mean(axis=0)
    return _first(pool.vectors @ direction, n)


def rank_by_ridge(benchmark: Side, pool: Side, n: int, *, ridge: float) -> list[int]:
    """Rank by ridge regression of pool against benchmark, with leave-one-out predictions."""
    x = np.concatenate([benchmark.vectors, pool.vectors])
    y = np.concatenate([np.zeros(len(benchmark.items)), np.ones(len(pool.items))])
    x, y = x - x.mean(axis=0), y - y.mean()
    inverse = np.linalg.inv(x.T @ x + ridge * np.eye(x.shape[1]))
    fitted = x @ (inverse @ (x.T @ y))
    leverage = ((x @ inverse) * x).sum(axis=1) + 1 / len(x)
    scores = (y - (y - fitted) / (1 - leverage))[len(benchmark.items) :]
    return _first(scores, n)


def _first(scores: Floats, n: int) -> list[int]:
    """Return the positions of the `n` largest scores."""
    return list(map(int, np.argsort(-scores, kind="stable")[:n]))


def map_words(
    texts: Sequence[str], embeddings: NDArray[np.float16] | None
) -> tuple[ConceptMap, Dictionary]:
    """Return bags of words as a concept map: saliency is the share of an item's words."""
    bags = [Counter(re.findall(r"\w+", text.casefold())) for text in texts]
    in_items = Counter(word for bag in bags for word in bag)
    words = sorted(word for word, count in in_items.items() if count >= 3)
    number = {word: place for place, word in enumerate(words)}
    rows = [
        sorted((number[word], count) for word, count in bag.items() if word in number)
        for bag in bags
    ]
    lengths = np.asarray([max(sum(bag.values()), 1) for bag in bags], dtype=np.int32)
    indptr = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    indices = np.asarray([place for row in rows for place, _ in row], dtype=np.int32)
    counts = np.asarray([count for row in rows for _, count in row], dtype=np.float32)
    saliency = (counts / np.repeat(lengths, np.diff(indptr))).astype(np.float32)
    nowhere = np.zeros(len(indices), dtype=np.int32)
    concept_map = ConceptMap(
        digests=tuple(map(str, range(len(texts)))),
        n_concepts=len(words),
        dictionary="words",
        indptr=indptr,
        indices=indices,
        saliency=saliency,
        peak=counts,
        start=nowhere,
        end=nowhere,
        n_tokens=lengths,
        embeddings=embeddings,
    )
    n = len(words)
    unknown = np.full(n, np.nan, dtype=np.float32)
    table = ConceptTable(
        level=np.zeros(n, dtype=np.int8),
        threshold=np.zeros(n, dtype=np.float32),
        base_rates=np.full((n, 1), np.nan, dtype=np.float32),
        mean_activation=unknown,
        max_activation=unknown,
        q90=unknown,
        density=unknown,
        flags=(frozenset(),) * n,
        label=tuple(words),
        label_source=("written",) * n,
        label_score=unknown,
        area=(None,) * n,
    )
    return concept_map, Dictionary(
        "words", "none", (Level("terms", "token", "", 0, n),), table, (), "words"
    )
