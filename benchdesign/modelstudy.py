"""Everything the results of some models say about one benchmark, in one value.

Weak and strong areas and concepts of each model with the items that drove them, pairs of models
compared, items analysed, and what the benchmark has the power to show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.areas import Areas
from benchdesign.conceptmap import ConceptMap
from benchdesign.dictionary import Dictionary
from benchdesign.errors import UsageError
from benchdesign.itemanalysis import ItemAnalysis, analyse_items
from benchdesign.itemshares import item_shares
from benchdesign.modelgaps import (
    ModelGaps,
    PairedComparison,
    WeakRegion,
    compare_models,
    measure_models,
)
from benchdesign.scoring import ModelSettings, Scores

if TYPE_CHECKING:
    from scipy.sparse import csc_array

__all__ = ["Example", "ModelStudy", "PowerRow", "study_models"]

_NO_ERROR = 1e-6
_ALL_PAIRS = 3
"""Up to so many models every pair is compared; of more, the best with each other one."""


@dataclass(frozen=True, slots=True)
class Example:
    """One item that drove a score."""

    row: int
    """Position among the benchmark's items."""

    strength: float
    """Saliency of the concept or of a group's concepts together, or share of the area."""

    score: float


@dataclass(frozen=True, slots=True)
class PowerRow:
    """What the benchmark can show about one area or concept, for the model hardest to judge."""

    unit: int
    name: str
    n_items: int
    detectable: float
    """Smallest gap it shows today at 80% power."""

    needed_5: int | None
    """Items that would show 5 points at 80% power."""

    needed_10: int | None


@dataclass(frozen=True, eq=False)
class ModelStudy:
    """Models measured on one benchmark."""

    scores: Mapping[str, NDArray[np.float64]]
    """By model, one an item; NaN without a result."""

    metrics: Mapping[str, str]
    """By model: what the score is called in its file; empty where that is not known."""

    models: tuple[ModelGaps, ...]
    comparisons: tuple[PairedComparison, ...]
    items: ItemAnalysis | None
    """None with fewer than two models."""

    concept_map: ConceptMap
    dictionary: Dictionary
    area_groups: Areas | None

    @property
    def settings(self) -> ModelSettings:
        """Where the lines were drawn."""
        return self.models[0].settings

    def area_examples(
        self, model: str, area: int, *, n: int = 3
    ) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
        """Return items that are most about an area: missed by a model, and solved by it."""
        if self._shares is None:
            return (), ()
        return _examples(self._shares, self.scores[model], area, n)

    def concept_examples(
        self, model: str, concept_id: int, *, n: int = 3
    ) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
        """Return items that show a concept most: missed by a model, and solved by it."""
        return _examples(self._saliency, self.scores[model], concept_id, n)

    def region_examples(
        self, model: str, region: WeakRegion, *, n: int = 3
    ) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
        """Return items of a group that show most of what its items have in common."""
        scores = self.scores[model]
        found = [Example(row, self._told(row, region), float(scores[row])) for row in region.rows]
        found.sort(key=lambda one: -one.strength)
        missed = tuple(one for one in found if one.score < 0.5)
        solved = tuple(one for one in found if one.score >= 0.5)
        return missed[:n], solved[:n]

    def area_power(self) -> tuple[PowerRow, ...]:
        """Return what can be shown of each area with results, the least first."""
        tables = [one.areas for one in self.models if one.areas is not None]
        return tuple(_power(tables)) if tables else ()

    def concept_power(self) -> tuple[PowerRow, ...]:
        """Return what can be shown of each tested concept, the least first."""
        return tuple(_power([one.concepts for one in self.models]))

    def _told(self, row: int, region: WeakRegion) -> float:
        """Return the total saliency in one item of what a group's items show."""
        shown = self.concept_map
        part = slice(int(shown.indptr[row]), int(shown.indptr[row + 1]))
        inside = np.isin(shown.indices[part], region.concept_ids)
        return float(shown.saliency[part][inside].sum())

    @cached_property
    def _shares(self) -> csc_array | None:
        if self.area_groups is None or not len(self.area_groups):
            return None
        return item_shares(self.concept_map, self.dictionary, self.area_groups).tocsc()

    @cached_property
    def _saliency(self) -> csc_array:
        return self.concept_map.saliency_matrix().tocsc()


def study_models(
    concept_map: ConceptMap,
    scores: Mapping[str, NDArray[np.float64]],
    dictionary: Dictionary,
    *,
    rng: np.random.Generator,
    areas: Areas | None = None,
    metrics: Mapping[str, str] | None = None,
    answers: Mapping[str, Mapping[int, str]] | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
    settings: ModelSettings | None = None,
) -> ModelStudy:
    """Measure every model, compare pairs of them and analyse the items."""
    models = measure_models(
        concept_map, scores, dictionary, rng=rng, areas=areas, settings=settings
    )
    chosen = _default_pairs(models) if pairs is None else pairs
    for pair in chosen:
        if pair[0] == pair[1]:
            raise UsageError(f"{pair[0]} cannot be compared with itself; name two models.")
    comparisons = tuple(
        compare_models(
            concept_map, scores, dictionary, models=pair, rng=rng, areas=areas, settings=settings
        )
        for pair in chosen
    )
    return ModelStudy(
        scores=dict(scores),
        metrics=dict(metrics or {}),
        models=models,
        comparisons=comparisons,
        items=analyse_items(scores, answers=answers) if len(scores) > 1 else None,
        concept_map=concept_map,
        dictionary=dictionary,
        area_groups=areas,
    )


def _default_pairs(models: Sequence[ModelGaps]) -> list[tuple[str, str]]:
    names = [one.model for one in sorted(models, key=lambda one: -np.nan_to_num(one.overall))]
    if len(names) <= _ALL_PAIRS:
        return list(combinations(names, 2))
    return [(names[0], other) for other in names[1:]]


def _examples(
    weights: csc_array, scores: NDArray[np.float64], unit: int, n: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    part = slice(int(weights.indptr[unit]), int(weights.indptr[unit + 1]))
    rows, strength = weights.indices[part], weights.data[part]
    order = np.argsort(-strength, kind="stable")
    order = order[strength[order] > 0]
    found: tuple[list[Example], list[Example]] = [], []
    for place in order:
        row = int(rows[place])
        score = float(scores[row])
        side = found[0] if score < 0.5 else found[1]
        if not np.isnan(score) and len(side) < n:
            side.append(Example(row, float(strength[place]), score))
    return tuple(found[0]), tuple(found[1])


def _power(tables: Sequence[Scores]) -> Iterator[PowerRow]:
    detectable = np.stack([one.detectable for one in tables])
    known = ~np.isnan(detectable).all(axis=0)
    # Where all answers agree the error is 0 and says nothing about what could be seen.
    hardest = np.where(known, np.nan_to_num(detectable, nan=-1.0).max(axis=0), 0.0)
    units = np.flatnonzero(known & (hardest > _NO_ERROR))
    for unit in units[np.argsort(-hardest[units], kind="stable")]:
        rows = [one.row(int(unit)) for one in tables]
        worst = rows[int(np.nan_to_num(detectable[:, unit], nan=-1.0).argmax())]
        yield PowerRow(
            int(unit),
            worst.name,
            worst.n_items,
            float(hardest[unit]),
            _most(one.needed_5 for one in rows),
            _most(one.needed_10 for one in rows),
        )


def _most(needs: Iterator[int | None]) -> int | None:
    return max((one for one in needs if one is not None), default=None)
