"""Whether model gaps are real: planted weaknesses, the null, stability.

planted     scores are drawn at 0.7, and at 0.3 on the items of some categories, which are then to
            be recovered. Three ways to count: the groups that the profile names (each stands for
            the category most of its items have; precision and recall of categories), the items
            of those groups (the size is the profile's own), and the items that rank first by
            weakness, as many as were planted (so that precision, recall and F1 are one number)
null        scores permuted over items: nothing may stand out (at most 5% of the tested)
stability   100 subsamples of 80% of the items: spread of chi_model and chi_bench

Beside the ranking stands a bound: the items a classifier (logistic regression on the same
embeddings, five-fold) puts into the planted categories after having been told the true category of
the other items. What sees only noisy scores can hardly be expected to tell categories apart better.

python measurements/model_gaps.py --cache FOLDER         the built-in dictionary, all sets
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from planted.sets import DATA, load_sets

from benchdesign.areas import Areas, group_areas
from benchdesign.conceptmap import ConceptMap
from benchdesign.coverage import measure_coverage
from benchdesign.dictionary import Dictionary
from benchdesign.itemshares import item_shares
from benchdesign.mapping import map_items, open_mapper
from benchdesign.modelgaps import ModelGaps, measure_models
from benchdesign.regions import Region, rank_weak_items
from benchdesign.scoring import ModelSettings, find_controls

HERE = Path(__file__).resolve().parent
PERMUTATIONS, SUBSAMPLES = 20, 100
BASE, DROP = 0.7, 0.4
SIZES = (1_000, 2_000, 4_000, 8_000)
ENOUGH = 30


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
class Found:
    """How well one planted weakness was recovered."""

    groups: tuple[float, float]
    """Precision and recall of categories, by all that the profile names."""

    by_dictionary: tuple[float, float]
    """The same by areas and concepts of the dictionary alone."""

    items: tuple[float, float]
    """Precision and recall of the items of the groups of alike items."""

    ranked: float
    ridge: float
    bound: float


def planted(
    one: Labelled, dictionary: Dictionary, areas: Areas, *, n_planted: int, draws: int
) -> list[Found]:
    """Plant weaknesses and recover them, once a draw."""
    categories, likely = one.categories, separability(one)
    vectors = embeddings_of(one.concept_map)
    shares = item_shares(one.concept_map, dictionary, areas).tocsc()
    saliency = one.concept_map.saliency_matrix().tocsc()
    found = []
    for seed in range(draws):
        rng = np.random.default_rng([seed, n_planted])
        chosen = set(rng.choice(categories, n_planted, replace=False).tolist())
        weak = np.isin(one.labels, list(chosen))
        scores = (rng.random(len(weak)) < np.where(weak, BASE - DROP, BASE)).astype(float)
        result = measure(one.concept_map, scores, dictionary, areas, rng=rng)
        basis = find_controls(one.concept_map.n_tokens, None)
        residuals = scores - basis @ (basis.T @ scores)
        regions = [commonest(one.labels[list(region.rows)]) for region in result.regions]
        named = [weighted(shares, area.unit, one.labels) for area, _ in result.profile()]
        named += [weighted(saliency, head.unit, one.labels) for head, *_ in result.other_groups()]
        inside = np.zeros(len(weak), dtype=bool)
        for region in result.regions:
            inside[list(region.rows)] = True
        n = int(weak.sum())
        kept = tuple(Region(one.rows, one.gap, one.p_value) for one in result.regions)
        places = [categories.index(category) for category in chosen]
        found.append(
            Found(
                precision_recall(regions + named, chosen),
                precision_recall(named, chosen),
                (float(weak[inside].mean()) if inside.any() else 0.0, float(inside[weak].mean())),
                float(weak[rank_weak_items(vectors, residuals, kept)[:n]].mean()),
                float(weak[rank_weak_items(vectors, residuals, ())[:n]].mean()),
                float(weak[np.argsort(-likely[:, places].sum(axis=1))[:n]].mean()),
            )
        )
    return found


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
        settings=ModelSettings(n_bootstrap=0, poor=poor),
    )
    return result


def separability(one: Labelled) -> NDArray[np.float64]:
    """Chance of each category for each item, by a classifier that was not shown the item."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    model = LogisticRegression(C=10, max_iter=200)
    likely: NDArray[np.float64] = cross_val_predict(
        model, embeddings_of(one.concept_map), one.labels, cv=5, method="predict_proba"
    )
    return likely


