"""Rows of the long lists, built from arrays one cell at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchdesign.coverage.status import STATUSES
from benchdesign.foundation.number_words import signed
from benchdesign.tui.marks import Marks
from benchdesign.tui.rows.concept_states import concept_label, state_style
from benchdesign.tui.session.session import Session
from benchdesign.tui.widgets.table_rows import SearchableRows, TableCell
from benchdesign.workspace.decisions import Verdict

__all__ = ["GapRows"]


@dataclass(frozen=True, slots=True)
class _GapLine:
    area: int
    """Position in the areas; -1 for concepts without one."""

    concept_id: int | None


class GapRows(SearchableRows):
    """Areas with gaps, worst first; an unfolded area is followed by its gaps.

    An area's mark is the state of all its concepts together; its figures count only its gaps.
    """

    FIELDS = ("have", "want", "lift", "pool", "queue", "state")

    def __init__(self, session: Session, unfolded: set[str], *, marks: Marks, flat: bool) -> None:
        assert session.summary is not None
        self._session = session
        self._marks = marks
        self._loaded = session.loaded
        self._texts = session.concept_texts()
        self._queues: dict[tuple[int, ...], int] = {}
        self._pool_count = None if session.loaded is None else session.loaded.pool_count
        self._analysis = session.summary
        self._gaps = self._analysis.gaps
        self.unfolded = unfolded
        self.states = session.view.concept_states
        by_area: dict[int, list[int]] = {}
        for concept_id in session.view.gap_ids:
            by_area.setdefault(int(self._analysis.areas.area_of[concept_id]), []).append(concept_id)
        self.by_area = by_area
        self.is_flat = flat or not len(self._analysis.areas)
        self._lines = self._make_lines()

    def _make_lines(self) -> list[_GapLine]:
        if self.is_flat:
            return [_GapLine(-1, concept_id) for concept_id in self._session.view.gap_ids]
        order = sorted(
            self.by_area,
            key=lambda area: (area < 0, -sum(self._gaps.deficit[self.by_area[area]])),
        )
        lines = []
        for area in order:
            lines.append(_GapLine(area, None))
            if self._area_id(area) in self.unfolded:
                lines += [_GapLine(area, concept_id) for concept_id in self.by_area[area]]
        return lines

    def _area_id(self, area: int) -> str:
        return f"area:{self.area_name(area)}"

    def area_name(self, area: int) -> str:
        """Return an area's name."""
        return self._analysis.areas.names[area] if area >= 0 else "in no area"

    def state(self, row: int) -> str | None:
        """Return the state of a row; None for an area that is not judged, or not yet."""
        line = self._lines[row]
        return (
            self._area_state(line.area) if line.concept_id is None else self.states[line.concept_id]
        )

    def _area_state(self, area: int) -> str | None:
        area_gaps = None if self._loaded is None else self._loaded.area_gaps
        if area_gaps is None or area < 0:
            return None
        return STATUSES[int(area_gaps.status_codes[area])].value

    def __len__(self) -> int:
        return len(self._lines)

    def row_id(self, row: int) -> str:
        """Return `area:<name>` or the concept id."""
        line = self._lines[row]
        return self._area_id(line.area) if line.concept_id is None else str(line.concept_id)

    def concepts(self, row_id: str) -> tuple[int, ...]:
        """Return the gaps that a row stands for."""
        if not row_id.startswith("area:"):
            return (int(row_id),)
        for area, ids in self.by_area.items():
            if self._area_id(area) == row_id:
                return tuple(ids)
        return ()

    def parent(self, row_id: str) -> str | None:
        """Return the row id of a concept's area."""
        for area, ids in self.by_area.items():
            if int(row_id) in ids:
                return self._area_id(area)
        return None

    def text(self, row: int) -> str:
        """Return the text that the filter searches."""
        line = self._lines[row]
        if line.concept_id is not None:
            label = self._analysis.dictionary.bare_label(line.concept_id)
            return f"{line.concept_id:05d} {label}"
        labels = (
            self._analysis.dictionary.bare_label(concept_id)
            for concept_id in self.by_area[line.area]
        )
        return "\n".join([self.area_name(line.area), *labels])

    @cached_property
    def lowered(self) -> Sequence[str]:
        """The searched text of every row, in lower case."""
        return [
            self.text(row).lower() if line.concept_id is None else self._texts[line.concept_id]
            for row, line in enumerate(self._lines)
        ]

    def value(self, row: int, name: str) -> object:
        """Return the value of a filter field."""
        return self.cell(row, "word").text if name == "state" else self.sort_value(row, name)

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""
        line = self._lines[row]
        return self._area_cell(line.area, key) if line.concept_id is None else self._cell(line, key)

    def _area_cell(self, area: int, key: str) -> TableCell:
        ids = self.by_area[area]
        if key in ("mark", "word"):
            state = self._area_state(area)
            if state is None:
                return TableCell("")
            text = self._marks.glyph(state) if key == "mark" else self._marks.word(state)
            return TableCell(text, state_style(state))
        if key == "concept":
            is_open = self._area_id(area) in self.unfolded
            fold = self._marks.glyph("unfolded" if is_open else "folded")
            return TableCell(f"{fold} {len(ids):>3} {self.area_name(area)}", "head")
        value = self._area_value(area, key)
        if key == "add":
            return TableCell(f"+{value}" if value else "", "good")
        if key == "lift":
            return TableCell(signed(value) if value is not None else "")
        return TableCell("" if value is None else f"{value}")

    def _area_value(self, area: int, key: str) -> Any:
        ids = self.by_area[area]
        if key == "have":
            return int(self._gaps.count[ids].sum())
        if key == "add":
            return int(self._session.view.added_counts[ids].sum())
        if key == "want":
            return sum(self._session.target(concept_id) for concept_id in ids)
        if key == "pool":
            return None if self._pool_count is None else ""
        if key == "queue":
            return self._queue(ids)
        if key == "lift":
            gaps = self._gaps
            return gaps.coverage.joint_lift(ids, prior=gaps.settings.prior)
        return None

    def _queue(self, ids: Sequence[int]) -> int | None:
        """Count the open candidates; None while they are still being read."""
        loaded, key = self._loaded, tuple(ids)
        if loaded is None:
            return None
        if key not in self._queues:
            positions = {
                position for concept_id in ids for position in loaded.by_concept.get(concept_id, ())
            }
            self._queues[key] = sum(
                self._session.verdict(loaded.candidates[position]) is Verdict.OPEN
                for position in positions
            )
        return self._queues[key]

    def _cell(self, line: _GapLine, key: str) -> TableCell:
        concept_id = line.concept_id
        assert concept_id is not None
        state = self.states[concept_id]
        added = int(self._session.view.added_counts[concept_id])
        count = int(self._gaps.count[concept_id])
        is_closed = count + added >= self._session.target(concept_id)
        if key == "mark":
            if is_closed and added:
                return TableCell(self._marks.glyph("accept"), "good")
            return TableCell(self._marks.glyph(state), state_style(state))
        if key == "word":
            return TableCell(self._marks.word(state))
        if key == "concept":
            indent = "" if self.is_flat else "  "
            return TableCell(indent + concept_label(self._session, concept_id))
        if key == "want" and self._gaps.has_target_by_hand(concept_id):
            return TableCell(f"{self._gaps.target[concept_id]:,}", "head")
        if key == "add":
            return TableCell(f"+{added}" if added else "", "good")
        value = self._value(concept_id, key)
        if key == "lift":
            return TableCell(signed(value))
        return TableCell("" if value is None else f"{value:,}", "muted" if value == 0 else "")

    def _value(self, concept_id: int, key: str) -> Any:
        if key == "have":
            return int(self._gaps.count[concept_id])
        if key == "add":
            return int(self._session.view.added_counts[concept_id])
        if key == "want":
            return self._session.target(concept_id)
        if key == "lift":
            return float(self._gaps.lift[concept_id])
        if key == "pool":
            return None if self._pool_count is None else int(self._pool_count[concept_id])
        if key == "queue":
            return self._queue((concept_id,))
        return self._analysis.dictionary.label(concept_id).lower()

    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort key of a row in a column."""
        line = self._lines[row]
        if key == "mark":
            return self.cell(row, "mark").text
        if line.concept_id is None:
            value = self._area_value(line.area, key)
            return self.area_name(line.area).lower() if key == "concept" else value or 0
        return self._value(line.concept_id, key) or 0
