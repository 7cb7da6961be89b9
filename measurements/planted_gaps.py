"""Measure recovery of planted gaps: categories removed from a benchmark but not from the pool.

A categorised set is split into a benchmark and a pool, and one category (or three) is removed from
the benchmark. Precision is the share of the first 50 proposals that belong to a removed category
(of fewer, where the pool has fewer such items). Evenness is how equally three categories are
recovered; 1 is equal shares.

All tuning used seeds 0 to 19; reported figures are of seeds 1000 to 1019.

python measurements/planted_gaps.py                               all sets, built-in dictionary
python measurements/planted_gaps.py --dictionary FOLDER --sets trivia medicine --levels
python measurements/planted_gaps.py --tune                        the tuning seeds
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from planted.draws import (
    FRESH_SEEDS,
    TUNING_SEEDS,
    Draw,
    evenness,
    make_draw,
    precision,
)
from planted.rankings import (
    RIDGES,
    Side,
    map_words,
    rank_at_random,
    rank_by_concepts,
    rank_by_k_center,
    rank_by_mean_difference,
    rank_by_novelty,
    rank_by_ridge,
    rank_by_words,
)
from planted.sets import PlantedSet, load_sets, map_sets, only_level

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.selection.additions import ProposalSettings

HERE = Path(__file__).resolve().parent
SATURATED = 2 / 3
"""Precision of novelty from which a set is saturated: 1.5 times as much is impossible."""

Ranking = Callable[[Side, Side, int, int], Sequence[int]]
"""(benchmark, pool, n, seed) to pool positions, best first."""


@dataclass(frozen=True, slots=True)
class Score:
    """Means over the draws of one set."""

    precision: float
    evenness: float
    deviation: float
    """Standard error of the precision."""


def planted_precision(
    map_by_set: Mapping[str, ConceptMap],
    labels: Mapping[str, Sequence[str]],
    method: Ranking | None = None,
    *,
    items: Mapping[str, Sequence[Item]],
    dictionary: Dictionary | None = None,
    settings: ProposalSettings | None = None,
    n_removed: int = 1,
    seeds: Iterable[int] = TUNING_SEEDS,
    words: Mapping[str, ConceptMap] | None = None,
) -> dict[str, Score]:
    """Score a ranking on every set; without a method, our ranking with `dictionary`."""
    if method is None:
        assert dictionary is not None, "our own ranking needs a dictionary"
        method = concept_ranking(dictionary, settings)
    scores = {}
    for name, concept_map in map_by_set.items():
        side = Side(items[name], concept_map, words[name] if words else concept_map)
        draw_scores = []
        for seed in seeds:
            draw = make_draw(labels[name], seed, n_removed=n_removed)
            ranking = method(side.take(draw.benchmark), side.take(draw.pool), draw.n_top, seed)
            draw_scores.append(_judge(draw, ranking))
        precisions, evennesses = np.asarray(draw_scores).T
        scores[name] = Score(
            float(precisions.mean()),
            float(evennesses.mean()),
            float(precisions.std(ddof=1) / np.sqrt(len(draw_scores)))
            if len(draw_scores) > 1
            else 0.0,
        )
    return scores


def concept_ranking(dictionary: Dictionary, settings: ProposalSettings | None = None) -> Ranking:
    """Return our ranking with a dictionary and settings."""

    def rank(benchmark: Side, pool: Side, n: int, seed: int) -> Sequence[int]:
        return rank_by_concepts(
            benchmark, pool, n, dictionary=dictionary, seed=seed, settings=settings
        )

    return rank


def _word_ranking(vocabulary: Dictionary) -> Ranking:
    return lambda benchmark, pool, n, seed: rank_by_words(
        benchmark, pool, n, dictionary=vocabulary, seed=seed
    )


def dense_rankings() -> dict[str, Ranking]:
    """Return the dense two-sample rankings at every setting."""

    def ridge_ranking(ridge: float) -> Ranking:
        return lambda benchmark, pool, n, seed: rank_by_ridge(benchmark, pool, n, ridge=ridge)

    return {
        "mean difference": lambda benchmark, pool, n, seed: rank_by_mean_difference(
            benchmark, pool, n
        ),
        **{f"ridge {ridge:g}": ridge_ranking(ridge) for ridge in RIDGES},
    }


def plain_rankings() -> dict[str, Ranking]:
    """Return the rankings without settings."""
    return {
        "random": lambda benchmark, pool, n, seed: rank_at_random(pool, n, seed=seed),
        "novelty": lambda benchmark, pool, n, seed: rank_by_novelty(benchmark, pool, n),
        "k-center": lambda benchmark, pool, n, seed: rank_by_k_center(benchmark, pool, n),
    }


def _judge(draw: Draw, ranking: Sequence[int]) -> tuple[float, float]:
    return precision(draw, ranking), evenness(draw, ranking)


def _mean(scores: Mapping[str, Score]) -> float:
    return float(np.mean([score.precision for score in scores.values()]))


class Measurement:
    """All rankings on all sets, on one range of seeds."""

    def __init__(
        self, sets: Sequence[PlantedSet], maps: Mapping[str, ConceptMap], dictionary: Dictionary
    ) -> None:
        self._maps = maps
        self._labels = {item_set.name: item_set.labels for item_set in sets}
        self._items = {item_set.name: item_set.items for item_set in sets}
        self._dictionary = dictionary
        bags = {
            item_set.name: map_words(
                [item.text for item in item_set.items], maps[item_set.name].embeddings
            )
            for item_set in sets
        }
        self._words = {name: bag for name, (bag, _) in bags.items()}
        self._vocabularies = {name: vocabulary for name, (_, vocabulary) in bags.items()}

    def score(
        self, method: Ranking | None, *, n_removed: int, seeds: Iterable[int], **options: object
    ) -> dict[str, Score]:
        """Score one ranking on all sets."""
        return planted_precision(
            self._maps,
            self._labels,
            method,
            items=self._items,
            n_removed=n_removed,
            seeds=seeds,
            words=self._words,
            **options,  # type: ignore[arg-type]
        )

    def score_words(self, *, n_removed: int, seeds: Iterable[int]) -> dict[str, Score]:
        """Score bags of words; every set has its own vocabulary."""
        scores: dict[str, Score] = {}
        for name in self._maps:
            scores |= planted_precision(
                {name: self._maps[name]},
                self._labels,
                _word_ranking(self._vocabularies[name]),
                items=self._items,
                n_removed=n_removed,
                seeds=seeds,
                words=self._words,
            )
        return scores

    def tuned_dense(self, *, n_removed: int) -> str:
        """Return the name of the best ridge ranking on average over the first five tuning seeds."""
        means = {
            name: _mean(self.score(method, n_removed=n_removed, seeds=TUNING_SEEDS[:5]))
            for name, method in dense_rankings().items()
            if name.startswith("ridge")
        }
        return max(means, key=lambda name: means[name])

    def run(
        self, *, n_removed: int, seeds: Iterable[int], levels: bool
    ) -> dict[str, dict[str, Score]]:
        """Score every ranking."""
        score = partial(self.score, n_removed=n_removed, seeds=seeds)
        dense = dense_rankings()
        ridge = self.tuned_dense(n_removed=n_removed)
        table = {"ours": score(None, dictionary=self._dictionary)}
        if levels:
            for level in self._dictionary.levels:
                alone = only_level(self._dictionary, level.name)
                table[f"ours, {level.name} only"] = score(None, dictionary=alone)
        table["mean difference"] = score(dense["mean difference"])
        table[f"{ridge} (tuned)"] = score(dense[ridge])
        table["bag of words, our scoring"] = self.score_words(n_removed=n_removed, seeds=seeds)
        for name, method in plain_rankings().items():
            table[name] = score(method)
        return table


def describe(table: Mapping[str, Mapping[str, Score]], *, n_removed: int) -> list[str]:
    """Return a Markdown table: precision, and evenness if several categories were removed."""
    sets = list(next(iter(table.values())))
    lines = [
        f"| {n_removed} removed | " + " | ".join(sets) + " | mean |",
        "|---" * (len(sets) + 2) + "|",
    ]
    for name, scores in table.items():
        cells = []
        for set_name in sets:
            score = scores[set_name]
            cell = f"{score.precision:.3f}"
            if n_removed > 1:
                cell += f" / {score.evenness:.2f}"
            elif name == "ours":
                cell += f" ±{score.deviation:.3f}"
            cells.append(cell)
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {_mean(scores):.3f} |")
    return lines


def verdicts(table: Mapping[str, Mapping[str, Score]]) -> list[str]:
    """Return our ranking compared with novelty, the best dense ranking, and the average."""
    ours, novelty = table["ours"], table["novelty"]
    dense = [table[name] for name in table if name.startswith(("mean", "ridge"))]
    lines = []
    for name, score in ours.items():
        best = max(scores[name].precision for scores in dense)
        ratio = score.precision / max(novelty[name].precision, 1e-9)
        saturated = " (saturated)" if novelty[name].precision >= SATURATED else ""
        lines.append(
            f"- {name}: {ratio:.2f} times novelty{saturated}, "
            f"{score.precision - best:+.3f} against the best dense ranking"
        )
    lines.append(f"- mean: {_mean(ours) - max(map(_mean, dense)):+.3f} against the best dense mean")
    return lines


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dictionary", default="builtin")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "planted-maps")
    parser.add_argument("--sets", nargs="*", default=None)
    parser.add_argument("--levels", action="store_true", help="also score every level alone")
    parser.add_argument("--draws", type=int, default=20, help="draws per set (default 20)")
    parser.add_argument(
        "--removed", type=int, nargs="+", default=[1, 3], help="numbers of removed categories"
    )
    parser.add_argument(
        "--tune", action="store_true", help="use the tuning seeds and write no page"
    )
    parser.add_argument("--out", type=Path, default=HERE / "results" / "planted_gaps.md")
    options = parser.parse_args()
    started = time.monotonic()
    sets = [
        item_set
        for item_set in load_sets()
        if options.sets is None or item_set.name in options.sets
    ]
    maps, dictionary = map_sets(sets, options.dictionary, options.cache)
    measurement = Measurement(sets, maps, dictionary)
    seeds = (TUNING_SEEDS if options.tune else FRESH_SEEDS)[: options.draws]
    lines = [
        "# Planted gaps",
        "",
        f"Command: `python measurements/{Path(sys.argv[0]).name} {' '.join(sys.argv[1:])}`".rstrip(
            " `"
        )
        + "`",
        "",
        (__doc__ or "").split("\n\n")[1],
        "",
        f"Dictionary {dictionary.name}, {len(seeds)} draws a set, seeds {seeds[0]} to {seeds[-1]}.",
        "",
    ]
    for n_removed in options.removed:
        table = measurement.run(n_removed=n_removed, seeds=seeds, levels=options.levels)
        lines += [*describe(table, n_removed=n_removed), "", *verdicts(table), ""]
        print("\n".join(lines), flush=True)
    print(f"{time.monotonic() - started:.0f} s")
    if not options.tune:
        options.out.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
