"""Rows of the groups of similar items: lacking, suspected, over, out of scope."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchdesign.coverage.groups.gap_group import GapGroup, GapGroups, GroupStatus
from benchdesign.foundation.number_words import chance, plural
from benchdesign.tui.marks import Marks
from benchdesign.tui.rows.concept_states import state_style
from benchdesign.tui.session.session import Session
from benchdesign.tui.widgets.table_rows import Column, ColumnRows, TableCell
from benchdesign.tui.widgets.table_view import TableView
from benchdesign.workspace.decisions import Subject, Verdict
from benchdesign.workspace.group_judgement import N_JUDGED_ITEMS

__all__ = ["GROUP_PREFIX", "GroupRows", "group_state", "judgement_of"]

GROUP_PREFIX = "group:"
"""Start of the row id of a group, which ends in the group's id."""

_SECTIONS = (
    ("lacking", "Lacking"),
    ("suspected", "Suspected"),
    ("over", "More than expected"),
    ("out_of_scope", "Out of scope"),
)


@dataclass(frozen=True, slots=True)
class _GroupLine:
    section: int
    """Position in the sections."""

    group: GapGroup | None
    """None for the heading of the section."""


def group_state(groups: GapGroups, group: GapGroup) -> str:
    """Return the state of a group as the marks name it."""
    is_out = any(other.id == group.id for other in groups.out_of_scope)
    is_out = is_out or group.status is GroupStatus.OUT_OF_SCOPE
    return "out_of_scope" if is_out else group.status.value


def judgement_of(session: Session, group: GapGroup) -> str:
    """Return `meant` or `not meant`; empty for a group that is not judged.

    A new search finds groups with other ids: a group is also judged if most of the items are that
    its judgement would cover.
    """
    judged = (Verdict.MEANT, Verdict.NOT_MEANT)
    verdict = session.log.verdict(Subject.GROUP, group.id)
    if verdict in judged:
        return verdict.value
    pool = None if session.analysis is None else session.analysis.pool
    if pool is None:
        return ""
    rows = group.pool_rows[:N_JUDGED_ITEMS]
    verdicts = [session.log.verdict(Subject.POOL_ITEM, pool.items[row].id) for row in rows]
    return next((value for value in judged if 2 * verdicts.count(value) > len(rows)), "")


