"""Limits on the coverage of a benchmark."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchdesign.coverage.figures import CoverageFigures
from benchdesign.coverage.groups.gap_group import GapGroups, GroupStatus
from benchdesign.coverage.limits import (
    Baseline,
    CheckLimits,
    LimitCheck,
    check_limits,
    read_baseline,
)
from benchdesign.errors import UsageError
from tests.coverage.test_gaps import judge
from tests.group_builders import make_group, make_groups

FIGURES = CoverageFigures.from_gaps(judge([0, 20, 20, 20], [0.10] * 4))
"""One concept of four is missing."""


def check(limits: CheckLimits, baseline: Baseline | None = None) -> list[LimitCheck]:
    return check_limits(FIGURES, limits, baseline=baseline, n_duplicates=2, n_findings=3)


def test_without_limits_nothing_is_checked() -> None:
    assert check(CheckLimits()) == []


@pytest.mark.parametrize(("fail_under", "passed"), [(75, True), (0.75, True), (76, False)])
def test_a_share_is_given_in_percent_or_as_a_share(fail_under: float, passed: bool) -> None:
    (result,) = check(CheckLimits(fail_under=fail_under))
    assert (result.name, result.passed, result.found) == ("fail-under", passed, 0.75)
    assert result.message.startswith("covered share is 75.0%, at least 7")


def test_where_nothing_is_judged_no_share_is_reached() -> None:
    figures = replace(FIGURES, covered_share=None)
    limits = CheckLimits(fail_under=1)
    (result,) = check_limits(figures, limits, baseline=None, n_duplicates=None, n_findings=0)
    assert not result.passed
    assert result.message == "covered share is not known, at least 100.0% wanted"


def test_counts_are_checked_in_order() -> None:
    results = check(CheckLimits(max_missing=1, max_duplicates=1, max_findings=3))
    assert [(result.name, result.passed) for result in results] == [
        ("max-missing", True),
        ("max-duplicates", False),
        ("max-findings", True),
    ]
    assert results[1].message == "2 pairs of duplicates, at most 1 allowed"


@pytest.mark.parametrize(
    ("baseline", "passed"),
    [
        (Baseline(0.75, 1), [True, True]),
        (Baseline(0.8, 0), [False, False]),
        (Baseline(None, 9), [True, True]),
    ],
)
def test_a_baseline_must_not_get_worse(baseline: Baseline, passed: list[bool]) -> None:
    assert [result.passed for result in check(CheckLimits(), baseline)] == passed


@pytest.mark.parametrize("key", ["coverage", "coverage_after"])
def test_a_baseline_is_a_check_or_a_revision(tmp_path: Path, key: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps({key: FIGURES.to_record()}), "utf-8")
    assert read_baseline(path) == Baseline(0.75, 1)


def test_another_file_is_no_baseline(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text('{"coverage": {"covered_share": NaN, "n_missing": 1}}', "utf-8")
    with pytest.raises(UsageError, match=r"not a revision\.json"):
        read_baseline(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_baseline(tmp_path / "gone.json")


@pytest.mark.parametrize("groups", [None, make_groups(could_not_tell="No pool.")])
def test_groups_that_could_not_be_judged_keep_no_limit(groups: GapGroups | None) -> None:
    (result,) = check_limits(
        FIGURES,
        CheckLimits(fail_missing_groups=9),
        baseline=None,
        n_duplicates=None,
        n_findings=0,
        groups=groups,
    )
    assert (result.passed, result.could_tell, result.found) == (False, False, None)


def test_only_whole_groups_that_are_certain_count_against_the_limit() -> None:
    found = make_groups(
        make_group("fox"),
        make_group("red fox", parent="id-fox"),
        make_group("owl", status=GroupStatus.SUSPECTED),
    )
    for limit, passed in ((0, False), (1, True)):
        (result,) = check_limits(
            FIGURES,
            CheckLimits(fail_missing_groups=limit),
            baseline=None,
            n_duplicates=None,
            n_findings=0,
            groups=found,
        )
        assert (result.passed, result.could_tell, result.found) == (passed, True, 1)
