"""Building blocks of pages: fields, marked lines, decisions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from textual.content import Content

from benchdesign.foundation.number_words import local_time_text
from benchdesign.foundation.text import display, display_end
from benchdesign.tui.marks import Marks
from benchdesign.tui.session.session import Session
from benchdesign.tui.widgets.evidence import literal
from benchdesign.workspace.decision_log import DecisionLog
from benchdesign.workspace.decisions import DecisionState, Subject, Verdict

__all__ = [
    "HangingLine",
    "PagePart",
    "decision_lines",
    "field_line",
    "history_lines",
    "join_columns",
    "marked_line",
    "page_lines",
    "pool_item_lines",
    "queue_text",
    "shortened_id",
    "without_blank_lines",
]


def queue_text(session: Session, positions: Iterable[int]) -> str:
    """Return how many of the candidates at these positions are open, accepted and so on."""
    loaded = session.loaded
    assert loaded is not None
    counts = session.verdict_counts([loaded.candidates[position] for position in positions])
    words = {
        Verdict.OPEN: "open",
        Verdict.ACCEPT: "accepted",
        Verdict.REJECT: "rejected",
        Verdict.DEFER: "deferred",
    }
    return ", ".join(f"{counts[key]} {word}" for key, word in words.items() if counts[key])


class HangingLine(NamedTuple):
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


PagePart = Content | str | HangingLine


def page_lines(parts: Iterable[PagePart], *, width: int) -> Content:
    """Join the parts of a page."""
    return Content("\n").join(_wrap_parts(parts, width))


def join_columns(
    left: Iterable[PagePart], right: Iterable[PagePart], *, width: int, share: float
) -> Content:
    """Join two columns side by side; `share` is the left one's share of the width."""
    left_width = int(width * share)
    left_lines = [line for part in _wrap_parts(left, left_width) for line in part.wrap(left_width)]
    other = [
        line for part in _wrap_parts(right, width - left_width - 3) for line in part.split("\n")
    ]
    lines = []
    for position in range(max(len(left_lines), len(other))):
        start = left_lines[position] if position < len(left_lines) else Content("")
        end = other[position] if position < len(other) else Content("")
        gap = " " * (left_width + 3 - start.cell_length)
        lines.append(Content.assemble(start, gap, end))
    return Content("\n").join(lines)


def _wrap_parts(parts: Iterable[PagePart], width: int) -> list[Content]:
    lines: list[Content] = []
    for part in parts:
        if isinstance(part, HangingLine):
            lines += part.lines(width)
        else:
            lines.append(Content(part) if isinstance(part, str) else part)
    return lines


def without_blank_lines(parts: Iterable[PagePart]) -> list[PagePart]:
    """Return the parts without the blank lines, for a short screen."""
    return [part for part in parts if part != ""]


def field_line(name: str, value: str, *, indent: int = 11) -> HangingLine:
    """Return a line with a name and a value."""
    return HangingLine(Content.styled(f"{name:<{indent}}", "$foreground-muted"), literal(value))


def marked_line(state: str, text: Content, *, marks: Marks) -> HangingLine:
    """Return a line that starts with the mark of a state."""
    return HangingLine(Content.styled(f"  {marks.glyph(state) or ' '} ", marks.style(state)), text)


def pool_item_lines(session: Session, row: int) -> list[PagePart]:
    """Return the groups that a pool item is in, and its relevance, as far as they are known."""
    assert session.loaded is not None
    lines: list[PagePart] = [
        field_line(
            "" if position else "group",
            f"{display(group.name)} ({group.count:,} of {group.expected:,.0f} expected)",
        )
        for position, group in enumerate(session.loaded.groups_of(row))
    ]
    relevance = session.loaded.relevance(row)
    return lines if relevance is None else [*lines, field_line("relevance", f"{relevance:.2f}")]


def shortened_id(text: str, width: int) -> str:
    """Return an id cut at its start to a width: ids differ at their end."""
    return display_end(text, width)


def decision_lines(standing: DecisionState) -> list[PagePart]:
    """Return the lines about a decision: verdict, author, time and note."""
    parts: list[PagePart] = [""]
    if standing.verdict is not Verdict.OPEN or standing.reason:
        author = f" · {standing.who}" if standing.who else ""
        reason = f" ({standing.reason})" if standing.reason else ""
        clock = local_time_text(standing.when)
        parts.append(field_line("decision", f"{standing.verdict.value}{reason}{author} · {clock}"))
    if standing.note:
        parts.append(field_line("note", standing.note))
    return parts if len(parts) > 1 else []


_MAX_HISTORY_STEPS = 6


_STEP_WORDS = {"undo": "undone", "redo": "redone"}


def history_lines(log: DecisionLog, subject: Subject, subject_id: str) -> list[PagePart]:
    """Return the history of a verdict, newest step last; empty if it was set only once."""
    steps = []
    for step in log:
        for decision in step.decisions:
            if (decision.subject, decision.subject_id) == (
                subject,
                subject_id,
            ) and decision.verdict is not None:
                word = _STEP_WORDS.get(step.action, decision.verdict.value)
                steps.append(f"{word} {local_time_text(step.when)}".strip())
    if len(steps) < 2:
        return []
    prefix = ["…"] if len(steps) > _MAX_HISTORY_STEPS else []
    return [field_line("history", ", ".join([*prefix, *steps[-_MAX_HISTORY_STEPS:]]))]
