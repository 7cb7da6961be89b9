"""Compare layers, widths and k for the built-in dictionary by recovery of planted gaps.

Candidate levels are trained by one `benchdesign dictionary train` and joined with the shipped
levels. Every categorised set is mapped once with all of them. A category is then removed from the
benchmark, and each level proposes additions: alone, and in each pair of a token level and a
passage level of which at least one is shipped. Sets, fresh draws and rankings are those of
planted_gaps.py. Nothing was tuned on these draws.

    benchdesign dictionary join --level terms=builtin --level themes=builtin \
        --level l3=candidates --level wide=candidates --out all
    python measurements/dictionary_choice.py all --shipped terms themes
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from planted.draws import FRESH_SEEDS, TUNING_SEEDS, make_draw, precision
from planted.rankings import (
    RIDGES,
    Side,
    rank_by_concepts,
    rank_by_mean_difference,
    rank_by_novelty,
    rank_by_ridge,
)
from planted.sets import PlantedSet, load_sets, map_sets

from benchdesign.concepts.dictionaries.dictionary import ConceptTable, Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap

HERE = Path(__file__).resolve().parent

Means = dict[str, float]
"""Precision by set."""


def narrow(
    concept_map: ConceptMap, dictionary: Dictionary, names: Sequence[str]
) -> tuple[ConceptMap, Dictionary]:
    """Return the map and the dictionary restricted to the named levels."""
    levels, old_ids, offset = [], [], 0
    for level in dictionary.levels:
        if level.name in names:
            levels.append(replace(level, offset=offset))
            old_ids.append(np.arange(level.offset, level.offset + level.width))
            offset += level.width
    concepts = np.concatenate(old_ids)
    columns: dict[str, Any] = {}
    for column in fields(ConceptTable):
        values = getattr(dictionary.table, column.name)
        columns[column.name] = (
            tuple(values[concept] for concept in concepts)
            if isinstance(values, tuple)
            else values[concepts]
        )
    columns["level"] = np.repeat(np.arange(len(levels), dtype=np.int8), [x.width for x in levels])
    new_id = np.full(dictionary.n_concepts, -1, dtype=np.int32)
    new_id[concepts] = np.arange(len(concepts), dtype=np.int32)
    entries = new_id[concept_map.indices] >= 0
    fingerprint = f"{dictionary.fingerprint}/{'+'.join(names)}"
    return (
        replace(
            concept_map,
            n_concepts=len(concepts),
            dictionary=fingerprint,
            indptr=np.concatenate([[0], np.cumsum(entries)])[concept_map.indptr].astype(np.int64),
            indices=new_id[concept_map.indices[entries]],
            saliency=concept_map.saliency[entries],
            peak=concept_map.peak[entries],
            start=concept_map.start[entries],
            end=concept_map.end[entries],
        ),
        replace(
            dictionary,
            levels=tuple(levels),
            table=ConceptTable(**columns),
            fingerprint=fingerprint,
        ),
    )


def score_levels(
    sets: Sequence[PlantedSet],
    maps: Mapping[str, ConceptMap],
    dictionary: Dictionary,
    names: Sequence[str],
    seeds: Sequence[int],
) -> Means:
    """Return the precision of our proposals with the named levels only."""
    means = {}
    for item_set in sets:
        part, small = narrow(maps[item_set.name], dictionary, names)
        side = Side(item_set.items, part, part)
        precisions = []
        for seed in seeds:
            draw = make_draw(item_set.labels, seed, n_removed=1)
            benchmark, pool = side.take(draw.benchmark), side.take(draw.pool)
            ranking = rank_by_concepts(benchmark, pool, draw.n_top, dictionary=small, seed=seed)
            precisions.append(precision(draw, ranking))
        means[item_set.name] = float(np.mean(precisions))
    return means


def score_dense(
    sets: Sequence[PlantedSet], maps: Mapping[str, ConceptMap], seeds: Sequence[int]
) -> dict[str, Means]:
    """Return the precision of embedding rankings; ridge is tuned on the tuning seeds."""
    best = max(
        RIDGES,
        key=lambda ridge: np.mean(list(_score(sets, maps, TUNING_SEEDS[:5], ridge=ridge).values())),
    )
    return {
        "mean difference": _score(sets, maps, seeds, rank=rank_by_mean_difference),
        f"ridge {best:g} (tuned)": _score(sets, maps, seeds, ridge=best),
        "novelty": _score(sets, maps, seeds, rank=rank_by_novelty),
    }


def _score(
    sets: Sequence[PlantedSet],
    maps: Mapping[str, ConceptMap],
    seeds: Sequence[int],
    *,
    rank: Any = rank_by_ridge,
    **settings: float,
) -> Means:
    means = {}
    for item_set in sets:
        side = Side(item_set.items, maps[item_set.name], maps[item_set.name])
        precisions = []
        for seed in seeds:
            draw = make_draw(item_set.labels, seed, n_removed=1)
            benchmark, pool = side.take(draw.benchmark), side.take(draw.pool)
            precisions.append(precision(draw, rank(benchmark, pool, draw.n_top, **settings)))
        means[item_set.name] = float(np.mean(precisions))
    return means


def combinations(dictionary: Dictionary, shipped: Sequence[str]) -> list[tuple[str, ...]]:
    """Return each level alone, and each pair of token and passage level with a shipped level."""
    alone = [(level.name,) for level in dictionary.levels]
    terms = [level.name for level in dictionary.levels if level.unit == "token"]
    themes = [level.name for level in dictionary.levels if level.unit == "passage"]
    pairs = [(a, b) for a in terms for b in themes if a in shipped or b in shipped]
    return [*alone, *pairs]


def facts(dictionary: Dictionary, folder: Path) -> dict[str, list[str]]:
    """Return the table cells of each level: its recipe and its figures on held-out text."""
    recipe = json.loads((folder / "dictionary.json").read_text(encoding="utf-8"))["recipe"]
    cells = {}
    for level in dictionary.levels:
        level_recipe = recipe["joined"][level.name]
        spec, report = level_recipe["levels"][0], level_recipe["report"]["levels"][0]
        texts = level_recipe["report"]["corpus"]
        cells[level.name] = [
            level.hook_point.removesuffix(".hook_resid_post").replace("blocks.", "layer "),
            f"{level.width:,}",
            f"{spec['k']:g}",
            {"matryoshka_batchtopk": "Matryoshka"}.get(spec["architecture"], "BatchTopK"),
            f"{texts['n_tokens'] / 1e6:.1f}M",
            f"{report['explained_variance']:.3f}",
            f"{report['l0']:.1f}",
            f"{report['dead_share']:.1%}",
            f"{report['dense_share']:.1%}",
        ]
    return cells


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dictionary", type=Path, help="all candidate levels, joined")
    parser.add_argument("--shipped", nargs="*", default=["terms", "themes"])
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "choice-maps")
    parser.add_argument("--sets", nargs="*", default=None)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "dictionary_choice.md")
    options = parser.parse_args()
    started = time.monotonic()
    sets = [
        item_set
        for item_set in load_sets()
        if options.sets is None or item_set.name in options.sets
    ]
    maps, dictionary = map_sets(sets, options.dictionary, options.cache)
    print(f"mapped in {time.monotonic() - started:.0f} s", flush=True)
    seeds = FRESH_SEEDS[: options.draws]
    head = [item_set.name for item_set in sets]
    rows: list[str] = []

    def record(name: str, means: Means) -> None:
        cells = " | ".join(f"{means[set_name]:.3f}" for set_name in head)
        rows.append(f"| {name} | {cells} | {np.mean(list(means.values())):.3f} |")
        print(f"{time.monotonic() - started:6.0f} s  {rows[-1]}", flush=True)

    for name, means in score_dense(sets, maps, seeds).items():
        record(name, means)
    for names in combinations(dictionary, options.shipped):
        record(" + ".join(names), score_levels(sets, maps, dictionary, names, seeds))
    words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    lines = [
        "# The comparison behind the built-in dictionary",
        "",
        f"`python measurements/dictionary_choice.py {shlex.join(words)}`",
        "",
        "Precision at 50 of our proposals (at fewer, where fewer items were removed): the share "
        "that belongs to the category removed from the benchmark. "
        f"{options.draws} draws a set, seeds {seeds[0]} to {seeds[-1]}. "
        f"Shipped: {' and '.join(options.shipped)}.",
        "",
        "| | " + " | ".join(head) + " | mean |",
        "|---" * (len(head) + 2) + "|",
        *rows,
        "",
        "## The levels",
        "",
        "Figures are on text held out of each level's own training corpus.",
        "",
        "| level | reads | width | k | trained as | tokens read | explained | L0 | dead | dense |",
        "|---|---|---:|---:|---|---:|---:|---:|---:|---:|",
        *(
            f"| {name} | {' | '.join(values)} |"
            for name, values in facts(dictionary, options.dictionary).items()
        ),
    ]
    options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
