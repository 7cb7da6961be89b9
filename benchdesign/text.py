"""Make any text safe and fit to show: control characters, cell width, ellipsis; know a number.

Item text is hostile data. What leaves here cannot move a cursor, change direction, hide
characters or fail to encode; it is still plain text and still needs literal (never markup) display.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = [
    "MOST_DIGITS",
    "cell_width",
    "display",
    "ellipsis",
    "ellipsis_middle",
    "ellipsis_start",
    "is_whole_number",
    "replace_surrogates",
]

MOST_DIGITS = 9
"""Of a number that somebody types: more are a mistake, or take long to read."""

_ZERO_WIDTH = {
    0x00AD: "[SHY]",
    0x061C: "[ALM]",
    0x180E: "[MVS]",
    0x200B: "[ZWSP]",
    0x200E: "[LRM]",
    0x200F: "[RLM]",
    0x2028: "[LS]",
    0x2029: "[PS]",
    0x202A: "[LRE]",
    0x202B: "[RLE]",
    0x202C: "[PDF]",
    0x202D: "[LRO]",
    0x202E: "[RLO]",
    0x2060: "[WJ]",
    0x2066: "[LRI]",
    0x2067: "[RLI]",
    0x2068: "[FSI]",
    0x2069: "[PDI]",
    0xFEFF: "[BOM]",
    0xFFF9: "[IAA]",
    0xFFFA: "[IAS]",
    0xFFFB: "[IAT]",
}
_JOINERS = {0x200C: "[ZWNJ]", 0x200D: "[ZWJ]"}
_SURROGATES = re.compile("[\ud800-\udfff]")
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\ufdd0-\ufdef\U000e0000-\U000e0fff]"
)
_PLAIN = re.compile(r"[ -~]*\Z")


def is_whole_number(text: str) -> bool:
    """Say whether text is digits only, and few enough for a number that is meant."""
    return text.isdecimal() and len(text) <= MOST_DIGITS


def display(text: str, *, width: int | None = None, newline: str = "⏎") -> str:
    r"""Return `text` with everything invisible or dangerous made visible.

    Line ends become `newline` (give "\n" to keep lines), tabs one space; `width` cuts to cells.
    """
    shown = text.replace("\r\n", "\n").replace("\t", " ")
    if _UNSAFE.search(shown):
        shown = _UNSAFE.sub(_picture, shown)
    shown = shown.replace("\n", newline)
    return shown if width is None else ellipsis(shown, width)


def ellipsis(text: str, width: int) -> str:
    """Cut `text` to at most `width` terminal cells, ending in `…` where something was cut."""
    if width <= 0:
        return ""
    if _PLAIN.match(text):
        return text if len(text) <= width else text[: width - 1] + "…"
    used = 0
    kept = 0
    for position, character in enumerate(text):
        used += _cells(character)
        if used > width:
            return text[:kept] + "…"
        if used <= width - 1:
            kept = position + 1
    return text


def ellipsis_start(text: str, width: int) -> str:
    """Cut `text` to at most `width` terminal cells from its start, keeping its end."""
    if width <= 0 or cell_width(text) <= width:
        return text if width > 0 else ""
    used, first = 0, len(text)
    while first and used + _cells(text[first - 1]) <= width - 1:
        first -= 1
        used += _cells(text[first])
    # Marks that combine belong to the letter before them, which is gone.
    while first < len(text) and not _cells(text[first]):
        first += 1
    return "…" + text[first:]


def ellipsis_middle(text: str, width: int) -> str:
    """Cut `text` to at most `width` terminal cells in its middle, keeping more of its end."""
    if width < 3 or cell_width(text) <= width:
        return ellipsis(text, width)
    start = ellipsis(text, (width + 2) // 3).removesuffix("…")
    return start + ellipsis_start(text, width - cell_width(start))


def cell_width(text: str) -> int:
    """Count the terminal cells `text` takes; wide East Asian characters take two."""
    if _PLAIN.match(text):
        return len(text)
    return sum(_cells(character) for character in text)


def replace_surrogates(text: str) -> str:
    """Return `text` with lone surrogates replaced by U+FFFD, so that it can be encoded."""
    return _SURROGATES.sub("\ufffd", text)


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if code in _JOINERS:
        return _joiner(match)
    if code in _ZERO_WIDTH:
        return _ZERO_WIDTH[code]
    return f"[U+{code:04X}]"


def _joiner(match: re.Match[str]) -> str:
    # Joiners shape Indic and Persian words and emoji families; alone they only hide.
    text, position = match.string, match.start()
    before = text[position - 1] if position else ""
    after = text[position + 1] if position + 1 < len(text) else ""
    between = bool(before and after) and not (before + after).isascii()
    return match.group() if between else _JOINERS[ord(match.group())]


@lru_cache(maxsize=4096)
def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
