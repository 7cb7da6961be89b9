"""Small questions: a line of text, one of a few; and a text to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from benchdesign.tui.widgets.detail import Detail, Line
from benchdesign.tui.widgets.evidence import literal

__all__ = ["AskChoice", "AskSome", "AskText", "ReadText"]

_BACK: list[BindingType] = [
    Binding("escape", "cancel", "cancel", show=False, id="dialog.cancel", tooltip="Change nothing.")
]


class AskText(ModalScreen[str | None]):
    """Ask for one line; None if it was left with `esc`."""

    BINDINGS: ClassVar[list[BindingType]] = _BACK

    def __init__(
        self,
        title: str,
        *,
        value: str = "",
        hint: str = "",
        suggester: Suggester | None = None,
    ) -> None:
        super().__init__()
        self._suggester = suggester
        self._title = title
        self._value = value
        self._hint = hint

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        with Vertical(classes="dialog"):
            yield Line(literal(self._title, "bold"))
            yield Input(self._value, id="answer", suggester=self._suggester)
            if self._hint:
                yield Line(literal(self._hint), classes="hint")
            complete = "→ completes   " if self._suggester else ""
            yield Line(f"{complete}enter keeps it   esc changes nothing", classes="hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the answer."""
        self.dismiss(event.value)

    def action_cancel(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)


class AskChoice(ModalScreen[str | None]):
    """Ask for one of a few; None if it was left with `esc`."""

    BINDINGS: ClassVar[list[BindingType]] = _BACK

    def __init__(self, title: str, choices: Sequence[tuple[str, str]], *, text: str = "") -> None:
        super().__init__()
        self._title = title
        self._choices = choices
        self._text = text

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        with Vertical(classes="dialog"):
            yield Line(literal(self._title, "bold"))
            if self._text:
                yield Line(literal(self._text))
            yield OptionList(*(Option(_prompt(text), id=key) for key, text in self._choices))
            yield Line("enter chooses   esc changes nothing", classes="hint")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the answer."""
        self.dismiss(event.option.id)

    def action_cancel(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)


class AskSome(ModalScreen[tuple[str, ...] | None]):
    """Ask for any number of a few; None if it was left with `esc`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *_BACK,
        Binding(
            "enter",
            "keep",
            "keep",
            show=False,
            id="dialog.keep",
            tooltip="Keep what is ticked.",
            priority=True,
        ),
        Binding(
            "space", "tick", "tick", show=False, id="dialog.tick", tooltip="Tick or untick it."
        ),
    ]

    def __init__(self, title: str, choices: Sequence[tuple[str, str, bool]]) -> None:
        super().__init__()
        self._title = title
        self._texts = {key: text for key, text, _ in choices}
        self._ticked = {key for key, _, is_on in choices if is_on}

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        with Vertical(classes="dialog"):
            yield Line(literal(self._title, "bold"))
            yield OptionList(*(Option(self._line(key), id=key) for key in self._texts))
            yield Line("space ticks   enter keeps it   esc changes nothing", classes="hint")

    def _line(self, key: str) -> Content:
        return literal(f"[{'x' if key in self._ticked else ' '}] {self._texts[key]}")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Tick what was clicked."""
        self._flip(event.option_list, event.option_index)

    def action_tick(self) -> None:
        """Tick or untick what the cursor is on."""
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            self._flip(options, options.highlighted)

    def _flip(self, options: OptionList, place: int) -> None:
        key = str(options.get_option_at_index(place).id)
        self._ticked ^= {key}
        options.replace_option_prompt_at_index(place, self._line(key))

    def action_keep(self) -> None:
        """Take what is ticked, in the order offered."""
        self.dismiss(tuple(key for key in self._texts if key in self._ticked))

    def action_cancel(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)


class ReadText(ModalScreen[None]):
    """Show a long text; `esc` leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = _BACK

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        """Lay out the text."""
        with Vertical(classes="dialog"):
            yield Line(literal(self._title, "bold"))
            yield Detail(id="text")
            yield Line("↑ ↓ scroll   esc goes back", classes="hint")

    def on_mount(self) -> None:
        """Show the text from its beginning."""
        page = self.query_one(Detail)
        page.show(literal(self._text))
        page.focus()

    def action_cancel(self) -> None:
        """Go back."""
        self.dismiss(None)


def _prompt(text: str) -> Content:
    return literal(text)
