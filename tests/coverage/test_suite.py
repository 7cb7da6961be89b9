from __future__ import annotations

import numpy as np
import pytest

from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage import suite as suites
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.reference import Reference
from benchdesign.coverage.status import Status
from benchdesign.coverage.suite import compare_suite, join_coverages
from benchdesign.errors import UsageError
from tests.helpers import make_dictionary, make_map

DICTIONARY = make_dictionary(["both", "first", "second", "nobody"], base_rates=[0.5] * 4)
FIRST = make_map([{0: 1.0, 1: 1.0}] * 20 + [{}] * 20, n_concepts=4, prefix="a")
SECOND = make_map([{0: 1.0, 2: 3.0}] * 20 + [{}] * 20, n_concepts=4, prefix="b")


def test_overlap_is_the_jaccard_index_of_the_concepts_shown() -> None:
    suite = compare_suite([FIRST, SECOND], DICTIONARY, names=["a", "b"])
    assert suite.overlap.tolist() == [[1.0, pytest.approx(1 / 3)], [pytest.approx(1 / 3), 1.0]]


def test_a_benchmark_adds_what_only_it_shows_and_the_gaps_it_closes() -> None:
    suite = compare_suite([FIRST, SECOND], DICTIONARY, names=["a", "b"])
    assert suite.only_here.tolist() == [
        [False, True, False, False],
        [False, False, True, False],
    ]
    assert suite.gaps[1].status(1) == Status.MISSING
    # 20 of 80 items against an expected 40 is still a gap of both together.
    assert suite.joint.status(1) == Status.UNDER
    assert not suite.closed.any()


def test_a_gap_of_the_rest_is_closed_by_enough_items() -> None:
    more = ConceptMap.concatenate([FIRST, FIRST, FIRST])
    suite = compare_suite([more, SECOND], DICTIONARY, names=["a", "b"])
    assert suite.closed[0].tolist() == [False, True, False, False]
    first, second = suite.rows()
    assert (first.n_closed, second.n_closed) == (1, 0)
    assert (first.n_present, first.n_only_here, first.n_items) == (2, 1, 120)


def test_share_missing_is_of_the_tested_concepts_and_silent_of_the_judged() -> None:
    first, _ = compare_suite([FIRST, SECOND], DICTIONARY, names=["a", "b"]).rows()
    assert (first.n_missing, first.n_under, first.n_tested) == (2, 0, 4)
    assert first.share_missing == 0.5
    assert first.share_silent == 0.5


def test_joint_paper_score_is_the_mean_of_the_benchmarks_own() -> None:
    suite = compare_suite([FIRST, SECOND], DICTIONARY, names=["a", "b"])
    # Mean saliencies: a (.5, .5, 0, 0), overall .25; b (.5, 0, 1.5, 0), overall .5.
    assert suite.chi_bench.tolist() == [1.5, 1.0, 1.5, 0.0]


def test_joined_coverage_is_that_of_the_items_together() -> None:
    reference = Reference.from_dictionary(DICTIONARY)
    joined = join_coverages(
        [
            measure_coverage(concept_map, DICTIONARY, reference=reference)
            for concept_map in (FIRST, SECOND)
        ],
        reference,
        n_tokens=np.concatenate([FIRST.n_tokens, SECOND.n_tokens]),
    )
    together = measure_coverage(
        ConceptMap.concatenate([FIRST, SECOND]), DICTIONARY, reference=reference
    )
    assert joined.n_items == together.n_items
    for name in ("count", "n_active", "mean_saliency", "chi_bench", "expected", "base_rate"):
        assert getattr(joined, name).tolist() == pytest.approx(getattr(together, name).tolist())


def test_without_base_rates_the_suite_itself_is_the_reference() -> None:
    dictionary = make_dictionary(["both", "first", "second", "nobody"])
    suite = compare_suite([FIRST, SECOND], dictionary, names=["a", "b"])
    assert suite.gaps[0].coverage.reference == "sample"
    assert suite.gaps[0].status(2) == Status.MISSING
    assert suite.gaps[0].status(3) == Status.UNTESTABLE


def test_near_duplicates_across_benchmarks_are_counted_and_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(suites, "_BLOCK_ROWS", 1)
    left = make_map([{}] * 3, n_concepts=4, embeddings=np.eye(3, dtype=np.float16))
    right = make_map(
        [{}] * 2, n_concepts=4, embeddings=np.asarray([[0, 0, 1], [0.6, 0.8, 0]], np.float16)
    )
    suite = compare_suite([left, right], DICTIONARY, names=["a", "b"], near_duplicate=0.9)
    assert suite.near_duplicates is not None
    assert suite.near_duplicates.tolist() == [[1, 1], [1, 1]]
    assert [(pair.row_a, pair.row_b, pair.similarity) for pair in suite.pairs] == [(2, 0, 1.0)]
    assert [row.n_near_duplicates for row in suite.rows()] == [1, 1]


def test_without_embeddings_near_duplicates_are_unknown() -> None:
    suite = compare_suite([FIRST, SECOND], DICTIONARY, names=["a", "b"])
    assert suite.near_duplicates is None
    assert [row.n_near_duplicates for row in suite.rows()] == [None, None]


def test_a_single_benchmark_is_a_suite() -> None:
    suite = compare_suite([FIRST], DICTIONARY, names=["a"])
    assert suite.overlap.tolist() == [[1.0]]
    assert not suite.closed.any()


def test_names_and_maps_must_match() -> None:
    with pytest.raises(UsageError, match="pass one name per map"):
        compare_suite([FIRST], DICTIONARY, names=["a", "b"])
