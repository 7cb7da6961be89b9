"""Rows of the Candidates screen."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

from benchdesign.tui.marks import Marks
from benchdesign.tui.rows.concept_states import state_style
from benchdesign.tui.session.session import Session
from benchdesign.tui.session.session_data import Candidate
from benchdesign.tui.widgets.table_rows import SearchableRows, TableCell
from benchdesign.workspace.decisions import Subject

__all__ = ["CandidateRows"]


class CandidateRows(SearchableRows):
    """Candidates, in the order of the proposals."""

    FIELDS = (
        "concept",
        "group",
        "reason",
        "tokens",
        "note",
        "gain",
        "fills",
        "similarity",
        "category",
        "source",
        "state",
    )

    def __init__(self, session: Session, candidates: Sequence[Candidate], *, marks: Marks) -> None:
        self._session = session
        self._marks = marks
        self.candidates = candidates
        self._verdicts = [session.verdict(candidate) for candidate in candidates]

    def __len__(self) -> int:
        return len(self.candidates)

    def row_id(self, row: int) -> str:
        """Return subject and item id."""
        return self.candidates[row].key

    def text(self, row: int) -> str:
        """Return the text that the filter searches."""
        candidate = self.candidates[row]
        return f"{candidate.item.id} {self._session.item_of(candidate).text}"

    def value(self, row: int, name: str) -> object:
        """Return the value of a filter field."""
        if name == "state":
            return self._marks.word(self._verdicts[row].value)
        if name in ("reason", "note"):
            decision = self._session.standing(self.candidates[row])
            if decision is None:
                return ""
            return decision.reason if name == "reason" else decision.note
        return self.sort_value(row, name)

    def members(self, name: str, query: str) -> Container[int] | None:
        """Return the rows that fill a concept, or that are in a group of similar items.

        Either is named by its id or by a part of its name.
        """
        if name == "group":
            return self._members_of_groups(query)
        if name != "concept":
            return None
        assert self._session.analysis is not None
        label = self._session.analysis.dictionary.bare_label
        number = int(query) if query.isascii() and query.isdecimal() else None
        return {
            row
            for row, candidate in enumerate(self.candidates)
            for gap in candidate.proposal.gaps
            if gap.concept_id == number
            or (number is None and query and query in label(gap.concept_id).lower())
        }

    def _members_of_groups(self, query: str) -> Container[int]:
        assert self._session.loaded is not None
        loaded = self._session.loaded
        positions = {
            position
            for group in loaded.groups
            if group.id == query or (query and query in group.name.lower())
            for position in loaded.by_group[group.id]
        }
        keys = {loaded.candidates[position].key for position in positions}
        return {row for row, candidate in enumerate(self.candidates) if candidate.key in keys}

    def _n_tokens(self, candidate: Candidate) -> int:
        assert self._session.analysis is not None
        analysis = self._session.analysis
        concept_map = (
            analysis.pool_map if candidate.subject is Subject.ADD else analysis.benchmark_map
        )
        return 0 if concept_map is None else int(concept_map.n_tokens[candidate.proposal.row])

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""
        candidate = self.candidates[row]
        verdict = self._verdicts[row].value
        style = state_style(verdict)
        if key == "mark":
            return TableCell(self._marks.glyph(verdict), style)
        if key == "id":
            return TableCell(candidate.item.id, "muted" if verdict in ("reject", "defer") else "")
        if key == "prompt":
            item = self._session.item_of(candidate)
            text = item.prompt or item.text
            flag = _failed_check_flag(candidate)
            return TableCell(f"{flag} {text}", "warn") if flag else TableCell(text, "muted")
        if key == "fills":
            sign = "+" if candidate.subject is Subject.ADD else "-"
            return TableCell(
                f"{sign}{candidate.proposal.n_filled}" if candidate.proposal.n_filled else "0"
            )
        if key == "gain":
            return TableCell(f"{candidate.proposal.gain:.2f}")
        return TableCell(str(self.sort_value(row, key)))

    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort key of a row in a column."""
        candidate = self.candidates[row]
        values: dict[str, Callable[[], Any]] = {
            "mark": lambda: self._verdicts[row].value,
            "id": lambda: candidate.item.id,
            "prompt": lambda: self._session.item_of(candidate).prompt.lower(),
            "fills": lambda: candidate.proposal.n_filled,
            "gain": lambda: candidate.proposal.gain,
            "similarity": lambda: candidate.proposal.nearest_similarity or 0.0,
            "category": lambda: self._session.item_of(candidate).category or "",
            "source": lambda: self._session.item_of(candidate).source or "",
            "tokens": lambda: self._n_tokens(candidate),
        }
        return values[key]() if key in values else ""


def _failed_check_flag(candidate: Candidate) -> str:
    failed = [check for check in candidate.proposal.checks if not check.passed]
    return f"{failed[0].name}?" if failed else ""
