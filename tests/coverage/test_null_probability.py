"""The null probability follows rates, and never takes up what is lacking."""

from __future__ import annotations

import numpy as np

from benchdesign.coverage.groups.null_probability import null_probabilities


def test_equal_rates_give_the_share_of_the_benchmark() -> None:
    is_own = np.arange(100) < 25
    assert np.allclose(null_probabilities(np.ones(100), is_own), 0.25)


def test_probabilities_add_up_to_the_benchmark_and_rise_with_the_rate() -> None:
    rng = np.random.default_rng(0)
    rate = np.exp(rng.normal(size=2000))
    odds = 0.5 * rate
    is_own = rng.random(2000) < odds / (1 + odds)
    null = null_probabilities(rate, is_own)
    assert abs(null.sum() - is_own.sum()) < 1
    assert np.corrcoef(np.log(rate), null)[0, 1] > 0.9
    assert abs(null - odds / (1 + odds)).max() < 0.06


def test_rates_that_point_the_wrong_way_do_not_count() -> None:
    is_own = np.arange(200) < 100
    rate = np.where(is_own, 0.1, 10.0)
    assert np.allclose(null_probabilities(rate, is_own), 0.5)
