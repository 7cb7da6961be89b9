"""The tree of items: its branches, their sums and their parts."""

from __future__ import annotations

import numpy as np

from benchdesign.foundation.item_tree import ItemTree, _distances, average_with_neighbours


def test_every_branch_is_a_run_of_the_order() -> None:
    vectors = np.asarray([[0.0], [10.0], [0.1], [10.1], [0.2]])
    tree = ItemTree.from_vectors(vectors, smallest=2, largest=3)
    branches = {
        frozenset(tree.order[first:last].tolist())
        for first, last in zip(tree.first, tree.last, strict=True)
    }
    assert frozenset({0, 2, 4}) in branches and frozenset({1, 3}) in branches


def test_sums_are_those_of_the_members() -> None:
    rng = np.random.default_rng(0)
    tree = ItemTree.from_vectors(rng.standard_normal((60, 4)), smallest=3, largest=40)
    values = rng.random((60, 2))
    sums = tree.sums(values)
    for branch in range(len(tree)):
        assert np.allclose(sums[branch], values[tree.members(branch)].sum(axis=0))


def test_average_of_alike_items_is_where_they_are() -> None:
    vectors = np.repeat(np.eye(3), 30, axis=0)
    assert np.allclose(average_with_neighbours(vectors), vectors)


def test_distances_by_blocks_are_the_distances() -> None:
    from scipy.spatial.distance import pdist

    vectors = np.random.default_rng(12).standard_normal((1_203, 4))
    assert np.allclose(_distances(vectors), pdist(vectors), atol=1e-6)
