"""The scope of a benchmark: a sentence, example items, pins and exclusions."""

from __future__ import annotations

from dataclasses import dataclass

from benchdesign.errors import UsageError
from benchdesign.foundation.text import display

__all__ = ["Scope"]


_ANY = "any"

_EXAMPLE_CELLS = 80
"""Terminal cells of an example item in the one-line description of a scope."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The designer's definition of the benchmark's subject."""

    sentence: str = ""
    examples: tuple[str, ...] = ()
    """Texts of items that are clearly in scope."""

    pins: tuple[int, ...] = ()
    """Concepts that are always in scope."""

    exclusions: tuple[int, ...] = ()
    """Concepts that are never in scope."""

    cutoff: float = 0.4
    """Relevance threshold from which a concept is in scope."""

    def __post_init__(self) -> None:
        conflicts = set(self.pins) & set(self.exclusions)
        if conflicts:
            raise UsageError(
                f"Concept {min(conflicts)} is both pinned and excluded; drop one of the two."
            )
        if not 0 <= self.cutoff <= 1:
            raise UsageError(f"The scope cutoff is {self.cutoff}; use a value from 0 to 1.")

    @property
    def takes_all(self) -> bool:
        """Whether every item is in scope, however unlike the benchmark: the sentence is `any`."""
        return self.sentence.strip().casefold() == _ANY

    @property
    def is_empty(self) -> bool:
        """Whether no scope is set, so that everything is in scope."""
        return not (self.queries or self.pins or self.exclusions)

    @property
    def queries(self) -> tuple[str, ...]:
        """Texts against which relevance is measured; none if every item is in scope."""
        if self.takes_all:
            return ()
        return tuple(text for text in (self.sentence.strip(), *self.examples) if text)

    def description_line(self) -> str:
        """Return the scope as a line of text; empty if no scope is set."""
        parts = [f"“{display(self.sentence.strip())}”"] if self.sentence.strip() else []
        if self.takes_all:
            parts = ["every item is in scope"]
        elif self.examples:
            first = display(" ".join(self.examples[0].split()), width=_EXAMPLE_CELLS)
            n = len(self.examples)
            parts.append(f"{n} example items, first “{first}”" if n > 1 else f"the item “{first}”")
        for ids, effect in ((self.pins, "always in scope"), (self.exclusions, "excluded")):
            if ids:
                parts.append(f"{len(ids)} {'concept' if len(ids) == 1 else 'concepts'} {effect}")
        if self.queries:
            parts.append(f"relevance threshold {self.cutoff:g}")
        return "; ".join(parts)