def embeddings_of(concept_map: ConceptMap) -> NDArray[np.float64]:
    """Return the embeddings in full precision."""
    if concept_map.embeddings is None:
        raise SystemExit("The map holds no embeddings; map with a mapper that makes them.")
    return concept_map.embeddings.astype(np.float64)


def commonest(labels: NDArray[np.str_]) -> str:
    """Return the label most items have."""
    names, counts = np.unique(labels, return_counts=True)
    return str(names[counts.argmax()])


def weighted(weights, unit: int, labels: NDArray[np.str_]) -> str:  # noqa: ANN001 - csc_array
    """Return the label with most of a column's weight."""
    part = slice(int(weights.indptr[unit]), int(weights.indptr[unit + 1]))
    names, place = np.unique(labels[weights.indices[part]], return_inverse=True)
    return str(names[np.bincount(place, weights=weights.data[part]).argmax()])


def precision_recall(named: Sequence[str], chosen: set[str]) -> tuple[float, float]:
    """Share of names that were planted, and of planted ones that were named."""
    right = [name in chosen for name in named]
    return (float(np.mean(right)) if right else 0.0, len(chosen & set(named)) / len(chosen))


def f1(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the mean F1 of precisions and recalls."""
    return float(np.mean([2 * p * r / (p + r) if p + r else 0.0 for p, r in pairs]))


def null(one: Labelled, dictionary: Dictionary, areas: Areas) -> tuple[int, ...]:
    """Tested and found concepts, tested and found areas, runs with a group of alike items."""
    rng = np.random.default_rng(1)
    scores = (rng.random(len(one.labels)) < BASE).astype(float)
    total = np.zeros(5, dtype=np.int64)
    for _ in range(PERMUTATIONS):
        result = measure(
            one.concept_map, rng.permutation(scores), dictionary, areas, rng=rng, poor=0.0
        )
        for place, table in ((0, result.concepts), (2, result.areas)):
            if table is not None:
                total[place] += int((~np.isnan(table.p_value)).sum())
                total[place + 1] += int((table.q_value <= 0.05).sum())
        total[4] += bool(result.regions)
    return tuple(total.tolist())


def stability(everything: Labelled, dictionary: Dictionary, n: int) -> tuple[float, ...]:
    """Spread of chi_model and chi_bench over subsamples of n items.

    Over all concepts that every subsample shows, and over those with enough items in it.
    """
    rng = np.random.default_rng(2)
    rows = np.sort(rng.permutation(len(everything.labels))[:n])
    some = everything.concept_map.take(rows)
    weak = everything.labels[rows] == everything.categories[0]
    scores = (rng.random(n) < np.where(weak, BASE - DROP, BASE)).astype(float)
    enough = np.bincount(some.indices, minlength=some.n_concepts) >= ENOUGH
    models, benches = [], []
    for _ in range(SUBSAMPLES):
        kept = np.sort(rng.permutation(n)[: int(0.8 * n)])
        part = some.take(kept)
        saliency = part.saliency_matrix()
        total = np.asarray(saliency.sum(axis=0)).ravel()
        with np.errstate(invalid="ignore", divide="ignore"):
            models.append((saliency.T @ scores[kept]) / total)
        benches.append(measure_coverage(part, dictionary).chi_bench)
    tables = [np.stack(models), np.stack(benches)]
    shown = [~np.isnan(table).any(axis=0) for table in tables]
    spreads = [
        float(table[:, where].std(axis=0).mean())
        for table, seen in zip(tables, shown, strict=True)
        for where in (seen, seen & enough)
    ]
    return (*spreads, float(enough.sum()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", help="some of the sets; default: all")
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--cache", type=Path, help="folder that keeps the maps for another run")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "model_gaps.md")
    arguments = parser.parse_args()
    if not DATA.exists():
        print(f"{DATA} is not here; the sets come from there.", file=sys.stderr)
        return 2
    mapper = open_mapper("builtin", "builtin")
    dictionary = mapper.dictionary
    sets = [
        Labelled(
            one.name, np.asarray(one.labels), map_items(one.items, mapper, cache=arguments.cache)
        )
        for one in load_sets()
        if arguments.sets is None or one.name in arguments.sets
    ]
    lines = head(dictionary, arguments.draws, [one.name for one in sets])
    rows = [set_lines(one, dictionary, draws=arguments.draws) for one in sets]
    lines += [line for each, _ in rows for line in each]
    lines += [
        "",
        "Aim: 0.80. Categories that a classifier told the truth cannot tell apart (see bound) "
        "cannot be recovered either, and a set of few items shows little.",
    ]
    lines += ["", "## Null", "", "| set | concepts found of tested | areas | runs with a group |"]
    lines += ["|---|---|---|---|", *(line for _, line in rows), ""]
    lines += stability_lines(sets, dictionary)
    arguments.out.parent.mkdir(exist_ok=True)
    arguments.out.write_text("\n".join(lines) + "\n", "utf-8")
    return 0


def head(dictionary: Dictionary, draws: int, names: Sequence[str]) -> list[str]:
    """What was run."""
    return [
        "# Model gaps",
        "",
        f"Command: `python measurements/model_gaps.py --sets {' '.join(names)} --draws {draws}`; "
        f"dictionary {dictionary.name} ({dictionary.n_concepts} concepts). Base score {BASE}, drop "
        f"{DROP}, {PERMUTATIONS} permutations, {SUBSAMPLES} subsamples of 80%.",
        "",
        "## Planted weaknesses",
        "",
        "F1. Categories: what the profile names (groups of alike items, areas, concepts), each for "
        "the category most of its items have; dictionary: areas and concepts alone; items: those "
        "in the groups of alike items; ranked: as many items as were planted; ridge: the same by "
        "ridge regression on embeddings alone; bound: a classifier that was told the categories.",
        "",
        "| set | items | categories | planted | categories F1 | dictionary | items F1 | ranked "
        "| ridge | bound |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]


def set_lines(one: Labelled, dictionary: Dictionary, *, draws: int) -> tuple[list[str], str]:
    """The rows of one set: planted, null."""
    areas = group_areas(dictionary, concept_map=[one.concept_map])
    lines = []
    for n_planted in (1, 3):
        found = planted(one, dictionary, areas, n_planted=n_planted, draws=draws)
        lines.append(
            f"| {one.name} | {len(one.labels)} | {len(one.categories)} | {n_planted} "
            f"| {f1([each.groups for each in found]):.3f} "
            f"| {f1([each.by_dictionary for each in found]):.3f} "
            f"| {f1([each.items for each in found]):.3f} "
            f"| {np.mean([each.ranked for each in found]):.3f} "
            f"| {np.mean([each.ridge for each in found]):.3f} "
            f"| {np.mean([each.bound for each in found]):.3f} |"
        )
        print(lines[-1], flush=True)
    tested, out, n_areas, areas_out, runs = null(one, dictionary, areas)
    line = f"| {one.name} | {out} of {tested} | {areas_out} of {n_areas} "
    line += f"| {runs} of {PERMUTATIONS} |"
    print(line, flush=True)
    return lines, line


def stability_lines(sets: Sequence[Labelled], dictionary: Dictionary) -> list[str]:
    """Spreads by number of items, of all sets together."""
    everything = Labelled(
        "all",
        np.concatenate([one.labels for one in sets]),
        ConceptMap.concatenate([one.concept_map for one in sets]),
    )
    lines = [
        "## Stability",
        "",
        "Items of all sets together. Mean spread over concepts (in brackets: over those that "
        f"{ENOUGH} items or more show). Aims: 0.014 for chi_model, 0.025 for chi_bench.",
        "",
        "| items | chi_model | chi_bench | concepts with enough items |",
        "|---|---|---|---|",
    ]
    total = len(everything.labels)
    for n in [one for one in SIZES if one < total] + [total]:
        model, model_enough, bench, bench_enough, n_enough = stability(everything, dictionary, n)
        lines.append(
            f"| {n} | {model:.4f} ({model_enough:.4f}) | {bench:.4f} ({bench_enough:.4f}) "
            f"| {n_enough:.0f} |"
        )
        print(lines[-1], flush=True)
    needed = [
        f"{round(total * (spread / aim) ** 2, -3):,.0f} for {name}"
        for name, spread, aim in (
            ("chi_model", model, 0.014),
            ("chi_model of concepts with enough items", model_enough, 0.014),
            ("chi_bench", bench, 0.025),
        )
    ]
    return [
        *lines,
        "",
        "Spreads fall with the root of the number of items; by that the aims take about "
        f"{', '.join(needed)}.",
    ]


if __name__ == "__main__":
    raise SystemExit(main())
