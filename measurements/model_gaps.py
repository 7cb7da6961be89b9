"""Measure whether model gaps are real: planted weaknesses, the null, stability.

planted     scores are drawn at 0.7, and at 0.3 on the items of the planted categories, which are
            then to be recovered: each category alone, and draws of three. Recovery is counted in
            four ways: the categories that the profile names at its 5% (groups of similar items and
            their parts, areas, concepts; each stands for its most common category); the clearest
            groups, as many as were planted, significant or not (the size is fixed in advance); the
            items of the groups; and the items ranked weakest, as many as were planted (so that
            precision, recall and F1 are the same number)
null        scores are permuted over items: at most 5% of the tests may be significant
stability   100 subsamples of 80% of the items: spread of chi_model and chi_bench

Two bounds come from a classifier (logistic regression on the same embeddings, five-fold) that is
trained on the true categories of the other items, which are not available to a user who has only
scores. "Told" tests the items that it assigns to each category at the same 5%: the result of a
search that knows the categories. "Bound" is the items that it assigns to the planted categories.

All tuning used seeds 5000 to 7023; these figures are of seeds 1000 and up.

python measurements/model_gaps.py --cache FOLDER         the built-in dictionary, all sets
python measurements/model_gaps.py --cache FOLDER --pool  the same, and the whole pool's stability
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
from real_runs import BENCHMARKS
from scipy.special import ndtr

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.mapping.map_items import map_items
from benchdesign.concepts.mapping.mapper_protocols import Mapper
from benchdesign.concepts.mapping.open_mapper import open_mapper
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.areas import Areas, group_areas
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

HERE = Path(__file__).resolve().parent
PERMUTATIONS, SUBSAMPLES = 20, 100
BASE, DROP = 0.7, 0.4
SIZES = (1_000, 2_000, 4_000, 8_000, 20_000, 40_000)
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", help="names of sets; default: all")
    parser.add_argument("--draws", type=int, default=12, help="number of draws of three categories")
    parser.add_argument(
        "--pool", action="store_true", help="measure stability on the pool and the benchmarks too"
    )
    parser.add_argument("--cache", type=Path, help="folder in which maps are cached between runs")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "model_gaps.md")
    arguments = parser.parse_args()
    if not DATA.exists():
        print(f"{DATA} does not exist; it has the sets.", file=sys.stderr)
        return 2
    mapper = open_mapper("builtin", "builtin")
    dictionary = mapper.dictionary
    sets = [
        Labelled(
            item_set.name,
            np.asarray(item_set.labels),
            map_items(item_set.items, mapper, cache=arguments.cache),
        )
        for item_set in load_sets()
        if arguments.sets is None or item_set.name in arguments.sets
    ]
    lines = head(
        dictionary, arguments.draws, [mapped_set.name for mapped_set in sets], pool=arguments.pool
    )
    rows = [set_lines(mapped_set, dictionary, draws=arguments.draws) for mapped_set in sets]
    lines += [line for _, planted_rows, _ in rows for line in planted_rows]
    lines += mean_lines([figures for figures, _, _ in rows])
    lines += [
        "",
        "Target: 0.80. Weaknesses that a search with known categories misses (column told), for "
        "lack of items or because their texts resemble those of others, are not visible in scores.",
    ]
    lines += [
        "",
        "## Null",
        "",
        "| set | concepts significant of tested | areas | runs with a group |",
    ]
    lines += ["|---|---|---|---|", *(line for _, _, line in rows), ""]
    if arguments.pool:
        sets.append(everything_else(sets, mapper, cache=arguments.cache))
    lines += stability_lines(sets)
    arguments.out.parent.mkdir(exist_ok=True)
    arguments.out.write_text("\n".join(lines) + "\n", "utf-8")
    return 0


def everything_else(sets: Sequence[Labelled], mapper: Mapper, *, cache: Path | None) -> Labelled:
    """Map the pool and the benchmarks of `real_runs.py`, without the items of the sets."""
    used = {digest for mapped_set in sets for digest in mapped_set.concept_map.digests}
    paths = [DATA / "pool" / "pool.jsonl.gz"]
    paths += [DATA / "benchmarks" / name for name in BENCHMARKS]
    items = {item.digest: item for path in paths for item in load_benchmark(path).items}
    rest = [item for digest, item in items.items() if digest not in used]
    return Labelled("rest", np.full(len(rest), "rest"), map_items(rest, mapper, cache=cache))


def head(dictionary: Dictionary, draws: int, names: Sequence[str], *, pool: bool) -> list[str]:
    """Return the head of the page: the command and the settings."""
    return [
        "# Model gaps",
        "",
        f"Command: `python measurements/model_gaps.py --sets {' '.join(names)} --draws {draws}"
        f"{' --pool' if pool else ''}`; "
        f"dictionary {dictionary.name} ({dictionary.n_concepts} concepts). Base score {BASE}, drop "
        f"{DROP}, {PERMUTATIONS} permutations, {SUBSAMPLES} subsamples of 80%.",
        "",
        "## Planted weaknesses",
        "",
        f"Each category alone, and {draws} draws of three. Precision, recall and F1 are means over "
        "them of what the profile names (groups of similar items and their parts, areas, "
        "concepts), each standing for its most common category. The other columns are F1. Fixed "
        "size: the clearest groups, as many as were planted; told: a search that knows the "
        "categories; dictionary: areas and concepts alone; items: those in the groups; ranked: as "
        "many items as were planted; bound: a classifier that knows the categories.",
        "",
        "| set | items | categories | planted | precision | recall | F1 | fixed size | told "
        "| dictionary | items | ranked | bound |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]


def set_lines(
    mapped_set: Labelled, dictionary: Dictionary, *, draws: int
) -> tuple[dict[str, list[float]], list[str], str]:
    """Return the figures of a set by planting, its rows of the table, and its row of the null."""
    areas = group_areas(dictionary, concept_map=[mapped_set.concept_map])
    rng = np.random.default_rng(FIRST_SEED)
    three = [
        set(rng.choice(mapped_set.categories, 3, replace=False).tolist()) for _ in range(draws)
    ]
    singles = planted(
        mapped_set, dictionary, areas, choices=[{name} for name in mapped_set.categories]
    )
    recognisable = [recovery for recovery in singles if recovery.bound >= RECOGNISED]
    triples = planted(mapped_set, dictionary, areas, choices=three)
    lines, by_planted = [], {}
    for planting, recoveries in (
        ("1", singles),
        (f"1 of {len(recognisable)} recognisable", recognisable),
        ("3", triples),
    ):
        if not recoveries:
            continue
        figures = [
            float(np.mean([row.profile[0] for row in recoveries])),
            float(np.mean([row.profile[1] for row in recoveries])),
            *(
                f1([getattr(row, name) for row in recoveries])
                for name in ("profile", "fixed", "informed", "by_dictionary", "items")
            ),
            *(
                float(np.mean([getattr(row, name) for row in recoveries]))
                for name in ("ranked", "bound")
            ),
        ]
        lines.append(
            row_of(
                mapped_set.name,
                len(mapped_set.labels),
                len(mapped_set.categories),
                planting,
                figures=figures,
            )
        )
        by_planted[planting.partition(" of ")[0] + (" recognisable" if " " in planting else "")] = (
            figures
        )
        print(lines[-1], flush=True)
    tested, out, n_areas, areas_out, runs = null(mapped_set, dictionary, areas)
    line = f"| {mapped_set.name} | {out} of {tested} | {areas_out} of {n_areas} "
    line += f"| {runs} of {PERMUTATIONS} |"
    print(line, flush=True)
    return by_planted, lines, line


def row_of(
    name: str, n_items: object, n_categories: object, planting: str, figures: list[float]
) -> str:
    """Return a row of the table of planted weaknesses."""
    cells = " | ".join(f"{figure:.3f}" for figure in figures)
    return f"| {name} | {n_items} | {n_categories} | {planting} | {cells} |"


def mean_lines(sets: Sequence[dict[str, list[float]]]) -> list[str]:
    """Return rows of means over the sets, by planting."""
    return [
        row_of(
            "mean",
            "",
            "",
            planting,
            figures=np.mean([figures[planting] for figures in sets], axis=0),
        )
        for planting in sets[0]
    ]


def stability_lines(sets: Sequence[Labelled]) -> list[str]:
    """Return the table of spreads by number of items, over all sets together."""
    union = Labelled(
        "all",
        np.concatenate([mapped_set.labels for mapped_set in sets]),
        ConceptMap.concatenate([mapped_set.concept_map for mapped_set in sets]),
    )
    lines = [
        "## Stability",
        "",
        "Items of all sets together. Mean spread over concepts (in brackets: over those with "
        f"{ENOUGH} items or more). Targets: 0.014 for chi_model, 0.025 for chi_bench.",
        "",
        "| items | chi_model | chi_bench | concepts with enough items |",
        "|---|---|---|---|",
    ]
    total = len(union.labels)
    for n in [size for size in SIZES if size < total] + [total]:
        model, model_enough, bench, bench_enough, n_enough = stability(union, n)
        lines.append(
            f"| {n} | {model:.4f} ({model_enough:.4f}) | {bench:.4f} ({bench_enough:.4f}) "
            f"| {n_enough:.0f} |"
        )
        print(lines[-1], flush=True)
    needed = [
        f"{round(total * (spread / target) ** 2, -3):,.0f} for {name}"
        for name, spread, target in (
            ("chi_model", model, 0.014),
            ("chi_model of concepts with enough items", model_enough, 0.014),
            ("chi_bench", bench, 0.025),
        )
    ]
    return [
        *lines,
        "",
        "Spreads fall roughly with the square root of the number of items, though more items add "
        f"rarer concepts. At that rate the targets need about {', '.join(needed)}.",
    ]


if __name__ == "__main__":
    raise SystemExit(main())
