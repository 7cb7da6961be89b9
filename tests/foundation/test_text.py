"""Text made safe and fit to show."""

from __future__ import annotations

import pytest

from benchdesign.foundation.text import (
    cell_width,
    display,
    ellipsis,
    ellipsis_middle,
    is_whole_number,
    replace_surrogates,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("[/INST] x[0] \x1b]0;hi\x07", "[/INST] x[0] ␛]0;hi␇"),
        ("a\x00b\x7fc", "a␀b␡c"),
        ("a\x85b\x9bc", "a[U+0085]b[U+009B]c"),
        ("one\ntwo\r\nthree", "one⏎two⏎three"),
        ("a\tb", "a b"),
        ("a\rb", "a␍b"),
        ("pay \u202e001", "pay [RLO]001"),
        ("a\u200bb\ufeffc", "a[ZWSP]b[BOM]c"),
        ("half \ud800", "half [U+D800]"),
        ("tag \U000e0041", "tag [U+E0041]"),
        ("family 👨\u200d👩", "family 👨\u200d👩"),
        ("hid\u200dden", "hid[ZWJ]den"),
        ("naïve 東京", "naïve 東京"),
    ],
)
def test_what_is_invisible_or_dangerous_becomes_visible(text: str, shown: str) -> None:
    assert display(text) == shown


def test_lines_stay_when_asked() -> None:
    assert display("one\ntwo", newline="\n") == "one\ntwo"


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        ("hello", 5, "hello"),
        ("hello", 4, "hel…"),
        ("hello", 1, "…"),
        ("hello", 0, ""),
        ("東京都", 6, "東京都"),
        ("東京都", 5, "東京…"),
        ("東京都", 4, "東…"),
        ("e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"),
    ],
)
def test_text_is_cut_by_terminal_cells(text: str, width: int, cut: str) -> None:
    assert ellipsis(text, width) == cut
    assert cell_width(ellipsis(text, width)) <= width


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        ("/a/folder/of/some/name", 22, "/a/folder/of/some/name"),
        ("/a/folder/of/some/name", 12, "/a/…ome/name"),
        ("/東京都/京都/奈良", 10, "/東…/奈良"),
        ("hello", 2, "h…"),
    ],
)
def test_text_is_cut_in_its_middle(text: str, width: int, cut: str) -> None:
    assert ellipsis_middle(text, width) == cut
    assert cell_width(cut) <= width


def test_lone_surrogates_are_replaced_one_for_one() -> None:
    assert replace_surrogates("a\udc80b") == "a\ufffdb"


@pytest.mark.parametrize("text", ["0", "12", "9" * 9])
def test_whole_number_is_digits(text: str) -> None:
    assert is_whole_number(text)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "a", "1e3", "9" * 10, "9" * 5000])
def test_what_is_no_whole_number(text: str) -> None:
    assert not is_whole_number(text)
