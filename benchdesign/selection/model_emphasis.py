"""Weights of concepts to probe first: models look weak there, but the evidence is not conclusive.

This module converts per-item results into an `Emphasis` for the choice of additions. It also
records the files, the overall scores of the models and their weaknesses for the report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchdesign.benchmarks.results.join import load_results
from benchdesign.foundation.arrays import Floats
from benchdesign.model_gaps.model_gaps import ModelGaps, measure_models, probe_weights
from benchdesign.model_gaps.scores import ModelGapSettings
from benchdesign.selection.gain_settings import Emphasis

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.concepts.maps.concept_map import ConceptMap
    from benchdesign.coverage.areas import Areas

__all__ = ["PROBE_THRESHOLD", "ModelWeighting", "WeightingModel", "weight_by_models"]


PROBE_THRESHOLD = 0.5
"""Weight threshold from which an item that shows the concept probes a weakness."""

_MAX_NAMED_WEAKNESSES = 5


@dataclass(frozen=True, slots=True)
class WeightingModel:
    """One model whose results set the weights."""

    name: str
    overall: float
    n_items: int
    weak: tuple[str, ...]
    """Names of the first few weak areas, then concepts."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelWeighting:
    """Weights of concepts from the results of models."""

    weights: Floats
    """(n_concepts,): 0 without evidence of a weakness, 1 for the strongest evidence."""

    wanted: Floats
    """(n_concepts,): further items needed to detect a gap of 10 points at 80% power."""

    models: tuple[WeightingModel, ...]
    files: tuple[str, ...]
    """Result files as named by the user."""

    @property
    def emphasis(self) -> Emphasis:
        """The emphasis for the choice of additions."""
        return Emphasis(self.weights, self.wanted)

    def strongest(self, dictionary: Dictionary, *, n: int = 10) -> tuple[str, ...]:
        """Return the labels of the concepts with the largest weights."""
        order = np.argsort(-self.weights, kind="stable")[: 4 * n]
        # Several concepts can share a label; list each label once.
        labels = (dictionary.label(int(concept)) for concept in order if self.weights[concept] > 0)
        return tuple(dict.fromkeys(labels))[:n]


def weight_by_models(
    files: Sequence[str],
    benchmark: Benchmark,
    benchmark_map: ConceptMap,
    dictionary: Dictionary,
    *,
    areas: Areas,
    metrics: Sequence[str] = (),
    seed: int = 0,
) -> ModelWeighting:
    """Read results on a benchmark and weight every concept by how weak models may be there."""
    joined = load_results(files, benchmark, metrics=metrics)
    results = measure_models(
        benchmark_map,
        joined.scores,
        dictionary,
        rng=np.random.default_rng(seed),
        areas=areas,
        settings=ModelGapSettings(n_bootstrap=0),
    )
    weights, items_needed = probe_weights(results)
    return ModelWeighting(
        weights, items_needed, tuple(map(_weighting_model, results)), tuple(files)
    )


def _weighting_model(model_gaps: ModelGaps) -> WeightingModel:
    weak = [area.name for area, _ in model_gaps.profile()]
    weak += [group[0].name for group in model_gaps.other_groups()]
    return WeightingModel(
        model_gaps.model,
        model_gaps.overall,
        model_gaps.n_items,
        tuple(weak[:_MAX_NAMED_WEAKNESSES]),
    )
