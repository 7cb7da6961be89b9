"""Counts of concepts by status."""

from __future__ import annotations

from benchdesign.coverage.figures import CoverageFigures
from benchdesign.coverage.status import Status
from tests.coverage.test_gaps import judge


def test_judged_and_too_rare_concepts_add_up_to_those_in_scope() -> None:
    # The last two are too rare for 200 items to show a deficit, one of them is over-covered.
    gaps = judge([0, 20, 60, 0, 9], [0.10, 0.10, 0.10, 0.002, 0.002])
    figures = CoverageFigures.from_gaps(gaps)
    assert figures.counts[Status.OVER] == 2
    assert (figures.n_judged, figures.n_rare, figures.n_rare_over) == (3, 2, 1)
    assert figures.n_judged + figures.n_rare == figures.n_in_scope


def test_a_record_has_the_figures_under_their_names_on_disk() -> None:
    record = CoverageFigures.from_gaps(judge([0, 20, 60], [0.10, 0.10, 0.10])).to_record()
    assert record == {
        "n_items": 200,
        "n_concepts": 3,
        "n_in_scope": 3,
        "n_tested": 3,
        "n_missing": 1,
        "n_under": 0,
        "n_over": 1,
        "covered_share": 1 - 1 / 3,
    }


def test_concepts_are_counted_by_the_number_of_their_items() -> None:
    figures = CoverageFigures.from_gaps(judge([0, 1, 5, 19, 60], [0.10] * 5))
    bins = {"1": 1, "2-4": 0, "5-9": 1, "10-19": 1, "20-49": 0, "50+": 1}
    assert dict(figures.histogram) == bins
    assert (figures.n_touched, figures.n_touched_5) == (4, 3)
