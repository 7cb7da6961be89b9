"""Weaknesses of models by concept and area, with significance tests.

The score is exactly that of the paper. A separate test compares it with the model's overall score
and controls for item length and, if other models answered the items too, for their difficulty.
Nothing here reads result files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.areas import Areas
from benchdesign.coverage.kept_out import find_kept_out
from benchdesign.errors import UsageError
from benchdesign.foundation.arrays import Floats
from benchdesign.foundation.statistics import adjust_p_values
from benchdesign.model_gaps.item_weights import area_shares, soft_presence
from benchdesign.model_gaps.region_search import SearchTree
from benchdesign.model_gaps.scores import (
    ModelGapSettings,
    ScoreRow,
    Scores,
    assess_columns,
    column_sums,
    control_basis,
    score_columns,
)
from benchdesign.model_gaps.weak_regions import (
    HeldOut,
    RegionNames,
    WeakRegion,
    find_regions,
    hold_out_regions,
)

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["ModelGaps", "mean_chi_model", "measure_models", "probe_weights"]


_GROUP_COSINE = 0.35
"""Threshold of the cosine over items for showing two weak concepts in one group."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelGaps:
    """Strengths and weaknesses of one model on one benchmark."""

    model: str
    n_items: int
    """Number of items with a result."""

    overall: float
    """Mean score over these items."""

    controls: tuple[str, ...]
    """Variables that the tests control for: length, difficulty."""

    concepts: Scores
    areas: Scores | None
    held_out: tuple[HeldOut, ...]
    """Groups of similar items, areas and concepts that are weak on one half of the items; each kind
    weakest first."""

    area_of: NDArray[np.int32] | None
    groups: tuple[tuple[int, ...], ...]
    """Weak concepts outside the weak areas, grouped by the items that show them."""

    regions: tuple[WeakRegion, ...]
    """Groups of similar items with low scores, most significant first; empty without embeddings.
    They need no dictionary, so they can cover what no area or concept describes."""

    settings: ModelGapSettings

    def profile(self) -> Iterator[tuple[ScoreRow, tuple[ScoreRow, ...]]]:
        """Yield the weak areas, weakest first, each with its weak concepts, broad to narrow.

        Inside a weak area, q-values are adjusted for that area's concepts only. A concept can be
        listed here without being significant among all concepts.
        """
        if self.areas is None or self.area_of is None:
            return
        for area in self.areas.weak():
            inside = np.flatnonzero(self.area_of == area)
            q_value = adjust_p_values(self.concepts.p_value[inside])
            with np.errstate(invalid="ignore"):
                weak = (q_value <= self.settings.fdr) & (
                    self.concepts.gap[inside] <= -self.settings.poor
                )
            yield self.areas.row(int(area)), self._broad_to_narrow(inside[weak])

    def other_groups(self) -> Iterator[tuple[ScoreRow, ...]]:
        """Yield the weak concepts outside the weak areas, in groups.

        The concept with the strongest evidence leads its group; the others follow broad to narrow.
        """
        for head, *others in self.groups:
            rest = np.asarray(others, dtype=np.int64)
            yield (self.concepts.row(head), *self._broad_to_narrow(rest))

    def _broad_to_narrow(self, concept_ids: NDArray[np.int64]) -> tuple[ScoreRow, ...]:
        order = np.argsort(-self.concepts.n_items[concept_ids], kind="stable")
        return tuple(self.concepts.rows(concept_ids[order]))


