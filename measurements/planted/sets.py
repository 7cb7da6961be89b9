"""The categorised sets of the planted-gap test, read and mapped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchdesign.benchmarks.items import Item
from benchdesign.benchmarks.load import load_benchmark
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.mapping.map_items import map_items
from benchdesign.concepts.mapping.open_mapper import open_mapper
from benchdesign.concepts.maps.concept_map import ConceptMap
from planted.draws import FEWEST_ITEMS, MOST_ITEMS

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

FAMILIES = {
    "trivia": "trivia: ",
    "medicine": "medicine: ",
    "intents": "intent: ",
    "mathematics": "mathematics: ",
}
"""Sets within the pool: the prefix of their categories."""


@dataclass(frozen=True, slots=True, eq=False)
class PlantedSet:
    """Items and the category of each."""

    name: str
    items: tuple[Item, ...]
    labels: tuple[str, ...]

    @classmethod
    def capped(cls, name: str, items: Sequence[Item], labels: Sequence[str]) -> PlantedSet:
        """Keep at most `MOST_ITEMS` random items of each category that is large enough."""
        rng = np.random.default_rng(0)
        array = np.asarray(labels, dtype=object)
        chosen = [
            rng.permutation(np.flatnonzero(array == label))[:MOST_ITEMS]
            for label, count in sorted(Counter(labels).items())
            if count >= FEWEST_ITEMS
        ]
        rows = np.sort(np.concatenate(chosen)).tolist()
        return cls(name, tuple(items[row] for row in rows), tuple(labels[row] for row in rows))


def load_sets(data: Path = DATA) -> tuple[PlantedSet, ...]:
    """Read the pool's categorised families, TruthfulQA and BIG-Bench-Hard."""
    pool = load_benchmark(data / "pool" / "pool.jsonl.gz").items
    sets = []
    for name, prefix in FAMILIES.items():
        items = tuple(item for item in pool if (item.category or "").startswith(prefix))
        # Two sources of mathematics spell the same topic in different case.
        labels = tuple((item.category or "").removeprefix(prefix).casefold() for item in items)
        sets.append(PlantedSet.capped(name, items, labels))
    truthful = load_benchmark(
        data / "benchmarks" / "truthfulqa" / "TruthfulQA.csv", fields={"category": "Category"}
    ).items
    labels = tuple(item.category or "" for item in truthful)
    sets.append(PlantedSet.capped("truthfulqa", tuple(truthful), labels))
    tasks = {
        path.stem: load_benchmark(path).items
        for path in sorted((data / "benchmarks" / "bbh").glob("*.json"))
    }
    sets.append(
        PlantedSet.capped(
            "bbh",
            tuple(item for items in tasks.values() for item in items),
            tuple(task for task, items in tasks.items() for _ in items),
        )
    )
    return tuple(sets)


def map_sets(
    sets: Sequence[PlantedSet], dictionary: str | Path, cache: Path
) -> tuple[dict[str, ConceptMap], Dictionary]:
    """Map every set with one dictionary; `cache` is the folder of cached maps."""
    mapper = open_mapper(dictionary=dictionary)
    maps = {item_set.name: map_items(item_set.items, mapper, cache=cache) for item_set in sets}
    return maps, mapper.dictionary


def only_level(dictionary: Dictionary, level: str) -> Dictionary:
    """Return a dictionary that excludes the concepts of all other levels."""
    chosen = next(candidate for candidate in dictionary.levels if candidate.name == level)
    flags = tuple(
        concept_flags
        if chosen.offset <= concept < chosen.offset + chosen.width
        else concept_flags | {"other level"}
        for concept, concept_flags in enumerate(dictionary.table.flags)
    )
    return replace(dictionary, table=replace(dictionary.table, flags=flags))
