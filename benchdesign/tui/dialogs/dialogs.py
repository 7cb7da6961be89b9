"""Dialogs: a text input, a choice, a multiple choice, and a text to read."""

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

__all__ = ["AskChoice", "AskMultiple", "AskText", "TextDialog"]

_CANCEL_KEYS: list[BindingType] = [
    Binding("escape", "cancel", "cancel", show=False, id="dialog.cancel", tooltip="Cancel.")
]


class AskText(ModalScreen[str | None]):
    """Ask for one line of text; None if cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = _CANCEL_KEYS

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
        """Compose the dialog."""
        with Vertical(classes="dialog"):
            yield Line(literal(self._title, "bold"))
            yield Input(self._value, id="answer", suggester=self._suggester)
            if self._hint:
                yield Line(literal(self._hint), classes="hint")
            complete = "→ complete   " if self._suggester else ""
            yield Line(f"{complete}enter save   esc cancel", classes="hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Return the text."""
        self.dismiss(event.value)

    def action_cancel(self) -> None:
        """Close the dialog without an answer."""
        self.dismiss(None)


class AskChoice(ModalScreen[str | None]):
    """Ask for one of several choices; None if cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = _CANCEL_KEYS

    def __init__(self, title: str, choices: Sequence[tuple[str, str]], *, text: str = "") -> None:
        super().__init__()
        self._title = title
        self._choices = choices
        self._text = text

    def compose(self) -> ComposeResult:
        """Compose the dialog."""
        with Vertical(classes="dialog"):
            yield Line(literal(self._title, "bold"))
            if self._text:
                yield Line(literal(self._text))
            yield OptionList(
                *(Option(_prompt_content(text), id=key) for key, text in self._choices)
            )
            yield Line("enter choose   esc cancel", classes="hint")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Return the key of the choice."""
        self.dismiss(event.option.id)

    def action_cancel(self) -> None:
        """Close the dialog without an answer."""
        self.dismiss(None)


class AskMultiple(ModalScreen[tuple[str, ...] | None]):
    """Ask for any number of several choices; None if cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *_CANCEL_KEYS,
        Binding(
            "enter",
            "keep",
            "keep",
            show=False,
            id="dialog.keep",
            tooltip="Save the selection.",
            priority=True,
        ),
        Binding("space", "tick", "tick", show=False, id="dialog.tick", tooltip="Tick or untick."),
    ]

    def __init__(self, title: str, choices: Sequence[tuple[str, str, bool]]) -> None:
        super().__init__()
        self._title = title
        self._texts = {key: text for key, text, _ in choices}
        self._ticked = {key for key, _, is_on in choices if is_on}

    def compose(self) -> ComposeResult:
        """Compose the dialog."""
        with Vertical(classes="dialog"):
            yield Line(literal(self._title, "bold"))
            yield OptionList(*(Option(self._line(key), id=key) for key in self._texts))
            yield Line("space tick   enter save   esc cancel", classes="hint")

    def _line(self, key: str) -> Content:
        return literal(f"[{'x' if key in self._ticked else ' '}] {self._texts[key]}")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Tick or untick the clicked option."""
        self._flip(event.option_list, event.option_index)

    def action_tick(self) -> None:
        """Tick or untick the highlighted option."""
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            self._flip(options, options.highlighted)

    def _flip(self, options: OptionList, index: int) -> None:
        key = str(options.get_option_at_index(index).id)
        self._ticked ^= {key}
        options.replace_option_prompt_at_index(index, self._line(key))

    def action_keep(self) -> None:
        """Return the ticked keys in the order of the choices."""
        self.dismiss(tuple(key for key in self._texts if key in self._ticked))

    def action_cancel(self) -> None:
        """Close the dialog without an answer."""
        self.dismiss(None)


class TextDialog(ModalScreen[None]):
    """Show a long text; `esc` closes it."""

    BINDINGS: ClassVar[list[BindingType]] = _CANCEL_KEYS

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        """Compose the dialog."""
        with Vertical(classes="dialog"):
            yield Line(literal(self._title, "bold"))
            yield Detail(id="text")
            yield Line("↑ ↓ scroll   esc back", classes="hint")

    def on_mount(self) -> None:
        """Show the text and focus it."""
        page = self.query_one(Detail)
        page.show(literal(self._text))
        page.focus()

    def action_cancel(self) -> None:
        """Close the dialog."""
        self.dismiss(None)


def _prompt_content(text: str) -> Content:
    return literal(text)