def measure_models(
    concept_map: ConceptMap,
    scores: Mapping[str, NDArray[np.float64]],
    dictionary: Dictionary,
    *,
    rng: np.random.Generator,
    areas: Areas | None = None,
    settings: ModelGapSettings | None = None,
) -> tuple[ModelGaps, ...]:
    """Measure models from scores per item in [0, 1]; NaN where a model has no result."""
    chosen = settings or ModelGapSettings()
    table = check_scores(concept_map, scores)
    kept_out = find_kept_out(dictionary).codes >= 0
    results = []
    search_trees: dict[bytes, SearchTree | None] = {}
    for place, (model, values) in enumerate(zip(scores, table, strict=True)):
        answered = np.flatnonzero(~np.isnan(values))
        answered_map = concept_map.take(answered)
        y = values[answered]
        difficulty = _difficulty(np.delete(table, place, axis=0)[:, answered])
        design = control_basis(answered_map.n_tokens, difficulty)
        presence = soft_presence(answered_map, dictionary)
        key = answered.tobytes()
        if key not in search_trees:
            search_trees[key] = (
                None
                if answered_map.embeddings is None
                else SearchTree.from_items(answered_map.embeddings)
            )
        names = tuple(dictionary.label(concept) for concept in range(len(kept_out)))
        concepts = score_columns(
            answered_map.saliency_matrix(), presence, y, design, names, kept_out, chosen, rng
        )
        area_scores: Scores | None = None
        held_out: tuple[HeldOut, ...] = ()
        halves = _halve(len(y), rng)
        if areas is not None and len(areas):
            shares = area_shares(presence, areas, kept_out)
            none_kept_out = np.zeros(len(areas), dtype=bool)
            area_scores = score_columns(
                shares, shares, y, design, areas.names, none_kept_out, chosen, rng
            )
            held_out = _hold_out(
                "area", shares, y, design, areas.names, none_kept_out, chosen, halves
            )
        held_out += _hold_out("concept", presence, y, design, names, kept_out, chosen, halves)
        area_of = None if areas is None else areas.area_of
        residuals = y - design @ (design.T @ y)
        namer = RegionNames(presence, dictionary)
        regions = find_regions(
            search_trees[key], answered, y, residuals, namer, rng=rng, settings=chosen
        )
        held_out = (
            *hold_out_regions(
                search_trees[key], residuals, halves, namer, rng=rng, settings=chosen
            ),
            *held_out,
        )
        results.append(
            ModelGaps(
                model=model,
                n_items=len(answered),
                overall=float(y.mean()) if len(y) else float("nan"),
                controls=("length",) if difficulty is None else ("length", "difficulty"),
                concepts=concepts,
                areas=area_scores,
                held_out=held_out,
                area_of=area_of,
                groups=_group_weak(concepts, area_scores, area_of, presence),
                regions=regions,
                settings=chosen,
            )
        )
    return tuple(results)


def mean_chi_model(results: Sequence[ModelGaps]) -> Floats:
    """Return the paper's joint score by concept: the mean over benchmarks that show it."""
    table = np.stack([gaps.concepts.chi_model for gaps in results])
    is_shown = ~np.isnan(table)
    with np.errstate(invalid="ignore"):
        joint: Floats = np.where(is_shown, table, 0.0).sum(axis=0) / is_shown.sum(axis=0)
    return joint


def probe_weights(results: Sequence[ModelGaps]) -> tuple[Floats, Floats]:
    """Return each concept's weight for probing, 0 to 1, and the number of further items it needs.

    A concept has a weight if its expected shortfall exceeds that of the prior. The shortfall of its
    area counts a quarter. The items needed are those that show a gap of 10 points at 80% power,
    less the existing ones.
    """
    weight = np.zeros(len(results[0].concepts))
    n_needed = np.zeros(len(weight))
    for gaps in results:
        # The mean shortfall without any items.
        nothing = gaps.settings.very_poor / np.sqrt(2 * np.pi)
        excess = _excess_shortfall(gaps.concepts, gaps.settings, nothing)
        if gaps.areas is not None and gaps.area_of is not None:
            by_area = _excess_shortfall(gaps.areas, gaps.settings, nothing)
            inside = (gaps.area_of >= 0) & (gaps.concepts.n_items > 0)
            excess[inside] = np.maximum(excess[inside], by_area[gaps.area_of[inside]] / 4)
        weight = np.maximum(weight, excess)
        for region in gaps.regions:
            excess[list(region.concept_ids)] = np.maximum(
                excess[list(region.concept_ids)], max(-region.gap - nothing, 0.0)
            )
        more = gaps.concepts.items_needed(0.10) - gaps.concepts.n_effective
        n_needed = np.maximum(n_needed, np.maximum(more, 1.0))
    # A certain gap of ten points weighs about three quarters; a larger gap weighs little more.
    weight = np.tanh(weight / (0.10 - results[0].settings.very_poor / np.sqrt(2 * np.pi)))
    return weight, np.where(weight > 0, n_needed, 0.0)


def _excess_shortfall(scores: Scores, settings: ModelGapSettings, nothing: float) -> Floats:
    """Return the shortfall beyond the prior's, discounted by the q-value.

    Among thousands of concepts, a few missed items of a rare concept are no evidence. An untested
    concept, or one with a q-value of 1, therefore weighs nothing.
    """
    doubt = np.nan_to_num(scores.q_value, nan=1.0)
    beyond: Floats = np.maximum(_expected_shortfall(scores, settings) - nothing, 0.0) * (1 - doubt)
    return beyond


