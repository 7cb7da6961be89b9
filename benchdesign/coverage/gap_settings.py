"""The thresholds that gaps are judged by."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchdesign.errors import UsageError

__all__ = ["GapSettings"]


@dataclass(frozen=True, slots=True)
class GapSettings:
    """Thresholds; changing them does not require mapping again."""

    fdr: float = 0.05
    """Expected share of false findings among missing and under (and among over) concepts."""

    gap_share: float = 0.10
    """Share of gaps among tested concepts at which a complete absence must be significant for a
    concept to be tested; rarer concepts would add tests but no findings."""

    min_effect: float = 0.585
    """Smallest relevant lift in either direction: log2(1.5), a third fewer or 50% more."""

    prior: float = 10.0
    """Prior items at the base rate, added to every concept's count."""

    level: float = 0.90
    """Probability of the credible intervals."""

    max_density: float = 0.10
    """A concept that fires on a larger share of tokens is dense and kept out."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("fdr", 0.0, 1.0),
            ("gap_share", 0.0, 1.0),
            ("min_effect", 0.0, math.inf),
            ("prior", 0.0, math.inf),
            ("level", 0.0, 1.0),
            ("max_density", 0.0, math.inf),
        ):
            value = getattr(self, name)
            inside = low < value < high if name != "min_effect" else low <= value < high
            if not inside:
                raise UsageError(f"{name} is {value}; it must be between {low:g} and {high:g}.")
