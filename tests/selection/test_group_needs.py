"""Proposals fill the groups that are lacking first, each in proportion."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchdesign.benchmarks.items import Item
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.groups.gap_group import GapGroups
from benchdesign.coverage.reference import Reference
from benchdesign.selection.additions import AdditionPlan, plan_additions
from benchdesign.selection.group_needs import GroupNeeds
from tests.coverage.group_sets import SUBJECTS, SubjectSet, dictionary, groups_of, make_set


def plan_for(
    own: SubjectSet, pool: SubjectSet, groups: GapGroups, *, n: int, items: tuple[Item, ...] = ()
) -> AdditionPlan:
    coverage = measure_coverage(
        own.map, dictionary(), reference=Reference.from_map(pool.map, dictionary())
    )
    return plan_additions(
        own.map,
        pool.map,
        find_gaps(coverage, dictionary()),
        dictionary(),
        n=n,
        pool_items=items or pool.items,
        benchmark_items=own.items,
        rng=np.random.default_rng(0),
        groups=groups,
    )


@pytest.fixture(scope="module")
def pool() -> SubjectSet:
    return make_set(dict.fromkeys(SUBJECTS, 40), prefix="pool", seed=1)


@pytest.fixture(scope="module")
def own() -> SubjectSet:
    return make_set(dict.fromkeys(SUBJECTS, 25) | {"pastry": 0, "chess": 0}, prefix="own", seed=2)


def test_items_of_missing_groups_come_first(own: SubjectSet, pool: SubjectSet) -> None:
    plan = plan_for(own, pool, groups_of(own, pool), n=20)
    subjects = Counter(pool.subjects[proposal.row] for proposal in plan.proposals)
    assert len(plan.proposals) == 20
    assert subjects["pastry"] + subjects["chess"] >= 18
    assert min(subjects["pastry"], subjects["chess"]) >= 7


def test_a_budget_is_shared_in_proportion(own: SubjectSet, pool: SubjectSet) -> None:
    groups = groups_of(own, pool)
    needs = GroupNeeds.of(groups, n=10)
    assert 10 <= needs.wanted.sum() <= 10 + len(needs.wanted)
    # With room for all, each group gets its share of the extended benchmark.
    for wanted, group in zip(GroupNeeds.of(groups, n=100).wanted, groups.gaps, strict=False):
        assert abs(wanted - group.share * (groups.n_items + 100)) <= 1


def test_items_off_the_scope_are_left_out(pool: SubjectSet) -> None:
    narrow = make_set({"whales": 40, "violins": 40}, prefix="own", seed=6)
    plan = plan_for(narrow, pool, groups_of(narrow, pool), n=20)
    kept = {pool.subjects[proposal.row] for proposal in plan.proposals}
    assert plan.left_out["off scope"] > 100 and kept <= {"whales", "violins"}
