"""Groups of alike items with low scores are found, and nothing is found where there is nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchdesign.model_gaps.model_gaps import measure_models
from benchdesign.model_gaps.region_search import (
    SearchTree,
    find_weak_regions,
    rank_weak_items,
)
from tests.helpers import make_dictionary, make_map


def make_clusters(
    rng: np.random.Generator, n_clusters: int = 6, size: int = 60
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Unit vectors around as many centres, and which centre each belongs to."""
    centres = rng.standard_normal((n_clusters, 16))
    labels = np.repeat(np.arange(n_clusters), size)
    vectors = centres[labels] + 0.4 * rng.standard_normal((len(labels), 16))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels


def test_a_weak_cluster_is_found_and_ranked_first() -> None:
    rng = np.random.default_rng(0)
    vectors, labels = make_clusters(rng)
    scores = (rng.random(len(labels)) < np.where(labels == 2, 0.3, 0.8)).astype(float)
    residuals = scores - scores.mean()
    first, *_ = find_weak_regions(SearchTree.from_items(vectors), residuals, rng=rng)
    assert (labels[list(first.rows)] == 2).mean() > 0.95
    assert len(first.rows) > 50 and first.gap < -0.3 and first.p_value <= 0.01
    ranking = rank_weak_items(vectors, residuals, (first,))
    assert (labels[ranking[:60]] == 2).mean() > 0.9


def test_two_weak_clusters_are_two_regions() -> None:
    rng = np.random.default_rng(6)
    vectors, labels = make_clusters(rng)
    weak = np.isin(labels, [1, 4])
    scores = (rng.random(len(labels)) < np.where(weak, 0.2, 0.9)).astype(float)
    regions = find_weak_regions(SearchTree.from_items(vectors), scores - scores.mean(), rng=rng)
    assert len(regions) == 2
    assert sorted(int(np.bincount(labels[list(region.rows)]).argmax()) for region in regions) == [
        1,
        4,
    ]


def test_a_weak_branch_that_falls_into_two_weak_groups_names_both() -> None:
    rng = np.random.default_rng(8)
    centres = rng.standard_normal((8, 16))
    # The two weak clusters lie side by side, far from the others.
    centres[1] = centres[0] + 0.35 * rng.standard_normal(16)
    labels = np.repeat(np.arange(8), 60)
    vectors = centres[labels] + 0.3 * rng.standard_normal((len(labels), 16))
    scores = (rng.random(len(labels)) < np.where(labels < 2, 0.2, 0.9)).astype(float)
    (region,) = find_weak_regions(SearchTree.from_items(vectors), scores - scores.mean(), rng=rng)
    assert {int(np.bincount(labels[list(part.rows)]).argmax()) for part in region.parts} == {0, 1}
    assert 2 <= len(region.parts) <= 4
    assert set().union(*(part.rows for part in region.parts)) <= set(region.rows)
    assert not set(region.parts[0].rows) & set(region.parts[1].rows)


def test_scores_that_are_not_counted_do_not_matter() -> None:
    rng = np.random.default_rng(9)
    vectors, labels = make_clusters(rng)
    scores = (rng.random(len(labels)) < np.where(labels == 2, 0.1, 0.9)).astype(float)
    counted = rng.permutation(len(labels)) < len(labels) // 2
    search_tree = SearchTree.from_items(vectors)
    spoilt = np.where(counted, scores, 1 - scores)
    (region,) = find_weak_regions(
        search_tree, scores - 0.7, rng=np.random.default_rng(0), counted=counted
    )
    (other_region,) = find_weak_regions(
        search_tree, spoilt - 0.7, rng=np.random.default_rng(0), counted=counted
    )
    assert region == other_region
    assert counted[list(region.rows)].all() and not counted[list(region.held_out_rows)].any()
    assert (labels[list(region.held_out_rows)] == 2).mean() > 0.9 and len(region.held_out_rows) > 20


