"""Building blocks of pages: fields, marked lines, decisions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from textual.content import Content

from benchdesign.foundation.text import display, ellipsis_start
from benchdesign.tui.marks import Marks
from benchdesign.tui.number_words import clock_of
from benchdesign.tui.widgets.evidence import literal
from benchdesign.workspace.decision_log import DecisionLog
from benchdesign.workspace.decisions import Standing, Subject, Verdict

__all__ = [
    "Hung",
    "Part",
    "beside",
    "close_up",
    "field_line",
    "history_lines",
    "id_end",
    "marked_line",
    "page_lines",
    "said_lines",
]


class Hung(NamedTuple):
    """A line with a hanging indent: continuations start below its body."""

    head: Content
    body: Content

    def lines(self, width: int) -> list[Content]:
        """Return the wrapped lines."""
        indent = self.head.cell_length
        rest = self.body.wrap(max(width - indent, 12))
        return [Content.assemble(self.head, rest[0])] + [
            Content.assemble(" " * indent, line) for line in rest[1:]
        ]


Part = Content | str | Hung


def page_lines(parts: Iterable[Part], *, width: int) -> Content:
    """Join the parts of a page."""
    return Content("\n").join(_laid_out(parts, width))


def beside(left: Iterable[Part], right: Iterable[Part], *, width: int, share: float) -> Content:
    """Join two columns side by side; `share` is the left one's share of the width."""
    left_width = int(width * share)
    left_lines = [line for part in _laid_out(left, left_width) for line in part.wrap(left_width)]
    other = [line for part in _laid_out(right, width - left_width - 3) for line in part.split("\n")]
    lines = []
    for position in range(max(len(left_lines), len(other))):
        start = left_lines[position] if position < len(left_lines) else Content("")
        end = other[position] if position < len(other) else Content("")
        gap = " " * (left_width + 3 - start.cell_length)
        lines.append(Content.assemble(start, gap, end))
    return Content("\n").join(lines)


def _laid_out(parts: Iterable[Part], width: int) -> list[Content]:
    lines: list[Content] = []
    for part in parts:
        if isinstance(part, Hung):
            lines += part.lines(width)
        else:
            lines.append(Content(part) if isinstance(part, str) else part)
    return lines


def close_up(parts: Iterable[Part]) -> list[Part]:
    """Return the parts without the blank lines, for a short screen."""
    return [part for part in parts if part != ""]


def field_line(name: str, value: str, *, indent: int = 11) -> Hung:
    """Return a line with a name and a value."""
    return Hung(Content.styled(f"{name:<{indent}}", "$foreground-muted"), literal(value))


def marked_line(state: str, text: Content, *, marks: Marks) -> Hung:
    """Return a line that starts with the mark of a state."""
    return Hung(Content.styled(f"  {marks.glyph(state) or ' '} ", marks.style(state)), text)


def id_end(text: str, width: int) -> str:
    """Return an id cut at its start to a width: ids differ at their end."""
    return ellipsis_start(display(text[-4 * width - 8 :]), width)


def said_lines(standing: Standing) -> list[Part]:
    """Return the lines about a decision: verdict, author, time and note."""
    parts: list[Part] = [""]
    if standing.verdict is not Verdict.OPEN or standing.reason:
        author = f" · {standing.who}" if standing.who else ""
        reason = f" ({standing.reason})" if standing.reason else ""
        clock = clock_of(standing.when)
        parts.append(field_line("decision", f"{standing.verdict.value}{reason}{author} · {clock}"))
    if standing.note:
        parts.append(field_line("note", standing.note))
    return parts if len(parts) > 1 else []


_MOST_STEPS = 6


_ACTIONS = {"undo": "undone", "redo": "redone"}


def history_lines(log: DecisionLog, subject: Subject, subject_id: str) -> list[Part]:
    """Return the history of a verdict, newest step last; empty if it was set only once."""
    steps = []
    for step in log:
        for decision in step.decisions:
            if (decision.subject, decision.subject_id) == (
                subject,
                subject_id,
            ) and decision.verdict is not None:
                word = _ACTIONS.get(step.action, decision.verdict.value)
                steps.append(f"{word} {clock_of(step.when)}".strip())
    if len(steps) < 2:
        return []
    prefix = ["…"] if len(steps) > _MOST_STEPS else []
    return [field_line("history", ", ".join([*prefix, *steps[-_MOST_STEPS:]]))]
