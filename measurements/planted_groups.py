"""Measure gap groups on planted gaps: is the category that was taken out found and filled?

Closed pool: benchmark and pool share their categories, and one is taken out of the benchmark.
Open pool: the benchmark is one domain less one category, and the pool holds every domain. In the
null draws nothing is taken out, so every group found for certain is false.

A group finds a category if most of its pool items belong to it. Precision and recall are those of
the clearest such group. The first 50 proposals are compared with a smoothed ensemble of words and
embeddings (TF-IDF logistic regression, ridge regression and the share of pool items among 30
neighbours, standardised, summed, and averaged twice over 10 neighbours).

All tuning used seeds 0 to 19; reported figures are of seeds from 1000 on.

python measurements/planted_groups.py --cache MAPS [--draws 20] [--sets trivia many] [--open]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from planted.groups import (
    DOMAINS,
    GroupDraw,
    draw_closed,
    draw_open,
    load_group_sets,
    rank_by_ensemble,
)

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.mapping.open_mapper import open_mapper
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.groups.find_groups import find_gap_groups
from benchdesign.coverage.groups.gap_group import GapGroup, GapGroups
from benchdesign.coverage.groups.judgements import ItemJudgements
from benchdesign.coverage.reference import Reference
from benchdesign.selection.additions import plan_additions

FIRST_SEED = 1000
N_TOP = 50
N_JUDGED, ITEMS_JUDGED = 5, 30
"""Groups judged, and items of each that a judgement covers, as in the interface."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one draw gave; NaN where it does not apply."""

    is_certain: float
    """Whether a group found for certain is the category."""

    rank: float
    """Rank of the first group shown that is the category, from 1; infinite if none is."""

    precision: float
    recall: float
    n_certain: float
    """Groups found for certain, whatever they are."""

    top: float
    """Share of the first proposals that belong to the category: of as many as the extended
    benchmark should hold, at most 50."""

    top_rival: float
    in_domain: float
    """Share of the first 50 proposals that are in the domain."""

    power: float
    """Smallest share whose absence would be seen, as the run says; infinite if none would."""

    seconds: float


def search(
    draw: GroupDraw,
    dictionary: Dictionary,
    queries: NDArray[np.float64] | None,
    judgements: ItemJudgements | None = None,
) -> GapGroups:
    """Search one draw for groups."""
    return find_gap_groups(
        draw.benchmark_map,
        draw.pool_map,
        dictionary,
        benchmark_items=draw.benchmark,
        pool_items=draw.pool,
        queries=queries,
        judgements=judgements,
        rng=np.random.default_rng(0),
    )


def judge(draw: GroupDraw, groups: GapGroups) -> ItemJudgements:
    """Judge the first five groups shown by the domain that most of their items belong to."""
    meant: list[int] = []
    not_meant: list[int] = []
    for group in [group for group in groups.groups if group.parent is None][:N_JUDGED]:
        rows = list(group.pool_rows[:ITEMS_JUDGED])
        is_meant = float(draw.in_domain[list(group.pool_rows)].mean()) > 0.5
        (meant if is_meant else not_meant).extend(rows)
    return ItemJudgements(tuple(sorted(meant)), tuple(sorted(not_meant)))


def measure(
    draw: GroupDraw,
    dictionary: Dictionary,
    queries: NDArray[np.float64] | None,
    *,
    is_judged: bool = False,
) -> Outcome:
    """Search one draw for groups, after five judgements if asked for, and propose items."""
    start = time.perf_counter()
    groups = search(draw, dictionary, queries)
    if is_judged:
        groups = search(draw, dictionary, queries, judge(draw, groups))
    seconds = time.perf_counter() - start
    is_hit = draw.is_removed
    shown = [group for group in groups.groups if group.parent is None]
    finds = [group for group in shown if is_hit.any() and _is_category(group, is_hit)]
    certain = [group for group in finds if group.is_gap]
    best = (certain or finds or [None])[0]
    rows = None if best is None else np.asarray(best.pool_rows, dtype=np.int64)
    top = _proposals(draw, groups, dictionary) if is_hit.any() else []
    # A group is filled up to its share of the extended benchmark and no further.
    n_wanted = int(np.ceil(is_hit.mean() * (len(draw.benchmark) + N_TOP)))
    n_top = max(min(N_TOP, int(is_hit.sum()), n_wanted), 1)
    rival = rank_by_ensemble(draw)[:n_top] if is_hit.any() else []
    return Outcome(
        is_certain=float(bool(certain)),
        rank=float(shown.index(finds[0]) + 1) if finds else np.inf,
        precision=np.nan if rows is None else float(is_hit[rows].mean()),
        recall=np.nan if rows is None else float(is_hit[rows].sum() / is_hit.sum()),
        n_certain=float(len(groups.gaps)),
        top=float(is_hit[top[:n_top]].sum() / n_top) if is_hit.any() else np.nan,
        top_rival=float(is_hit[rival].mean()) if is_hit.any() else np.nan,
        in_domain=float(draw.in_domain[top].mean()) if len(top) else np.nan,
        power=groups.power.smallest_share or np.inf,
        seconds=seconds,
    )


