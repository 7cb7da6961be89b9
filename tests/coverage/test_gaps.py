from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps, rejudge, retarget
from benchdesign.coverage.gap_settings import GapSettings
from benchdesign.coverage.gaps import Gaps
from benchdesign.coverage.kept_out import FORM, find_kept_out
from benchdesign.coverage.null_run import run_null
from benchdesign.coverage.reference import Reference
from benchdesign.coverage.status import Status
from benchdesign.errors import UsageError
from tests.helpers import make_dictionary, make_map


def judge(
    counts: Sequence[int],
    base_rates: Sequence[float] | None,
    *,
    n_items: int = 200,
    settings: GapSettings | None = None,
    **about: Any,
) -> Gaps:
    """Gaps of a set of `n_items` in which concept i is present in the first `counts[i]` items."""
    rows = [{c: 1.0 for c, count in enumerate(counts) if row < count} for row in range(n_items)]
    dictionary = make_dictionary(
        [f"c{c}" for c in range(len(counts))], base_rates=base_rates, **about
    )
    return find_gaps(
        measure_coverage(make_map(rows, n_concepts=len(counts)), dictionary),
        dictionary,
        settings=settings,
    )


def test_concept_absent_from_benchmark_but_common_in_reference_is_missing() -> None:
    gaps = judge([0, 20], [0.10, 0.10])
    assert [gaps.status(0), gaps.status(1)] == [Status.MISSING, Status.ADEQUATE]
    assert [row.label for row in gaps.rows()] == ["c0"]


def test_far_fewer_items_than_expected_is_under_and_far_more_is_over() -> None:
    gaps = judge([4, 60, 20], [0.10, 0.10, 0.10])
    assert [gaps.status(c) for c in range(3)] == [Status.UNDER, Status.OVER, Status.ADEQUATE]


def test_a_concept_is_not_missing_merely_because_it_did_not_fire() -> None:
    gaps = judge([0], [0.005])
    assert gaps.status(0) == Status.UNTESTABLE
    # 0.995 ** 1057 = 0.00500 and 0.05 * 0.10 = 0.005
    assert gaps.row(0).items_needed == 1058


def test_a_significant_but_small_deficit_is_adequate() -> None:
    gaps = judge([850], [0.10], n_items=10_000)
    assert gaps.q_value[0] < 0.001
    assert gaps.status(0) == Status.ADEQUATE


def test_a_concept_too_rare_for_a_deficit_can_still_be_over() -> None:
    assert judge([30], [0.005]).status(0) == Status.OVER


def test_concepts_that_cannot_be_meant_are_kept_out_and_counted_by_reason() -> None:
    gaps = judge(
        [0, 0, 0, 0, 0],
        [0.5] * 5,
        flags={0: ["dead"], 1: ["structural:punctuation"], 3: ["structural:punctuation"]},
        density=[0.0, 0.0, 0.2, 0.9, 0.1],
    )
    assert [gaps.status(c) for c in range(5)] == [Status.KEPT_OUT] * 4 + [Status.MISSING]
    assert gaps.kept_out_counts() == {"structural:punctuation": 2, "dead": 1, "dense": 1}
    assert (gaps.deficit[:4] == 0).all()


def test_concepts_too_rare_to_be_found_do_not_count_as_tests() -> None:
    alone = judge([9], [0.10])
    among = judge([9] + [0] * 50, [0.10] + [0.02] * 50)
    assert among.q_value[0] == alone.q_value[0]
    assert among.row(1).items_needed == 263  # 0.98 ** 263 = 0.0049


def test_kept_out_concepts_do_not_count_as_tests() -> None:
    alone = judge([9], [0.10])
    among = judge([9] + [20] * 50, [0.10] * 51, flags={c: ["dead"] for c in range(1, 51)})
    assert among.q_value[0] == alone.q_value[0]


def test_without_any_reference_nothing_can_be_tested() -> None:
    gaps = judge([0, 100], None)
    assert [gaps.status(0), gaps.status(1)] == [Status.UNTESTABLE] * 2
    assert gaps.coverage.reference == "none"
    assert np.isnan(gaps.covered_share)


def test_an_empty_set_tests_nothing() -> None:
    assert judge([0], [0.3], n_items=0).status(0) == Status.UNTESTABLE


def test_deficit_is_the_shortfall_in_standard_deviations() -> None:
    gaps = judge([0], [0.5], n_items=100)
    assert gaps.deficit.tolist() == [10.0]  # (50 - 0) / sqrt(100 / 4)


def test_target_is_the_expected_count_rounded_up() -> None:
    assert judge([0, 0], [0.10, 0.101]).target.tolist() == [20, 21]


def test_covered_share_is_of_the_judged_concepts() -> None:
    gaps = judge([0, 20, 60, 0], [0.10, 0.10, 0.10, 0.005])
    assert gaps.covered_share == pytest.approx(2 / 3)
    assert gaps.counts()[Status.UNTESTABLE] == 1


