from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.areas import Areas
from benchdesign.errors import UsageError
from benchdesign.model_gaps.compare_models import compare_models
from benchdesign.model_gaps.model_gaps import mean_chi_model, measure_models, probe_weights
from benchdesign.model_gaps.scores import ModelGapSettings, Rating
from tests.helpers import make_dictionary, make_map

TOPICS, CONCEPTS = 6, 10
DICTIONARY = make_dictionary(
    [f"topic {c // CONCEPTS} word {c}" for c in range(TOPICS * CONCEPTS)], q90=[1.0] * 60
)
AREAS = Areas(
    tuple(f"topic {topic}" for topic in range(TOPICS)),
    np.repeat(np.arange(TOPICS, dtype=np.int32), CONCEPTS),
)


def make_topical_map(rng: np.random.Generator, topics: NDArray[np.int64]) -> ConceptMap:
    rows = []
    for topic in topics:
        chance = np.full(TOPICS * CONCEPTS, 0.01)
        chance[topic * CONCEPTS : (topic + 1) * CONCEPTS] = 0.3
        concept_ids = np.flatnonzero(rng.random(len(chance)) < chance)
        rows.append({int(concept): float(rng.gamma(2.0)) for concept in concept_ids})
    return make_map(
        rows, n_concepts=TOPICS * CONCEPTS, n_tokens=rng.integers(5, 90, len(topics)).tolist()
    )


def answer(rng: np.random.Generator, chance: NDArray[np.float64] | float, n: int) -> NDArray:
    return (rng.random(n) < chance).astype(np.float64)


def test_paper_score_is_the_mean_score_weighted_by_saliency() -> None:
    items = make_map([{0: 3.0}, {0: 1.0, 1: 2.0}, {}], n_concepts=3)
    (model_gaps,) = measure_models(
        items,
        {"m": np.asarray([1.0, 0.0, 1.0])},
        make_dictionary(["a", "b", "c"]),
        rng=np.random.default_rng(0),
    )
    assert model_gaps.concepts.chi_model[:2].tolist() == [0.75, 0.0]
    assert np.isnan(model_gaps.concepts.chi_model[2])
    assert model_gaps.overall == pytest.approx(2 / 3)


def test_items_without_a_result_do_not_count() -> None:
    items = make_map([{0: 3.0}, {0: 1.0}], n_concepts=1)
    (model_gaps,) = measure_models(
        items,
        {"m": np.asarray([np.nan, 0.5])},
        make_dictionary(["a"]),
        rng=np.random.default_rng(0),
    )
    assert model_gaps.n_items == 1
    assert model_gaps.concepts.chi_model.tolist() == [0.5]
    assert model_gaps.concepts.n_items.tolist() == [1]


def test_joint_paper_score_is_the_mean_over_benchmarks_that_show_the_concept() -> None:
    dictionary, rng = make_dictionary(["a", "b"]), np.random.default_rng(0)
    first, second = (
        measure_models(
            make_map(rows, n_concepts=2), {"m": np.asarray([score])}, dictionary, rng=rng
        )[0]
        for rows, score in (([{0: 1.0}], 1.0), ([{0: 1.0, 1: 1.0}], 0.0))
    )
    assert mean_chi_model([first, second]).tolist() == [0.5, 0.0]


def test_a_concept_with_few_items_is_not_judged() -> None:
    items = make_map([{0: 1.0}] * 9 + [{}] * 30, n_concepts=1)
    (model_gaps,) = measure_models(
        items,
        {"m": np.asarray([0.0] * 9 + [1.0] * 30)},
        make_dictionary(["a"]),
        rng=np.random.default_rng(0),
    )
    assert model_gaps.concepts.standing(0) == Rating.TOO_FEW
    assert np.isnan(model_gaps.concepts.q_value[0])


def test_interval_holds_the_score_and_is_a_point_where_all_items_score_alike() -> None:
    items = make_map([{0: 1.0, 1: 1.0}] * 20 + [{0: 1.0}] * 20, n_concepts=2)
    (model_gaps,) = measure_models(
        items,
        {"m": np.asarray([1.0] * 20 + [0.0] * 20)},
        make_dictionary(["a", "b"]),
        rng=np.random.default_rng(0),
    )
    scores = model_gaps.concepts
    assert scores.low[0] < scores.chi_model[0] == 0.5 < scores.high[0]
    assert scores.low[1] == scores.chi_model[1] == scores.high[1] == 1.0


