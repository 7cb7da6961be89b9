"""Mark, word and colour of every state, in that order of importance; and their ASCII forms.

Everything must be readable in monochrome: the mark and the word carry the meaning, the colour only
repeats it. Marks are one or two cells wide in every terminal, including East Asian ones.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Mark", "Marks"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Display of one state: glyph, word and style."""

    glyph: str
    ascii: str
    word: str
    style: str
    """Textual style: one blue-orange axis, never red against green."""


_WARNING = "$text-warning"
_GOOD = "$text-primary"
_QUIET = "$foreground-muted"

MARKS: dict[str, Mark] = {
    # coverage of a concept
    "missing": Mark("!!", "!!", "missing", f"bold {_WARNING}"),
    "under": Mark("!", "!", "under", _WARNING),
    "adequate": Mark("", "", "adequate", ""),
    "over": Mark("+", "+", "over", _GOOD),
    "untestable": Mark("?", "?", "untestable", _QUIET),
    "kept_out": Mark("-", "-", "kept out", _QUIET),
    "ignored": Mark("-", "-", "ignored", _QUIET),
    "merged": Mark("-", "-", "merged", _QUIET),
    # decisions
    "accept": Mark("✓", "y", "accepted", f"bold {_GOOD}"),
    "reject": Mark("✗", "n", "rejected", _WARNING),
    "defer": Mark("~", "~", "deferred", _QUIET),
    "open": Mark(".", ".", "open", ""),
    "kept": Mark("", "", "kept", ""),
    "out": Mark("✗", "n", "out", _WARNING),
    "new": Mark("✓", "y", "new", f"bold {_GOOD}"),
    # checks
    "pass": Mark("✓", "y", "fine", _GOOD),
    "warn": Mark("!", "!", "look", _WARNING),
    "estimate": Mark("~", "~", "about", _QUIET),
    "fail": Mark("✗", "n", "stops", f"bold {_WARNING}"),
    # places
    "cursor": Mark("▸", ">", "here", "bold"),
    "folded": Mark("▸", ">", "closed", ""),
    "unfolded": Mark("▾", "v", "open", ""),
    "ascending": Mark("↑", "+", "ascending", ""),
    "descending": Mark("↓", "-", "descending", ""),
    "marked": Mark("*", "*", "marked", f"bold {_GOOD}"),
}


class Marks:
    """The mark set in use."""

    def __init__(self, *, use_ascii: bool = False, monochrome: bool = False) -> None:
        self.use_ascii = use_ascii
        self.monochrome = monochrome
        """Whether evidence strength is shown with brackets instead of shades."""

    def glyph(self, state: str) -> str:
        """Return the mark of a state; empty for unremarkable states."""
        mark = MARKS[state]
        return mark.ascii if self.use_ascii else mark.glyph

    def word(self, state: str) -> str:
        """Return the word of a state."""
        return MARKS[state].word

    def style(self, state: str) -> str:
        """Return the style of a state; empty if it has none."""
        return MARKS[state].style

    def bar(self, share: float, width: int) -> str:
        """Draw a share in [0, 1] as a bar of a fixed width."""
        share = min(max(share, 0.0), 1.0)
        full, empty = ("#", "-") if self.use_ascii else ("█", "░")
        n_full = round(share * width)
        return full * n_full + empty * (width - n_full)

    def length(self, share: float, width: int) -> str:
        """Draw a share as a bar without its empty part, at least a sliver if it is not zero."""
        n_full = round(min(max(share, 0.0), 1.0) * width)
        if not n_full and share > 0:
            return "|" if self.use_ascii else "▏"
        return ("#" if self.use_ascii else "█") * n_full

    @property
    def arrow(self) -> str:
        """The arrow between an old and a new number."""
        return "->" if self.use_ascii else "→"
