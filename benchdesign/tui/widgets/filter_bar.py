"""The one-line filter above a list: words, `field:value`, `field>number`, `/pattern/`."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

__all__ = ["Filter", "FilterBar", "parse_filter"]

_COMPARISON = re.compile(r"([A-Za-z_]+)(<=|>=|<|>)(-?\d+(?:\.\d+)?)\Z")
_FIELD = re.compile(r"([A-Za-z_]+):(.*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a row must satisfy; all parts together."""

    words: tuple[str, ...] = ()
    """Lower case; each must occur in the row's text."""

    patterns: tuple[re.Pattern[str], ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    comparisons: tuple[tuple[str, str, float], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether every row passes."""
        return not (self.words or self.patterns or self.fields or self.comparisons)

    def test(
        self,
        text: Callable[[int], str],
        value: Callable[[int, str], object],
        *,
        lowered: Sequence[str] | None = None,
        members: Callable[[str, str], Container[int] | None] = lambda _name, _wanted: None,
    ) -> Callable[[int], bool]:
        """Return the test of a row number, given its text and the values of its fields.

        `lowered` holds the text of every row in lower case, where a long list keeps it. `members`
        is asked first for the rows that a field and its value name, once for all rows.
        """
        words, patterns, comparisons = self.words, self.patterns, self.comparisons
        if words and not (patterns or self.fields or comparisons):
            # Words are what is typed most: 100,000 rows must keep up with every key.
            if lowered is not None:
                return _hold(lowered, words).__getitem__
            if len(words) == 1:
                word = words[0]
                return lambda row: word in text(row).lower()

        known = [(one, members(*one)) for one in self.fields]
        inside = [rows for _, rows in known if rows is not None]
        fields = [one for one, rows in known if rows is None]

        # Plain loops: a generator per row would double the time of a live filter.
        def passes(row: int) -> bool:
            for rows in inside:
                if row not in rows:
                    return False
            if words:
                searched = text(row).lower()
                for word in words:
                    if word not in searched:
                        return False
            for pattern in patterns:
                if not pattern.search(text(row)):
                    return False
            for name, wanted in fields:
                if wanted not in str(value(row, name) or "").lower():
                    return False
            for name, sign, number in comparisons:
                if not _compares(value(row, name), sign, number):
                    return False
            return True

        return passes


def _hold(texts: Sequence[str], words: Sequence[str]) -> list[bool]:
    """Tell which texts hold all words, looking at all of them in one go."""
    held = [words[0] in text for text in texts]
    for word in words[1:]:
        held = [one and word in text for one, text in zip(held, texts, strict=True)]
    return held


def _compares(value: object, sign: str, number: float) -> bool:
    if not isinstance(value, int | float):
        return False
    return {
        "<": value < number,
        ">": value > number,
        "<=": value <= number,
        ">=": value >= number,
    }[sign]


def parse_filter(text: str, *, fields: tuple[str, ...] = ()) -> Filter:
    """Read what was typed; an unfinished or wrong expression counts as plain words."""
    words: list[str] = []
    patterns: list[re.Pattern[str]] = []
    named: list[tuple[str, str]] = []
    comparisons: list[tuple[str, str, float]] = []
    stripped = text.strip()
    if len(stripped) > 2 and stripped.startswith("/") and stripped.endswith("/"):
        try:
            return Filter(patterns=(re.compile(stripped[1:-1], re.IGNORECASE),))
        except re.error:
            return Filter(words=(stripped[1:-1].lower(),))
    for word in stripped.split():
        compared = _COMPARISON.match(word)
        field = _FIELD.match(word)
        if compared and compared.group(1) in fields:
            comparisons.append((compared.group(1), compared.group(2), float(compared.group(3))))
        elif field and field.group(1) in fields:
            named.append((field.group(1), field.group(2).lower()))
        else:
            words.append(word.lower())
    return Filter(tuple(words), tuple(patterns), tuple(named), tuple(comparisons))


class FilterBar(Input):
    """Hidden until `/`; live while typing; `enter` keeps the filter, `esc` clears it."""

    DEFAULT_CSS = """
    FilterBar { display: none; height: 1; border: none; padding: 0 1; background: $surface; }
    FilterBar:focus { border: none; }
    FilterBar.-shown { display: block; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape",
            "clear_filter",
            "clear",
            show=False,
            id="filter.clear",
            tooltip="Clear the filter and go back to the list.",
        ),
        Binding(
            "down",
            "leave",
            "list",
            show=False,
            id="filter.leave",
            tooltip="Keep the filter and go to the list.",
        ),
    ]

    class Left(Message):
        """The filter was kept or cleared; keys belong to the list again."""

    def allow_focus(self) -> bool:
        """Take the focus only while shown: keys typed into a hidden field would filter."""
        return super().allow_focus() and self.has_class("-shown")

    def open(self) -> None:
        """Show the field and type into it."""
        self.add_class("-shown")
        self.focus()

    def restore(self, text: str) -> None:
        """Set what was typed before without opening it."""
        self.value = text
        self.set_class(bool(text), "-shown")

    def action_clear_filter(self) -> None:
        """Clear and leave."""
        self.value = ""
        self.action_leave()

    def action_leave(self) -> None:
        """Keep the filter and leave."""
        self.set_class(bool(self.value), "-shown")
        self.post_message(self.Left())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter and leave."""
        event.stop()
        self.action_leave()
