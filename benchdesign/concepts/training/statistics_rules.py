"""The rules that concept statistics are measured by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LENGTH_EDGES", "FlagRules", "LevelStatistics", "StatisticsRules"]


LENGTH_EDGES = (16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True)
class FlagRules:
    """Limits beyond which a concept gets a flag, which excludes it from the counts."""

    dense: float = 0.10
    """dense: it fires on more than this share of tokens (passages)."""

    rare: int = 5
    """rare: it is present in fewer texts, too few to estimate rates."""

    punctuation: float = 0.6
    """structural:punctuation: at least this share of its activation is on tokens without a letter
    or digit."""

    position: float = 0.7
    """structural:position: at least this share is on first tokens of texts, whatever they are."""

    wordpiece: float = 0.8
    """structural:wordpiece: at least this share is on tokens inside a word, whatever they are."""

    variety: float = 0.5
    """"Whatever they are": the ten tokens with most of it have at most this share."""

    template_share: float = 0.8
    """structural:template: at least this share of the texts with it are from one source ..."""

    template_cover: float = 0.3
    """... and at least this share of that source's texts have it."""


@dataclass(frozen=True, slots=True)
class StatisticsRules:
    """Rules for thresholds, bins and flags."""

    length_edges: tuple[int, ...] = LENGTH_EDGES
    n_strongest: int = 8
    """Number of strongest peaks whose mean is the reference of the threshold."""

    token_share: float = 0.6
    passage_share: float = 0.5
    flags: FlagRules = field(default_factory=FlagRules)


@dataclass(frozen=True, eq=False)
class LevelStatistics:
    """Per-concept columns of one level; the length of each is the width of the level."""

    threshold: NDArray[np.float32]
    base_rates: NDArray[np.float32]
    """(width, n_bins)"""

    mean_activation: NDArray[np.float32]
    max_activation: NDArray[np.float32]
    q90: NDArray[np.float32]
    density: NDArray[np.float32]
    flags: tuple[frozenset[str], ...]
    n_present: NDArray[np.int64]
    """Number of texts in which the concept is present."""

    top_source_share: NDArray[np.float32]
    """Share of those texts that are from the most frequent source."""

    source_entropy: NDArray[np.float32]
    """Entropy (nats) of their sources."""
