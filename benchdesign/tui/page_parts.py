"""Pieces that every page is made of: fields, marked lines, what was decided."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from textual.content import Content

from benchdesign.decisions import DecisionLog, Standing, Subject, Verdict
from benchdesign.text import display, ellipsis_start
from benchdesign.tui.marks import Marks
from benchdesign.tui.widgets.evidence import literal

__all__ = [
    "Hung",
    "Part",
    "beside",
    "clock_of",
    "close_up",
    "field_line",
    "history_lines",
    "id_end",
    "marked_line",
    "page_lines",
    "said_lines",
    "signed",
]


class Hung(NamedTuple):
    """A line whose continuations start below its body, not below its head."""

    head: Content
    body: Content

    def lines(self, width: int) -> list[Content]:
        """Return it wrapped."""
        indent = self.head.cell_length
        rest = self.body.wrap(max(width - indent, 12))
        return [Content.assemble(self.head, rest[0])] + [
            Content.assemble(" " * indent, one) for one in rest[1:]
        ]


Part = Content | str | Hung


def page_lines(parts: Iterable[Part], *, width: int) -> Content:
    """Join the pieces of a page."""
    return Content("\n").join(_laid_out(parts, width))


def beside(left: Iterable[Part], right: Iterable[Part], *, width: int, share: float) -> Content:
    """Put two columns next to each other; the left one takes a share of the width."""
    room = int(width * share)
    one = [line for part in _laid_out(left, room) for line in part.wrap(room)]
    other = [line for part in _laid_out(right, width - room - 3) for line in part.split("\n")]
    lines = []
    for place in range(max(len(one), len(other))):
        start = one[place] if place < len(one) else Content("")
        end = other[place] if place < len(other) else Content("")
        gap = " " * (room + 3 - start.cell_length)
        lines.append(Content.assemble(start, gap, end))
    return Content("\n").join(lines)


def _laid_out(parts: Iterable[Part], width: int) -> list[Content]:
    lines: list[Content] = []
    for one in parts:
        if isinstance(one, Hung):
            lines += one.lines(width)
        else:
            lines.append(Content(one) if isinstance(one, str) else one)
    return lines


def close_up(parts: Iterable[Part]) -> list[Part]:
    """Leave out the empty lines between the pieces: a short screen has none to spare."""
    return [one for one in parts if one != ""]


def signed(value: float) -> str:
    """Return a number with its sign and one decimal; what rounds to zero has no sign."""
    text = f"{value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def field_line(name: str, value: str, *, indent: int = 11) -> Hung:
    """Return a value with its name in front."""
    return Hung(Content.styled(f"{name:<{indent}}", "$foreground-muted"), literal(value))


def marked_line(state: str, text: Content, *, marks: Marks) -> Hung:
    """Return a line with the mark of a state in front."""
    return Hung(Content.styled(f"  {marks.glyph(state) or ' '} ", marks.style(state)), text)


def id_end(text: str, width: int) -> str:
    """Return an id cut to some cells; its end is kept, which is where ids differ."""
    return ellipsis_start(display(text[-4 * width - 8 :]), width)


def said_lines(said: Standing) -> list[Part]:
    """Return what was decided, by whom and when."""
    parts: list[Part] = [""]
    if said.verdict is not Verdict.OPEN or said.reason:
        by = f" · {said.who}" if said.who else ""
        reason = f" ({said.reason})" if said.reason else ""
        when = clock_of(said.when)
        parts.append(field_line("decision", f"{said.verdict.value}{reason}{by} · {when}"))
    if said.note:
        parts.append(field_line("note", said.note))
    return parts if len(parts) > 1 else []


_MOST_STEPS = 6
_ACTIONS = {"undo": "undone", "redo": "done again"}


def clock_of(when: str) -> str:
    """Return the time of day here of a moment in the log, with its date where that is not today."""
    try:
        moment = datetime.fromisoformat(when).astimezone()
    except ValueError:
        return ""
    is_today = moment.date() == datetime.now().astimezone().date()
    return f"{moment:%H:%M}" if is_today else f"{moment:%d %b %Y %H:%M}"


def history_lines(log: DecisionLog, subject: Subject, subject_id: str) -> list[Part]:
    """Return how the verdict came about, the newest steps last; nothing where it was given once."""
    told = []
    for step in log:
        for one in step.decisions:
            if (one.subject, one.subject_id) == (subject, subject_id) and one.verdict is not None:
                word = _ACTIONS.get(step.action, one.verdict.value)
                told.append(f"{word} {clock_of(step.when)}".strip())
    if len(told) < 2:
        return []
    shown = ["…"] if len(told) > _MOST_STEPS else []
    return [field_line("history", ", ".join([*shown, *told[-_MOST_STEPS:]]))]