def test_as_many_groups_as_asked_for_whether_significant_or_not() -> None:
    rng = np.random.default_rng(10)
    vectors, labels = make_clusters(rng)
    residuals = rng.standard_normal(len(labels))
    regions = find_weak_regions(
        SearchTree.from_items(vectors), residuals, rng=rng, level=1.0, max_regions=3
    )
    assert len(regions) == 3
    assert len({row for region in regions for row in region.rows}) == sum(
        len(region.rows) for region in regions
    )


def test_ragged_edges_of_a_branch_are_drawn_again() -> None:
    rng = np.random.default_rng(11)
    vectors, labels = make_clusters(rng)
    search_tree = SearchTree.from_items(vectors)
    assert search_tree is not None
    weak = labels == 2
    ragged = np.sort(np.concatenate([np.flatnonzero(weak)[:40], np.flatnonzero(~weak)[:12]]))
    scores = np.where(weak, -0.6, 0.12)
    drawn = search_tree.refine_region(
        ragged, scores, np.ones(len(labels)), np.ones(len(labels), dtype=bool)
    )
    assert weak[drawn].mean() > 0.95 and weak[drawn].sum() >= 55


def test_scores_without_a_pattern_rarely_give_a_region() -> None:
    rng = np.random.default_rng(2)
    vectors, labels = make_clusters(rng, size=40)
    runs = sum(
        bool(
            find_weak_regions(
                SearchTree.from_items(vectors), rng.permutation(rng.random(len(labels))), rng=rng
            )
        )
        for _ in range(40)
    )
    assert runs <= 5


def test_a_few_items_are_no_benchmark_to_search() -> None:
    rng = np.random.default_rng(3)
    assert SearchTree.from_items(np.eye(20)) is None
    assert find_weak_regions(None, np.zeros(20), rng=rng) == ()


def test_a_region_is_named_by_what_its_items_show_more() -> None:
    rng = np.random.default_rng(4)
    vectors, labels = make_clusters(rng, n_clusters=4)
    rows = [{0: 1.0, 1 + int(label): 1.0} for label in labels]
    items = make_map(rows, n_concepts=5, embeddings=vectors.astype(np.float16))
    scores = (rng.random(len(labels)) < np.where(labels == 3, 0.2, 0.9)).astype(float)
    names = ["everywhere", "birds", "maps", "trains", "music"]
    (model_gaps,) = measure_models(items, {"m": scores}, make_dictionary(names), rng=rng)
    (region,) = model_gaps.regions
    assert region.name == "music"
    assert region.n_items == 60 and region.score < 0.4


def test_rows_of_a_region_are_those_of_the_benchmark() -> None:
    rng = np.random.default_rng(5)
    vectors, labels = make_clusters(rng, n_clusters=4)
    items = make_map([{0: 1.0}] * 240, n_concepts=1, embeddings=vectors.astype(np.float16))
    scores = (rng.random(240) < np.where(labels == 3, 0.1, 0.9)).astype(float)
    scores[:30] = np.nan
    (model_gaps,) = measure_models(items, {"m": scores}, make_dictionary(["a"]), rng=rng)
    assert min(model_gaps.regions[0].rows) >= 180


def test_alike_items_found_on_one_half_are_measured_on_the_other() -> None:
    rng = np.random.default_rng(7)
    vectors, labels = make_clusters(rng, n_clusters=4, size=100)
    items = make_map([{0: 1.0}] * 400, n_concepts=1, embeddings=vectors.astype(np.float16))
    scores = (rng.random(400) < np.where(labels == 3, 0.2, 0.9)).astype(float)
    (model_gaps,) = measure_models(items, {"m": scores}, make_dictionary(["a"]), rng=rng)
    (held,) = (check for check in model_gaps.held_out if check.kind == "alike items")
    assert held.gap_found < -0.3 and held.gap_held_out < -0.3 and held.p_held_out < 0.001
    assert 30 <= held.n_held_out <= 60