def test_what_is_over_though_too_rare_to_lack_does_not_raise_the_covered_share() -> None:
    gaps = judge([0, 20, 30], [0.10, 0.10, 0.005])
    assert gaps.status(2) == Status.OVER
    assert gaps.is_judged.tolist() == [True, True, False]
    assert gaps.covered_share == pytest.approx(1 / 2)


def test_what_was_asked_for_by_hand_counts_as_judged() -> None:
    gaps = retarget(judge([20, 1], [0.10, 0.005]), np.array([-1, 5]))
    assert gaps.status(1) == Status.UNDER
    assert gaps.covered_share == pytest.approx(1 / 2)


def test_a_reference_as_small_as_the_set_makes_the_same_counts_less_certain() -> None:
    dictionary = make_dictionary(["a"])
    benchmark = make_map([{}] * 30, n_concepts=1)

    def p_value(times: int) -> float:
        pool = make_map(([{0: 1.0}] + [{}] * 4) * 6 * times, n_concepts=1)
        reference = Reference.from_map(pool, dictionary, n_bins=1)
        coverage = measure_coverage(benchmark, dictionary, reference=reference)
        return find_gaps(coverage, dictionary).p_under[0]

    assert p_value(4) > p_value(100)


def test_gaps_can_be_judged_again_without_the_map() -> None:
    gaps = judge([4], [0.10])
    assert gaps.status(0) == Status.UNDER
    lenient = rejudge(gaps, replace(gaps.settings, min_effect=3.0))
    assert lenient.status(0) == Status.ADEQUATE
    assert rejudge(lenient, gaps.settings).status(0) == Status.UNDER


@pytest.mark.parametrize("wrong", [{"fdr": 0.0}, {"level": 1.0}, {"min_effect": -1.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="it must be between"):
        GapSettings(**wrong)


def simulate(
    rng: np.random.Generator,
    n_items: int,
    rates: NDArray[np.float64],
    *,
    length: tuple[int, int] = (5, 100),
) -> ConceptMap:
    """Items whose chance to show a concept grows with their length."""
    n_tokens = rng.integers(*length, n_items)
    rows = []
    for tokens in n_tokens:
        concept_ids = np.flatnonzero(rng.random(len(rates)) < np.minimum(rates * tokens / 50, 1))
        rows.append(dict.fromkeys(concept_ids.tolist(), 1.0))
    return make_map(rows, n_concepts=len(rates), n_tokens=n_tokens.tolist())


def test_two_halves_of_one_pool_have_no_gaps_between_them() -> None:
    rng = np.random.default_rng(7)
    rates = np.minimum(rng.lognormal(-3, 1, 200), 0.5)
    null = run_null(simulate(rng, 600, rates), make_dictionary([None] * 200), rng=rng, n_splits=8)
    assert null.n_items == 300
    assert null.n_tested.min() > 100
    assert null.share <= 0.05


def test_the_null_stays_quiet_without_the_minimum_effect() -> None:
    rng = np.random.default_rng(8)
    rates = np.minimum(rng.lognormal(-3, 1, 200), 0.5)
    null = run_null(
        simulate(rng, 600, rates),
        make_dictionary([None] * 200),
        rng=rng,
        n_splits=8,
        settings=GapSettings(min_effect=0.0),
    )
    assert null.share <= 0.05


def test_shorter_items_are_not_a_gap_in_everything() -> None:
    rng = np.random.default_rng(9)
    rates = np.full(100, 0.15)
    dictionary = make_dictionary([None] * 100)
    pool = simulate(rng, 2000, rates)
    short = simulate(rng, 300, rates, length=(5, 25))
    matched = Reference.from_map(pool, dictionary)
    plain = Reference.from_map(pool, dictionary, n_bins=1)

    def share(reference: Reference) -> float:
        gaps = find_gaps(measure_coverage(short, dictionary, reference=reference), dictionary)
        return gaps.is_gap.sum() / gaps.is_tested.sum()

    assert share(plain) > 0.9
    assert share(matched) <= 0.05


def test_a_null_run_needs_two_items() -> None:
    with pytest.raises(UsageError, match="at least 2 items"):
        run_null(make_map([{}], n_concepts=1), make_dictionary(["a"]), rng=np.random.default_rng(0))


@pytest.mark.parametrize("area", ["function words and connectives", "question and answer formats"])
def test_what_is_form_and_not_a_subject_is_kept_out_until_it_is_pinned(area: str) -> None:
    dictionary = make_dictionary(["a", "b"], areas=[area, "music"])
    assert dictionary.form_concepts == (0,)
    kept = find_kept_out(dictionary)
    assert kept.codes.tolist() == [0, -1]
    assert kept.reasons == (FORM,)
    pinned = np.asarray([True, False])
    assert find_kept_out(dictionary, pinned=pinned).codes.tolist() == [-1, -1]
