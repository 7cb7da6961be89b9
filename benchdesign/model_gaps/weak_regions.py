"""Groups of similar items at which a model is weak: named, nested and checked on held-out items.

The search itself is in `regions`; it knows neither words nor models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.coverage.kept_out import find_kept_out
from benchdesign.foundation.arrays import Floats
from benchdesign.model_gaps.region_search import Region, SearchTree, find_weak_regions
from benchdesign.model_gaps.scores import ModelGapSettings, column_sums

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["HeldOut", "RegionNames", "WeakRegion", "find_regions", "hold_out_regions"]


_MAX_NAMING_CONCEPTS = 8
_MIN_RATE_RATIO = 1.25
"""Smallest ratio of a concept's rate in a group to its rate elsewhere for naming the group."""

_MIN_HELD_OUT_ITEMS = 5


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A weakness found on one half of the items and measured on the other."""

    kind: str
    """`area`, `concept` or `alike items`."""

    unit: int
    """Area number, concept ID, or rank of the group of similar items, clearest first."""

    name: str
    gap_found: float
    gap_held_out: float
    p_held_out: float
    """One-sided; NaN if the other half has too few items."""

    n_held_out: int


@dataclass(frozen=True, slots=True)
class WeakRegion:
    """A group of similar items at which a model is weak, named by what they show most."""

    name: str
    rows: tuple[int, ...]
    """Positions of the items in the benchmark."""

    n_passed: int
    score: float
    gap: float
    """Difference from the score on other items of similar length and difficulty."""

    p_value: float
    """Probability that any group of similar items stands out as much by chance."""

    concept_ids: tuple[int, ...]
    """Concepts that these items show more than the others, most distinctive first."""

    parts: tuple[WeakRegion, ...] = ()
    """Narrower groups within it, weakest first; empty unless at least two stand out."""

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.rows)


class RegionNames:
    """Names of groups of items, from the concepts they show more than other items."""

    def __init__(self, presence: csr_array, dictionary: Dictionary) -> None:
        self._shown = (presence > 0).astype(np.float64)
        self._all = column_sums(self._shown)
        self._dictionary = dictionary
        kept_out = find_kept_out(dictionary).codes >= 0
        unnamed = np.asarray([label is None for label in dictionary.table.label], dtype=bool)
        self._silent = kept_out | unnamed

    def name_rows(
        self, rows: NDArray[np.int64], used_names: set[str]
    ) -> tuple[str, tuple[int, ...]]:
        """Return a unique name and its concepts, most distinctive first; add it to `used_names`.

        Concepts are ranked by how much more often they are shown than elsewhere, weighted by their
        rate in the group; a rare concept of a single item does not name a group.
        """
        inside = column_sums(self._shown[rows])
        rate = inside / len(rows)
        rate_elsewhere = (self._all - inside + 0.5) / (self._shown.shape[0] - len(rows) + 1)
        distinctiveness = np.where(self._silent, 0.0, rate * np.log((rate + 1e-9) / rate_elsewhere))
        distinctiveness[rate < _MIN_RATE_RATIO * rate_elsewhere] = 0.0
        order = np.argsort(-distinctiveness, kind="stable")[:_MAX_NAMING_CONCEPTS]
        ids = tuple(int(concept) for concept in order if distinctiveness[concept] > 0)
        plain = " · ".join(self._dictionary.label(concept) for concept in ids[:2]) or "alike items"
        name, n = plain, 1
        while name in used_names:
            n += 1
            name = f"{plain} ({n})"
        used_names.add(name)
        return name, ids


def find_regions(
    search_tree: SearchTree | None,
    answered: NDArray[np.int64],
    y: Floats,
    residuals: Floats,
    names: RegionNames,
    *,
    rng: np.random.Generator,
    settings: ModelGapSettings,
) -> tuple[WeakRegion, ...]:
    """Find groups of similar items with low scores, named by the concepts they show most.

    `answered` contains the positions in the benchmark of the items of `y` and `residuals`.
    """
    used_names: set[str] = set()

    def named(region: Region) -> WeakRegion:
        rows = np.asarray(region.rows)
        name, ids = names.name_rows(rows, used_names)
        n_passed = int((y[rows] >= 0.5).sum())
        positions, score = tuple(answered[rows].tolist()), float(y[rows].mean())
        parts = tuple(named(part) for part in region.parts)
        return WeakRegion(name, positions, n_passed, score, region.gap, region.p_value, ids, parts)

    return tuple(
        named(region)
        for region in find_weak_regions(
            search_tree, residuals, rng=rng, level=settings.fdr, min_gap=settings.poor
        )
    )


def hold_out_regions(
    search_tree: SearchTree | None,
    residuals: Floats,
    halves: tuple[NDArray[np.int64], NDArray[np.int64]],
    names: RegionNames,
    *,
    rng: np.random.Generator,
    settings: ModelGapSettings,
) -> tuple[HeldOut, ...]:
    """Find weak groups on one half of the items and measure them on the other."""
    counted = np.zeros(len(residuals), dtype=bool)
    counted[halves[0]] = True
    other_half = residuals[halves[1]]
    used_names: set[str] = set()
    rows = []
    for rank, region in enumerate(
        find_weak_regions(
            search_tree,
            residuals,
            rng=rng,
            level=settings.fdr,
            min_gap=settings.poor,
            counted=counted,
        )
    ):
        members = np.asarray(region.rows + region.held_out_rows)
        gap, p_value = _measure(residuals[list(region.held_out_rows)], other_half)
        name, _ = names.name_rows(members, used_names)
        rows.append(
            HeldOut("alike items", rank, name, region.gap, gap, p_value, len(region.held_out_rows))
        )
    return tuple(sorted(rows, key=lambda row: row.gap_found))


def _measure(inside: Floats, everything: Floats) -> tuple[float, float]:
    """Return the gap of `inside` against `everything`, and the probability of one this low."""
    from scipy.stats import t as student

    n, total = len(inside), len(everything)
    if not n:
        return float("nan"), float("nan")
    gap = float(inside.mean() - everything.mean())
    error = float(everything.std(ddof=1)) * np.sqrt(max(1 / n - 1 / total, 0.0))
    if n < _MIN_HELD_OUT_ITEMS or not error > 0:
        return gap, float("nan")
    return gap, float(student.cdf(gap / error, n - 1))
