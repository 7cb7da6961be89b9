"""Rows of the scope dialog: pins, exclusions, example texts and items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchdesign.benchmarks.items import Item
from benchdesign.tui.widgets.table_rows import SearchableRows, TableCell
from benchdesign.workspace.decision_log import DecisionLog
from benchdesign.workspace.decisions import Subject, Verdict

__all__ = ["ScopeOverride", "ScopeRows", "scope_overrides"]


@dataclass(frozen=True, slots=True)
class ScopeOverride:
    """A concept or area that was pinned into scope or excluded from it."""

    subject: Subject
    subject_id: str
    verdict: Verdict
    label: str


def scope_overrides(log: DecisionLog, labels: Sequence[str | None]) -> tuple[ScopeOverride, ...]:
    """Return the pinned and excluded concepts and areas, pins first."""
    entries = []
    for subject in (Subject.AREA, Subject.CONCEPT):
        for decision in log.standings(subject).values():
            if decision.verdict not in (Verdict.PIN, Verdict.EXCLUDE):
                continue
            label = decision.subject_id
            if subject is Subject.CONCEPT:
                label = labels[int(decision.subject_id)] or f"concept {decision.subject_id}"
            entries.append(ScopeOverride(subject, decision.subject_id, decision.verdict, label))
    return tuple(sorted(entries, key=lambda entry: entry.verdict is not Verdict.PIN))


class ScopeRows(SearchableRows):
    """Pins and exclusions, then example texts that are no items, then the items."""

    def __init__(
        self, overrides: Sequence[ScopeOverride], texts: Sequence[str], items: Sequence[Item]
    ) -> None:
        self.overrides, self.texts, self.items = overrides, texts, items

    def __len__(self) -> int:
        return len(self.overrides) + len(self.texts) + len(self.items)

    def at(self, row: int) -> ScopeOverride | str | Item:
        """Return the entry of a row."""
        if row < len(self.overrides):
            return self.overrides[row]
        row -= len(self.overrides)
        return self.texts[row] if row < len(self.texts) else self.items[row - len(self.texts)]

    def row_id(self, row: int) -> str:
        """Return the row's number: the rows of the dialog never change."""
        return str(row)

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""
        entry = self.at(row)
        if isinstance(entry, ScopeOverride):
            if key != "what":
                return TableCell(entry.label)
            is_pinned = entry.verdict is Verdict.PIN
            area = " area" if entry.subject is Subject.AREA else ""
            if is_pinned:
                return TableCell(f"pinned{area}", "good")
            return TableCell(f"excluded{area}", "warn")
        if key == "what":
            return TableCell("text" if isinstance(entry, str) else entry.id, "muted")
        return TableCell(entry if isinstance(entry, str) else entry.prompt)

    def sort_value(self, row: int, key: str) -> str:
        """Return the cell's text."""
        return self.cell(row, key).text

    def text(self, row: int) -> str:
        """Return what the filter searches."""
        return f"{self.cell(row, 'what').text} {self.cell(row, 'text').text}"
