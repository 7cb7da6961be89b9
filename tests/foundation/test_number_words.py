"""How numbers are written for people."""

from __future__ import annotations

import math
from datetime import datetime

import pytest

from benchdesign.foundation.number_words import (
    chance,
    decimals,
    duration,
    elapsed,
    local_time_text,
    multiple,
    percent,
    plural,
    points,
    rate_percent,
    round_times,
    signed,
    speed,
    times,
    typeset,
)


def test_a_share_is_written_in_percent() -> None:
    assert percent(0.1234) == "12%"
    assert percent(0.1234, 1, gap=" ") == "12.3 %"


@pytest.mark.parametrize("share", [None, math.nan])
def test_an_unknown_share_is_no_number(share: float | None) -> None:
    assert percent(share) == "–"
    assert percent(share, unknown="not known") == "not known"


def test_a_tiny_rate_keeps_its_digits() -> None:
    assert rate_percent(0.000012345) == "0.00123 %"
    assert rate_percent(math.nan) == "unknown"


@pytest.mark.parametrize(
    ("value", "text"), [(1.25, "+1.2"), (-0.5, "-0.5"), (0.0, "0.0"), (-0.01, "0.0")]
)
def test_zero_has_no_sign(value: float, text: str) -> None:
    assert signed(value) == text


def test_a_difference_of_shares_is_written_in_points() -> None:
    assert [points(value) for value in (0.12, -0.004, -0.3)] == ["+12", "0", "-30"]
    assert points(0.0, 1) == "0.0"


def test_decimals_of_an_unknown_number() -> None:
    assert decimals(0.456, unknown="-") == "0.46"
    assert decimals(None, unknown="-") == decimals(math.nan, unknown="-") == "-"


def test_a_report_sets_numbers_with_thin_spaces() -> None:
    assert typeset(-12345.6, 1) == "−12\u202f345.6"
    assert (typeset(math.inf), typeset(math.nan), typeset(None)) == ("∞", "–", "–")


def test_ratios() -> None:
    assert [times(ratio) for ratio in (0.25, 3.14, math.nan)] == ["0.25×", "3.1×", "–"]
    assert [round_times(ratio) for ratio in (0.0884, 4.0)] == ["0.088×", "4×"]


def test_a_noun_follows_its_count() -> None:
    assert [plural(n, "item") for n in (0, 1, 2000)] == ["0 items", "1 item", "2,000 items"]
    assert plural(2, "was", "were") == "2 were"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h")],
)
def test_a_duration_is_written_in_its_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_running_time_counts_seconds() -> None:
    assert [elapsed(seconds) for seconds in (119.9, 125)] == ["119 s", "2 min 05 s"]


def test_speed_has_a_decimal_only_if_low() -> None:
    assert [speed(rate) for rate in (3.44, 1234.0)] == ["3.4/s", "1,234/s"]


def test_a_time_has_its_date_unless_it_is_today() -> None:
    now = datetime.now().astimezone()
    assert local_time_text(now.isoformat()) == f"{now:%H:%M}"
    assert local_time_text("2020-05-04T10:30:00").startswith("04 May 2020 ")
    assert local_time_text("yesterday") == ""


@pytest.mark.parametrize(
    ("p_value", "words"),
    [
        (0.005, "1 of 200"),
        (0.01, "1 of 100"),
        (0.0949, "9 of 100"),
        (0.095, "1 of 10"),
        (0.07, "7 of 100"),
        (0.37, "4 of 10"),
        (1.0, "10 of 10"),
        (math.nan, "–"),
    ],
)
def test_chance_is_counted_in_runs(p_value: float, words: str) -> None:
    assert chance(p_value) == words


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.0, "0"), (1e-8, "0"), (0.004, "0.004"), (0.2, "0.20"), (3.14, "3.1"), (math.inf, "∞")],
)
def test_a_multiple_is_a_plain_number(ratio: float, text: str) -> None:
    assert multiple(ratio) == text
    assert multiple(math.nan) == "–"