class GroupRows(ColumnRows):
    """Groups under a heading for each section, a part indented below its whole.

    A sort order keeps the sections apart: what is only suspected never stands among what is
    certain.
    """

    columns = (
        Column("mark", "", 2),
        Column("group", "GROUP OF SIMILAR ITEMS", 0),
        Column("have", "HAVE", 7, "right"),
        Column("expected", "EXPECT", 6, "right"),
        Column("chance", "BY CHANCE", 9, "right"),
        Column("relevance", "REL", 4, "right"),
        Column("meant", "MEANT", 5),
    )
    FIELDS = ("state", "have", "expected", "chance", "relevance", "queue", "meant")

    def __init__(self, session: Session, *, marks: Marks, view: TableView) -> None:
        assert session.summary is not None
        self._session = session
        self._marks = marks
        self._view = view
        self.groups = session.summary.groups
        self._lines = [] if self.groups is None else self._make_lines(self.groups)
        self._added: dict[str, str] = {}
        self._judged: dict[str, str] = {}

    def _make_lines(self, groups: GapGroups) -> list[_GroupLine]:
        if groups.could_not_tell is not None:
            return []
        suspected = {group.id for group in groups.suspected}
        sections = (
            [group for group in groups.groups if group.id not in suspected],
            groups.suspected,
            groups.over,
            groups.out_of_scope,
        )
        lines: list[_GroupLine] = []
        for section, members in enumerate(sections):
            # The heading of what is certain stays without groups: nothing is a result, too.
            if members or (section == 0 and any(sections)):
                lines.append(_GroupLine(section, None))
                lines += [_GroupLine(section, group) for group in members]
        return lines

    def __len__(self) -> int:
        return len(self._lines)

    def row_id(self, row: int) -> str:
        """Return `group:<id>` or `section:<name>`."""
        line = self._lines[row]
        if line.group is None:
            return f"section:{_SECTIONS[line.section][0]}"
        return GROUP_PREFIX + line.group.id

    def group_at(self, row_id: str) -> GapGroup | None:
        """Return the group of a row id; None for a heading or a row that is gone."""
        return self._of_id.get(row_id.removeprefix(GROUP_PREFIX))

    @cached_property
    def _of_id(self) -> dict[str, GapGroup]:
        return {line.group.id: line.group for line in self._lines if line.group is not None}

    def text(self, row: int) -> str:
        """Return the text that the filter searches; a heading has none, so that a filter hides it.

        A group is also found by its words and its concepts.
        """
        group = self._lines[row].group
        if group is None:
            return ""
        labels = [concept.label for concept in group.concepts]
        return " ".join([group.name, group.id, *group.words, *labels])

    def value(self, row: int, name: str) -> object:
        """Return the value of a filter field."""
        group = self._lines[row].group
        if group is None or self.groups is None:
            return None
        if name == "state":
            return self._marks.word(group_state(self.groups, group))
        if name == "meant":
            return {"meant": "yes", "not meant": "no"}.get(self._judgement(group), "")
        return self._value(group, name)

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""
        line = self._lines[row]
        if line.group is None:
            return self._heading_cell(line.section, key)
        assert self.groups is not None
        group, state = line.group, group_state(self.groups, line.group)
        if key == "mark":
            return TableCell(self._marks.glyph(state), state_style(state))
        if key == "group":
            judged = self._judgement(group)
            indent = "  " if group.parent is not None else ""
            return TableCell(indent + group.name, "muted" if judged == "not meant" else "")
        if key == "meant":
            judged = self._judgement(group)
            word = {"meant": "yes", "not meant": "no"}.get(judged, "")
            text = f"{self._marks.glyph(judged)} {word}" if judged else ""
            return TableCell(text, "good" if judged == "meant" else "warn")
        if key == "chance" and state == "out_of_scope":
            return TableCell("–", "muted")
        value = self._value(group, key)
        texts: dict[str, Callable[[], str]] = {
            "have": lambda: f"{value:,}{self._added_text(group)}",
            "expected": lambda: f"{value:,.0f}",
            "chance": lambda: chance(value),
            "relevance": lambda: f"{value:.2f}",
        }
        return TableCell(texts[key]() if key in texts else "")

    def _added_text(self, group: GapGroup) -> str:
        """Return the change in a group's items by accepted and dropped ones; empty without any."""
        if group.id not in self._added:
            change = self._session.view.group_count(group).change
            self._added[group.id] = f" {change:+,}" if change else ""
        return self._added[group.id]

    def _judgement(self, group: GapGroup) -> str:
        if group.id not in self._judged:
            self._judged[group.id] = judgement_of(self._session, group)
        return self._judged[group.id]

    def _heading_cell(self, section: int, key: str) -> TableCell:
        if key != "group":
            return TableCell("")
        members = [line.group for line in self._lines if line.section == section and line.group]
        n_parts = sum(group.parent is not None for group in members)
        n = len(members) - n_parts
        parts = f", with {plural(n_parts, 'part')}" if n_parts else ""
        return TableCell(f"{_SECTIONS[section][1]}: {n or 'none'}{parts}", "head")

    def _value(self, group: GapGroup, key: str) -> Any:
        if key == "have":
            return group.count
        if key == "expected":
            return group.expected
        if key == "chance":
            return group.p_value
        if key == "relevance":
            return group.relevance
        if key == "queue":
            return self._queue(group)
        return None

    def _queue(self, group: GapGroup) -> int | None:
        """Count the open candidates; None while they are still being read."""
        loaded = self._session.loaded
        if loaded is None:
            return None
        candidates = [loaded.candidates[position] for position in loaded.by_group[group.id]]
        return self._session.verdict_counts(candidates)[Verdict.OPEN]

    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort key of a row in a column: first its section, then its value."""
        line = self._lines[row]
        is_reversed = self._view.reverse
        # Sections and their headings keep their places in a descending order.
        section = -line.section if is_reversed else line.section
        if line.group is None:
            return (section, 1 if is_reversed else 0)
        return (section, 0 if is_reversed else 1, self._order_value(line.group, key))

    def _order_value(self, group: GapGroup, key: str) -> Any:
        if key == "mark":
            return group.status.value
        if key == "group":
            return group.name.lower()
        if key == "meant":
            return self._judgement(group)
        return self._value(group, key) or 0
