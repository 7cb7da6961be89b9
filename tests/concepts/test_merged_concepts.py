"""Concepts counted as one."""

from __future__ import annotations

import numpy as np
import pytest

from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.merged_concepts import merge_concepts, merged_dictionary
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.reference import Reference
from benchdesign.coverage.status import Status
from tests.helpers import make_dictionary, make_map


def peaks_by_item(concept_map: ConceptMap) -> list[dict[int, float]]:
    rows = []
    for row in range(len(concept_map)):
        low, high = concept_map.indptr[row], concept_map.indptr[row + 1]
        ids = concept_map.indices[low:high].tolist()
        rows.append(dict(zip(ids, concept_map.peak[low:high].tolist(), strict=True)))
    return rows


def test_a_merged_concept_is_present_where_either_is_and_the_other_nowhere() -> None:
    dictionary = make_dictionary(["a", "b", "c"])
    before = make_map([{0: 1.0}, {1: 2.0, 2: 1.0}, {0: 1.0, 1: 3.0}, {2: 1.0}, {}], n_concepts=3)
    after = merge_concepts(before, dictionary, {1: 0})
    assert peaks_by_item(after) == [{0: 1.0}, {0: 2.0, 2: 1.0}, {0: 3.0}, {2: 1.0}, {}]
    assert after.indptr.tolist() == [0, 1, 3, 4, 5, 5]
    assert after.digests == before.digests


def test_merging_into_a_later_concept_keeps_ids_ascending() -> None:
    dictionary = make_dictionary(["a", "b", "c"])
    before = make_map([{0: 1.0, 1: 1.0, 2: 0.5}], n_concepts=3)
    after = merge_concepts(before, dictionary, {0: 2})
    assert peaks_by_item(after) == [{1: 1.0, 2: 1.0}]
    assert after.indices.tolist() == [1, 2]


def test_the_place_shown_is_that_of_the_strongest() -> None:
    dictionary = make_dictionary(["a", "b"])
    before = make_map([{0: 1.0, 1: 2.0}], n_concepts=2)
    object.__setattr__(before, "start", np.array([3, 8], dtype=np.int32))
    object.__setattr__(before, "end", np.array([5, 9], dtype=np.int32))
    peak = merge_concepts(before, dictionary, {1: 0}).at(0, 0)
    assert peak is not None and (peak.start, peak.end) == (8, 9)


def test_strengths_are_measured_by_the_threshold_of_what_they_become() -> None:
    dictionary = make_dictionary(["a", "b"], thresholds=[4.0, 1.0])
    before = make_map([{1: 1.0}, {1: 0.9}], n_concepts=2)
    after = merge_concepts(before, dictionary, {1: 0})
    thresholds = dictionary.table.threshold
    assert after.presence(thresholds).sum(axis=0).tolist() == [1.0, 0.0]
    assert peaks_by_item(after)[0][0] == pytest.approx(4.0)


def test_nothing_merged_is_the_same_map() -> None:
    dictionary = make_dictionary(["a", "b"])
    before = make_map([{0: 1.0}], n_concepts=2)
    assert merge_concepts(before, dictionary, {}) is before
    assert merged_dictionary(dictionary, {}) is dictionary


def test_two_half_covered_synonyms_are_no_gap_together() -> None:
    dictionary = make_dictionary(["a", "b"])
    pool = make_map([{row % 2: 1.0} for row in range(200)], n_concepts=2)
    benchmark = make_map([{0: 1.0}] * 100, n_concepts=2)

    def status(merged: dict[int, int]) -> list[Status]:
        merged_table = merged_dictionary(dictionary, merged)
        reference = Reference.from_map(merge_concepts(pool, merged_table, merged), merged_table)
        coverage = measure_coverage(
            merge_concepts(benchmark, merged_table, merged), merged_table, reference=reference
        )
        gaps = find_gaps(coverage, merged_table)
        assert not merged or gaps.kept_out_counts() == {"merged": 1}
        return [gaps.status(0), gaps.status(1)]

    assert status({}) == [Status.OVER, Status.MISSING]
    assert status({1: 0}) == [Status.ADEQUATE, Status.KEPT_OUT]


def test_without_a_pool_the_largest_rate_of_the_corpus_stands_in() -> None:
    dictionary = make_dictionary(["a", "b"], base_rates=[0.1, 0.3])
    rates = merged_dictionary(dictionary, {1: 0}).table.base_rates
    assert rates[0].tolist() == pytest.approx([0.3])
    assert dictionary.table.base_rates[0].tolist() == pytest.approx([0.1])
