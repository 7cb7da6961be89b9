"""Proposals to remove: redundant items, and never at a loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from benchdesign.benchmarks.items import Item
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.reference import Reference
from benchdesign.errors import UsageError
from benchdesign.selection.proposal import Proposal
from benchdesign.selection.removals import RemovalSettings, propose_removals
from tests.helpers import make_dictionary, make_map

Rows = Sequence[Mapping[int, float]]


def make_items(n: int) -> list[Item]:
    return [Item(f"item-{row}", row, f"text number {row}", (), "") for row in range(n)]


def remove(
    rows: Rows,
    *,
    n: int,
    items: Sequence[Item] | None = None,
    pool: Rows | None = None,
    embeddings: np.ndarray | None = None,
    **more: Any,
) -> tuple[Proposal, ...]:
    dictionary = make_dictionary(["a", "b", "c"])
    benchmark = make_map(rows, n_concepts=3, embeddings=embeddings)
    reference = Reference.from_map(make_map(pool or rows, n_concepts=3), dictionary)
    gaps = find_gaps(measure_coverage(benchmark, dictionary, reference=reference), dictionary)
    return propose_removals(
        benchmark,
        gaps,
        dictionary,
        n=n,
        benchmark_items=items or make_items(len(rows)),
        **more,
    )


def test_a_word_for_word_repetition_goes_first_and_its_twin_stays() -> None:
    items = make_items(10)
    items[7] = Item("again", 7, "Text number 2.", (), "")
    first, *others = remove([{0: 1.0}] * 10, n=3, items=items)
    assert first.row in (2, 7)
    assert {2, 7} - {first.row} - {other.row for other in others}
    assert first.kind == "remove"
    assert first.checks[0].message == "same wording as another kept item"


def test_the_item_closest_to_a_kept_one_goes_before_items_further_away() -> None:
    embeddings = np.eye(10, dtype=np.float16)
    embeddings[4] = np.float16(0.8) * embeddings[3] + np.float16(0.6) * embeddings[9]
    proposals = remove([{0: 1.0}] * 10, n=1, embeddings=embeddings)
    assert (proposals[0].row, proposals[0].nearest_row) in ((3, 4), (4, 3))
    assert proposals[0].nearest_similarity == pytest.approx(0.8, abs=1e-3)


def test_the_last_item_to_show_a_concept_is_never_offered() -> None:
    rows = [{0: 1.0}] * 9 + [{0: 1.0, 1: 1.0}]
    proposals = remove(rows, n=10)
    assert 9 not in {proposal.row for proposal in proposals}
    assert all(proposal.gaps == () for proposal in proposals)


def test_nothing_goes_that_would_make_a_concept_a_gap() -> None:
    # The pool shows b in half of its items, the benchmark in 8 of 20, so 1.5 times fewer
    # than half of what is kept is where it would become a gap.
    rows = [{0: 1.0, 1: 1.0}] * 8 + [{0: 1.0}] * 12
    pool = [{0: 1.0, 1: 1.0}] * 10 + [{0: 1.0}] * 10
    proposals = remove(rows, n=20, pool=pool)
    kept = [row for row in range(20) if row not in {proposal.row for proposal in proposals}]
    rate = sum(1 in rows[row] for row in kept) / len(kept)
    assert rate >= 0.5 / 1.5


def test_the_set_never_shrinks_below_its_stated_size() -> None:
    assert len(remove([{0: 1.0}] * 10, n=8, min_items=7)) == 3
    assert remove([{0: 1.0}] * 10, n=8, min_items=10) == ()


def test_pinned_items_stay() -> None:
    proposals = remove([{0: 1.0}] * 6, n=6, pinned=frozenset({"item-0", "item-1"}))
    assert {proposal.row for proposal in proposals}.isdisjoint({0, 1})


def test_a_loss_is_stated_where_one_is_allowed() -> None:
    rows = [{0: 1.0}] * 3 + [{0: 1.0, 1: 1.0}]
    others = frozenset({"item-0", "item-1", "item-2"})
    (last,) = remove(rows, n=4, pinned=others, settings=RemovalSettings(max_lost=1))
    assert [(loss.concept_id, loss.before, loss.after) for loss in last.gaps] == [(1, 1, 0)]
    assert not last.checks[1].passed
    assert [check.message for check in last.checks] == [
        "no near duplicate, but other items cover 1 of its 2 concepts",
        "1 concept is lost",
    ]


def test_an_item_without_concepts_is_not_called_redundant() -> None:
    proposals = remove([{}] * 3 + [{0: 1.0}] * 5, n=8)
    assert {proposal.row for proposal in proposals}.isdisjoint({0, 1, 2})


def test_gaps_of_another_set_are_refused() -> None:
    dictionary = make_dictionary(["a"])
    concept_map = make_map([{0: 1.0}] * 4, n_concepts=1)
    gaps = find_gaps(
        measure_coverage(
            concept_map, dictionary, reference=Reference.from_map(concept_map, dictionary)
        ),
        dictionary,
    )
    with pytest.raises(UsageError, match="a different set of items"):
        propose_removals(concept_map, gaps, dictionary, n=1, benchmark_items=make_items(3))
