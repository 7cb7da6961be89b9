"""Where models are weak, concept by concept and area by area, and whether that is real.

The paper's score is kept exactly. Whether a score differs from the model's overall score is tested
apart from it, with the length of the items and, where other models answered them too, their
difficulty taken into account. Nothing here reads result files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.areas import Areas
from benchdesign.conceptmap import ConceptMap
from benchdesign.dictionary import Dictionary
from benchdesign.errors import UsageError
from benchdesign.gaps import find_kept_out
from benchdesign.itemshares import area_shares, soft_presence
from benchdesign.regions import Grove
from benchdesign.scoring import (
    ModelSettings,
    ScoreRow,
    Scores,
    assess_columns,
    column_sums,
    find_controls,
    score_columns,
)
from benchdesign.stats import adjust_p_values
from benchdesign.weakregions import HeldOut, RegionNames, WeakRegion, find_regions, hold_out_regions

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = [
    "HeldOut",
    "ModelGaps",
    "PairedComparison",
    "WeakRegion",
    "compare_models",
    "mean_chi_model",
    "measure_models",
    "probe_weights",
]

Floats = NDArray[np.float64]

_TOGETHER = 0.35
"""Cosine over items from which two weak concepts are shown as one group."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelGaps:
    """Strengths and weaknesses of one model on one benchmark."""

    model: str
    n_items: int
    """Items with a result."""

    overall: float
    """Mean score over them."""

    controls: tuple[str, ...]
    """What was taken into account: length, difficulty."""

    concepts: Scores
    areas: Scores | None
    held_out: tuple[HeldOut, ...]
    """Alike items, areas and concepts found weak on one half; each kind weakest first."""

    area_of: NDArray[np.int32] | None
    groups: tuple[tuple[int, ...], ...]
    """Weak concepts outside the weak areas; those that the same items show are together."""

    regions: tuple[WeakRegion, ...]
    """Groups of alike items it is weak at, the clearest first; none where a map has no embeddings.
    They need no dictionary, and so find what no area or concept is about."""

    settings: ModelSettings

    def profile(self) -> Iterator[tuple[ScoreRow, tuple[ScoreRow, ...]]]:
        """Iterate over the weak areas, weakest first, each with its weak concepts, broad to narrow.

        Inside an area that was found weak only its own concepts count as tests, so a concept can be
        named here that does not stand out among all of them.
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
        """Iterate over the weak concepts outside the weak areas, in groups.

        The one with the strongest evidence leads its group, the others follow broad to narrow.
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
    settings: ModelSettings | None = None,
) -> tuple[ModelGaps, ...]:
    """Measure models from per-item scores in [0, 1], NaN where a model has no result."""
    chosen = settings or ModelSettings()
    table = _check_scores(concept_map, scores)
    kept_out = find_kept_out(dictionary).codes >= 0
    found = []
    groves: dict[bytes, Grove | None] = {}
    for place, (model, values) in enumerate(zip(scores, table, strict=True)):
        answered = np.flatnonzero(~np.isnan(values))
        some = concept_map.take(answered)
        y = values[answered]
        difficulty = _difficulty(np.delete(table, place, axis=0)[:, answered])
        design = find_controls(some.n_tokens, difficulty)
        presence = soft_presence(some, dictionary)
        key = answered.tobytes()
        if key not in groves:
            groves[key] = None if some.embeddings is None else Grove.of_items(some.embeddings)
        names = tuple(dictionary.label(concept) for concept in range(len(kept_out)))
        concepts = score_columns(
            some.saliency_matrix(), presence, y, design, names, kept_out, chosen, rng
        )
        area_scores: Scores | None = None
        held_out: tuple[HeldOut, ...] = ()
        halves = _halve(len(y), rng)
        if areas is not None and len(areas):
            shares = area_shares(presence, areas, kept_out)
            none = np.zeros(len(areas), dtype=bool)
            area_scores = score_columns(shares, shares, y, design, areas.names, none, chosen, rng)
            held_out = _hold_out("area", shares, y, design, areas.names, none, chosen, halves)
        held_out += _hold_out("concept", presence, y, design, names, kept_out, chosen, halves)
        area_of = None if areas is None else areas.area_of
        residuals = y - design @ (design.T @ y)
        namer = RegionNames(presence, dictionary)
        regions = find_regions(groves[key], answered, y, residuals, namer, rng=rng, settings=chosen)
        held_out = (
            *hold_out_regions(groves[key], residuals, halves, namer, rng=rng, settings=chosen),
            *held_out,
        )
        found.append(
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
    return tuple(found)


def mean_chi_model(results: Sequence[ModelGaps]) -> Floats:
    """Return the paper's joint score of a model: the mean over benchmarks that show a concept."""
    table = np.stack([one.concepts.chi_model for one in results])
    shown = ~np.isnan(table)
    with np.errstate(invalid="ignore"):
        joint: Floats = np.where(shown, table, 0.0).sum(axis=0) / shown.sum(axis=0)
    return joint


def probe_weights(results: Sequence[ModelGaps]) -> tuple[Floats, Floats]:
    """Return how much each concept is worth probing, 0 to 1, and how many items more it takes.

    Worth probing is where results speak for a weakness: what they leave possible lies further down
    than where nothing is known, for the concept or, a quarter as much, for its area. It takes as
    many items as show a gap of 10 points at 80% power, less those that are there.
    """
    weight = np.zeros(len(results[0].concepts))
    wanted = np.zeros(len(weight))
    for one in results:
        # With no items the mean shortfall is that of the prior.
        nothing = one.settings.very_poor / np.sqrt(2 * np.pi)
        found = _beyond(one.concepts, one.settings, nothing)
        if one.areas is not None and one.area_of is not None:
            by_area = _beyond(one.areas, one.settings, nothing)
            inside = (one.area_of >= 0) & (one.concepts.n_items > 0)
            found[inside] = np.maximum(found[inside], by_area[one.area_of[inside]] / 4)
        weight = np.maximum(weight, found)
        for region in one.regions:
            found[list(region.concept_ids)] = np.maximum(
                found[list(region.concept_ids)], max(-region.gap - nothing, 0.0)
            )
        more = one.concepts.items_needed(0.10) - one.concepts.n_effective
        wanted = np.maximum(wanted, np.maximum(more, 1.0))
    # Ten points below overall, known for sure, weigh three quarters; more weighs little more.
    weight = np.tanh(weight / (0.10 - results[0].settings.very_poor / np.sqrt(2 * np.pi)))
    return weight, np.where(weight > 0, wanted, 0.0)


def _beyond(scores: Scores, settings: ModelSettings, nothing: float) -> Floats:
    """Return the shortfall beyond that of no results, less where it may well be one of many tests.

    A few missed items of a rare concept say nothing among thousands of concepts, so what was not
    tested, or has a q-value of 1, weighs nothing.
    """
    doubt = np.nan_to_num(scores.q_value, nan=1.0)
    beyond: Floats = np.maximum(_shortfall_left(scores, settings) - nothing, 0.0) * (1 - doubt)
    return beyond


def _shortfall_left(scores: Scores, settings: ModelSettings) -> Floats:
    """Return the mean of max(-gap, 0) given the results, with a normal prior around no gap."""
    from scipy.special import ndtr

    # Before any item, a gap is taken to be 0 give or take `very_poor` points.
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


@dataclass(frozen=True, slots=True, eq=False)
class PairedComparison:
    """Two models on the items both have results for; positive numbers favour the first."""

    model_a: str
    model_b: str
    n_items: int
    overall: float
    """Mean difference of their scores."""

    concepts: Scores
    """`chi_model` holds the weighted mean difference, `gap` how it departs from the overall one."""

    areas: Scores | None


def compare_models(
    concept_map: ConceptMap,
    scores: Mapping[str, NDArray[np.float64]],
    dictionary: Dictionary,
    *,
    models: tuple[str, str],
    rng: np.random.Generator,
    areas: Areas | None = None,
    settings: ModelSettings | None = None,
) -> PairedComparison:
    """Compare two models item by item, so that what is hard for both drops out."""
    chosen = settings or ModelSettings()
    unknown = [model for model in models if model not in scores]
    if unknown:
        raise UsageError(f"There are no results of {unknown[0]}; known are {', '.join(scores)}.")
    first, second = _check_scores(concept_map, {model: scores[model] for model in models})
    both = np.flatnonzero(~np.isnan(first) & ~np.isnan(second))
    some = concept_map.take(both)
    difference = (first - second)[both]
    design = find_controls(some.n_tokens, None)
    kept_out = find_kept_out(dictionary).codes >= 0
    presence = soft_presence(some, dictionary)
    names = tuple(dictionary.label(concept) for concept in range(len(kept_out)))
    area_scores = None
    if areas is not None and len(areas):
        shares = area_shares(presence, areas, kept_out)
        none = np.zeros(len(areas), dtype=bool)
        area_scores = score_columns(
            shares, shares, difference, design, areas.names, none, chosen, rng
        )
    return PairedComparison(
        model_a=models[0],
        model_b=models[1],
        n_items=len(both),
        overall=float(difference.mean()) if len(both) else float("nan"),
        concepts=score_columns(
            some.saliency_matrix(), presence, difference, design, names, kept_out, chosen, rng
        ),
        areas=area_scores,
    )


def _check_scores(concept_map: ConceptMap, scores: Mapping[str, NDArray[np.float64]]) -> Floats:
    if not scores:
        raise UsageError("There are no model results; give at least one file of results.")
    for model, values in scores.items():
        if len(values) != len(concept_map):
            raise UsageError(
                f"{model} has {len(values)} scores for {len(concept_map)} items; join them by id."
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
    known = ~np.isnan(others)
    n = known.sum(axis=0)
    total = np.where(known, others, 0.0).sum(axis=0)
    overall = total.sum() / max(n.sum(), 1)
    # One item at the mean, so that an item few models answered is not taken for extreme.
    shrunk: Floats = (total + overall) / (n + 1)
    return shrunk


def _group_weak(
    concepts: Scores,
    areas: Scores | None,
    area_of: NDArray[np.int32] | None,
    presence: csr_array,
) -> tuple[tuple[int, ...], ...]:
    """Group the weak concepts outside the weak areas: each joins the weakest it goes along with."""
    weak = concepts.weak()
    if areas is not None and area_of is not None:
        weak = weak[~np.isin(area_of[weak], areas.weak())]
    if not len(weak):
        return ()
    columns = presence[:, weak]
    lengths = np.sqrt(column_sums(columns.power(2)))
    alike = (columns.T @ columns).toarray() / np.maximum(np.outer(lengths, lengths), 1e-12)
    groups: list[list[int]] = []
    for place in range(len(weak)):
        head = next((one for one in groups if alike[one[0], place] >= _TOGETHER), None)
        if head is None:
            groups.append([place])
        else:
            head.append(place)
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
    settings: ModelSettings,
    halves: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> tuple[HeldOut, ...]:
    """Find weak areas or concepts on a random half of the items and measure them on the other."""
    if len(y) < 4:
        return ()
    finding, checking = (
        assess_columns(weights[half], y[half], np.linalg.qr(basis[half])[0]) for half in halves
    )
    # A half as large has half the items of everything, so half of them are asked for.
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
