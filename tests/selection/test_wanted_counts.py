"""Target counts given by hand: what they do to gaps, proposals and removals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchdesign.coverage.find_gaps import rejudge, retarget
from benchdesign.coverage.status import Status
from benchdesign.selection.additions import plan_additions
from benchdesign.selection.removals import propose_removals
from tests.coverage.test_gaps import judge as judge_counts
from tests.helpers import make_dictionary, make_map
from tests.selection.test_additions import COMMON, OTHER, PLAIN, RARE, judge, make_items

BENCHMARK = [{COMMON: 1.0}] * 40
POOL = [{COMMON: 1.0}] * 20 + [{RARE: 1.0}] * 12 + [{OTHER: 1.0}] * 8


def wanted(n: int, **of: int) -> NDArray[np.int64]:
    counts = np.full(n, -1, dtype=np.int64)
    for name, count in of.items():
        counts[int(name[1:])] = count
    return counts


def test_a_wanted_count_makes_a_gap_and_ends_one() -> None:
    gaps = judge_counts([20, 0, 5, 0], [0.10, 0.10, 0.10, 0.001])
    retargeted = retarget(gaps, wanted(4, c0=30, c1=0, c3=2))
    assert [retargeted.status(c) for c in range(4)] == [
        Status.UNDER,
        Status.ADEQUATE,
        Status.UNDER,
        Status.MISSING,
    ]
    assert retargeted.target.tolist() == [30, 0, 20, 2]
    assert retargeted.has_target_by_hand(0) and not retargeted.has_target_by_hand(2)


def test_a_wanted_count_survives_another_rule_and_can_be_taken_back() -> None:
    gaps = judge_counts([20], [0.10])
    rejudged = rejudge(retarget(gaps, wanted(1, c0=30)), replace(gaps.settings, fdr=0.01))
    assert (rejudged.status(0), rejudged.target[0]) == (Status.UNDER, 30)
    again = retarget(rejudged, None)
    assert (again.status(0), again.target[0]) == (gaps.status(0), gaps.target[0])


def test_concepts_that_are_kept_out_stay_out_whatever_is_wanted() -> None:
    gaps = retarget(judge_counts([0], [0.5], flags={0: ["dead"]}), wanted(1, c0=9))
    assert (gaps.status(0), gaps.target[0], gaps.deficit[0]) == (Status.KEPT_OUT, 0, 0)


def test_the_further_from_the_wanted_count_the_larger_the_deficit() -> None:
    gaps = retarget(judge_counts([10, 10], [0.10, 0.10]), wanted(2, c0=12, c1=40))
    assert 0 < gaps.deficit[0] < gaps.deficit[1]
    assert gaps.ranked().tolist() == [1, 0]


def test_proposals_go_for_what_is_wanted_by_hand() -> None:
    gaps = retarget(judge(BENCHMARK, POOL), wanted(3, c1=0, c2=3))
    plan = plan_additions(
        make_map(BENCHMARK, n_concepts=3),
        make_map(POOL, n_concepts=3),
        gaps,
        make_dictionary(["concept 0", "concept 1", "concept 2"]),
        n=3,
        pool_items=make_items("pool", 40),
        benchmark_items=make_items("bench", 40),
        settings=PLAIN,
    )
    filled = [gap for proposal in plan.proposals for gap in proposal.gaps]
    assert {gap.concept_id for gap in filled} == {OTHER}
    assert [(gap.before, gap.after, gap.target) for gap in filled] == [
        (0, 1, 3),
        (1, 2, 3),
        (2, 3, 3),
    ]


def test_an_item_that_is_wanted_is_not_proposed_for_removal() -> None:
    rows = [{0: 1.0}] * 6 + [{1: 1.0}] * 6
    pool = [{0: 1.0}] * 20 + [{1: 1.0}] * 20
    vectors = np.zeros((12, 4), dtype=np.float16)
    vectors[:6, 0] = vectors[6:, 1] = 1.0
    for counts, allowed in ((None, {0, 1}), (wanted(2, c0=6), {1})):
        gaps = retarget(judge(rows, pool, n_concepts=2), counts)
        removals = propose_removals(
            make_map(rows, n_concepts=2, embeddings=vectors),
            gaps,
            make_dictionary(["concept 0", "concept 1"]),
            n=4,
            benchmark_items=make_items("bench", 12),
            min_items=1,
        )
        assert {proposal.row // 6 for proposal in removals} <= allowed and removals