def _expected_shortfall(scores: Scores, settings: ModelGapSettings) -> Floats:
    """Return the mean of max(-gap, 0) given the results, with a normal prior around no gap."""
    from scipy.special import ndtr

    # The prior of a gap has mean 0 and standard deviation `very_poor`.
    prior = settings.very_poor**2
    error = np.nan_to_num(scores.standard_error**2, nan=np.inf)
    error = np.where(error > 0, error, np.inf)
    trust = prior / (prior + error)
    mean = trust * np.nan_to_num(scores.gap)
    spread = np.sqrt(prior * (1 - trust))
    z = -mean / np.maximum(spread, 1e-12)
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    left: Floats = spread * density - mean * ndtr(z)
    return left


def check_scores(concept_map: ConceptMap, scores: Mapping[str, NDArray[np.float64]]) -> Floats:
    if not scores:
        raise UsageError("There are no model results; name at least one results file.")
    for model, values in scores.items():
        if len(values) != len(concept_map):
            raise UsageError(
                f"{model} has {len(values)} scores for {len(concept_map)} items; "
                "match them by item id."
            )
        with np.errstate(invalid="ignore"):
            wrong = np.flatnonzero((values < 0) | (values > 1))
        if len(wrong):
            row = int(wrong[0])
            raise UsageError(
                f"{model}, item {row + 1}: score {values[row]:g} is outside 0 to 1; rescale it."
            )
    return np.stack([np.asarray(values, dtype=np.float64) for values in scores.values()])


def _difficulty(others: Floats) -> Floats | None:
    """Return how well the other models do on each item; None with fewer than two of them."""
    if len(others) < 2:
        return None
    has_score = ~np.isnan(others)
    n = has_score.sum(axis=0)
    total = np.where(has_score, others, 0.0).sum(axis=0)
    overall = total.sum() / max(n.sum(), 1)
    # Shrink towards the mean, so that an item with few results does not look extreme.
    shrunk: Floats = (total + overall) / (n + 1)
    return shrunk


def _group_weak(
    concepts: Scores,
    areas: Scores | None,
    area_of: NDArray[np.int32] | None,
    presence: csr_array,
) -> tuple[tuple[int, ...], ...]:
    """Group the weak concepts outside the weak areas: each joins the weakest similar one."""
    weak = concepts.weak()
    if areas is not None and area_of is not None:
        weak = weak[~np.isin(area_of[weak], areas.weak())]
    if not len(weak):
        return ()
    columns = presence[:, weak]
    lengths = np.sqrt(column_sums(columns.power(2)))
    cosine = (columns.T @ columns).toarray() / np.maximum(np.outer(lengths, lengths), 1e-12)
    groups: list[list[int]] = []
    for place in range(len(weak)):
        match = next((group for group in groups if cosine[group[0], place] >= _GROUP_COSINE), None)
        if match is None:
            groups.append([place])
        else:
            match.append(place)
    return tuple(tuple(int(weak[place]) for place in group) for group in groups)


def _halve(n: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = rng.permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def _hold_out(
    kind: str,
    weights: csr_array,
    y: Floats,
    basis: Floats,
    names: tuple[str, ...],
    kept_out: NDArray[np.bool_],
    settings: ModelGapSettings,
    halves: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> tuple[HeldOut, ...]:
    """Find weak areas or concepts on one random half of the items; measure them on the other."""
    if len(y) < 4:
        return ()
    finding, checking = (
        assess_columns(weights[half], y[half], np.linalg.qr(basis[half])[0]) for half in halves
    )
    # A half of the items needs half of the minimum.
    enough = settings.min_items / 2
    tested = (finding.n_effective >= enough) & (finding.standard_error > 0) & ~kept_out
    q_value = adjust_p_values(np.where(tested, finding.p_lower, np.nan))
    with np.errstate(invalid="ignore"):
        weak = np.flatnonzero((q_value <= settings.fdr) & (finding.gap <= -settings.poor))
    n_held_out = column_sums(weights[halves[1]] > 0)
    return tuple(
        HeldOut(
            kind,
            int(unit),
            names[unit],
            float(finding.gap[unit]),
            float(checking.gap[unit]),
            float(checking.p_lower[unit]) if checking.n_effective[unit] >= enough else float("nan"),
            int(n_held_out[unit]),
        )
        for unit in weak[np.argsort(finding.gap[weak], kind="stable")]
    )
