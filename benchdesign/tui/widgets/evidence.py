"""An item's text with the tokens that show a concept highlighted in five levels.

Only a window around the peak is shown. Adjacent tokens of the same level are merged into one span:
a thousand single-token spans would take a tenth of a second. Text is always literal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from benchdesign.foundation.text import display
from benchdesign.tui.marks import Marks

if TYPE_CHECKING:
    from benchdesign.concepts.maps.token_evidence import TokenEvidence

__all__ = ["evidence_content", "evidence_levels", "literal"]

_STYLES = (
    "",
    "on $primary 15%",
    "on $primary 30%",
    "$text on $primary 50%",
    "bold $text on $primary 70%",
)
_MIN_PASSAGE_CHARACTERS = 120
"""Minimum length of a passage: a longer single span is highlighted weakly, without a peak."""

_WINDOW_CHARACTERS = 420
"""Characters shown around the peak, about 100 tokens."""


def literal(text: str, style: str = "") -> Content:
    """Return untrusted text as content without markup; line breaks are kept."""
    return Content.styled(display(text, newline="\n"), style)


def evidence_levels(text: str, tokens: Sequence[TokenEvidence]) -> list[tuple[int, int, int, bool]]:
    """Split text into runs (start, end, level 0 to 4, is the peak); merge runs of equal level.

    White space between two highlighted tokens of a line is highlighted too.
    """
    top = max((token.activation for token in tokens), default=0.0)
    if top <= 0:
        return [(0, len(text), 0, False)] if text else []
    peak = max(tokens, key=lambda token: token.activation)
    if len(tokens) == 1 and peak.end - peak.start >= _MIN_PASSAGE_CHARACTERS:
        start, end = max(peak.start, 0), min(peak.end, len(text))
        parts = ((0, start, 0, False), (start, end, 1, False), (end, len(text), 0, False))
        return [run for run in parts if run[0] < run[1]]
    runs: list[tuple[int, int, int, bool]] = []

    def add(start: int, end: int, level: int, *, is_peak: bool = False) -> None:
        if start >= end:
            return
        if runs and runs[-1][1] == start and runs[-1][2] == level and not (is_peak or runs[-1][3]):
            runs[-1] = (runs[-1][0], end, level, False)
        else:
            runs.append((start, end, level, is_peak))

    position = 0
    for token in sorted(tokens, key=lambda token: (token.start, token.end)):
        start, end = max(token.start, position), min(token.end, len(text))
        if token.activation <= 0 or start >= end:
            continue
        level, is_peak = 1 + min(int(token.activation / top * 4), 3), token is peak
        between = text[position:start]
        if runs and runs[-1][2] and between.isspace() and "\n" not in between:
            # A phrase reads as one: white space joins the weaker neighbour, and never the peak.
            last_start, _, last_level, is_last_peak = runs[-1]
            if not is_last_peak and (is_peak or last_level <= level):
                runs[-1] = (last_start, start, last_level, False)
            else:
                start = position
        else:
            add(position, start, 0)
        add(start, end, level, is_peak=is_peak)
        position = end
    add(position, len(text), 0)
    return runs


def evidence_content(
    text: str,
    tokens: Sequence[TokenEvidence],
    *,
    marks: Marks,
    window: int | None = _WINDOW_CHARACTERS,
) -> Content:
    """Return text with highlighted evidence; `window=None` shows the whole text."""
    low, high = 0, len(text)
    if window is not None and tokens and len(text) > window:
        peak = max(tokens, key=lambda token: token.activation)
        low = max(min((peak.start + peak.end - window) // 2, len(text) - window), 0)
        high = low + window
    elif window is not None and len(text) > window:
        high = window
    parts: list[Content] = [Content("… ")] if low else []
    for start, end, level, is_peak in evidence_levels(text, tokens):
        start, end = max(start, low), min(end, high)
        if start >= end:
            continue
        parts.append(_run_content(text[start:end], level, marks=marks, is_peak=is_peak))
    if high < len(text):
        parts.append(Content(" …"))
    return Content("").join(parts)


def _run_content(text: str, level: int, *, marks: Marks, is_peak: bool) -> Content:
    if not level:
        return literal(text)
    if marks.monochrome or marks.use_ascii:
        strong = level >= 3
        left, right = ("[[", "]]") if marks.use_ascii else ("⟦", "⟧")
        left, right = (left, right) if strong else ("[", "]")
        return Content.assemble(left, literal(text, "underline" if is_peak else ""), right)
    style = _STYLES[level] + (" underline" if is_peak else "")
    return literal(text, style.strip())
