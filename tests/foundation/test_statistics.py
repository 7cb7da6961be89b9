from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from benchdesign.foundation.statistics import (
    adjust_p_values,
    beta_interval,
    binomial_tails,
    items_to_show_absence,
    poisson_tails,
    predictive_tails,
)

counts = st.integers(0, 60)


def test_q_values_match_a_worked_example() -> None:
    assert adjust_p_values([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx(
        [0.02, 0.04, 0.04, 0.02]
    )


def test_untested_concepts_do_not_make_the_others_pay() -> None:
    q = adjust_p_values([0.01, np.nan, 0.04, np.nan])
    assert q[[0, 2]].tolist() == pytest.approx([0.02, 0.04])
    assert np.isnan(q[[1, 3]]).all()


def test_no_tests_give_no_q_values() -> None:
    assert np.isnan(adjust_p_values([np.nan, np.nan])).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_q_values_are_never_below_their_p_values_and_keep_their_order(
    p_values: list[float],
) -> None:
    q = adjust_p_values(p_values)
    assert (q >= np.asarray(p_values) - 1e-12).all()
    assert (q <= 1).all()
    assert (np.diff(q[np.argsort(p_values, kind="stable")]) >= -1e-12).all()


def test_uniform_interval_is_the_level_itself() -> None:
    low, high = beta_interval(1, 1, level=0.90)
    assert (float(low), float(high)) == pytest.approx((0.05, 0.95))


def test_interval_of_a_certain_rate_is_a_point() -> None:
    low, high = beta_interval([0.0, 5.0, np.nan], [3.0, 0.0, 1.0])
    assert low.tolist()[:2] == [0.0, 1.0]
    assert high.tolist()[:2] == [0.0, 1.0]
    assert np.isnan(low[2])


def test_binomial_tails_of_a_fair_coin() -> None:
    tails = binomial_tails([0, 1, 2], 2, 0.5)
    assert tails.lower.tolist() == pytest.approx([0.25, 0.75, 1.0])
    assert tails.upper.tolist() == pytest.approx([1.0, 0.75, 0.25])


@given(n=st.integers(1, 60), total=st.integers(1, 60), data=st.data())
def test_predictive_tails_of_whole_counts_are_fishers_exact_test(
    n: int, total: int, data: st.DataObject
) -> None:
    count, seen = data.draw(st.integers(0, n)), data.draw(st.integers(0, total))
    tails = predictive_tails([count], n, [seen], total)
    drawn = hypergeom(total + n, seen + count, n)
    assert tails.lower[0] == pytest.approx(drawn.cdf(count), abs=1e-10)
    assert tails.upper[0] == pytest.approx(drawn.sf(count - 1), abs=1e-10)


def test_predictive_tails_against_a_known_rate_are_binomial() -> None:
    tails = predictive_tails([3], 20, [0.3], np.inf)
    assert tails.lower[0] == pytest.approx(binom.cdf(3, 20, 0.3))
    assert tails.upper[0] == pytest.approx(binom.sf(2, 20, 0.3))


def test_a_small_reference_is_less_certain_than_a_large_one() -> None:
    small, large = predictive_tails([0, 0], 50, [2, 200], [20, 2000]).lower
    assert small > large


def test_an_unknown_rate_has_no_p_value() -> None:
    tails = predictive_tails([3], 20, [np.nan], 100)
    assert np.isnan(tails.lower[0])
    assert np.isnan(tails.upper[0])


def test_a_tail_over_a_million_items_stays_exact() -> None:
    tails = predictive_tails([99_000], 1_000_000, [100_000], 1_000_000)
    exact = hypergeom.cdf(99_000, 2_000_000, 199_000, 1_000_000)
    assert tails.lower[0] == pytest.approx(exact, rel=1e-6)


def test_items_to_show_absence_of_a_known_rate_follow_the_power_of_its_complement() -> None:
    # 0.9 ** 28 = 0.0523 and 0.9 ** 29 = 0.0471
    assert items_to_show_absence([0.1], np.inf, alpha=0.05).tolist() == [29]


def test_no_number_of_items_shows_the_absence_of_what_the_reference_lacks() -> None:
    needed = items_to_show_absence([0.0, np.nan], 100, alpha=0.05)
    assert needed[0] == np.inf
    assert np.isnan(needed[1])


@given(seen=st.integers(1, 50), total=st.integers(50, 500))
def test_items_to_show_absence_is_where_the_test_turns_significant(seen: int, total: int) -> None:
    needed = items_to_show_absence([seen], total, alpha=0.05)
    at, before = predictive_tails([0, 0], [needed[0], needed[0] - 1], [seen] * 2, total).lower
    assert at <= 0.05 < before


def test_poisson_tails_of_a_known_mean() -> None:
    tails = poisson_tails([0.0, 2.0], [1.0, 1.0], exposure=0.0)
    assert tails.lower.tolist() == pytest.approx([np.exp(-1), 2.5 * np.exp(-1)])
    assert tails.upper.tolist() == pytest.approx([1.0, 1 - 2 * np.exp(-1)])


def test_poisson_tails_against_an_equal_sample_are_a_fair_coin() -> None:
    # 2 here and 4 there: at most 2 heads in 6 tosses, 22 of 64.
    assert poisson_tails([2.0], [4.0], exposure=1.0).lower[0] == pytest.approx(22 / 64)
