"""Draws for the measurement of gap groups, and the strongest simple rival of its proposals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.mapping.map_items import map_items
from benchdesign.concepts.mapping.mapper_protocols import Mapper
from benchdesign.concepts.maps.concept_map import ConceptMap
from planted.sets import FAMILIES, PlantedSet, load_sets

Floats = NDArray[np.float64]

DOMAINS = {
    "medicine": ("medicine: ", "medicine and health"),
    "mathematics": ("mathematics: ", "mathematics"),
    "intents": ("intents: ", "what people ask a voice assistant"),
}
"""By name: prefix of the categories, and the scope in one sentence."""

N_OWN, N_POOL = 40, 60
N_POOL_OPEN = 40
MOST_IN_DOMAIN = 10


@dataclass(frozen=True, slots=True, eq=False)
class MappedSet:
    """A categorised set with its map."""

    items: tuple[Item, ...]
    labels: NDArray[np.object_]
    map: ConceptMap


@dataclass(frozen=True, slots=True, eq=False)
class GroupDraw:
    """A benchmark and a pool."""

    benchmark: tuple[Item, ...]
    pool: tuple[Item, ...]
    benchmark_map: ConceptMap
    pool_map: ConceptMap
    is_removed: NDArray[np.bool_]
    """(n_pool,): items of the category that was taken out."""

    in_domain: NDArray[np.bool_]
    """(n_pool,)"""

    pool_labels: NDArray[np.object_]
    """(n_pool,)"""


def load_group_sets(mapper: Mapper, cache: Path) -> dict[str, MappedSet]:
    """Read and map all categorised sets, and `many`: those of the pool together."""
    sets = load_sets()
    mapped = {
        item_set.name: MappedSet(
            item_set.items,
            np.asarray(item_set.labels, dtype=object),
            map_items(item_set.items, mapper, cache=cache),
        )
        for item_set in sets
    }
    families = [name for name in FAMILIES if name in mapped]
    mapped["many"] = MappedSet(
        tuple(item for name in families for item in mapped[name].items),
        np.concatenate([f"{name}: " + mapped[name].labels for name in families]),
        ConceptMap.concatenate([mapped[name].map for name in families]),
    )
    return mapped


def draw_closed(
    item_set: MappedSet, seed: int, *, n_removed: int, most_categories: int = 57
) -> GroupDraw:
    """Split every category, at most 40 items to the benchmark and 60 to the pool; take some out."""
    rng = np.random.default_rng([seed, n_removed])
    counts = Counter(item_set.labels.tolist())
    usable = sorted(name for name, count in counts.items() if count >= 50)
    chosen = [usable[place] for place in rng.permutation(len(usable))[:most_categories]]
    own, pool = [], []
    for name in sorted(chosen):
        rows = rng.permutation(np.flatnonzero(item_set.labels == name))
        cut = min(N_OWN, round(0.4 * len(rows)))
        if name not in chosen[:n_removed]:
            own.append(rows[:cut])
        pool.append(rows[cut : cut + N_POOL])
    return _draw(item_set, np.concatenate(own), np.concatenate(pool), chosen[:n_removed], "")


def draw_open(item_set: MappedSet, domain: str, seed: int) -> GroupDraw:
    """Draw a benchmark of one domain less one category, and a pool of every domain."""
    rng = np.random.default_rng([seed, 77])
    prefix = DOMAINS[domain][0]
    counts = Counter(item_set.labels.tolist())
    usable = sorted(name for name, count in counts.items() if count >= N_OWN + N_POOL_OPEN)
    inside = [name for name in usable if name.startswith(prefix)]
    inside = [inside[place] for place in rng.permutation(len(inside))[:MOST_IN_DOMAIN]]
    own, pool = [], []
    for name in usable:
        rows = rng.permutation(np.flatnonzero(item_set.labels == name))
        if name in inside:
            if name != inside[0]:
                own.append(rows[:N_OWN])
            pool.append(rows[N_OWN : N_OWN + N_POOL_OPEN])
        elif not name.startswith(prefix):
            pool.append(rows[:N_POOL_OPEN])
    return _draw(item_set, np.concatenate(own), np.concatenate(pool), inside[:1], prefix)


def _draw(
    item_set: MappedSet,
    own: NDArray[np.int64],
    pool: NDArray[np.int64],
    removed: Sequence[str],
    prefix: str,
) -> GroupDraw:
    labels = item_set.labels[pool]
    return GroupDraw(
        tuple(item_set.items[row] for row in own),
        tuple(item_set.items[row] for row in pool),
        item_set.map.take(own),
        item_set.map.take(pool),
        np.isin(labels, list(removed)),
        np.asarray([label.startswith(prefix) for label in labels]),
        labels,
    )


def rank_by_ensemble(draw: GroupDraw) -> NDArray[np.int64]:
    """Rank the pool by words and embeddings together, smoothed over neighbours, best first."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    maps = (draw.benchmark_map, draw.pool_map)
    vectors = np.concatenate([part.embeddings.astype(np.float64) for part in maps])
    n_own = len(draw.benchmark)
    is_pool = np.arange(len(vectors)) >= n_own
    centred = vectors - vectors.mean(axis=0)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -1)
    wide = np.argpartition(-cosines, 30, axis=1)[:, :30]
    near = np.argpartition(-cosines, 10, axis=1)[:, :10]
    target = is_pool - is_pool.mean()
    inverse = np.linalg.inv(centred.T @ centred + 10 * np.eye(centred.shape[1]))
    fitted = centred @ (inverse @ (centred.T @ target))
    leverage = np.einsum("ij,jk,ik->i", centred, inverse, centred, optimize=True) + 1 / len(centred)
    texts = [item.text for item in (*draw.benchmark, *draw.pool)]
    words = TfidfVectorizer(sublinear_tf=True, min_df=2, stop_words="english").fit_transform(texts)
    by_words = cross_val_predict(
        LogisticRegression(), words, is_pool, cv=5, method="decision_function"
    )
    parts = (is_pool[wide].mean(axis=1), target - (target - fitted) / (1 - leverage), by_words)
    score = sum(((part - part.mean()) / part.std() for part in parts), np.zeros(len(vectors)))
    smoothed: Floats = score[near].mean(axis=1)[near].mean(axis=1)
    return np.argsort(-smoothed[n_own:], kind="stable")


__all__ = [
    "DOMAINS",
    "GroupDraw",
    "MappedSet",
    "PlantedSet",
    "draw_closed",
    "draw_open",
    "load_group_sets",
    "rank_by_ensemble",
]