def _is_category(group: GapGroup, is_hit: NDArray[np.bool_]) -> bool:
    return len(group.pool_rows) > 0 and float(is_hit[list(group.pool_rows)].mean()) > 0.5


def _proposals(draw: GroupDraw, groups: GapGroups, dictionary: Dictionary) -> list[int]:
    coverage = measure_coverage(
        draw.benchmark_map, dictionary, reference=Reference.from_map(draw.pool_map, dictionary)
    )
    plan = plan_additions(
        draw.benchmark_map,
        draw.pool_map,
        find_gaps(coverage, dictionary),
        dictionary,
        n=N_TOP,
        pool_items=draw.pool,
        benchmark_items=draw.benchmark,
        rng=np.random.default_rng(0),
        groups=groups,
    )
    return [proposal.row for proposal in plan.proposals]


def print_row(name: str, outcomes: Sequence[Outcome]) -> None:
    """Print the means of the draws of one set as a row of the table."""

    def mean(field: str) -> float:
        values = np.asarray([getattr(outcome, field) for outcome in outcomes], dtype=np.float64)
        return float(np.nanmean(values)) if np.isfinite(values).any() else np.nan

    ranks = np.asarray([outcome.rank for outcome in outcomes])
    powers = np.asarray([outcome.power for outcome in outcomes])
    print(
        f"| {name} | {len(outcomes)} | {mean('is_certain'):.2f} | {(ranks <= 1).mean():.2f} "
        f"| {(ranks <= 3).mean():.2f} | {(ranks <= 5).mean():.2f} "
        f"| {mean('precision'):.2f} | {mean('recall'):.2f} | {mean('n_certain'):.2f} "
        f"| {mean('top'):.3f} | {mean('top_rival'):.3f} | {mean('in_domain'):.2f} "
        f"| {np.median(powers):.3f} | {mean('seconds'):.1f} |",
        flush=True,
    )


HEADER = (
    "| draws of | n | certain | first | in 3 | in 5 | precision | recall | certain groups "
    "| first proposals | ensemble | in domain | power | seconds |\n|" + "---|" * 14
)


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--sets", nargs="*", default=None)
    parser.add_argument("--open", action="store_true", help="the open pool instead of the closed")
    chosen = parser.parse_args()
    mapper = open_mapper()
    sets = load_group_sets(mapper, chosen.cache)
    seeds = range(chosen.first_seed, chosen.first_seed + chosen.draws)
    print(HEADER, flush=True)
    if chosen.open:
        for name, (_, sentence) in DOMAINS.items():
            if chosen.sets and name not in chosen.sets:
                continue
            queries = np.asarray(mapper.embed([sentence]), dtype=np.float64)
            for label, given, is_judged in (
                (name, None, False),
                (f"{name}, with a sentence", queries, False),
                (f"{name}, with a sentence and five judgements", queries, True),
            ):
                draws = [draw_open(sets["many"], name, seed) for seed in seeds]
                outcomes = [
                    measure(draw, mapper.dictionary, given, is_judged=is_judged) for draw in draws
                ]
                print_row(label, outcomes)
        return
    for name, item_set in sets.items():
        if chosen.sets and name not in chosen.sets:
            continue
        for label, n_removed in ((name, 1), (f"{name}, null", 0)):
            draws = [draw_closed(item_set, seed, n_removed=n_removed) for seed in seeds]
            print_row(label, [measure(draw, mapper.dictionary, None) for draw in draws])


if __name__ == "__main__":
    main()
