"""The scope in one line."""

from __future__ import annotations

from collections.abc import Sequence

from benchdesign.coverage.scope import Scope
from benchdesign.foundation.text import display
from benchdesign.tui.rows.scope_rows import ScopeOverride
from benchdesign.workspace.decisions import Verdict

__all__ = ["scope_summary"]


def scope_summary(
    sentence: str, n_examples: int, overrides: Sequence[ScopeOverride]
) -> tuple[str, str]:
    """Return the sentence, and counts of examples, pins and exclusions."""
    n_pinned = sum(override.verdict is Verdict.PIN for override in overrides)
    counts = (
        (n_examples, "example items" if n_examples != 1 else "example item"),
        (n_pinned, "pinned"),
        (len(overrides) - n_pinned, "excluded"),
    )
    more = " · ".join(f"{n} {word}" for n, word in counts if n)
    if Scope(sentence).takes_all:
        return "every item is in scope", more
    return display(sentence, width=200), more
