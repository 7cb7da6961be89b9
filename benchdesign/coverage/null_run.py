"""The null run: what the same procedure calls a gap where there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.gap_settings import GapSettings
from benchdesign.coverage.reference import Reference
from benchdesign.coverage.status import Status
from benchdesign.errors import UsageError

__all__ = ["NullRun", "run_null"]


@dataclass(frozen=True, slots=True, eq=False)
class NullRun:
    """Findings on random splits, where every finding is false; one entry per split."""

    n_items: int
    """Items in the part that stands for the benchmark."""

    n_tested: NDArray[np.int64]
    """Concepts in which a deficit could be found."""

    n_gaps: NDArray[np.int64]
    """Concepts found missing or under-covered."""

    n_over: NDArray[np.int64]

    @property
    def share(self) -> float:
        """Share of gaps among the tested concepts of all splits; 0.0 if none was tested."""
        tested = int(self.n_tested.sum())
        return int(self.n_gaps.sum()) / tested if tested else 0.0

    @property
    def largest_share(self) -> float:
        """Largest share of gaps in any single split; 0.0 if none was tested."""
        return float(np.max(self.n_gaps / np.maximum(self.n_tested, 1), initial=0.0))


def run_null(
    concept_map: ConceptMap,
    dictionary: Dictionary,
    *,
    rng: np.random.Generator,
    n_items: int | None = None,
    n_splits: int = 10,
    settings: GapSettings | None = None,
) -> NullRun:
    """Find the gaps of random subsets of `n_items` (half by default) against the rest of the set.

    Every such gap is false, so the result is the number of gaps that these settings and this size
    produce by chance.
    """
    total = len(concept_map)
    size = total // 2 if n_items is None else min(n_items, total // 2)
    if size < 1:
        raise UsageError(f"A null run needs at least 2 items; the set has {total}.")
    counts = np.zeros((3, n_splits), dtype=np.int64)
    for split in range(n_splits):
        order = rng.permutation(total)
        reference = Reference.from_map(
            concept_map.take(np.sort(order[size:])), dictionary, kind="sample"
        )
        half = concept_map.take(np.sort(order[:size]))
        gaps = find_gaps(
            measure_coverage(half, dictionary, reference=reference), dictionary, settings=settings
        )
        counts[:, split] = (
            gaps.is_tested.sum(),
            gaps.is_gap.sum(),
            gaps.is_status(Status.OVER).sum(),
        )
    return NullRun(size, counts[0], counts[1], counts[2])
