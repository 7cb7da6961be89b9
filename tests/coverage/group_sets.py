"""Sets of items around subjects, for tests of gap groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.groups.find_groups import find_gap_groups
from benchdesign.coverage.groups.gap_group import GapGroups
from benchdesign.coverage.groups.judgements import ItemJudgements
from tests.helpers import make_dictionary, make_map

SUBJECTS = ("whales", "violins", "volcanoes", "pastry", "chess", "bridges")
_SEEDS = {subject: place for place, subject in enumerate((*SUBJECTS, "taxes", "poems", "knots"))}


@dataclass(frozen=True)
class SubjectSet:
    """Items of several subjects with their map; concept i is subject i."""

    items: tuple[Item, ...]
    map: ConceptMap
    subjects: tuple[str, ...]


def make_set(
    counts: Mapping[str, int], *, prefix: str, seed: int, n_choices: int = 0
) -> SubjectSet:
    """Make items of every subject: embeddings around its centre, words and a concept of its own."""
    rng = np.random.default_rng(seed)
    subjects = tuple(subject for subject, n in counts.items() for _ in range(n))
    vectors = np.stack([_centre(subject) for subject in subjects])
    vectors = vectors + 0.16 * rng.standard_normal(vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    fillers = ("amber", "basil", "cobalt", "dune", "ember", "fjord", "grove", "heron")
    items = []
    for row, subject in enumerate(subjects):
        words = rng.permutation(fillers)
        text = f"{words[0]} {words[1]} {subject} {words[2]} {words[3]} {row} {prefix}"
        choices = tuple(f"{word}" for word in words[:n_choices])
        items.append(
            Item(
                id=f"{prefix}-{row}",
                row=row,
                text=text,
                content=((0, len(text)),),
                prompt=text,
                choices=choices,
                answer=choices[0] if choices else words[0],
            )
        )
    concept_map = make_map(
        [{_SEEDS[subject]: 1.0} for subject in subjects],
        n_concepts=len(_SEEDS),
        embeddings=vectors.astype(np.float16),
        prefix=prefix,
    )
    return SubjectSet(tuple(items), concept_map, subjects)


def dictionary() -> Dictionary:
    """Return a dictionary with a concept of every subject."""
    return make_dictionary([f"questions on {subject}" for subject in _SEEDS])


def groups_of(
    benchmark: SubjectSet,
    pool: SubjectSet,
    *,
    queries: Sequence[str] = (),
    takes_all: bool = False,
    judgements: ItemJudgements | None = None,
) -> GapGroups:
    """Find the groups of a benchmark; a query stands for the centre of its subject."""
    return find_gap_groups(
        benchmark.map,
        pool.map,
        dictionary(),
        benchmark_items=benchmark.items,
        pool_items=pool.items,
        queries=np.stack([_centre(query) for query in queries]) if queries else None,
        takes_all=takes_all,
        judgements=judgements,
        rng=np.random.default_rng(0),
    )


def _centre(subject: str) -> np.ndarray:
    if subject == "knots":
        # Opposite to all others, so that it resembles none.
        return -np.mean([_centre(other) for other in SUBJECTS], axis=0)
    centre = np.random.default_rng(1000 + _SEEDS[subject]).standard_normal(24)
    unit: np.ndarray = centre / np.linalg.norm(centre)
    return unit
