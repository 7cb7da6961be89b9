"""Bars and intervals drawn with characters; a chart library would double the start-up time."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from benchdesign.foundation.text import fit
from benchdesign.tui.marks import Marks

__all__ = ["histogram", "interval", "signed_bar"]


def histogram(
    rows: Sequence[tuple[str, int]], *, marks: Marks, width: int = 28, label_width: int = 7
) -> Content:
    """Draw a bar and a count for each row; the longest bar is `width` cells long."""
    top = max((count for _, count in rows), default=0) or 1
    lines = []
    for label, count in rows:
        bar = marks.length(count / top, width)
        lines.append(
            Content.assemble(
                f"  {fit(label, label_width)} ",
                (bar, "$text-primary"),
                " " * (width - len(bar)),
                f" {count:>6,}",
            )
        )
    return Content("\n").join(lines)


def interval(
    low: float,
    point: float,
    high: float,
    *,
    marks: Marks,
    width: int = 30,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> str:
    """Draw an interval and its point estimate on a line of `width` cells."""
    bottom, top = bounds
    scale = (width - 1) / (top - bottom) if top > bottom else 0.0

    def cell_of(value: float) -> int:
        return round((min(max(value, bottom), top) - bottom) * scale)

    left, middle, right = cell_of(low), cell_of(point), cell_of(high)
    line = "-" if marks.use_ascii else "─"
    ends = ("|", "|") if marks.use_ascii else ("├", "┤")
    cells = [" "] * width
    for position in range(left, right + 1):
        cells[position] = line
    cells[left], cells[right] = ends
    cells[middle] = "o" if marks.use_ascii else "●"
    return "".join(cells)


def signed_bar(value: float, top: float, *, marks: Marks, half: int = 12) -> str:
    """Draw a difference left or right of a middle line; `top` is the value of a full half."""
    size = 0 if top <= 0 else min(round(abs(value) / top * half), half)
    if value and not size:
        size = 1
    left, right, middle = ("<", ">", "|") if marks.use_ascii else ("◂", "▸", "│")
    if value < 0:
        return " " * (half - size) + left * size + middle + " " * half
    return " " * half + middle + right * size + " " * (half - size)
