from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.gaps import Gaps
from benchdesign.coverage.share_interval import gap_thresholds, measure_interval
from benchdesign.coverage.status import Status
from tests.helpers import make_dictionary, make_map

N_CONCEPTS = 400
N_ITEMS = 250


def draw(
    rng: np.random.Generator, rates: NDArray[np.float64], n_items: int = N_ITEMS
) -> ConceptMap:
    present = rng.random((n_items, len(rates))) < rates
    rows = [dict.fromkeys(np.flatnonzero(row).tolist(), 1.0) for row in present]
    return make_map(rows, n_concepts=len(rates))


def judge(
    concept_map: ConceptMap,
    base_rates: NDArray[np.float64],
    *,
    wanted: NDArray[np.int64] | None = None,
) -> Gaps:
    dictionary = make_dictionary(
        [f"c{place}" for place in range(len(base_rates))], base_rates=base_rates.tolist()
    )
    return find_gaps(measure_coverage(concept_map, dictionary), dictionary, wanted=wanted)


def spread_rates(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    base = 10 ** rng.uniform(-2, -0.6, N_CONCEPTS)
    return base, np.clip(base * rng.gamma(1.5, 0.7, N_CONCEPTS), 0, 0.9)


def test_the_interval_is_as_wide_as_what_new_draws_of_the_items_do() -> None:
    rng = np.random.default_rng(3)
    base, rates = spread_rates(rng)
    shares, widths = [], []
    for _ in range(30):
        concept_map = draw(rng, rates)
        gaps = judge(concept_map, base)
        interval = measure_interval(concept_map, gaps, rng=rng)
        assert interval is not None and interval.matches_gaps(gaps)
        shares.append(interval.share)
        widths.append(interval.high - interval.low)
    middle = float(np.mean(shares))
    reach = 1.96 * float(np.std(shares, ddof=1))
    assert 0.75 < np.mean(widths) / (2 * reach) < 1.35
    n_inside = sum(
        abs(share - middle) <= width / 2 for share, width in zip(shares, widths, strict=True)
    )
    assert n_inside >= 26


def test_a_count_on_the_bar_is_a_gap_and_one_more_is_none() -> None:
    rng = np.random.default_rng(5)
    base, rates = spread_rates(rng)
    gaps = judge(draw(rng, rates), base)
    bars = gap_thresholds(gaps)
    assert ((gaps.count <= bars) == gaps.is_gap)[gaps.is_tested].all()
    assert (bars < gaps.expected).all()


def test_a_number_asked_for_by_hand_is_its_own_bar() -> None:
    base = np.full(3, 0.10)
    concept_map = make_map([{0: 1.0, 1: 1.0} for _ in range(100)], n_concepts=3)
    gaps = judge(concept_map, base, wanted=np.array([150, -1, -1]))
    assert gap_thresholds(gaps)[0] == 149
    interval = measure_interval(concept_map, gaps, rng=np.random.default_rng(0))
    # Every item shows the same, so that no draw differs.
    assert interval is not None and interval.high - interval.low < 1e-9


def test_nothing_is_said_where_nothing_was_judged() -> None:
    concept_map = make_map([{0: 1.0}, {}], n_concepts=1)
    gaps = judge(concept_map, np.array([1e-6]))
    assert measure_interval(concept_map, gaps, rng=np.random.default_rng(0)) is None


def test_the_same_generator_gives_the_same_interval_within_0_and_1() -> None:
    rng = np.random.default_rng(7)
    base, rates = spread_rates(rng)
    concept_map = draw(rng, rates, n_items=60)
    gaps = judge(concept_map, base)
    first, second = (
        measure_interval(concept_map, gaps, rng=np.random.default_rng(0), n_resamples=50)
        for _ in range(2)
    )
    assert first == second and first is not None
    assert 0 <= first.low <= first.share <= first.high <= 1 and first.n_resamples == 50


def test_what_is_over_though_too_rare_to_lack_moves_no_end_of_the_interval() -> None:
    rng = np.random.default_rng(11)
    base, rates = spread_rates(rng)
    concept_map = draw(rng, np.append(rates, np.full(200, 0.30)))
    gaps = judge(concept_map, np.append(base, np.full(200, 1e-6)))
    kept = concept_map.indices < N_CONCEPTS
    rows = np.repeat(np.arange(N_ITEMS), np.diff(concept_map.indptr))[kept]
    alone: list[dict[int, float]] = [{} for _ in range(N_ITEMS)]
    for row, concept in zip(rows.tolist(), concept_map.indices[kept].tolist(), strict=True):
        alone[row][concept] = 1.0
    without = make_map(alone, n_concepts=N_CONCEPTS)
    assert gaps.is_status(Status.OVER)[N_CONCEPTS:].all()
    assert measure_interval(concept_map, gaps, rng=np.random.default_rng(0)) == measure_interval(
        without, judge(without, base), rng=np.random.default_rng(0)
    )
