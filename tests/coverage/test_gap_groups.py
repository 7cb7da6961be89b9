"""Gap groups: what is lacking is found and named, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchdesign.benchmarks.items import Item
from benchdesign.coverage.groups.gap_group import GapGroups, GroupStatus
from benchdesign.coverage.groups.item_form import form_of_items
from benchdesign.coverage.groups.judgements import ItemJudgements
from benchdesign.coverage.groups.verdict import (
    power_sentence,
    reference_sentence,
    verdict_sentence,
)
from benchdesign.foundation.serialization import load_bundle, save_bundle
from tests.coverage.group_sets import SUBJECTS, SubjectSet, groups_of, make_set

EVEN = dict.fromkeys(SUBJECTS, 40)


@pytest.fixture(scope="module")
def pool() -> SubjectSet:
    return make_set(EVEN, prefix="pool", seed=1)


@pytest.fixture(scope="module")
def without_pastry(pool: SubjectSet) -> GapGroups:
    return groups_of(
        make_set(dict.fromkeys(SUBJECTS, 25) | {"pastry": 0}, prefix="own", seed=2), pool
    )


def test_absent_subject_is_the_group_that_is_missing(
    without_pastry: GapGroups, pool: SubjectSet
) -> None:
    (group,) = without_pastry.gaps
    assert group.status is GroupStatus.MISSING and group.count == 0
    of_subject = [pool.subjects[row] == "pastry" for row in group.pool_rows]
    assert np.mean(of_subject) > 0.9 and sum(of_subject) > 30
    # 125 items, a sixth of the pool: about 21 would be there.
    assert 17 < group.expected < 25 and group.p_value <= 0.01
    assert group.lift_high < 0 and group.n_wanted == int(np.ceil(group.expected))


def test_group_is_named_by_its_words_and_concepts(without_pastry: GapGroups) -> None:
    (group,) = without_pastry.gaps
    assert group.name.startswith("pastry")
    assert group.concepts[0].label == "questions on pastry"
    assert group.concepts[0].share_in > 0.9 and group.concepts[0].share_out < 0.05


def test_verdict_names_what_is_missing(without_pastry: GapGroups) -> None:
    (group,) = without_pastry.gaps
    assert verdict_sentence(without_pastry) == (
        f"Rarely asks about {group.name} (0 of {group.expected:.0f} expected)."
    )


def test_absence_of_the_size_of_a_subject_can_be_seen(without_pastry: GapGroups) -> None:
    power = without_pastry.power
    assert power.smallest_share is not None and power.smallest_share <= 0.17
    assert f"{power.smallest_share:.1%}" in power_sentence(without_pastry)


def test_same_subjects_lack_nothing(pool: SubjectSet) -> None:
    groups = groups_of(make_set(dict.fromkeys(SUBJECTS, 25), prefix="own", seed=3), pool)
    assert not groups.gaps and not groups.over
    assert "missing" in verdict_sentence(groups)


def test_too_many_of_a_subject_are_over(pool: SubjectSet) -> None:
    groups = groups_of(
        make_set(dict.fromkeys(SUBJECTS, 15) | {"chess": 80}, prefix="own", seed=4), pool
    )
    assert any("chess" in group.name for group in groups.over)


def test_results_do_not_depend_on_the_order_of_the_pool(pool: SubjectSet) -> None:
    own = make_set(dict.fromkeys(SUBJECTS, 25) | {"chess": 0}, prefix="own", seed=5)
    order = np.random.default_rng(0).permutation(len(pool.items))
    shuffled = SubjectSet(
        tuple(pool.items[row] for row in order),
        pool.map.take(order),
        tuple(pool.subjects[row] for row in order),
    )
    first, second = groups_of(own, pool), groups_of(own, shuffled)
    assert first.gaps[0].id == second.gaps[0].id


def test_pool_that_is_much_broader_is_weighed_by_relevance(pool: SubjectSet) -> None:
    own = make_set({"whales": 40, "violins": 40}, prefix="own", seed=6)
    groups = groups_of(own, pool)
    assert groups.reference.scope == "benchmark"
    kept = np.asarray([subject in ("whales", "violins") for subject in pool.subjects])
    assert (groups.relevance[kept] >= 0.25).mean() > 0.9
    assert (groups.relevance[~kept] < 0.25).mean() > 0.9
    assert not groups.gaps and "--scope any" in reference_sentence(groups)


def test_any_scope_takes_the_whole_pool(pool: SubjectSet) -> None:
    own = make_set({"whales": 40, "violins": 40}, prefix="own", seed=6)
    groups = groups_of(own, pool, takes_all=True)
    assert groups.reference.scope == "any" and groups.reference.n_in_scope == len(pool.items)
    assert groups.gaps


def test_judged_group_enters_the_scope(pool: SubjectSet) -> None:
    own = make_set({"whales": 40, "violins": 40}, prefix="own", seed=6)
    rows = [row for row, subject in enumerate(pool.subjects) if subject == "pastry"]
    groups = groups_of(own, pool, judgements=ItemJudgements(meant=tuple(rows[:20])))
    assert groups.reference.scope == "stated"
    # Not only the items judged, but those like them.
    assert (groups.relevance[rows[20:]] >= 0.25).mean() > 0.4
    others = [row for row, subject in enumerate(pool.subjects) if subject == "bridges"]
    assert (groups.relevance[others] < 0.25).mean() > 0.8
    assert any("pastry" in group.name for group in groups.gaps)


def test_group_that_is_not_meant_leaves_the_scope(pool: SubjectSet) -> None:
    own = make_set(dict.fromkeys(SUBJECTS, 25) | {"pastry": 0}, prefix="own", seed=2)
    rows = [row for row, subject in enumerate(pool.subjects) if subject == "pastry"]
    groups = groups_of(own, pool, judgements=ItemJudgements(not_meant=tuple(rows[:20])))
    assert (groups.relevance[rows] < 0.25).mean() > 0.8
    assert not any("pastry" in group.name for group in groups.gaps)


def test_form_is_matched_and_not_filled() -> None:
    pool = make_set(EVEN, prefix="pool", seed=1)
    chosen = make_set({"taxes": 60}, prefix="choices", seed=7, n_choices=4)
    mixed = SubjectSet(
        pool.items + chosen.items,
        type(pool.map).concatenate([pool.map, chosen.map]),
        pool.subjects + chosen.subjects,
    )
    groups = groups_of(make_set(dict.fromkeys(SUBJECTS, 25), prefix="own", seed=3), mixed)
    assert not groups.gaps
    assert not groups.fits_form[-60:].any() and groups.fits_form[:-60].all()


def test_form_is_that_of_the_content() -> None:
    text = "```\nWhy is the sky blue?\n```\nA. dust\nB. air"
    content = tuple(
        (text.index(part), text.index(part) + len(part))
        for part in ("Why is the sky blue?", "dust", "air")
    )
    dressed = Item("a", 0, text, content, prompt=text[:28], choices=("dust", "air"))
    code = replace(dressed, content=((0, len(text)),))
    bare = replace(dressed, text="", content=())
    assert form_of_items([dressed, code, bare]).tolist() == [
        [2, 29, 0],
        [2, len(text), 1],
        [2, 0, 0],
    ]


@pytest.mark.parametrize(
    ("counts", "pool_counts", "reason"),
    [
        ({"whales": 5}, EVEN, "5 items are too few"),
        (EVEN, {"whales": 10}, "A pool of 10 items is too small"),
    ],
)
def test_sets_too_small_cannot_be_judged(
    counts: dict[str, int], pool_counts: dict[str, int], reason: str
) -> None:
    groups = groups_of(
        make_set(counts, prefix="own", seed=1), make_set(pool_counts, prefix="pool", seed=2)
    )
    assert groups.could_not_tell is not None and reason in groups.could_not_tell
    assert verdict_sentence(groups).startswith("Could not tell")
    assert not groups.groups and groups.power.smallest_share is None


def test_pool_equal_to_the_benchmark_cannot_be_judged(pool: SubjectSet) -> None:
    groups = groups_of(pool, pool)
    assert groups.could_not_tell is not None and "the same items" in groups.could_not_tell


def test_groups_survive_their_file(without_pastry: GapGroups, tmp_path: Path) -> None:
    save_bundle(tmp_path / "groups.npz", without_pastry)
    restored = load_bundle(tmp_path / "groups.npz", GapGroups)
    assert restored.groups == without_pastry.groups
    assert np.array_equal(restored.relevance, without_pastry.relevance)


def test_group_is_looked_up_by_id_or_name(without_pastry: GapGroups) -> None:
    (group,) = without_pastry.gaps
    assert without_pastry.find(group.id) is group
    assert without_pastry.find(group.name.upper()) is group
    assert without_pastry.find("knots") is None


def test_scope_that_matches_nothing_is_told(pool: SubjectSet) -> None:
    own = make_set(dict.fromkeys(SUBJECTS, 25), prefix="own", seed=3)
    assert not groups_of(own, pool, queries=["whales"]).warnings
    (warning,) = groups_of(own, pool, queries=["knots"]).warnings
    assert "resembles no pool item" in warning


def test_everything_judged_not_meant_leaves_nothing_to_judge(pool: SubjectSet) -> None:
    own = make_set(dict.fromkeys(SUBJECTS, 25), prefix="own", seed=3)
    everything = ItemJudgements(not_meant=tuple(range(len(pool.items))))
    groups = groups_of(own, pool, judgements=everything)
    assert groups.could_not_tell is not None and "in scope" in groups.could_not_tell
    assert groups.out_of_scope
