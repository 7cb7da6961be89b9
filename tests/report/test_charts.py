"""Bars and histograms of a report."""

from __future__ import annotations

import numpy as np
import pytest

from benchdesign.report.charts import (
    FilledBar,
    fill_bar,
    histogram_of_lengths,
    histogram_of_lifts,
    stack,
)


def test_stacked_bar_parts_fill_the_whole() -> None:
    bar = stack("Before", {"missing": 1, "under": 0, "adequate": 3})
    assert [(part.name, part.x, part.width) for part in bar.parts] == [
        ("missing", 0.0, 250.0),
        ("adequate", 250.0, 750.0),
    ]
    assert stack("Before", {"missing": 0}).parts == ()


def test_filled_bar_is_as_long_as_the_larger_of_what_there_is_and_what_is_expected() -> None:
    assert fill_bar(1, 2, 4.0) == FilledBar(250.0, 500.0, 1000.0)
    assert fill_bar(3, 5, 4.0) == FilledBar(375.0, 625.0, 500.0)
    assert fill_bar(0, 0, 0.0) == FilledBar(0.0, 0.0, 0.0)


def test_lift_histogram_counts_extreme_and_unknown_values() -> None:
    before = np.asarray([-9.0, -0.2, 0.2, np.nan])
    chart = histogram_of_lifts(before, np.asarray([9.0]))
    assert chart is not None
    assert [bin.before for bin in chart.bins if bin.before] == [1, 1, 1]
    assert [bin.after for bin in chart.bins if bin.after] == [1]
    assert chart.bins[0].before == 1
    assert chart.bins[-1].after == 1
    assert chart.marker == chart.width / 2


def test_lift_histogram_of_nothing_is_none() -> None:
    assert histogram_of_lifts(np.zeros(0), np.asarray([np.nan])) is None


def test_length_histogram_gives_shares_in_round_bins() -> None:
    lengths = np.asarray([10, 11, 12, 300], dtype=np.int32)
    chart = histogram_of_lengths(lengths, lengths[:2])
    assert chart is not None
    assert sum(bin.before for bin in chart.bins) == pytest.approx(1.0)
    assert sum(bin.after for bin in chart.bins) == pytest.approx(1.0)
    assert chart.bins[0].label == "0 to 19"
