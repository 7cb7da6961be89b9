"""The scope dialog: the sentence, the example items, and pinned or excluded concepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from benchdesign.benchmarks.items import Item
from benchdesign.foundation.number_words import plural
from benchdesign.tui.marks import Marks
from benchdesign.tui.rows.scope_rows import ScopeOverride, ScopeRows
from benchdesign.tui.widgets.detail import Line
from benchdesign.tui.widgets.evidence import literal
from benchdesign.tui.widgets.filter_bar import parse_filter
from benchdesign.tui.widgets.line_table import LineTable
from benchdesign.tui.widgets.table_rows import Column
from benchdesign.workspace.decisions import Decision, Verdict

__all__ = ["ScopeResult", "ScopeScreen"]


@dataclass(frozen=True, slots=True)
class ScopeResult:
    """The result of the scope dialog."""

    sentence: str
    examples: tuple[str, ...]
    """Texts of the selected items."""

    cutoff: float
    """Relevance threshold for a concept to be in scope, 0 to 1."""

    removed_overrides: tuple[Decision, ...]
    """Decisions that undo a pin or an exclusion."""


class ScopeScreen(ModalScreen[ScopeResult | None]):
    """Ask what the benchmark is meant to test; None if cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", show=False, id="scope.cancel", tooltip="Cancel.")
    ]
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("what", "", 16),
        Column("text", "EXAMPLE ITEMS, PINS AND EXCLUSIONS", 0),
    )

    def __init__(
        self,
        *,
        sentence: str,
        examples: Sequence[str],
        cutoff: float,
        overrides: Sequence[ScopeOverride],
        items: Sequence[Item],
        marks: Marks,
    ) -> None:
        super().__init__()
        self._sentence = sentence
        self._cutoff = cutoff
        self._marks = marks
        texts = {item.text for item in items}
        example_texts = set(examples)
        others = [text for text in examples if text not in texts]
        self._rows = ScopeRows(overrides, others, items)
        n_before = len(overrides) + len(others)
        self._marked = {str(row) for row in range(n_before)}
        self._marked |= {
            str(n_before + index) for index, item in enumerate(items) if item.text in example_texts
        }

    def compose(self) -> ComposeResult:
        """Compose the sentence, the filter and the list."""
        with Vertical(classes="dialog"):
            yield Line(literal("What is the benchmark meant to test?", "bold"))
            yield Input(
                self._sentence, placeholder="one sentence; empty for all concepts", id="said"
            )
            yield Input(placeholder="search items to use as examples", id="find")
            yield LineTable(self.COLUMNS, marks=self._marks, empty="No item matches.")
            with Horizontal(classes="form-row"):
                yield Label("In scope from")
                yield Input(f"{self._cutoff:g}", id="cutoff")
                yield Label("relevance, 0 to 1; higher is narrower", classes="note")
            yield Line(id="tally")
            yield Line(
                literal("tab next   space select or clear   enter save   esc cancel"),
                classes="hint",
            )

    def on_mount(self) -> None:
        """Show the current scope."""
        for box in self.query(Input):
            box.cursor_blink = False
        table = self.query_one(LineTable)
        table.marked = set(self._marked)
        table.show(self._rows)
        self.query_one("#said", Input).focus()

    def on_line_table_view_changed(self) -> None:
        """Count the selected items and the remaining pins and exclusions."""
        examples, removed_overrides = self._result()
        n_overrides = len(self._rows.overrides)
        words = [plural(len(examples), "example item")]
        if n_overrides:
            n_left = n_overrides - len(removed_overrides)
            words.append(f"{n_left} of {n_overrides} pins and exclusions stay")
        self.query_one("#tally", Line).show(literal("   ".join(words)))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter the list while typing."""
        if event.input.id == "find":
            visible = parse_filter(event.value).keep(len(self._rows), self._rows.text)
            self.query_one(LineTable).narrow_to(visible)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Move focus from the search to the list; in other inputs, save."""
        if event.input.id == "find":
            self.query_one(LineTable).focus()
        else:
            self._save()

    def on_line_table_opened(self) -> None:
        """Save the scope."""
        self._save()

    def action_cancel(self) -> None:
        """Close the dialog without a change."""
        self.dismiss(None)

    def _save(self) -> None:
        examples, removed_overrides = self._result()
        sentence = self.query_one("#said", Input).value.strip()
        field = self.query_one("#cutoff", Input)
        try:
            cutoff = float(field.value)
        except ValueError:
            cutoff = -1.0
        if not 0 <= cutoff <= 1:
            problem = "In scope from: must be a number from 0 to 1, such as 0.4."
            self.query_one("#tally", Line).show(literal(problem, "$text-warning"))
            self.set_focus(field)
            return
        self.dismiss(ScopeResult(sentence, examples, cutoff, removed_overrides))

    def _result(self) -> tuple[tuple[str, ...], tuple[Decision, ...]]:
        marked = self.query_one(LineTable).marked
        examples: list[str] = []
        removed_overrides: list[Decision] = []
        for row, override in enumerate(self._rows.overrides):
            if str(row) not in marked:
                removed_overrides.append(
                    Decision(override.subject, override.subject_id, Verdict.OPEN)
                )
        for row in sorted(int(row_id) for row_id in marked):
            entry = self._rows.at(row)
            if isinstance(entry, str):
                examples.append(entry)
            elif isinstance(entry, Item):
                examples.append(entry.text)
        return tuple(dict.fromkeys(examples)), tuple(removed_overrides)
