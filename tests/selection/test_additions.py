"""Proposals to add: what is chosen, what is not, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from benchdesign.benchmarks.items import Item
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.gaps import Gaps
from benchdesign.coverage.reference import Reference
from benchdesign.errors import UsageError
from benchdesign.foundation.serialization import from_json, to_json
from benchdesign.selection.additions import (
    AdditionPlan,
    ProposalSettings,
    plan_additions,
    propose_additions,
)
from benchdesign.selection.concept_weights import concept_weights
from benchdesign.selection.constraints import Constraints
from benchdesign.selection.gain import GainTable
from benchdesign.selection.gain_calibration import calibrate_zmin
from benchdesign.selection.gain_settings import GainSettings
from benchdesign.selection.proposal import Proposal
from benchdesign.selection.soft_presence import _likeness, support_of
from tests.helpers import make_dictionary, make_map

Rows = Sequence[Mapping[int, float]]

COMMON, RARE, OTHER = 0, 1, 2
BENCHMARK: Rows = [{COMMON: 1.0}] * 40
POOL: Rows = [{COMMON: 1.0}] * 20 + [{RARE: 1.0}] * 12 + [{OTHER: 1.0}] * 8
PLAIN = ProposalSettings(gains=GainSettings(zmin=1.0, n_neighbours=0))


def make_items(prefix: str, n: int, **fields: Any) -> list[Item]:
    return [
        Item(
            id=f"{prefix}-{row}",
            row=row,
            text=f"{prefix} number {row}",
            content=(),
            prompt=f"{prefix} number {row}",
            **{name: values[row] for name, values in fields.items()},
        )
        for row in range(n)
    ]


def judge(benchmark: Rows, pool: Rows, *, n_concepts: int = 3) -> Gaps:
    dictionary = make_dictionary([f"concept {number}" for number in range(n_concepts)])
    reference = Reference.from_map(make_map(pool, n_concepts=n_concepts), dictionary)
    coverage = measure_coverage(
        make_map(benchmark, n_concepts=n_concepts), dictionary, reference=reference
    )
    return find_gaps(coverage, dictionary)


def plan(
    *,
    n: int,
    benchmark: Rows = BENCHMARK,
    pool: Rows = POOL,
    pool_items: Sequence[Item] | None = None,
    benchmark_items: Sequence[Item] | None = None,
    embeddings: np.ndarray | None = None,
    benchmark_embeddings: np.ndarray | None = None,
    n_concepts: int = 3,
    settings: ProposalSettings = PLAIN,
    **more: Any,
) -> AdditionPlan:
    gaps = judge(benchmark, pool, n_concepts=n_concepts)
    return plan_additions(
        make_map(benchmark, n_concepts=n_concepts, embeddings=benchmark_embeddings),
        make_map(pool, n_concepts=n_concepts, embeddings=embeddings),
        gaps,
        gaps.dictionary,
        n=n,
        pool_items=pool_items or make_items("pool", len(pool)),
        benchmark_items=benchmark_items or make_items("bench", len(benchmark)),
        settings=settings,
        **more,
    )


def concepts_of(additions: AdditionPlan) -> list[int]:
    return [proposal.gaps[0].concept_id for proposal in additions.proposals]


def axis(place: int, *, size: int = 64) -> np.ndarray:
    vector = np.zeros(size, dtype=np.float16)
    vector[place] = 1
    return vector


def axes(n: int, *, start: int = 0) -> np.ndarray:
    return np.stack([axis((start + place) % 64) for place in range(n)])


def test_items_that_show_a_missing_concept_are_proposed_and_others_are_not() -> None:
    additions = plan(n=3)
    assert concepts_of(additions) == [RARE, RARE, RARE]
    assert [proposal.rank for proposal in additions.proposals] == [1, 2, 3]
    assert additions.proposals[0].kind == "add"
    assert additions.proposals[0].id == f"pool-{additions.proposals[0].row}"


def test_a_proposal_says_before_after_and_target_of_every_gap() -> None:
    first, second = plan(n=2).proposals
    # 12 of 40 pool items show it: 30% of the 42 items there will be, rounded up.
    assert [(gap.before, gap.after, gap.target) for gap in first.gaps] == [(0, 1, 13)]
    assert [(gap.before, gap.after, gap.target) for gap in second.gaps] == [(1, 2, 13)]


def test_the_gain_is_the_sum_of_its_parts_and_falls_from_rank_to_rank() -> None:
    pool = [{RARE: 1.0, OTHER: 0.5}] * 10 + [{COMMON: 1.0}] * 30
    proposals = plan(n=6, pool=pool).proposals
    for proposal in proposals:
        assert proposal.gain == pytest.approx(sum(gap.gain for gap in proposal.gaps))
    gains = [proposal.gain for proposal in proposals]
    assert gains == sorted(gains, reverse=True)
    assert gains[-1] < gains[0] == 1.0


def test_gains_are_told_against_the_best_of_the_proposals_which_a_pinned_one_need_not_be() -> None:
    pool = [{RARE: 1.0, OTHER: 1.0}] * 10 + [{OTHER: 1.0}] * 10 + [{COMMON: 1.0}] * 30
    pinned = Constraints(pinned=frozenset({"pool-15"}))
    first, second, *_ = plan(n=4, pool=pool, constraints=pinned).proposals
    assert (first.id, second.gain) == ("pool-15", 1.0)
    assert 0 < first.gain < 1


def test_two_gaps_are_both_filled_when_the_first_is_nearly_full() -> None:
    assert set(concepts_of(plan(n=16))) == {RARE, OTHER}


def test_an_item_showing_two_gaps_comes_before_items_showing_one() -> None:
    pool = [*POOL, {RARE: 1.0, OTHER: 1.0}]
    assert plan(n=1, pool=pool).proposals[0].row == len(POOL)


def test_gaps_that_are_not_listed_are_counted() -> None:
    pool = [{COMMON: 1.0}] * 20 + [{RARE: 1.0, OTHER: 1.0}] * 12
    settings = replace(PLAIN, max_gaps=1)
    (first,) = plan(n=1, pool=pool, settings=settings).proposals
    assert (len(first.gaps), first.n_filled) == (1, 2)
    kept = from_json(Proposal, to_json(first))
    assert (kept, kept.n_filled) == (first, 2)
    # Kept before they were counted: what is listed is all that is known.
    before = {name: value for name, value in to_json(first).items() if name != "n_gaps"}
    assert from_json(Proposal, before).n_filled == 1


def test_lazy_choice_equals_looking_at_every_item_every_time() -> None:
    rng = np.random.default_rng(5)
    pool = [
        {int(c): float(rng.uniform(0.1, 1)) for c in rng.choice(12, 4, replace=False)}
        for _ in range(120)
    ]
    benchmark = [{int(c): 1.0 for c in rng.choice(6, 2, replace=False)} for _ in range(60)]
    additions = plan(n=25, pool=pool, benchmark=benchmark, n_concepts=12)
    gaps = judge(benchmark, pool, n_concepts=12)
    table = GainTable.build(
        make_map(benchmark, n_concepts=12),
        make_map(pool, n_concepts=12),
        gaps,
        gaps.dictionary,
        n=25,
        zmin=1.0,
        settings=PLAIN.gains,
    )
    left, chosen = table.needs.copy(), []
    for _ in range(25):
        gains = [
            -1.0 if row in chosen else float(table.row_gains(row, left)[1].sum())
            for row in range(len(pool))
        ]
        row = int(np.argmax(gains))
        chosen.append(row)
        columns, presence = table.presences.row(row)
        left[columns] = np.maximum(left[columns] - presence, 0)
    assert [proposal.row for proposal in additions.proposals] == chosen


def test_nothing_is_proposed_where_nothing_is_missing() -> None:
    assert plan(n=5, benchmark=POOL).proposals == ()


def test_fewer_come_back_when_the_pool_has_no_more_to_give() -> None:
    additions = plan(n=30)
    assert len(additions.proposals) == 20


def test_no_items_are_proposed_for_a_budget_of_none() -> None:
    assert plan(n=10, constraints=Constraints(budget=0)).proposals == ()
    assert len(plan(n=10, constraints=Constraints(budget=4)).proposals) == 4


def test_excluded_items_are_never_proposed() -> None:
    additions = plan(n=2, constraints=Constraints(excluded=frozenset({"pool-20", "pool-21"})))
    assert [proposal.row for proposal in additions.proposals] == [22, 23]
    assert additions.left_out["excluded"] == 2


def test_contaminated_items_are_never_proposed() -> None:
    additions = plan(n=1, contaminated=frozenset({"pool-20"}))
    assert additions.proposals[0].row == 21
    assert additions.left_out["contaminated"] == 1


def test_pinned_items_come_first_whatever_their_gain() -> None:
    additions = plan(n=2, constraints=Constraints(pinned=frozenset({"pool-3"})))
    assert [(proposal.row, proposal.pinned) for proposal in additions.proposals] == [
        (3, True),
        (20, False),
    ]


def test_a_pinned_item_that_is_not_in_the_pool_is_an_error() -> None:
    with pytest.raises(UsageError, match="'nowhere' is not in the pool"):
        plan(n=1, constraints=Constraints(pinned=frozenset({"nowhere"})))


def test_an_item_cannot_be_pinned_and_excluded() -> None:
    with pytest.raises(UsageError, match="both pinned and excluded"):
        Constraints(pinned=frozenset({"a"}), excluded=frozenset({"a"}))


@pytest.mark.parametrize(
    "given", [{"min_tokens": 9, "max_tokens": 3}, {"quotas_by_source": {"a": -1}}]
)
def test_constraints_that_cannot_be_met_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Constraints(**given)


def test_a_quota_limits_its_category_and_a_star_limits_all_others() -> None:
    items = make_items("pool", 40, category=["x"] * 26 + ["y"] * 14)
    limits = Constraints(quotas_by_category={"x": 2, "*": 1})
    additions = plan(n=10, pool_items=items, constraints=limits)
    assert sorted(proposal.category or "" for proposal in additions.proposals) == ["x", "x", "y"]
    assert additions.left_out["quota of category"] > 0


def test_a_quota_can_be_by_source() -> None:
    items = make_items("pool", 40, source=["a"] * 40)
    additions = plan(n=10, pool_items=items, constraints=Constraints(quotas_by_source={"a": 3}))
    assert len(additions.proposals) == 3


def test_items_outside_the_length_range_are_left_out() -> None:
    gaps = judge(BENCHMARK, POOL)
    lengths = [20] * 20 + [200] * 12 + [20] * 8
    proposals = propose_additions(
        make_map(BENCHMARK, n_concepts=3),
        make_map(POOL, n_concepts=3, n_tokens=lengths),
        gaps,
        gaps.dictionary,
        n=4,
        pool_items=make_items("pool", 40),
        benchmark_items=make_items("bench", 40),
        constraints=Constraints(max_tokens=100),
        settings=PLAIN,
    )
    assert [proposal.gaps[0].concept_id for proposal in proposals] == [OTHER] * 4


def test_a_required_field_of_the_item_must_not_be_empty() -> None:
    answers = [None] * 30 + ["yes"] * 10
    items = make_items("pool", 40, answer=answers)
    additions = plan(n=30, pool_items=items, constraints=Constraints(required_fields=("answer",)))
    assert {proposal.row for proposal in additions.proposals} == set(range(30, 40))


def test_a_required_field_of_the_record_is_looked_up_by_its_dotted_name() -> None:
    additions = plan(
        n=2,
        constraints=Constraints(required_fields=("meta.year",)),
        record_of=lambda item: {"meta": {"year": 1999 if item.row > 30 else ""}},
    )
    assert [proposal.row for proposal in additions.proposals] == [31, 32]


def test_a_required_field_of_the_record_needs_records() -> None:
    with pytest.raises(UsageError, match="'meta' cannot be checked"):
        plan(n=1, constraints=Constraints(required_fields=("meta",)))


def test_a_word_for_word_duplicate_of_the_benchmark_is_never_proposed() -> None:
    items = make_items("pool", 40)
    bench = make_items("bench", 39)
    bench.append(Item("twin", 39, "POOL, number 20!", (), ""))
    additions = plan(n=1, pool_items=items, benchmark_items=bench)
    assert additions.proposals[0].row == 21
    assert additions.left_out["duplicate of the benchmark"] == 1


def test_a_benchmark_question_wrapped_in_other_words_is_never_proposed() -> None:
    question = "which of these rivers flows north through seven countries"
    items = make_items("pool", 40)
    items[20] = Item("wrapped", 20, f"Answer the question: {question.title()}?", (), "")
    bench = make_items("bench", 39)
    bench.append(Item("asked", 39, "", (), question))
    additions = plan(n=1, pool_items=items, benchmark_items=bench)
    assert additions.proposals[0].row == 21
    assert additions.left_out["repeats the words of a benchmark item"] == 1


def test_word_for_word_duplicates_among_candidates_are_proposed_once_and_counted() -> None:
    items = make_items("pool", 40)
    items[21] = Item("again", 21, items[20].text, (), "")
    additions = plan(n=2, pool_items=items)
    assert [proposal.row for proposal in additions.proposals] == [20, 22]
    assert additions.proposals[0].n_similar == 1


def test_a_near_duplicate_of_the_benchmark_is_never_proposed_and_the_closest_is_named() -> None:
    embeddings = axes(40)
    benchmark_embeddings = axes(40, start=40)
    benchmark_embeddings[7] = axis(20)
    additions = plan(n=1, embeddings=embeddings, benchmark_embeddings=benchmark_embeddings)
    assert additions.proposals[0].row == 21
    assert additions.left_out["near duplicate of the benchmark"] == 1
    half = np.float16(0.5)
    benchmark_embeddings[7] = half * axis(20) + np.float16(0.866) * axis(50)
    (first,) = plan(n=1, embeddings=embeddings, benchmark_embeddings=benchmark_embeddings).proposals
    assert (first.nearest_id, first.nearest_row) == ("bench-7", 7)
    assert first.nearest_similarity == pytest.approx(0.5, abs=1e-3)


def test_near_duplicates_among_proposals_are_proposed_once() -> None:
    embeddings = axes(40)
    embeddings[20:32] = axis(20)
    additions = plan(
        n=12, embeddings=embeddings, benchmark_embeddings=axes(40, start=40), settings=PLAIN
    )
    assert concepts_of(additions).count(RARE) == 1
    assert additions.left_out["near duplicate of a proposal"] == 11
    assert additions.proposals[0].n_similar == 11


def test_checks_tell_what_was_looked_at() -> None:
    items = make_items(
        "pool", 40, choices=[("yes", "no")] * 40, answer=["perhaps"] * 40, answer_index=[None] * 40
    )
    (first,) = plan(n=1, pool_items=items).proposals
    assert {check.name: check.passed for check in first.checks} == {
        "duplicate": True,
        "length": True,
        "answer": False,
    }


def test_an_item_among_candidates_that_fill_the_same_gap_has_more_support() -> None:
    # Both groups show the missing concept; one lives among benchmark items, one does not.
    pool = [{COMMON: 1.0}] * 20 + [{RARE: 1.0}] * 12
    among_benchmark = np.float16(0.8) * axis(1) + np.float16(0.6) * axes(6, start=10)
    embeddings = np.concatenate([[axis(0)] * 20, among_benchmark, [axis(2)] * 6])
    benchmark_embeddings = np.stack([axis(1)] * 40)
    settings = ProposalSettings(
        near_duplicate=1.5, gains=GainSettings(zmin=1.0, n_neighbours=5, own_share=0.2)
    )
    additions = plan(
        n=6,
        pool=pool,
        embeddings=embeddings,
        benchmark_embeddings=benchmark_embeddings,
        settings=settings,
    )
    assert {proposal.row for proposal in additions.proposals} == set(range(26, 32))


@pytest.mark.parametrize("row", [0, 7, 39])
def test_what_is_said_of_an_item_is_what_would_be_said_had_it_been_left_out(row: int) -> None:
    rng = np.random.default_rng(0)
    own = rng.normal(0.3, 1.0, (40, 6)).astype(np.float16)
    others = rng.normal(0.0, 1.0, (30, 6)).astype(np.float16)
    every = np.arange(40)
    similarities = _likeness(own, others, rows=every, sample=every)
    # The same regression without the item, its centre as it was.
    x = np.concatenate([own, others]).astype(np.float64)
    y = np.repeat([1.0, 0.0], [40, 30])
    alone = [
        Ridge(alpha=100.0, fit_intercept=False)
        .fit(*(np.delete(values, place, axis=0) for values in (x - x.mean(axis=0), y - y.mean())))
        .predict((x - x.mean(axis=0))[place : place + 1])[0]
        for place in range(40)
    ]
    # 1 / n of the intercept comes on top in the leverage.
    assert similarities[row] == pytest.approx(
        (alone[row] - np.mean(alone)) / np.std(alone), abs=0.05
    )


def test_items_that_were_not_fitted_to_are_judged_on_the_same_scale() -> None:
    rng = np.random.default_rng(1)
    own = rng.normal(0.3, 1.0, (4000, 6)).astype(np.float16)
    others = rng.normal(0.0, 1.0, (3000, 6)).astype(np.float16)
    every = np.arange(4000)
    whole = _likeness(own, others, rows=every, sample=every)
    some = _likeness(own, others, rows=every, sample=every[::2])
    assert np.corrcoef(whole, some)[0, 1] > 0.98
    assert abs(some[1::2].mean()) < 0.1
    few = _likeness(own, others, rows=np.asarray([3, 3999]), sample=every[::2])
    np.testing.assert_allclose(few, some[[3, 3999]])


def test_support_is_larger_where_the_pool_is_unlike_the_benchmark() -> None:
    rng = np.random.default_rng(2)
    own = rng.normal(0, 1, (50, 8))
    own[:, 0] += 1
    others = rng.normal(0, 1, (40, 8))
    pool = make_map([{0: 1.0}] * 50, n_concepts=1, embeddings=own.astype(np.float16))
    benchmark = make_map([{0: 1.0}] * 40, n_concepts=1, embeddings=others.astype(np.float16))
    linear = rng.random(50) + 0.5
    without, with_it = (
        support_of(linear, benchmark, pool, n=5, settings=GainSettings(likeness=likeness))
        for likeness in (0.0, 0.5)
    )
    factor = np.log(with_it / without)
    assert np.corrcoef(factor, own[:, 0])[0, 1] > 0.7
    every = np.arange(50)
    assert pool.embeddings is not None and benchmark.embeddings is not None
    expected = _likeness(pool.embeddings, benchmark.embeddings, rows=every, sample=every)
    np.testing.assert_allclose(factor, 0.5 * expected)


def test_weights_count_passages_more_and_leave_out_what_is_kept_out() -> None:
    dictionary = make_dictionary(
        ["a", "b", "c"],
        levels=[("terms", "token", 2), ("themes", "passage", 1)],
        flags={1: ["dead"]},
    )
    pool = make_map([{0: 1.0, 1: 1.0, 2: 1.0}] * 10 + [{}] * 10, n_concepts=3)
    benchmark = make_map([{}] * 20, n_concepts=3)
    gaps = find_gaps(
        measure_coverage(benchmark, dictionary, reference=Reference.from_map(pool, dictionary)),
        dictionary,
    )
    weights = concept_weights(gaps, dictionary, zmin=1.0, settings=GainSettings(passage_weight=2.0))
    assert weights[0] == pytest.approx(gaps.deficit[0] - 1)
    assert weights[1] == 0
    assert weights[2] == pytest.approx(2 * weights[0])


def test_zmin_is_no_higher_for_many_small_gaps_than_for_few_large_ones() -> None:
    rng = np.random.default_rng(0)

    def draw(n: int, rates: np.ndarray) -> Rows:
        return [{int(c): 1.0 for c in np.flatnonzero(rng.random(60) < rates)} for _ in range(n)]

    pool = draw(600, np.full(60, 0.2))
    few = np.full(60, 0.2)
    few[:3] = 0.0
    many = np.full(60, 0.13)
    zmin = {}
    for name, rates in (("few", few), ("many", many)):
        gaps = judge(draw(300, rates), pool, n_concepts=60)
        zmin[name] = calibrate_zmin(
            make_map(pool, n_concepts=60), gaps, gaps.dictionary, rng=np.random.default_rng(1)
        )
    assert 0.5 <= zmin["many"] <= zmin["few"] <= 1.5


def test_the_same_seed_gives_the_same_proposals() -> None:
    settings = ProposalSettings()
    first = plan(n=5, settings=settings, rng=np.random.default_rng(4))
    again = plan(n=5, settings=settings, rng=np.random.default_rng(4))
    assert first == again
