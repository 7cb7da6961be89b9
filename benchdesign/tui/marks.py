"""Mark, word and colour of every state, in that order of importance; and their ASCII forms.

Everything must be readable in monochrome: the mark and the word carry the meaning, the colour only
repeats it. Marks are one or two cells wide in every terminal, including East Asian ones.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Marks", "StateMark"]


@dataclass(frozen=True, slots=True)
class StateMark:
    """Display of one state: glyph, word and style."""

    glyph: str
    ascii: str
    word: str
    style: str
    """Textual style: one blue-orange axis, never red against green."""


_WARNING = "$text-warning"
_GOOD = "$text-primary"
_QUIET = "$foreground-muted"

MARKS: dict[str, StateMark] = {
    # coverage of a concept
    "missing": StateMark("!!", "!!", "missing", f"bold {_WARNING}"),
    "under": StateMark("!", "!", "under", _WARNING),
    "adequate": StateMark("", "", "adequate", ""),
    "over": StateMark("+", "+", "over", _GOOD),
    "untestable": StateMark("?", "?", "untestable", _QUIET),
    "kept_out": StateMark("-", "-", "kept out", _QUIET),
    "ignored": StateMark("-", "-", "ignored", _QUIET),
    "merged": StateMark("-", "-", "merged", _QUIET),
    # a group of similar items
    "suspected": StateMark("~", "~", "suspected", _QUIET),
    "out_of_scope": StateMark("-", "-", "out of scope", _QUIET),
    "could_not_tell": StateMark("?", "?", "could not tell", f"bold {_WARNING}"),
    "meant": StateMark("✓", "y", "meant", f"bold {_GOOD}"),
    "not meant": StateMark("✗", "n", "not meant", _WARNING),
    # decisions
    "accept": StateMark("✓", "y", "accepted", f"bold {_GOOD}"),
    "reject": StateMark("✗", "n", "rejected", _WARNING),
    "defer": StateMark("~", "~", "deferred", _QUIET),
    "open": StateMark(".", ".", "open", ""),
    "kept": StateMark("", "", "kept", ""),
    "out": StateMark("✗", "n", "out", _WARNING),
    "new": StateMark("✓", "y", "new", f"bold {_GOOD}"),
    # checks
    "pass": StateMark("✓", "y", "fine", _GOOD),
    "warn": StateMark("!", "!", "look", _WARNING),
    "estimate": StateMark("~", "~", "about", _QUIET),
    "fail": StateMark("✗", "n", "stops", f"bold {_WARNING}"),
    # places
    "cursor": StateMark("▸", ">", "here", "bold"),
    "folded": StateMark("▸", ">", "closed", ""),
    "unfolded": StateMark("▾", "v", "open", ""),
    "ascending": StateMark("↑", "+", "ascending", ""),
    "descending": StateMark("↓", "-", "descending", ""),
    "marked": StateMark("*", "*", "marked", f"bold {_GOOD}"),
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