def test_scores_that_have_nothing_to_do_with_concepts_give_no_findings() -> None:
    rng = np.random.default_rng(1)
    items = make_topical_map(rng, rng.integers(0, TOPICS, 600))
    tested = n_weak = area_found = 0
    settings = ModelGapSettings(n_bootstrap=0, poor=0.0)
    for _ in range(20):
        scores = {"m": answer(rng, 0.8, 600)}
        (result,) = measure_models(
            items, scores, DICTIONARY, rng=rng, areas=AREAS, settings=settings
        )
        assert result.areas is not None
        tested += int((~np.isnan(result.concepts.p_value)).sum())
        n_weak += int((result.concepts.q_value <= 0.05).sum())
        area_found += int((result.areas.q_value <= 0.05).sum())
    assert tested == 20 * TOPICS * CONCEPTS
    assert n_weak <= 0.05 * tested
    assert area_found <= 0.05 * 20 * TOPICS


def test_a_planted_weakness_is_found_as_an_area_and_holds_on_the_other_half() -> None:
    rng = np.random.default_rng(2)
    topics = rng.integers(0, TOPICS, 600)
    items = make_topical_map(rng, topics)
    scores = {"m": answer(rng, np.where(topics == 2, 0.3, 0.7), 600)}
    (model_gaps,) = measure_models(items, scores, DICTIONARY, rng=rng, areas=AREAS)
    ((area, concepts),) = model_gaps.profile()
    assert area.name == "topic 2"
    assert area.standing == Rating.VERY_POOR
    assert {concept.unit // CONCEPTS for concept in concepts} == {2}
    (held_out,) = model_gaps.held_out
    assert held_out.name == "topic 2"
    assert held_out.gap_held_out < -0.1
    assert held_out.p_held_out < 0.01


def test_long_items_being_hard_does_not_make_their_concepts_weak() -> None:
    rng = np.random.default_rng(3)
    long = np.arange(600) % 2 == 0
    rows = [{0: 1.0} if is_long else {} for is_long in long]
    rows = [row | {1: 1.0} for row in rows]
    items = make_map(rows, n_concepts=2, n_tokens=np.where(long, 80, 10).tolist())
    scores = {"m": answer(rng, np.where(long, 0.4, 0.9), 600)}
    (model_gaps,) = measure_models(items, scores, make_dictionary(["long", "any"]), rng=rng)
    assert model_gaps.concepts.standing(0) not in (Rating.POOR, Rating.VERY_POOR)


def test_what_is_hard_for_every_model_is_not_the_weakness_of_one() -> None:
    rng = np.random.default_rng(4)
    topics = rng.integers(0, TOPICS, 600)
    items = make_topical_map(rng, topics)
    chance = np.where(topics == 1, 0.3, 0.8)
    own = np.where(topics == 4, 0.2, chance)
    models = {f"m{place}": answer(rng, chance, 600) for place in range(5)}
    results = measure_models(
        items, models | {"own": answer(rng, own, 600)}, DICTIONARY, rng=rng, areas=AREAS
    )
    assert results[-1].controls == ("length", "difficulty")
    assert results[-1].areas is not None
    assert results[-1].areas.row(4).standing == Rating.VERY_POOR
    assert abs(results[-1].areas.gap[1]) < 0.5 * abs(results[-1].areas.gap[4])


def test_a_paired_comparison_shows_where_one_model_is_better() -> None:
    rng = np.random.default_rng(5)
    topics = rng.integers(0, TOPICS, 600)
    items = make_topical_map(rng, topics)
    scores = {
        "a": answer(rng, np.where(topics == 3, 0.2, 0.7), 600),
        "b": answer(rng, 0.7, 600),
    }
    comparison = compare_models(items, scores, DICTIONARY, models=("a", "b"), rng=rng, areas=AREAS)
    assert comparison.areas is not None
    assert comparison.areas.weak().tolist() == [3]
    assert comparison.overall == pytest.approx((scores["a"] - scores["b"]).mean())


def test_comparing_with_an_unknown_model_is_refused() -> None:
    items = make_map([{0: 1.0}], n_concepts=1)
    with pytest.raises(UsageError, match=r"no results of b\. Models with results: a"):
        compare_models(
            items,
            {"a": np.ones(1)},
            make_dictionary(["x"]),
            models=("a", "b"),
            rng=np.random.default_rng(0),
        )


def test_weak_concepts_outside_weak_areas_are_grouped_by_the_items_that_show_them() -> None:
    rng = np.random.default_rng(8)
    # Three words go along with each other (0, 1, 2), one stands alone (3), one is everywhere (4).
    rows = [{0: 1.0, 1: 1.0, 2: 1.0, 4: 1.0}] * 60 + [{3: 1.0, 4: 1.0}] * 60 + [{4: 1.0}] * 200
    items = make_map(rows, n_concepts=5)
    scores = answer(rng, np.repeat([0.2, 0.2, 0.8], [60, 60, 200]), 320)
    (model_gaps,) = measure_models(
        items, {"m": scores}, make_dictionary(list("abcde")), rng=np.random.default_rng(0)
    )
    assert sorted(sorted(group) for group in model_gaps.groups) == [[0, 1, 2], [3]]
    assert [len(group) for group in model_gaps.other_groups()] == [
        len(group) for group in model_gaps.groups
    ]


def test_held_out_check_covers_single_concepts() -> None:
    rng = np.random.default_rng(9)
    items = make_map([{0: 1.0}] * 80 + [{1: 1.0}] * 240, n_concepts=2)
    scores = answer(rng, np.repeat([0.2, 0.8], [80, 240]), 320)
    (model_gaps,) = measure_models(
        items, {"m": scores}, make_dictionary(["a", "b"]), rng=np.random.default_rng(0)
    )
    (held_out,) = model_gaps.held_out
    assert (held_out.kind, held_out.name) == ("concept", "a")
    assert held_out.gap_found < -0.2 and held_out.gap_held_out < -0.2


def test_items_that_show_no_concept_at_all_are_measured_overall() -> None:
    (model_gaps,) = measure_models(
        make_map([{}] * 6, n_concepts=2),
        {"m": np.asarray([1.0, 0.0] * 3)},
        make_dictionary(["a", "b"]),
        rng=np.random.default_rng(0),
    )
    assert model_gaps.overall == 0.5
    assert np.isnan(model_gaps.concepts.low).all()


def test_power_follows_the_number_of_items() -> None:
    rng = np.random.default_rng(6)
    rows = [{0: 1.0} if row % 4 == 0 else {} for row in range(400)]
    (model_gaps,) = measure_models(
        make_map(rows, n_concepts=1),
        {"m": answer(rng, 0.5, 400)},
        make_dictionary(["a"]),
        rng=rng,
    )
    row = model_gaps.concepts.row(0)
    # (1.96 + 0.84) ** 2 * 0.25 / 0.1 ** 2 = 196 items for 10 points, four times that for 5.
    assert row.needed_10 == pytest.approx(196, abs=4)
    assert row.needed_5 == pytest.approx(785, abs=12)
    # 100 items, of a set in which the other 300 set the mean: 2.8 * sqrt(.25 / 100 * 3 / 4)
    assert row.detectable == pytest.approx(0.121, abs=0.003)


def test_what_is_worth_probing_is_weak_and_takes_items_until_it_is_settled() -> None:
    rows = [{0: 1.0}] * 100 + [{1: 1.0}] * 100
    scores = {"m": np.asarray(([0.0] * 9 + [1.0]) * 10 + ([1.0] * 9 + [0.0]) * 10)}
    weights, wanted = probe_weights(
        measure_models(
            make_map(rows, n_concepts=3),
            scores,
            make_dictionary(["weak", "strong", "unknown"]),
            rng=np.random.default_rng(0),
        )
    )
    assert weights.tolist() == [pytest.approx(1.0), 0.0, 0.0]
    # (1.96 + 0.84) ** 2 * 0.25 / 0.1 ** 2 = 197.4 items show 10 points, and 100 are there.
    assert wanted.tolist() == [98.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({}, "no model results"),
        ({"m": np.ones(3)}, "3 scores for 2 items"),
        ({"m": np.asarray([1.0, 2.0])}, "item 2: score 2 is outside 0 to 1"),
    ],
)
def test_scores_that_do_not_fit_are_refused(scores: dict[str, NDArray], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        measure_models(
            make_map([{}, {}], n_concepts=1),
            scores,
            make_dictionary(["a"]),
            rng=np.random.default_rng(0),
        )


def test_items_that_passed_are_counted_one_by_one() -> None:
    items = make_map([{0: 1.0}] * 12 + [{1: 1.0}] * 8, n_concepts=2)
    (model_gaps,) = measure_models(
        items,
        {"m": np.asarray([1.0] * 7 + [0.4] * 5 + [0.5] * 8)},
        make_dictionary(["a", "b"]),
        rng=np.random.default_rng(0),
    )
    assert model_gaps.concepts.n_passed.tolist() == [7, 8]
    assert model_gaps.concepts.n_items.tolist() == [12, 8]
