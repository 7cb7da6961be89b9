"""Plant weaknesses of a model in scores, and measure what of them is recovered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.areas import Areas
from benchdesign.foundation.statistics import adjust_p_values
from benchdesign.model_gaps.item_weights import item_shares
from benchdesign.model_gaps.model_gaps import ModelGaps, measure_models
from benchdesign.model_gaps.region_search import (
    Region,
    SearchTree,
    find_weak_regions,
    rank_weak_items,
)
from benchdesign.model_gaps.scores import ModelGapSettings, control_basis

PERMUTATIONS, SUBSAMPLES = 20, 100
BASE, DROP = 0.7, 0.4
ENOUGH = 30
FIRST_SEED = 1_000

RECOGNISED = 0.6
"""Share of correctly classified items from which a category counts as recognisable."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A mapped set with a category for each item."""

    name: str
    labels: NDArray[np.str_]
    concept_map: ConceptMap

    @property
    def categories(self) -> list[str]:
        """The categories, in order."""
        return sorted(set(self.labels.tolist()))


@dataclass(frozen=True, slots=True)
class Recovery:
    """How well one planted weakness was recovered."""

    profile: tuple[float, float]
    """Precision and recall of categories by everything that the profile names."""

    fixed: tuple[float, float]
    """The same by the clearest groups of similar items, as many as were planted."""

    informed: tuple[float, float]
    """The same by a search that knows the categories."""

    by_dictionary: tuple[float, float]
    """The same by areas and concepts of the dictionary alone."""

    items: tuple[float, float]
    """Precision and recall of the items of the groups of similar items."""

    ranked: float
    bound: float


def planted(
    mapped_set: Labelled, dictionary: Dictionary, areas: Areas, *, choices: Sequence[set[str]]
) -> list[Recovery]:
    """Plant each choice of categories and recover them."""
    likely = separability(mapped_set)
    vectors = embeddings_of(mapped_set.concept_map)
    tree = SearchTree.from_items(vectors)
    shares = item_shares(mapped_set.concept_map, dictionary, areas).tocsc()
    saliency = mapped_set.concept_map.saliency_matrix().tocsc()
    recoveries = []
    for seed, chosen in enumerate(choices, start=FIRST_SEED):
        rng = np.random.default_rng([seed, len(chosen)])
        weak = np.isin(mapped_set.labels, list(chosen))
        scores = (rng.random(len(weak)) < np.where(weak, BASE - DROP, BASE)).astype(float)
        result = measure(mapped_set.concept_map, scores, dictionary, areas, rng=rng)
        basis = control_basis(mapped_set.concept_map.n_tokens, None)
        residuals = scores - basis @ (basis.T @ scores)
        groups = [part for whole in result.regions for part in (whole, *whole.parts)]
        regions = [commonest(mapped_set.labels[list(group.rows)]) for group in groups]
        dictionary_names = [
            weighted(shares, area.unit, mapped_set.labels) for area, _ in result.profile()
        ]
        dictionary_names += [
            weighted(saliency, head.unit, mapped_set.labels) for head, *_ in result.other_groups()
        ]
        clearest = find_weak_regions(tree, residuals, rng=rng, level=1.0, max_regions=len(chosen))
        in_groups = np.zeros(len(weak), dtype=bool)
        for region in result.regions:
            in_groups[list(region.rows)] = True
        n = int(weak.sum())
        wholes = tuple(Region(region.rows, region.gap, region.p_value) for region in result.regions)
        places = [mapped_set.categories.index(category) for category in chosen]
        recoveries.append(
            Recovery(
                precision_recall(regions + dictionary_names, chosen),
                precision_recall(
                    [commonest(mapped_set.labels[list(region.rows)]) for region in clearest], chosen
                ),
                precision_recall(informed_search(mapped_set, likely, residuals), chosen),
                precision_recall(dictionary_names, chosen),
                (
                    float(weak[in_groups].mean()) if in_groups.any() else 0.0,
                    float(in_groups[weak].mean()),
                ),
                float(weak[rank_weak_items(vectors, residuals, wholes)[:n]].mean()),
                float(weak[np.argsort(-likely[:, places].sum(axis=1))[:n]].mean()),
            )
        )
    return recoveries


def informed_search(
    mapped_set: Labelled, likely: NDArray[np.float64], residuals: NDArray[np.float64]
) -> list[str]:
    """Return the categories that are weak on the items that a classifier assigns to them."""
    n, spread = len(residuals), residuals.std()
    size = np.bincount(likely.argmax(axis=1), minlength=likely.shape[1])
    gap = np.bincount(likely.argmax(axis=1), residuals, likely.shape[1]) / np.maximum(size, 1)
    error = spread * np.sqrt(1 / np.maximum(size, 1) - 1 / n)
    q_value = adjust_p_values(np.where(size > 1, ndtr(gap / error), np.nan))
    return [
        mapped_set.categories[place] for place in np.flatnonzero((q_value <= 0.05) & (gap <= -0.05))
    ]


