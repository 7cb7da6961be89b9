"""Marks around the fields of a record in rendered text, from which the content mask is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from benchdesign.benchmarks.items import Span
from benchdesign.foundation.text import replace_surrogates

__all__ = ["Rendered", "render_default", "strip_marks"]


# Unicode noncharacters, which no valid text uses.
OPEN_MARK, CLOSE_MARK = "\ufdd0", "\ufdd1"


# fmt: on


class Rendered(NamedTuple):
    """Text with its content ranges, sorted and disjoint."""

    text: str
    content: tuple[Span, ...]


def render_default(prompt: str, context: str = "", choices: Sequence[str] = ()) -> Rendered:
    """Render context, prompt and lettered choices; letters and newlines are not content."""
    parts: list[str] = []
    spans: list[Span] = []
    length = 0

    def add(text: str, *, is_content: bool) -> None:
        nonlocal length
        if is_content and text:
            spans.append((length, length + len(text)))
        parts.append(text)
        length += len(text)

    for block in (context.strip(), prompt.strip()):
        if block:
            if parts:
                add("\n\n", is_content=False)
            add(block, is_content=True)
    for index, choice in enumerate(choices):
        label = chr(ord("A") + index) if index < 26 else str(index + 1)
        add(f"\n{label}. " if parts else f"{label}. ", is_content=False)
        add(choice.strip(), is_content=True)
    return Rendered(replace_surrogates("".join(parts)), tuple(spans))


def strip_marks(marked: str) -> Rendered:
    """Return a marked text without its marks, and the ranges they enclose."""
    parts: list[str] = []
    spans: list[Span] = []
    length = depth = start = 0
    for piece in _pieces(marked):
        if piece == OPEN_MARK:
            if depth == 0:
                start = length
            depth += 1
        elif piece == CLOSE_MARK:
            depth = max(0, depth - 1)
            if depth == 0 and length > start:
                spans.append((start, length))
        else:
            parts.append(piece)
            length += len(piece)
    text = replace_surrogates("".join(parts))
    return Rendered(text, _join_adjacent(spans))


def _pieces(marked: str) -> list[str]:
    pieces = []
    for outer in marked.split(OPEN_MARK):
        pieces.append(OPEN_MARK)
        for inner in outer.split(CLOSE_MARK):
            pieces.append(inner)
            pieces.append(CLOSE_MARK)
        pieces.pop()
    return [piece for piece in pieces[1:] if piece]


def _join_adjacent(spans: list[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for start, end in spans:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)
