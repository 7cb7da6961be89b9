"""Compare two models on the items that both answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.areas import Areas
from benchdesign.coverage.kept_out import find_kept_out
from benchdesign.errors import UsageError
from benchdesign.model_gaps.item_weights import area_shares, soft_presence
from benchdesign.model_gaps.model_gaps import check_scores
from benchdesign.model_gaps.scores import ModelGapSettings, Scores, control_basis, score_columns

__all__ = ["PairedComparison", "compare_models"]


@dataclass(frozen=True, slots=True, eq=False)
class PairedComparison:
    """Two models on the items that both answered; positive numbers favour the first."""

    model_a: str
    model_b: str
    n_items: int
    overall: float
    """Mean difference of the scores."""

    concepts: Scores
    """`chi_model` is the weighted mean difference, `gap` its deviation from `overall`."""

    areas: Scores | None


def compare_models(
    concept_map: ConceptMap,
    scores: Mapping[str, NDArray[np.float64]],
    dictionary: Dictionary,
    *,
    models: tuple[str, str],
    rng: np.random.Generator,
    areas: Areas | None = None,
    settings: ModelGapSettings | None = None,
) -> PairedComparison:
    """Compare two models item by item, so that common difficulty cancels out."""
    chosen = settings or ModelGapSettings()
    unknown = [model for model in models if model not in scores]
    if unknown:
        raise UsageError(
            f"There are no results of {unknown[0]}. Models with results: {', '.join(scores)}."
        )
    first, second = check_scores(concept_map, {model: scores[model] for model in models})
    shared = np.flatnonzero(~np.isnan(first) & ~np.isnan(second))
    shared_map = concept_map.take(shared)
    difference = (first - second)[shared]
    design = control_basis(shared_map.n_tokens, None)
    kept_out = find_kept_out(dictionary).codes >= 0
    presence = soft_presence(shared_map, dictionary)
    names = tuple(dictionary.label(concept) for concept in range(len(kept_out)))
    area_scores = None
    if areas is not None and len(areas):
        shares = area_shares(presence, areas, kept_out)
        none_kept_out = np.zeros(len(areas), dtype=bool)
        area_scores = score_columns(
            shares, shares, difference, design, areas.names, none_kept_out, chosen, rng
        )
    return PairedComparison(
        model_a=models[0],
        model_b=models[1],
        n_items=len(shared),
        overall=float(difference.mean()) if len(shared) else float("nan"),
        concepts=score_columns(
            shared_map.saliency_matrix(), presence, difference, design, names, kept_out, chosen, rng
        ),
        areas=area_scores,
    )
