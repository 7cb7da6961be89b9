"""Items of each gap group after a revision, and groups ready for JSON."""

from __future__ import annotations

import json

import pytest

from benchdesign.benchmarks.items import Item
from benchdesign.coverage.groups.gap_group import GroupStatus
from benchdesign.revision.group_counts import closed_sentence, count_groups, innermost_group
from benchdesign.revision.group_record import groups_record
from tests.group_builders import make_group, make_groups

FOX = make_group("fox")
PART = make_group("red fox", parent="id-fox", expected=1.0, pool_rows=(1,))
OWL = make_group("owl", status=GroupStatus.UNDER, expected=3.0, count=2, own_rows=(4, 5))


def items(prefix: str, n: int) -> list[Item]:
    return [Item(f"{prefix}-{row}", row, "text", ((0, 4),), "text") for row in range(n)]


def test_additions_and_removals_count_in_the_groups_that_hold_them() -> None:
    counts = count_groups(make_groups(FOX, PART, OWL), added=[1, 2, 9], removed=[4, 7])
    assert {group: (count.before, count.after) for group, count in counts.items()} == {
        "id-fox": (0, 2),
        "id-red fox": (0, 1),
        "id-owl": (2, 3),
    }
    owls = count_groups(make_groups(OWL), added=[1], removed=[4, 5])["id-owl"]
    assert (owls.n_added, owls.n_removed, owls.after, owls.short) == (1, 2, 1, 2.0)


@pytest.mark.parametrize(
    ("expected", "n_added", "closed", "wanted"),
    [(2.5, 2, False, 1), (2.5, 3, True, 0), (3.0, 3, True, 0), (3.01, 3, False, 1)],
)
def test_a_group_is_closed_only_if_its_count_reaches_what_is_expected_unrounded(
    expected: float, n_added: int, closed: bool, wanted: int
) -> None:
    groups = make_groups(make_group("fox", expected=expected))
    count = count_groups(groups, added=range(n_added))["id-fox"]
    assert (count.is_closed, count.n_wanted) == (closed, wanted)


def test_the_sentence_counts_whole_groups_and_names_those_that_are_not_closed() -> None:
    groups = make_groups(FOX, PART, make_group("owl", pool_rows=(7, 8, 9)))
    sentence = closed_sentence(groups, count_groups(groups, added=[0, 1, 2, 7]))
    assert sentence == "1 of 2 groups reach what is expected; not owl (1 of 2.5)."
    sentence = closed_sentence(groups, count_groups(groups, added=[0, 1, 2, 7, 8, 9]))
    assert sentence == "2 of 2 groups reach what is expected."
    suspicion = make_groups(make_group("cat", status=GroupStatus.SUSPECTED))
    assert closed_sentence(suspicion, count_groups(suspicion)) == ""


def test_an_item_belongs_to_the_innermost_group_that_is_lacking() -> None:
    over = make_group("cat", status=GroupStatus.OVER, pool_rows=(8,))
    groups = make_groups(FOX, PART, over=(over,))
    found = [innermost_group(groups, row) for row in (0, 1, 8, 99)]
    assert found == [FOX, PART, None, None]
    assert innermost_group(None, 0) is None


def test_a_part_with_all_pool_items_of_its_whole_is_the_whole() -> None:
    same = make_group("foxes", id="id-fox", parent="id-fox", expected=9.0)
    groups = make_groups(FOX, same)
    assert count_groups(groups, added=[0, 1, 2])["id-fox"].is_closed
    assert innermost_group(groups, 0) == FOX
    record = groups_record(groups, benchmark_items=items("b", 1), pool_items=items("p", 3))
    assert [row["name"] for row in record["gap_groups"]] == ["fox"]


def test_the_record_names_items_by_their_ids_and_survives_json() -> None:
    groups = make_groups(FOX, warnings=("One form only.",))
    record = groups_record(
        groups,
        benchmark_items=items("b", 1),
        pool_items=items("p", 3),
        counts=count_groups(groups, added=[0, 1, 2]),
    )
    record = json.loads(json.dumps(record))
    (row,) = record["gap_groups"]
    assert (row["pool_items"], row["typical"], row["nearest_own"]) == (
        ["p-0", "p-1", "p-2"],
        ["p-0"],
        ["b-0"],
    )
    assert (row["status"], row["count"], row["count_after"], row["closed"]) == (
        *("missing", 0, 3, True),
    )
    assert row["concepts"] == [{"concept": 2, "label": "fox", "share_in": 0.9, "share_out": 0.1}]
    assert record["power"] == {"smallest_share": 0.04, "at": 0.8}
    assert record["reference_items"] == {
        "kind": "pool",
        "n_items": 160,
        "n_in_scope": 160,
        "n_of_form": 160,
        "scope": "any",
    }
    assert record["group_warnings"] == ["One form only."]
    assert record["verdict"].startswith("Rarely asks about fox")
    assert record["could_not_tell"] is None


def test_groups_that_were_never_searched_for_read_as_could_not_tell() -> None:
    record = groups_record(None, benchmark_items=[], pool_items=[])
    assert record["gap_groups"] == []
    assert "not searched" in record["could_not_tell"]
    assert record["verdict"].startswith("Could not tell")
