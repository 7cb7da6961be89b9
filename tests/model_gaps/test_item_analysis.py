from __future__ import annotations

import numpy as np
import pytest

from benchdesign.errors import UsageError
from benchdesign.model_gaps.item_analysis import analyse_items


def test_difficulty_is_the_share_of_models_that_miss() -> None:
    item_analysis = analyse_items({"a": np.asarray([1.0, 0.0]), "b": np.asarray([0.0, 0.0])})
    assert item_analysis.difficulty.tolist() == [0.5, 1.0]
    assert item_analysis.n_passed.tolist() == [1, 0]


def test_items_all_miss_or_all_pass_tell_no_models_apart() -> None:
    item_analysis = analyse_items(
        {"a": np.asarray([1.0, 0.0, 1.0]), "b": np.asarray([1.0, 0.0, 0.0])}
    )
    assert item_analysis.all_pass.tolist() == [True, False, False]
    assert item_analysis.all_miss.tolist() == [False, True, False]
    assert item_analysis.uninformative.tolist() == [True, True, False]


def test_a_key_that_good_models_miss_and_poor_ones_hit_is_worth_checking() -> None:
    good, poor = np.ones(40), np.zeros(40)
    good[0], poor[0] = 0.0, 1.0
    poor[1:11] = 1.0
    item_analysis = analyse_items({"p": poor, "g1": good, "g2": good, "q": poor})
    assert [row.row for row in item_analysis.suspects()] == [0]
    assert item_analysis.models[:2] == ("g1", "g2")
    assert item_analysis.row(0).notes == ("check-key",)
    # Both good models miss 1 of 40.
    assert item_analysis.row(0).surprise == pytest.approx(1 / 1600)


def test_missing_a_hard_benchmark_is_no_surprise() -> None:
    scores = np.asarray([1.0] * 5 + [0.0] * 5)
    item_analysis = analyse_items({"a": scores, "b": scores})
    assert not item_analysis.check_key.any()


def test_discrimination_is_high_where_only_good_models_pass() -> None:
    table = np.asarray(
        [[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [0, 1, 0, 0, 1], [0, 0, 0, 0, 1]], dtype=float
    )
    item_analysis = analyse_items({f"m{place}": row for place, row in enumerate(table)})
    # Scores on the rest are 3/4, 1/2, 1/2, 1/4.
    assert item_analysis.discrimination[0] == pytest.approx(0.5**0.5)
    assert item_analysis.discrimination[4] < -0.8


def test_discrimination_is_unknown_with_few_models() -> None:
    item_analysis = analyse_items({"a": np.asarray([1.0, 0.0]), "b": np.asarray([0.0, 1.0])})
    assert np.isnan(item_analysis.discrimination).all()


def test_models_without_a_result_are_left_out_of_an_item() -> None:
    item_analysis = analyse_items({"a": np.asarray([1.0, 0.0]), "b": np.asarray([np.nan, 0.0])})
    assert item_analysis.n_models.tolist() == [1, 2]
    assert item_analysis.difficulty.tolist() == [0.0, 1.0]
    assert not item_analysis.uninformative[0]


def test_an_item_without_results_has_no_difficulty() -> None:
    item_analysis = analyse_items({"a": np.asarray([np.nan]), "b": np.asarray([np.nan])})
    assert np.isnan(item_analysis.difficulty[0])
    assert item_analysis.row(0).notes == ()


def test_one_model_is_not_enough() -> None:
    with pytest.raises(UsageError, match="two models"):
        analyse_items({"a": np.ones(2)})


def test_the_answer_that_better_models_agree_on_comes_first() -> None:
    n = 60
    good = np.ones(n)
    good[[3, 7]] = 0.0
    poor = np.zeros(n)
    answers = {"a": {3: "Lava.", 7: "ash"}, "b": {3: "lava", 7: "dust"}}
    item_analysis = analyse_items({"a": good, "b": good, "c": poor, "d": poor}, answers=answers)
    suspects = list(item_analysis.suspects())
    assert [(row.row, row.agreed) for row in suspects] == [(3, "Lava."), (7, "")]
    # Two of 60 are missed by each, so 60 * (1/30)^2 would be missed by both at random.
    assert item_analysis.expected_suspects == pytest.approx(60 / 900)


def test_worse_models_that_pass_speak_against_a_key() -> None:
    n = 60
    good, poor = np.ones(n), np.zeros(n)
    good[[3, 7]] = 0.0
    poor[7] = 1.0
    item_analysis = analyse_items({"a": good, "b": good, "c": poor, "d": poor})
    assert [row.row for row in item_analysis.suspects()] == [7, 3]