def measure(
    concept_map: ConceptMap,
    scores: NDArray[np.float64],
    dictionary: Dictionary,
    areas: Areas,
    *,
    rng: np.random.Generator,
    poor: float = 0.05,
) -> ModelGaps:
    """Measure one model."""
    (result,) = measure_models(
        concept_map,
        {"model": scores},
        dictionary,
        rng=rng,
        areas=areas,
        settings=ModelGapSettings(n_bootstrap=0, poor=poor),
    )
    return result


def separability(mapped_set: Labelled) -> NDArray[np.float64]:
    """Return the probability of each category for each item, by cross-validation."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    model = LogisticRegression(C=10, max_iter=200)
    likely: NDArray[np.float64] = cross_val_predict(
        model,
        embeddings_of(mapped_set.concept_map),
        mapped_set.labels,
        cv=5,
        method="predict_proba",
    )
    return likely


def embeddings_of(concept_map: ConceptMap) -> NDArray[np.float64]:
    """Return the embeddings in double precision."""
    if concept_map.embeddings is None:
        raise SystemExit("The map has no embeddings. Use a mapper that stores them.")
    return concept_map.embeddings.astype(np.float64)


def commonest(labels: NDArray[np.str_]) -> str:
    """Return the most common label."""
    names, counts = np.unique(labels, return_counts=True)
    return str(names[counts.argmax()])


def weighted(weights, unit: int, labels: NDArray[np.str_]) -> str:  # noqa: ANN001 - csc_array
    """Return the label with the largest share of a column's weight."""
    part = slice(int(weights.indptr[unit]), int(weights.indptr[unit + 1]))
    names, place = np.unique(labels[weights.indices[part]], return_inverse=True)
    return str(names[np.bincount(place, weights=weights.data[part]).argmax()])


def precision_recall(names: Sequence[str], chosen: set[str]) -> tuple[float, float]:
    """Return the share of names that were planted, and of planted categories that were named."""
    right = [name in chosen for name in names]
    return (float(np.mean(right)) if right else 0.0, len(chosen & set(names)) / len(chosen))


def f1(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the mean F1 of precisions and recalls."""
    return float(np.mean([2 * p * r / (p + r) if p + r else 0.0 for p, r in pairs]))


def null(mapped_set: Labelled, dictionary: Dictionary, areas: Areas) -> tuple[int, ...]:
    """Count tested and significant concepts and areas, and runs with a group of similar items."""
    rng = np.random.default_rng(1)
    scores = (rng.random(len(mapped_set.labels)) < BASE).astype(float)
    total = np.zeros(5, dtype=np.int64)
    for _ in range(PERMUTATIONS):
        result = measure(
            mapped_set.concept_map, rng.permutation(scores), dictionary, areas, rng=rng, poor=0.0
        )
        for place, table in ((0, result.concepts), (2, result.areas)):
            if table is not None:
                total[place] += int((~np.isnan(table.p_value)).sum())
                total[place + 1] += int((table.q_value <= 0.05).sum())
        total[4] += bool(result.regions)
    return tuple(total.tolist())


def stability(mapped_set: Labelled, n: int) -> tuple[float, ...]:
    """Measure the spread of chi_model and chi_bench over subsamples of n items.

    Spreads are means over all concepts that every subsample has, and over those with enough items.
    The subsamples are columns of one matrix, so that both scores are products with it.
    """
    rng = np.random.default_rng(2)
    rows = np.sort(rng.permutation(len(mapped_set.labels))[:n])
    sample = mapped_set.concept_map.take(rows)
    weak = mapped_set.labels[rows] == mapped_set.categories[0]
    scores = (rng.random(n) < np.where(weak, BASE - DROP, BASE)).astype(float)
    enough = np.bincount(sample.indices, minlength=sample.n_concepts) >= ENOUGH
    included = np.zeros((n, SUBSAMPLES), dtype=np.float32)
    for place in range(SUBSAMPLES):
        included[rng.permutation(n)[: int(0.8 * n)], place] = 1
    transposed = sample.saliency_matrix().astype(np.float32).T.tocsr()
    total = np.asarray(transposed @ included, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        chi_model = np.asarray(transposed @ (included * scores[:, None].astype(np.float32))) / total
    chi_bench = total / total.mean(axis=0)
    defined = ~np.isnan(chi_model).any(axis=1)
    all_concepts = np.ones(len(defined), dtype=bool)
    spreads = [
        float(table[mask].std(axis=1).mean())
        for table, selected in ((chi_model, defined), (chi_bench, all_concepts))
        for mask in (selected, selected & enough)
    ]
    return (*spreads, float(enough.sum()))
