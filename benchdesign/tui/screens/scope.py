"""The scope panel: the sentence, the example items, and what was pinned or excluded by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from benchdesign.decisions import Decision, DecisionLog, Subject, Verdict
from benchdesign.items import Item
from benchdesign.text import display
from benchdesign.tui.marks import Marks
from benchdesign.tui.widgets.detail import Line
from benchdesign.tui.widgets.evidence import literal
from benchdesign.tui.widgets.filter_bar import parse_filter
from benchdesign.tui.widgets.line_table import Cell, Column, LineTable

__all__ = ["ByHand", "ScopeAnswer", "ScopeScreen", "by_hand", "scope_words"]


@dataclass(frozen=True, slots=True)
class ScopeAnswer:
    """What the panel was left with."""

    sentence: str
    examples: tuple[str, ...]
    """Texts of the items picked."""

    cutoff: float
    """Relevance from which a concept is in scope, 0 to 1."""

    lifted: tuple[Decision, ...]
    """What was pinned or excluded and is no more."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """A concept or area that was pinned into scope or put out of it."""

    subject: Subject
    subject_id: str
    verdict: Verdict
    label: str


def by_hand(log: DecisionLog, labels: Sequence[str | None]) -> tuple[ByHand, ...]:
    """List what was pinned or excluded, pins first."""
    found = []
    for subject in (Subject.AREA, Subject.CONCEPT):
        for one in log.standings(subject).values():
            if one.verdict not in (Verdict.PIN, Verdict.EXCLUDE):
                continue
            label = one.subject_id
            if subject is Subject.CONCEPT:
                label = labels[int(one.subject_id)] or f"concept {one.subject_id}"
            found.append(ByHand(subject, one.subject_id, one.verdict, label))
    return tuple(sorted(found, key=lambda one: one.verdict is not Verdict.PIN))


class _ScopeRows:
    """What was said by hand, then examples from elsewhere, then the items."""

    def __init__(self, hand: Sequence[ByHand], texts: Sequence[str], items: Sequence[Item]) -> None:
        self.hand, self.texts, self.items = hand, texts, items

    def __len__(self) -> int:
        return len(self.hand) + len(self.texts) + len(self.items)

    def at(self, row: int) -> ByHand | str | Item:
        """Return what a row is about."""
        if row < len(self.hand):
            return self.hand[row]
        row -= len(self.hand)
        return self.texts[row] if row < len(self.texts) else self.items[row - len(self.texts)]

    def row_id(self, row: int) -> str:
        """Return the row's number: the panel never changes its rows."""
        return str(row)

    def cell(self, row: int, key: str) -> Cell:
        """Return one cell."""
        one = self.at(row)
        if isinstance(one, ByHand):
            pinned = one.verdict is Verdict.PIN
            what = ("pinned" if pinned else "excluded") + (
                " area" if one.subject is Subject.AREA else ""
            )
            return Cell(what, "good" if pinned else "warn") if key == "what" else Cell(one.label)
        if key == "what":
            return Cell("text" if isinstance(one, str) else one.id, "muted")
        return Cell(one if isinstance(one, str) else one.prompt)

    def sort_value(self, row: int, key: str) -> str:
        """Return the cell's text."""
        return self.cell(row, key).text

    def text(self, row: int) -> str:
        """Return what the filter searches."""
        return f"{self.cell(row, 'what').text} {self.cell(row, 'text').text}"


