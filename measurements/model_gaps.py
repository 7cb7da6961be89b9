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
from pathlib import Path

import numpy as np
from planted.sets import DATA, load_sets
from real_runs import BENCHMARKS
from recovery.trials import (
    BASE,
    DROP,
    ENOUGH,
    FIRST_SEED,
    PERMUTATIONS,
    RECOGNISED,
    SUBSAMPLES,
    Labelled,
    f1,
    null,
    planted,
    stability,
)

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.mapping.map_items import map_items
from benchdesign.concepts.mapping.mapper_protocols import Mapper
from benchdesign.concepts.mapping.open_mapper import open_mapper
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.areas import group_areas

HERE = Path(__file__).resolve().parent
SIZES = (1_000, 2_000, 4_000, 8_000, 20_000, 40_000)


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
