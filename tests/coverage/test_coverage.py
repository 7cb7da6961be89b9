from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchdesign.concepts.maps import concept_map as conceptmap
from benchdesign.coverage.coverage import Coverage, count_items, measure_coverage
from benchdesign.coverage.reference import Reference
from benchdesign.errors import DictionaryError, UsageError
from tests.helpers import make_dictionary, make_map


def test_paper_score_is_the_mean_saliency_over_the_mean_of_all_concepts_and_items() -> None:
    dictionary = make_dictionary(["a", "b", "c"])
    coverage = measure_coverage(make_map([{0: 3.0}, {0: 1.0, 1: 2.0}], n_concepts=3), dictionary)
    # Mean saliencies 2, 1, 0; their mean is 1.
    assert coverage.chi_bench.tolist() == [2.0, 1.0, 0.0]
    assert coverage.chi_bench.mean() == 1.0


def test_the_paper_calls_missing_what_never_fires_however_weakly() -> None:
    dictionary = make_dictionary(["a", "b"], thresholds=[1.0, 1.0])
    coverage = measure_coverage(make_map([{0: 0.5}, {}], n_concepts=2), dictionary)
    assert coverage.missing.tolist() == [False, True]
    assert coverage.count.tolist() == [0, 0]


def test_an_item_shows_a_concept_from_the_threshold_on() -> None:
    dictionary = make_dictionary(["a"], thresholds=[1.0])
    one_map = make_map([{0: 0.99}, {0: 1.0}, {0: 1.5}], n_concepts=1)
    assert measure_coverage(one_map, dictionary).count.tolist() == [2]
    assert count_items(one_map, np.asarray([0.5], np.float32)).tolist() == [3]


def test_expected_count_follows_the_lengths_of_the_set() -> None:
    dictionary = make_dictionary(["a"], base_rates=[[0.1, 0.5]], length_edges=[10])
    coverage = measure_coverage(
        make_map([{}] * 4, n_concepts=1, n_tokens=[5, 9, 10, 50]), dictionary
    )
    assert coverage.expected.tolist() == pytest.approx([2 * 0.1 + 2 * 0.5])
    assert coverage.base_rate.tolist() == pytest.approx([0.3])
    assert coverage.n_reference == np.inf


def test_pool_rates_are_counted_by_length() -> None:
    dictionary = make_dictionary(["a"])
    short, long = [{0: 1.0}] + [{}] * 9, [{0: 1.0}] * 5 + [{}] * 5
    pool = make_map(short + long, n_concepts=1, n_tokens=[5] * 10 + [50] * 10)
    reference = Reference.from_map(pool, dictionary, n_bins=2)
    assert reference.edges == (50,)
    assert reference.rates.tolist() == [[0.1, 0.5]]
    coverage = measure_coverage(
        make_map([{}] * 6, n_concepts=1, n_tokens=5), dictionary, reference=reference
    )
    assert coverage.expected.tolist() == pytest.approx([0.6])
    # Only the ten short items of the pool speak about six short ones.
    assert coverage.n_reference == 10


def test_a_pool_of_the_same_lengths_counts_whole() -> None:
    dictionary = make_dictionary(["a"])
    pool = make_map([{}] * 20, n_concepts=1, n_tokens=[5, 50] * 10)
    reference = Reference.from_map(pool, dictionary, n_bins=2)
    coverage = measure_coverage(
        make_map([{}] * 2, n_concepts=1, n_tokens=[5, 50]), dictionary, reference=reference
    )
    assert coverage.n_reference == pytest.approx(20)


def test_lift_is_drawn_towards_the_base_rate_by_the_prior() -> None:
    dictionary = make_dictionary(["a"], base_rates=[0.5])
    coverage = measure_coverage(make_map([{}] * 10, n_concepts=1), dictionary)
    # (0 + 10 * 0.5) / ((10 + 10) * 0.5) = 1/2
    assert coverage.lift(prior=10).tolist() == [-1.0]


def test_lift_interval_holds_the_lift() -> None:
    dictionary = make_dictionary(["a"], base_rates=[0.3])
    coverage = measure_coverage(make_map([{0: 1.0}] * 5 + [{}] * 5, n_concepts=1), dictionary)
    low, high = coverage.lift_interval()
    assert low[0] < coverage.lift()[0] < high[0]


def test_a_set_without_items_has_no_rates() -> None:
    dictionary = make_dictionary(["a"], base_rates=[0.3])
    coverage = measure_coverage(make_map([], n_concepts=1), dictionary)
    assert coverage.chi_bench.tolist() == [0.0]
    assert np.isnan(coverage.rate).all()


def test_base_rates_do_not_hold_at_another_threshold() -> None:
    dictionary = make_dictionary(["a", "b"], base_rates=[0.3, 0.3], thresholds=[1.0, 1.0])
    coverage = measure_coverage(
        make_map([{0: 2.0}], n_concepts=2), dictionary, thresholds=np.asarray([1, 2], np.float32)
    )
    assert coverage.expected[0] == pytest.approx(0.3)
    assert np.isnan(coverage.expected[1])


def test_a_reference_counted_at_other_thresholds_is_refused() -> None:
    dictionary = make_dictionary(["a"])
    one_map = make_map([{0: 1.0}], n_concepts=1)
    reference = Reference.from_map(one_map, dictionary)
    with pytest.raises(UsageError, match="other thresholds"):
        measure_coverage(
            one_map, dictionary, reference=reference, thresholds=np.asarray([3], np.float32)
        )


def test_a_map_of_another_dictionary_is_refused() -> None:
    with pytest.raises(DictionaryError, match="map the items again"):
        measure_coverage(make_map([{}], n_concepts=2, fingerprint="other"), make_dictionary(["a"]))


def test_a_pool_without_items_is_refused() -> None:
    with pytest.raises(UsageError, match="pool is empty"):
        Reference.from_map(make_map([], n_concepts=1), make_dictionary(["a"]))


def test_counting_in_small_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {int(c): float(rng.random()) for c in rng.choice(20, rng.integers(0, 6), replace=False)}
        for _ in range(100)
    ]
    dictionary = make_dictionary([None] * 20, thresholds=[0.3] * 20)
    pool = make_map(rows, n_concepts=20, n_tokens=rng.integers(5, 50, 100).tolist())

    def everything() -> tuple[NDArray[np.float64], Coverage]:
        reference = Reference.from_map(pool, dictionary, n_bins=4)
        return reference.rates, measure_coverage(pool, dictionary, reference=reference)

    rates, whole = everything()
    monkeypatch.setattr(conceptmap, "_BLOCK_ENTRIES", 7)
    rates_in_blocks, in_blocks = everything()
    assert (rates == rates_in_blocks).all()
    assert (whole.count == in_blocks.count).all()
    assert whole.chi_bench == pytest.approx(in_blocks.chi_bench)
    # A set compared with itself has what it has.
    assert whole.expected == pytest.approx(whole.count)
