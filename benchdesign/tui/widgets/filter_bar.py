"""The one-line filter above a list: words, `field:value`, `field>number`, `/pattern/`."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
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

    def narrows(self, other: Filter) -> bool:
        """Whether whatever passes this one passes the other: one with less of each word does."""
        return (
            Filter(words=self.words) == self
            and Filter(words=other.words) == other
            and all(any(word in mine for mine in self.words) for word in other.words)
        )

    def keep(
        self,
        n_rows: int,
        text: Callable[[int], str],
        value: Callable[[int, str], object] = lambda _row, _name: None,
        *,
        lowered: Sequence[str] | None = None,
        members: Callable[[str, str], Container[int] | None] = lambda _name, _wanted: None,
        among: Sequence[bool] | None = None,
    ) -> Sequence[bool] | None:
        """Tell of each row whether it passes, given its text and fields; None where all do.

        `lowered` holds the text of every row in lower case, where a long list keeps it. `members`
        is asked first for the rows that a field and its value name, once for all rows. Rows that
        are not `among` those of interest do not pass and are not looked at.
        """
        kept = among

        # Part by part and row by row inside: a long list keeps up with a key that is held.
        def narrow(passes: Callable[[int], bool]) -> Sequence[bool]:
            if kept is None:
                return [passes(row) for row in range(n_rows)]
            return [one and passes(row) for row, one in enumerate(kept)]

        if self.words and lowered is None:
            asked = repeat(True, n_rows) if kept is None else kept
            lowered = [text(row).lower() if one else "" for row, one in enumerate(asked)]
        for word in self.words:
            if kept is None:
                kept = [word in one for one in lowered or ()]
            else:
                kept = [one and word in held for one, held in zip(kept, lowered or (), strict=True)]
        for pattern in self.patterns:
            kept = narrow(partial(_matches, text, pattern))
        for name, wanted in self.fields:
            rows = members(name, wanted)
            known = None if rows is None else rows.__contains__
            kept = narrow(known or partial(_names, value, name, wanted))
        for comparison in self.comparisons:
            kept = narrow(partial(_compares, value, *comparison))
        return kept


def _matches(text: Callable[[int], str], pattern: re.Pattern[str], row: int) -> bool:
    return pattern.search(text(row)) is not None


def _names(value: Callable[[int, str], object], name: str, wanted: str, row: int) -> bool:
    return wanted in str(value(row, name) or "").lower()


def _compares(
    value: Callable[[int, str], object], name: str, sign: str, number: float, row: int
) -> bool:
    found = value(row, name)
    if not isinstance(found, int | float):
        return False
    return {
        "<": found < number,
        ">": found > number,
        "<=": found <= number,
        ">=": found >= number,
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
        # Not `focus`, which waits its turn: what is typed next is for the filter.
        self.screen.set_focus(self)

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
