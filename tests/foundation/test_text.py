"""Text made safe and fit to show."""

from __future__ import annotations

import pytest
from rich.cells import cell_len, split_graphemes

from benchdesign.foundation.text import (
    display,
    display_end,
    ellipsis,
    ellipsis_middle,
    ellipsis_start,
    fit,
    is_whole_number,
    replace_surrogates,
)


@pytest.mark.parametrize(
    ("text", "displayed"),
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
def test_what_is_invisible_or_dangerous_becomes_visible(text: str, displayed: str) -> None:
    assert display(text) == displayed


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
    assert cell_len(ellipsis(text, width)) <= width


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
    assert cell_len(cut) <= width


def test_lone_surrogates_are_replaced_one_for_one() -> None:
    assert replace_surrogates("a\udc80b") == "a\ufffdb"


@pytest.mark.parametrize("text", ["0", "12", "9" * 9])
def test_whole_number_is_digits(text: str) -> None:
    assert is_whole_number(text)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "a", "1e3", "9" * 10, "9" * 5000])
def test_what_is_no_whole_number(text: str) -> None:
    assert not is_whole_number(text)


MULTILINGUAL = [
    "नमस्ते दुनिया, यह एक वाक्य है",
    "👩‍🔬 👨‍👩‍👧‍👦 👩🏽‍❤️‍💋‍👨🏽 scientists",
    "1️⃣ first 2️⃣ second 3️⃣ third",
    "❤️ heart ☎️ phone ✈️ plane",
    "東京都の人口は何人ですか",
    "e\u0301te\u0301 Za\u0335l\u0336g\u0337o\u0338",
    "می\u200cخواهم",
    "\u0301\ufe0f\u200dstart",
    "mixed 東京 👩‍🔬 नि 1️⃣ e\u0301\n\x1b[31m",
]


@pytest.mark.parametrize("text", MULTILINGUAL)
@pytest.mark.parametrize("cut", ["end", "start"])
@pytest.mark.parametrize("align", ["left", "right"])
def test_fitted_text_takes_exactly_its_cells(text: str, cut: str, align: str) -> None:
    for width in range(1, 61):
        for long_text in (text, text * 20):
            assert cell_len(fit(long_text, width, align=align, cut=cut)) == width


@pytest.mark.parametrize("text", MULTILINGUAL)
def test_a_cut_leaves_every_grapheme_whole(text: str) -> None:
    displayed = display(text)
    graphemes = [displayed[start:end] for start, end, _ in split_graphemes(displayed)[0]]
    for width in range(2, cell_len(displayed)):
        start = ellipsis(displayed, width).removesuffix("…")
        assert start in {"".join(graphemes[:n]) for n in range(len(graphemes) + 1)}
        end = ellipsis_start(displayed, width).removeprefix("…")
        assert end in {"".join(graphemes[n:]) for n in range(len(graphemes) + 1)}


@pytest.mark.parametrize("text", [*MULTILINGUAL, "e" + "\u0301" * 500, "a\r\n" * 300])
def test_a_long_text_is_cut_like_the_whole_of_it(text: str) -> None:
    for width in (0, 1, 20, 60):
        assert display(text * 20, width=width) == ellipsis(display(text * 20), width)
        assert display_end(text * 20, width) == ellipsis_start(display(text * 20), width)


def test_spaces_of_other_widths_are_shown_as_one_space() -> None:
    assert display("a\xa0b\u2003c\u3000d\te") == "a b c d e"
