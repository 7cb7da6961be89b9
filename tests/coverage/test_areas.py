from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.area_gaps import find_area_gaps
from benchdesign.coverage.areas import Areas, group_areas
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.reference import Reference
from benchdesign.coverage.status import Status
from tests.helpers import make_dictionary, make_map

TOPICS, CONCEPTS = 6, 20


def make_topical_map(
    rng: np.random.Generator, n_items: int, weights: NDArray[np.float64]
) -> ConceptMap:
    """Items of one topic each; a topic has 20 concepts that are rare by themselves."""
    rows = []
    for topic in rng.choice(TOPICS, n_items, p=weights / weights.sum()):
        chance = np.full(TOPICS * CONCEPTS, 0.005)
        chance[topic * CONCEPTS : (topic + 1) * CONCEPTS] = 0.15
        rows.append(dict.fromkeys(np.flatnonzero(rng.random(len(chance)) < chance).tolist(), 1.0))
    return make_map(rows, n_concepts=TOPICS * CONCEPTS)


def topical_dictionary() -> Dictionary:
    return make_dictionary([f"topic {c // CONCEPTS} word {c}" for c in range(TOPICS * CONCEPTS)])


def test_areas_of_the_dictionary_are_used_as_they_are() -> None:
    dictionary = make_dictionary(["a", "b", "c"], areas=["health", None, "cooking"])
    areas = group_areas(dictionary)
    assert areas.names == ("cooking", "health")
    assert areas.area_of.tolist() == [1, -1, 0]
    assert [areas.name_of(c) for c in range(3)] == ["health", None, "cooking"]
    assert areas.members(1).tolist() == [0]


def test_a_term_joins_the_area_of_the_items_it_occurs_in() -> None:
    dictionary = make_dictionary(
        ["health", "cooking", "fever", "everywhere"],
        levels=[("themes", "passage", 2), ("terms", "token", 2)],
        areas=["health", "cooking", None, None],
    )
    rows = [{0: 1.0, 2: 1.0, 3: 1.0}] * 10 + [{1: 1.0, 3: 1.0}] * 10
    areas = group_areas(dictionary, concept_map=make_map(rows, n_concepts=4))
    assert areas.name_of(2) == "health"
    assert areas.name_of(3) is None


def test_without_areas_map_or_directions_there_are_no_areas() -> None:
    areas = group_areas(make_dictionary(["a", "b"]))
    assert len(areas) == 0
    assert areas.area_of.tolist() == [-1, -1]