class ScopeScreen(ModalScreen[ScopeAnswer | None]):
    """Ask what the benchmark is meant to test; None if it was left with `esc`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape", "cancel", "cancel", show=False, id="scope.cancel", tooltip="Change nothing."
        )
    ]
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("what", "", 16),
        Column("text", "EXAMPLE ITEMS, AND WHAT WAS SAID BY HAND", 0),
    )

    def __init__(
        self,
        *,
        sentence: str,
        examples: Sequence[str],
        cutoff: float,
        hand: Sequence[ByHand],
        items: Sequence[Item],
        marks: Marks,
    ) -> None:
        super().__init__()
        self._sentence = sentence
        self._cutoff = cutoff
        self._marks = marks
        texts = {item.text for item in items}
        picked = set(examples)
        others = [one for one in examples if one not in texts]
        self._rows = _ScopeRows(hand, others, items)
        n_before = len(hand) + len(others)
        self._marked = {str(row) for row in range(n_before)}
        self._marked |= {
            str(n_before + place) for place, item in enumerate(items) if item.text in picked
        }

    def compose(self) -> ComposeResult:
        """Lay out sentence, filter and list."""
        with Vertical(classes="dialog"):
            yield Line(literal("What is the benchmark meant to test?", "bold"))
            yield Input(self._sentence, placeholder="one sentence; empty for everything", id="said")
            yield Input(placeholder="find items to take as examples: words", id="find")
            yield LineTable(self.COLUMNS, marks=self._marks, empty="No item has these words.")
            with Horizontal(classes="form-row"):
                yield Label("In scope from")
                yield Input(f"{self._cutoff:g}", id="cutoff")
                yield Label("relevance, 0 to 1: more is narrower", classes="note")
            yield Line(id="tally")
            yield Line(
                literal("tab next   space picks or lifts   enter keeps all   esc leaves"),
                classes="hint",
            )

    def on_mount(self) -> None:
        """Show what holds now."""
        for box in self.query(Input):
            box.cursor_blink = False
        table = self.query_one(LineTable)
        table.marked = set(self._marked)
        table.show(self._rows)
        self.query_one("#said", Input).focus()

    def on_line_table_view_changed(self) -> None:
        """Count what is picked."""
        picked, lifted = self._outcome()
        kept = len(self._rows.hand) - len(lifted)
        words = [f"{len(picked)} example item{'' if len(picked) == 1 else 's'}"]
        if self._rows.hand:
            words.append(f"{kept} of {len(self._rows.hand)} said by hand stay")
        self.query_one("#tally", Line).show(literal("   ".join(words)))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list while typing."""
        if event.input.id == "find":
            kept = parse_filter(event.value).keep(len(self._rows), self._rows.text)
            self.query_one(LineTable).narrow_to(kept)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep all; from the search, go to what was found."""
        if event.input.id == "find":
            self.query_one(LineTable).focus()
        else:
            self._keep()

    def on_line_table_opened(self) -> None:
        """Keep all."""
        self._keep()

    def action_cancel(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)

    def _keep(self) -> None:
        picked, lifted = self._outcome()
        sentence = self.query_one("#said", Input).value.strip()
        field = self.query_one("#cutoff", Input)
        try:
            cutoff = float(field.value)
        except ValueError:
            cutoff = -1.0
        if not 0 <= cutoff <= 1:
            problem = "In scope from: give a number from 0 to 1, such as 0.4."
            self.query_one("#tally", Line).show(literal(problem, "$text-warning"))
            self.set_focus(field)
            return
        self.dismiss(ScopeAnswer(sentence, picked, cutoff, lifted))

    def _outcome(self) -> tuple[tuple[str, ...], tuple[Decision, ...]]:
        marked = self.query_one(LineTable).marked
        picked: list[str] = []
        lifted: list[Decision] = []
        for row, one in enumerate(self._rows.hand):
            if str(row) not in marked:
                lifted.append(Decision(one.subject, one.subject_id, Verdict.OPEN))
        for row in sorted(int(one) for one in marked):
            found = self._rows.at(row)
            if isinstance(found, str):
                picked.append(found)
            elif isinstance(found, Item):
                picked.append(found.text)
        return tuple(dict.fromkeys(picked)), tuple(lifted)


def scope_words(sentence: str, n_examples: int, hand: Sequence[ByHand]) -> tuple[str, str]:
    """Return the scope in a line: the sentence, and what was said beside it."""
    n_in = sum(one.verdict is Verdict.PIN for one in hand)
    counts = (
        (n_examples, "example items" if n_examples != 1 else "example item"),
        (n_in, "pinned in"),
        (len(hand) - n_in, "excluded"),
    )
    more = " · ".join(f"{n} {word}" for n, word in counts if n)
    return display(sentence, width=200), more
