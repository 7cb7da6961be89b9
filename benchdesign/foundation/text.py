"""Safe display of any text: control characters, ellipsis, padding, whole numbers.

Item text is untrusted. Text returned by `display` cannot move the cursor, change the writing
direction, hide characters or fail to encode. It is still plain text: display it literally, never as
markup.
"""

from __future__ import annotations

import re

from rich.cells import cell_len, split_graphemes

__all__ = [
    "MAX_DIGITS",
    "display",
    "display_end",
    "ellipsis",
    "ellipsis_middle",
    "ellipsis_start",
    "fit",
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
_CHARACTERS_PER_CELL = 2
_MARGIN = 8
"""Cells within which an end of a text can change if it is taken out of the whole."""


def is_whole_number(text: str) -> bool:
    """Whether text is digits only, at most `MAX_DIGITS` of them."""
    return text.isdecimal() and len(text) <= MAX_DIGITS


_SPACES = re.compile("[\t\xa0\u1680\u2000-\u200a\u205f\u3000]")
"""Tabs and the spaces of other widths, each shown as one plain space. The narrow space that groups
digits stays."""


def display(text: str, *, width: int | None = None, newline: str = "⏎") -> str:
    r"""Return `text` with invisible and dangerous characters made visible.

    Line ends become `newline` ("\n" keeps lines), tabs and wide spaces become a space. With
    `width`, the text is cut to that many terminal cells.
    """
    if width is None:
        return _visible(text, newline)
    n_characters = _CHARACTERS_PER_CELL * max(width, 0) + _MARGIN
    if len(text) > n_characters:
        # A long text takes long: its start is enough unless combining marks fill it.
        visible = _visible(text[:n_characters], newline)
        if cell_len(visible) > width + _MARGIN:
            return ellipsis(visible, width)
    return ellipsis(_visible(text, newline), width)


def display_end(text: str, width: int) -> str:
    """Return the end of `text`, made visible and cut to `width` terminal cells at its start."""
    n_characters = _CHARACTERS_PER_CELL * max(width, 0) + _MARGIN
    if len(text) > n_characters:
        visible = display(text[-n_characters:])
        if cell_len(visible) > width + _MARGIN:
            return ellipsis_start(visible, width)
    return ellipsis_start(display(text), width)


def fit(text: str, width: int, *, align: str = "left", cut: str = "end") -> str:
    """Return `text` made visible, and cut or padded to exactly `width` terminal cells.

    `align` is `left` or `right`. `cut` is the end at which a long text is cut, `end` or `start`.
    """
    start = text[: width + 1]
    if cut == "end" and _PLAIN.match(start):
        fitted = ellipsis(start, width)
        return fitted.rjust(width) if align == "right" else fitted.ljust(width)
    fitted = display_end(text, width) if cut == "start" else display(text, width=width)
    fill = " " * (width - cell_len(fitted))
    return fill + fitted if align == "right" else fitted + fill


def ellipsis(text: str, width: int) -> str:
    """Cut `text` to at most `width` terminal cells, with `…` at the end if it was cut."""
    if width <= 0:
        return ""
    if _PLAIN.match(text):
        return text if len(text) <= width else text[: width - 1] + "…"
    graphemes, n_cells = split_graphemes(text)
    if n_cells <= width:
        return text
    used = end = 0
    for _, grapheme_end, cells in graphemes:
        used += cells
        if used > width - 1:
            break
        end = grapheme_end
    return text[:end] + "…"


def ellipsis_start(text: str, width: int) -> str:
    """Cut `text` to at most `width` terminal cells, with `…` at the start if it was cut."""
    if width <= 0:
        return ""
    graphemes, n_cells = split_graphemes(text)
    if n_cells <= width:
        return text
    used, start = 0, len(text)
    for grapheme_start, _, cells in reversed(graphemes):
        used += cells
        if used > width - 1:
            break
        start = grapheme_start
    return "…" + text[start:]


def ellipsis_middle(text: str, width: int) -> str:
    """Cut `text` to at most `width` terminal cells in the middle, keeping more of the end."""
    if width < 3 or cell_len(text) <= width:
        return ellipsis(text, width)
    start = ellipsis(text, (width + 2) // 3).removesuffix("…")
    return start + ellipsis_start(text, width - cell_len(start))


def replace_surrogates(text: str) -> str:
    """Return `text` with lone surrogates replaced by U+FFFD, so that it can be encoded."""
    return _SURROGATES.sub("\ufffd", text)


def _visible(text: str, newline: str) -> str:
    visible = _SPACES.sub(" ", text.replace("\r\n", "\n"))
    if _UNSAFE.search(visible):
        visible = _UNSAFE.sub(_visible_form, visible)
    return visible.replace("\n", newline)


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
