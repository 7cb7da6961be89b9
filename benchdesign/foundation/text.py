"""Safe display of any text: control characters, cell width, ellipsis, whole numbers.

Item text is untrusted. Text returned by `display` cannot move the cursor, change the writing
direction, hide characters or fail to encode. It is still plain text: display it literally, never as
markup.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = [
    "MAX_DIGITS",
    "cell_width",
    "display",
    "ellipsis",
    "ellipsis_middle",
    "ellipsis_start",
    "is_whole_number",
    "replace_surrogates",
]

MAX_DIGITS = 9
"""Most digits accepted in a number typed by the user."""

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
    """Whether text is digits only, at most `MAX_DIGITS` of them."""
    return text.isdecimal() and len(text) <= MAX_DIGITS


def display(text: str, *, width: int | None = None, newline: str = "⏎") -> str:
    r"""Return `text` with invisible and dangerous characters made visible.

    Line ends become `newline` ("\n" keeps lines), tabs become a space. With `width`, the text is
    cut to that many terminal cells.
    """
    visible = text.replace("\r\n", "\n").replace("\t", " ")
    if _UNSAFE.search(visible):
        visible = _UNSAFE.sub(_visible_form, visible)
    visible = visible.replace("\n", newline)
    return visible if width is None else ellipsis(visible, width)


def ellipsis(text: str, width: int) -> str:
    """Cut `text` to at most `width` terminal cells, with `…` at the end if it was cut."""
    if width <= 0:
        return ""
    if _PLAIN.match(text):
        return text if len(text) <= width else text[: width - 1] + "…"
    used = 0
    end = 0
    for position, character in enumerate(text):
        used += _cells(character)
        if used > width:
            return text[:end] + "…"
        if used <= width - 1:
            end = position + 1
    return text


def ellipsis_start(text: str, width: int) -> str:
    """Cut `text` to at most `width` terminal cells, with `…` at the start if it was cut."""
    if width <= 0 or cell_width(text) <= width:
        return text if width > 0 else ""
    used, first = 0, len(text)
    while first and used + _cells(text[first - 1]) <= width - 1:
        first -= 1
        used += _cells(text[first])
    # Drop combining marks whose base character was cut off.
    while first < len(text) and not _cells(text[first]):
        first += 1
    return "…" + text[first:]


def ellipsis_middle(text: str, width: int) -> str:
    """Cut `text` to at most `width` terminal cells in the middle, keeping more of the end."""
    if width < 3 or cell_width(text) <= width:
        return ellipsis(text, width)
    start = ellipsis(text, (width + 2) // 3).removesuffix("…")
    return start + ellipsis_start(text, width - cell_width(start))


def cell_width(text: str) -> int:
    """Count the terminal cells of `text`; wide East Asian characters take two."""
    if _PLAIN.match(text):
        return len(text)
    return sum(_cells(character) for character in text)


def replace_surrogates(text: str) -> str:
    """Return `text` with lone surrogates replaced by U+FFFD, so that it can be encoded."""
    return _SURROGATES.sub("\ufffd", text)


def _visible_form(match: re.Match[str]) -> str:
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
    # Joiners shape Indic and Persian words and emoji sequences; elsewhere they are only invisible.
    text, position = match.string, match.start()
    before = text[position - 1] if position else ""
    after = text[position + 1] if position + 1 < len(text) else ""
    is_joining = bool(before and after) and not (before + after).isascii()
    return match.group() if is_joining else _JOINERS[ord(match.group())]


@lru_cache(maxsize=4096)
def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