def test_concepts_that_occur_together_form_an_area() -> None:
    rng = np.random.default_rng(0)
    areas = group_areas(
        topical_dictionary(),
        concept_map=make_topical_map(rng, 800, np.ones(TOPICS)),
        n_areas=TOPICS,
    )
    topics = [{int(c) // CONCEPTS for c in areas.members(area)} for area in range(len(areas))]
    assert sorted(topics, key=min) == [{topic} for topic in range(TOPICS)]


def test_an_area_is_named_by_labels_of_its_members() -> None:
    rng = np.random.default_rng(0)
    areas = group_areas(
        topical_dictionary(),
        concept_map=make_topical_map(rng, 800, np.ones(TOPICS)),
        n_areas=TOPICS,
    )
    for area, name in enumerate(areas.names):
        assert name.startswith(f"topic {areas.members(area)[0] // CONCEPTS} word")
    assert len(set(areas.names)) == TOPICS


def test_themes_form_the_areas_where_there_are_themes() -> None:
    dictionary = make_dictionary(
        ["t0", "t1", "t2", "t3", "w0", "w1"],
        levels=[("themes", "passage", 4), ("terms", "token", 2)],
    )
    rows = [{0: 1.0, 1: 1.0, 4: 1.0}] * 12 + [{2: 1.0, 3: 1.0, 5: 1.0}] * 8
    areas = group_areas(dictionary, concept_map=make_map(rows, n_concepts=6), n_areas=2)
    assert areas.origin == "themes"
    assert areas.area_of[0] == areas.area_of[1] == areas.area_of[4]
    assert areas.area_of[2] == areas.area_of[3] == areas.area_of[5]
    assert areas.area_of[0] != areas.area_of[2]


def test_directions_group_concepts_where_there_is_no_map() -> None:
    directions = np.asarray([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]], np.float32)
    areas = group_areas(make_dictionary(list("abcd")), directions=directions, n_areas=2)
    assert areas.area_of[0] == areas.area_of[1] != areas.area_of[2] == areas.area_of[3]


def test_concepts_that_cannot_be_meant_belong_to_no_area() -> None:
    directions = np.asarray([[1, 0], [0.9, 0.1], [1, 0]], np.float32)
    dictionary = make_dictionary(list("abc"), flags={2: ["structural:punctuation"]})
    assert group_areas(dictionary, directions=directions, n_areas=1).area_of.tolist() == [0, 0, -1]


def test_an_area_is_found_lacking_though_none_of_its_concepts_is() -> None:
    rng = np.random.default_rng(3)
    dictionary = topical_dictionary()
    pool = make_topical_map(rng, 2000, np.ones(TOPICS))
    benchmark = make_topical_map(rng, 120, np.asarray([0, 1, 1, 1, 1, 1.0]))
    gaps = find_gaps(
        measure_coverage(benchmark, dictionary, reference=Reference.from_map(pool, dictionary)),
        dictionary,
    )
    areas = Areas(
        tuple(f"topic {topic}" for topic in range(TOPICS)),
        np.repeat(np.arange(TOPICS, dtype=np.int32), CONCEPTS),
    )
    area_gaps = list(find_area_gaps(areas, gaps, concept_map=benchmark, reference_map=pool).rows())
    assert gaps.is_gap.sum() == 0
    assert area_gaps[0].name == "topic 0"
    assert area_gaps[0].status in (Status.UNDER, Status.MISSING)
    assert {row.status for row in area_gaps[1:]} == {Status.ADEQUATE}


def test_no_area_is_lacking_between_two_halves_of_one_set() -> None:
    rng = np.random.default_rng(4)
    dictionary = topical_dictionary()
    areas = Areas(
        tuple(f"topic {topic}" for topic in range(TOPICS)),
        np.repeat(np.arange(TOPICS, dtype=np.int32), CONCEPTS),
    )
    called = 0
    for _ in range(20):
        pool, half = (make_topical_map(rng, 200, np.ones(TOPICS)) for _ in range(2))
        reference = Reference.from_map(pool, dictionary)
        gaps = find_gaps(measure_coverage(half, dictionary, reference=reference), dictionary)
        area_gaps = find_area_gaps(areas, gaps, concept_map=half, reference_map=pool)
        called += sum(row.status in (Status.UNDER, Status.MISSING) for row in area_gaps.rows())
    assert called <= 0.05 * 20 * TOPICS


def test_an_area_counts_its_concepts_by_status() -> None:
    dictionary = make_dictionary(
        list("abc"), base_rates=[0.5, 0.5, 0.5], flags={2: ["dead"]}, areas=["x", "x", "x"]
    )
    benchmark = make_map([{0: 1.0}] * 10 + [{}] * 10, n_concepts=3)
    gaps = find_gaps(measure_coverage(benchmark, dictionary), dictionary)
    row = find_area_gaps(group_areas(dictionary), gaps, concept_map=benchmark).row(0)
    assert row.n_by_status[Status.MISSING] == 1
    assert row.n_by_status[Status.ADEQUATE] == 1
    assert row.n_concepts == 2
    assert row.n_gaps == 1


def test_an_area_kept_out_as_a_whole_is_kept_out() -> None:
    dictionary = make_dictionary(["a"], base_rates=[0.5], flags={0: ["dead"]}, areas=["x"])
    benchmark = make_map([{}] * 10, n_concepts=1)
    gaps = find_gaps(measure_coverage(benchmark, dictionary), dictionary)
    row = find_area_gaps(group_areas(dictionary), gaps, concept_map=benchmark).row(0)
    assert row.status == Status.KEPT_OUT
    assert row.deficit == pytest.approx(0.0)


def test_without_areas_there_is_nothing_to_judge() -> None:
    dictionary = make_dictionary(["a"], base_rates=[0.5])
    benchmark = make_map([{}] * 10, n_concepts=1)
    gaps = find_gaps(measure_coverage(benchmark, dictionary), dictionary)
    area_gaps = find_area_gaps(group_areas(dictionary), gaps, concept_map=benchmark)
    assert list(area_gaps.rows()) == []


@pytest.mark.parametrize("rows", [[], [{}], [{}, {}, {}], [{0: 1.0}] * 3])
def test_sets_too_small_to_group_give_no_error(rows: list[dict[int, float]]) -> None:
    dictionary = make_dictionary(["a", "b", "c"], base_rates=[0.5] * 3)
    items = make_map(rows, n_concepts=3)
    areas = group_areas(dictionary, concept_map=items)
    gaps = find_gaps(measure_coverage(items, dictionary), dictionary)
    area_gaps = find_area_gaps(areas, gaps, concept_map=items)
    assert {row.status for row in area_gaps.rows()} <= {Status.UNTESTABLE, Status.ADEQUATE}


def test_grouping_again_gives_the_same_areas() -> None:
    items = make_topical_map(np.random.default_rng(0), 300, np.ones(TOPICS))
    first, second = (group_areas(topical_dictionary(), concept_map=items) for _ in range(2))
    assert first.names == second.names
    assert (first.area_of == second.area_of).all()


def test_an_area_of_key_word_labels_is_named_by_the_words_they_share() -> None:
    dictionary = make_dictionary(["the, eat, soup", "eating, soup", "the, car, oil", "car, gas"])
    directions = np.asarray([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]], np.float32)
    areas = group_areas(dictionary, directions=directions, n_areas=2)
    assert sorted(areas.names) == ["car, gas, oil", "soup, eat"]
