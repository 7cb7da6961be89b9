"""The complete evaluation of models on one benchmark, as one value.

Weak and strong areas and concepts of each model with example items, comparisons of pairs of models,
the item analysis and the statistical power of the benchmark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.areas import Areas
from benchdesign.errors import UsageError
from benchdesign.model_gaps.compare_models import PairedComparison, compare_models
from benchdesign.model_gaps.item_analysis import ItemAnalysis, analyse_items
from benchdesign.model_gaps.item_weights import item_shares
from benchdesign.model_gaps.model_gaps import ModelGaps, measure_models
from benchdesign.model_gaps.scores import ModelGapSettings, Scores
from benchdesign.model_gaps.weak_regions import WeakRegion

if TYPE_CHECKING:
    from scipy.sparse import csc_array

__all__ = ["Example", "ModelStudy", "PowerRow", "study_models"]

_MIN_DETECTABLE = 1e-6
_MAX_MODELS_FOR_ALL_PAIRS = 3
"""Most models for which all pairs are compared; of more, the best is compared with the others."""


@dataclass(frozen=True, slots=True)
class Example:
    """An item with a large part in a score."""

    row: int
    """Position in the benchmark's items."""

    strength: float
    """Saliency of the concept, total saliency of a group's concepts, or share of the area."""

    score: float


@dataclass(frozen=True, slots=True)
class PowerRow:
    """Statistical power for one area or concept, for the model with the least power."""

    unit: int
    name: str
    n_items: int
    detectable: float
    """Smallest gap that the present items show at 80% power."""

    needed_5: int | None
    """Items needed to show 5 points at 80% power."""

    needed_10: int | None


@dataclass(frozen=True, eq=False)
class ModelStudy:
    """Models measured on one benchmark."""

    scores: Mapping[str, NDArray[np.float64]]
    """By model, one score per item; NaN without a result."""

    metrics: Mapping[str, str]
    """By model: the name of the score in its file; empty if unknown."""

    models: tuple[ModelGaps, ...]
    comparisons: tuple[PairedComparison, ...]
    items: ItemAnalysis | None
    """None with fewer than two models."""

    concept_map: ConceptMap
    dictionary: Dictionary
    area_groups: Areas | None

    @property
    def settings(self) -> ModelGapSettings:
        """The thresholds that were used."""
        return self.models[0].settings

    def area_examples(
        self, model: str, area: int, *, n: int = 3
    ) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
        """Return the items with the largest share in an area, missed and solved by a model."""
        if self._shares is None:
            return (), ()
        return _examples(self._shares, self.scores[model], area, n)

    def concept_examples(
        self, model: str, concept_id: int, *, n: int = 3
    ) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
        """Return the items that show a concept most, missed and solved by a model."""
        return _examples(self._saliency, self.scores[model], concept_id, n)

    def region_examples(
        self, model: str, region: WeakRegion, *, n: int = 3
    ) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
        """Return the most typical items of a region, missed and solved by a model."""
        scores = self.scores[model]
        examples = [
            Example(row, self._saliency_in(row, region), float(scores[row])) for row in region.rows
        ]
        examples.sort(key=lambda example: -example.strength)
        missed = tuple(example for example in examples if example.score < 0.5)
        solved = tuple(example for example in examples if example.score >= 0.5)
        return missed[:n], solved[:n]

    def area_power(self) -> tuple[PowerRow, ...]:
        """Return the power for each area with results, least power first."""
        tables = [gaps.areas for gaps in self.models if gaps.areas is not None]
        return tuple(_power_rows(tables)) if tables else ()

    def concept_power(self) -> tuple[PowerRow, ...]:
        """Return the power for each tested concept, least power first."""
        return tuple(_power_rows([gaps.concepts for gaps in self.models]))

    def _saliency_in(self, row: int, region: WeakRegion) -> float:
        """Return the total saliency of a region's concepts in one item."""
        concept_map = self.concept_map
        part = slice(int(concept_map.indptr[row]), int(concept_map.indptr[row + 1]))
        inside = np.isin(concept_map.indices[part], region.concept_ids)
        return float(concept_map.saliency[part][inside].sum())

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
    settings: ModelGapSettings | None = None,
) -> ModelStudy:
    """Measure all models, compare pairs of them and analyse the items."""
    models = measure_models(
        concept_map, scores, dictionary, rng=rng, areas=areas, settings=settings
    )
    chosen = _default_pairs(models) if pairs is None else pairs
    for pair in chosen:
        if pair[0] == pair[1]:
            raise UsageError(
                f"{pair[0]} cannot be compared with itself; name two different models."
            )
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
    ranked = sorted(models, key=lambda gaps: -np.nan_to_num(gaps.overall))
    names = [gaps.model for gaps in ranked]
    if len(names) <= _MAX_MODELS_FOR_ALL_PAIRS:
        return list(combinations(names, 2))
    return [(names[0], other) for other in names[1:]]


def _examples(
    weights: csc_array, scores: NDArray[np.float64], unit: int, n: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    part = slice(int(weights.indptr[unit]), int(weights.indptr[unit + 1]))
    rows, strength = weights.indices[part], weights.data[part]
    order = np.argsort(-strength, kind="stable")
    order = order[strength[order] > 0]
    missed: list[Example] = []
    solved: list[Example] = []
    for place in order:
        row = int(rows[place])
        score = float(scores[row])
        examples = missed if score < 0.5 else solved
        if not np.isnan(score) and len(examples) < n:
            examples.append(Example(row, float(strength[place]), score))
    return tuple(missed), tuple(solved)


def _power_rows(tables: Sequence[Scores]) -> Iterator[PowerRow]:
    detectable = np.stack([table.detectable for table in tables])
    has_power = ~np.isnan(detectable).all(axis=0)
    # If all scores are equal the error is 0, which says nothing about the power.
    hardest = np.where(has_power, np.nan_to_num(detectable, nan=-1.0).max(axis=0), 0.0)
    units = np.flatnonzero(has_power & (hardest > _MIN_DETECTABLE))
    for unit in units[np.argsort(-hardest[units], kind="stable")]:
        rows = [table.row(int(unit)) for table in tables]
        worst = rows[int(np.nan_to_num(detectable[:, unit], nan=-1.0).argmax())]
        yield PowerRow(
            int(unit),
            worst.name,
            worst.n_items,
            float(hardest[unit]),
            _largest_need(row.needed_5 for row in rows),
            _largest_need(row.needed_10 for row in rows),
        )


def _largest_need(needs: Iterator[int | None]) -> int | None:
    return max((n_items for n_items in needs if n_items is not None), default=None)
