"""Groups of alike items a model is weak at: named, with their parts, and checked on held-out items.

The search itself knows neither words nor models and is in `regions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.dictionary import Dictionary
from benchdesign.gaps import find_kept_out
from benchdesign.regions import Grove, Region, find_weak_regions
from benchdesign.scoring import ModelSettings, column_sums

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["HeldOut", "RegionNames", "WeakRegion", "find_regions", "hold_out_regions"]

Floats = NDArray[np.float64]

_MOST_TELLING = 8
_MORE_OFTEN = 1.25
"""How much more often than elsewhere a concept must be shown by alike items to name them."""

_FEWEST_HELD_OUT = 5


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A weakness found on one half of the items, measured on the other."""

    kind: str
    """area, concept or alike items."""

    unit: int
    """Area number, concept id, or which group of alike items, clearest first."""

    name: str
    gap_found: float
    gap_held_out: float
    p_held_out: float
    """One-sided; NaN if the other half has too few items."""

    n_held_out: int


@dataclass(frozen=True, slots=True)
class WeakRegion:
    """Alike items in which a model is weak, named by what they show more than others do."""

    name: str
    rows: tuple[int, ...]
    """Positions among the benchmark's items."""

    n_passed: int
    score: float
    gap: float
    """Points below what it scores on the other items of like length and difficulty."""

    p_value: float
    """Chance that any group of alike items would stand out as far."""

    concept_ids: tuple[int, ...]
    """What the items show more than the others, most telling first."""

    parts: tuple[WeakRegion, ...] = ()
    """Narrower groups inside it, where at least two stand out by themselves; weakest first."""

    @property
    def n_items(self) -> int:
        """Count the items."""
        return len(self.rows)


class RegionNames:
    """Names for groups of items, by the concepts they show more than the other items do."""

    def __init__(self, presence: csr_array, dictionary: Dictionary) -> None:
        self._shown = (presence > 0).astype(np.float64)
        self._all = column_sums(self._shown)
        self._dictionary = dictionary
        kept_out = find_kept_out(dictionary).codes >= 0
        unnamed = np.asarray([label is None for label in dictionary.table.label], dtype=bool)
        self._silent = kept_out | unnamed

    def of_rows(self, rows: NDArray[np.int64], taken: set[str]) -> tuple[str, tuple[int, ...]]:
        """Return a name that is not `taken`, which it joins, and the concepts, most telling first.

        What counts is how much more often than elsewhere a concept is shown, and by how many: one
        item's rarity names nothing.
        """
        inside = column_sums(self._shown[rows])
        rate = inside / len(rows)
        others = (self._all - inside + 0.5) / (self._shown.shape[0] - len(rows) + 1)
        telling = np.where(self._silent, 0.0, rate * np.log((rate + 1e-9) / others))
        telling[rate < _MORE_OFTEN * others] = 0.0
        order = np.argsort(-telling, kind="stable")[:_MOST_TELLING]
        ids = tuple(int(concept) for concept in order if telling[concept] > 0)
        plain = " · ".join(self._dictionary.label(concept) for concept in ids[:2]) or "alike items"
        name, n = plain, 1
        while name in taken:
            n += 1
            name = f"{plain} ({n})"
        taken.add(name)
        return name, ids


def find_regions(
    grove: Grove | None,
    answered: NDArray[np.int64],
    y: Floats,
    residuals: Floats,
    names: RegionNames,
    *,
    rng: np.random.Generator,
    settings: ModelSettings,
) -> tuple[WeakRegion, ...]:
    """Find groups of alike items with low scores, and what they show more than the others.

    `answered` are the benchmark's positions of the items that `y` and `residuals` are of.
    """
    taken: set[str] = set()

    def told(one: Region) -> WeakRegion:
        rows = np.asarray(one.rows)
        name, ids = names.of_rows(rows, taken)
        passed = int((y[rows] >= 0.5).sum())
        place, score = tuple(answered[rows].tolist()), float(y[rows].mean())
        parts = tuple(told(part) for part in one.parts)
        return WeakRegion(name, place, passed, score, one.gap, one.p_value, ids, parts)

    return tuple(
        told(one)
        for one in find_weak_regions(
            grove, residuals, rng=rng, level=settings.fdr, least_gap=settings.poor
        )
    )


def hold_out_regions(
    grove: Grove | None,
    residuals: Floats,
    halves: tuple[NDArray[np.int64], NDArray[np.int64]],
    names: RegionNames,
    *,
    rng: np.random.Generator,
    settings: ModelSettings,
) -> tuple[HeldOut, ...]:
    """Find weak groups by the scores of one half of the items and measure them on the other."""
    counted = np.zeros(len(residuals), dtype=bool)
    counted[halves[0]] = True
    others = residuals[halves[1]]
    taken: set[str] = set()
    found = []
    for place, one in enumerate(
        find_weak_regions(
            grove,
            residuals,
            rng=rng,
            level=settings.fdr,
            least_gap=settings.poor,
            counted=counted,
        )
    ):
        members = np.asarray(one.rows + one.held_back)
        gap, p_value = _measure(residuals[list(one.held_back)], others)
        name, _ = names.of_rows(members, taken)
        found.append(HeldOut("alike items", place, name, one.gap, gap, p_value, len(one.held_back)))
    return tuple(sorted(found, key=lambda one: one.gap_found))


def _measure(inside: Floats, everything: Floats) -> tuple[float, float]:
    """Return the gap of some residuals against all of theirs, and the chance of one as low."""
    from scipy.stats import t as student

    n, total = len(inside), len(everything)
    if not n:
        return float("nan"), float("nan")
    gap = float(inside.mean() - everything.mean())
    error = float(everything.std(ddof=1)) * np.sqrt(max(1 / n - 1 / total, 0.0))
    if n < _FEWEST_HELD_OUT or not error > 0:
        return gap, float("nan")
    return gap, float(student.cdf(gap / error, n - 1))
