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

__all__ = ["FilterBar", "RowFilter", "parse_filter"]

_COMPARISON = re.compile(r"([A-Za-z_]+)(<=|>=|<|>)(-?\d+(?:\.\d+)?)\Z")
_FIELD = re.compile(r"([A-Za-z_]+):(.*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Conditions of a row; all of them must hold."""

    words: tuple[str, ...] = ()
    """In lower case; each must occur in the row's text."""

    patterns: tuple[re.Pattern[str], ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    comparisons: tuple[tuple[str, str, float], ...] = ()

    def narrows(self, other: RowFilter) -> bool:
        """Whether every row that passes this filter passes the other; only decided for words."""
        return (
            RowFilter(words=self.words) == self
            and RowFilter(words=other.words) == other
            and all(any(old in new for new in self.words) for old in other.words)
        )

    def keep(
        self,
        n_rows: int,
        text: Callable[[int], str],
        value: Callable[[int, str], object] = lambda _row, _name: None,
        *,
        lowered: Sequence[str] | None = None,
        members: Callable[[str, str], Container[int] | None] = lambda _name, _value: None,
        among: Sequence[bool] | None = None,
    ) -> Sequence[bool] | None:
        """Return whether each row passes, from its text and fields; None if all rows pass.

        `lowered` is the text of every row in lower case, if the list caches it. `members` returns
        the rows that match a field and its value, or None to test each row. Rows that are not
        `among` do not pass and are not tested.
        """
        mask = among

        # All rows for one condition, then the next: fast enough for a held key in a long list.
        def narrow(passes: Callable[[int], bool]) -> Sequence[bool]:
            if mask is None:
                return [passes(row) for row in range(n_rows)]
            return [is_in and passes(row) for row, is_in in enumerate(mask)]

        if self.words and lowered is None:
            needed = repeat(True, n_rows) if mask is None else mask
            lowered = [text(row).lower() if is_in else "" for row, is_in in enumerate(needed)]
        for word in self.words:
            if mask is None:
                mask = [word in line for line in lowered or ()]
            else:
                pairs = zip(mask, lowered or (), strict=True)
                mask = [is_in and word in line for is_in, line in pairs]
        for pattern in self.patterns:
            mask = narrow(partial(_pattern_matches, text, pattern))
        for name, part in self.fields:
            rows = members(name, part)
            is_member = None if rows is None else rows.__contains__
            mask = narrow(is_member or partial(_field_matches, value, name, part))
        for comparison in self.comparisons:
            mask = narrow(partial(_comparison_holds, value, *comparison))
        return mask


def _pattern_matches(text: Callable[[int], str], pattern: re.Pattern[str], row: int) -> bool:
    return pattern.search(text(row)) is not None


def _field_matches(value: Callable[[int, str], object], name: str, part: str, row: int) -> bool:
    return part in str(value(row, name) or "").lower()


def _comparison_holds(
    value: Callable[[int, str], object], name: str, sign: str, number: float, row: int
) -> bool:
    field = value(row, name)
    if not isinstance(field, int | float):
        return False
    return {
        "<": field < number,
        ">": field > number,
        "<=": field <= number,
        ">=": field >= number,
    }[sign]


def parse_filter(text: str, *, fields: tuple[str, ...] = ()) -> RowFilter:
    """Parse a filter; an incomplete or invalid expression counts as plain words."""
    words: list[str] = []
    patterns: list[re.Pattern[str]] = []
    named: list[tuple[str, str]] = []
    comparisons: list[tuple[str, str, float]] = []
    stripped = text.strip()
    if len(stripped) > 2 and stripped.startswith("/") and stripped.endswith("/"):
        try:
            return RowFilter(patterns=(re.compile(stripped[1:-1], re.IGNORECASE),))
        except re.error:
            return RowFilter(words=(stripped[1:-1].lower(),))
    for word in stripped.split():
        comparison = _COMPARISON.match(word)
        field = _FIELD.match(word)
        if comparison and comparison.group(1) in fields:
            name, sign, number = comparison.groups()
            comparisons.append((name, sign, float(number)))
        elif field and field.group(1) in fields:
            named.append((field.group(1), field.group(2).lower()))
        else:
            words.append(word.lower())
    return RowFilter(tuple(words), tuple(patterns), tuple(named), tuple(comparisons))


class FilterBar(Input):
    """Hidden until `/`; filters while typing; `enter` keeps the filter, `esc` clears it."""

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
        """The filter was kept or cleared; focus should move to the list."""

    def allow_focus(self) -> bool:
        """Whether the input can have focus: only while visible, else hidden typing would filter."""
        return super().allow_focus() and self.has_class("-shown")

    def open(self) -> None:
        """Show the input and focus it."""
        self.add_class("-shown")
        # `focus()` is deferred, and the next key would miss the filter.
        self.screen.set_focus(self)

    def restore(self, text: str) -> None:
        """Set the text of the filter without focusing it."""
        self.value = text
        self.set_class(bool(text), "-shown")

    def action_clear_filter(self) -> None:
        """Clear the filter and leave it."""
        self.value = ""
        self.action_leave()

    def action_leave(self) -> None:
        """Leave the filter; its text stays."""
        self.set_class(bool(self.value), "-shown")
        self.post_message(self.Left())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Leave the filter; its text stays."""
        event.stop()
        self.action_leave()
