"""Comparison of several benchmarks: what each covers, where they overlap, what each adds.

All are measured against the same reference, so that their figures are comparable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.area_gaps import AreaGaps, find_area_gaps
from benchdesign.coverage.areas import Areas
from benchdesign.coverage.coverage import Coverage, measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.gap_settings import GapSettings
from benchdesign.coverage.gaps import Gaps
from benchdesign.coverage.reference import Reference
from benchdesign.coverage.relevance import Relevance
from benchdesign.coverage.status import Status
from benchdesign.errors import UsageError
from benchdesign.foundation.arrays import Floats

__all__ = [
    "NearDuplicate",
    "Suite",
    "SuiteRow",
    "compare_areas",
    "compare_suite",
    "join_coverages",
]


_BLOCK_ROWS = 2_048
_MAX_KEPT_PAIRS = 1_000
"""Near-duplicate pairs kept for display; all pairs are counted."""


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two items of different benchmarks with nearly the same text."""

    benchmark_a: int
    row_a: int
    benchmark_b: int
    row_b: int
    similarity: float


@dataclass(frozen=True, slots=True)
class SuiteRow:
    """Figures of one benchmark of a suite, for display."""

    name: str
    n_items: int
    n_present: int
    """Judged concepts shown by at least one item."""

    n_missing: int
    """Concepts absent significantly, given the lengths and number of items."""

    n_under: int
    n_tested: int
    """Concepts for which this benchmark is large enough to show a deficit."""

    share_silent: float
    """Share of judged concepts that no item activates at all, as in the paper."""

    n_only_here: int
    """Judged concepts shown by this benchmark and no other."""

    n_closed: int
    """Gaps of the rest of the suite that this benchmark closes."""

    n_near_duplicates: int | None
    """Near-duplicates of items in other benchmarks; None if a map has no embeddings."""

    @property
    def share_missing(self) -> float:
        """Share of tested concepts that are missing or under; NaN if none was tested."""
        return (self.n_missing + self.n_under) / self.n_tested if self.n_tested else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Suite:
    """Coverage of several benchmarks, separately and jointly."""

    names: tuple[str, ...]
    gaps: tuple[Gaps, ...]
    """Gaps of each benchmark; `gaps[b].coverage` is its coverage."""

    joint: Gaps
    """Gaps of all items together."""

    chi_bench: Floats
    """(n_concepts,): the joint score of the paper, the mean over the benchmarks."""

    overlap: Floats
    """(n, n): Jaccard index of the judged concepts shown; NaN if neither shows any."""

    only_here: NDArray[np.bool_]
    """(n, n_concepts): judged concepts shown by one benchmark and no other."""

    closed: NDArray[np.bool_]
    """(n, n_concepts): gaps of the rest that adding the benchmark closes."""

    near_duplicates: NDArray[np.int64] | None
    """(n, n): items of the first with a near-duplicate in the second; None if not measured."""

    pairs: tuple[NearDuplicate, ...]
    """The most similar pairs across benchmarks, most similar first."""

    def __len__(self) -> int:
        """Return the number of benchmarks."""
        return len(self.names)

    def rows(self) -> Iterator[SuiteRow]:
        """Yield the benchmarks for display, in the order of `names`."""
        judged = self.joint.in_scope
        n_judged = int(judged.sum())
        for place, (name, gaps) in enumerate(zip(self.names, self.gaps, strict=True)):
            counts = gaps.counts()
            n_silent = int((gaps.coverage.missing & judged).sum())
            yield SuiteRow(
                name=name,
                n_items=gaps.n_items,
                n_present=int(((gaps.count > 0) & judged).sum()),
                n_missing=counts[Status.MISSING],
                n_under=counts[Status.UNDER],
                n_tested=int(gaps.is_tested.sum()),
                share_silent=n_silent / n_judged if n_judged else float("nan"),
                n_only_here=int(self.only_here[place].sum()),
                n_closed=int(self.closed[place].sum()),
                n_near_duplicates=None
                if self.near_duplicates is None
                else int(self.near_duplicates[place, place]),
            )


def compare_suite(
    maps: Sequence[ConceptMap],
    dictionary: Dictionary,
    *,
    names: Sequence[str],
    reference: Reference | None = None,
    relevance: Relevance | None = None,
    settings: GapSettings | None = None,
    near_duplicate: float = 0.92,
) -> Suite:
    """Compare benchmarks that were mapped with the same dictionary.

    The default reference is the base rates of the dictionary. If it has none, the reference is all
    items of the suite; a gap is then a concept that a benchmark lacks and the others show.
    """
    if not maps or len(maps) != len(names):
        raise UsageError(
            f"There are {len(maps)} maps and {len(names)} names; pass one name per map."
        )
    if reference is None:
        reference = Reference.from_dictionary(dictionary)
        if np.isnan(reference.rates).all():
            everything = ConceptMap.concatenate(
                [concept_map for concept_map in maps if len(concept_map)] or list(maps)
            )
            reference = Reference.from_map(everything, dictionary, kind="sample")
    coverages = [
        measure_coverage(concept_map, dictionary, reference=reference) for concept_map in maps
    ]
    lengths = [concept_map.n_tokens for concept_map in maps]

    def judge(places: Sequence[int]) -> Gaps:
        joined = join_coverages(
            [coverages[place] for place in places],
            reference,
            n_tokens=np.concatenate([lengths[place] for place in places]),
        )
        return find_gaps(joined, dictionary, relevance=relevance, settings=settings)

    gaps = tuple(
        find_gaps(coverage, dictionary, relevance=relevance, settings=settings)
        for coverage in coverages
    )
    joint = judge(range(len(maps)))
    presence = np.stack([coverage.count > 0 for coverage in coverages]) & joint.in_scope
    closed = np.zeros_like(presence)
    for place in range(len(maps)):
        others = [other for other in range(len(maps)) if other != place]
        if others:
            closed[place] = judge(others).is_gap & ~joint.is_gap
    counts, pairs = _near_duplicates(maps, near_duplicate)
    return Suite(
        names=tuple(names),
        gaps=gaps,
        joint=joint,
        chi_bench=np.mean([coverage.chi_bench for coverage in coverages], axis=0),
        overlap=_jaccard(presence),
        only_here=presence & (presence.sum(axis=0) == 1),
        closed=closed,
        near_duplicates=counts,
        pairs=pairs,
    )


def compare_areas(
    suite: Suite,
    maps: Sequence[ConceptMap],
    areas: Areas,
    *,
    reference_map: ConceptMap | None = None,
) -> tuple[AreaGaps, ...]:
    """Find the gaps in every area for each benchmark of a suite."""
    return tuple(
        find_area_gaps(areas, gaps, concept_map=concept_map, reference_map=reference_map)
        for gaps, concept_map in zip(suite.gaps, maps, strict=True)
    )


def join_coverages(
    coverages: Sequence[Coverage], reference: Reference, *, n_tokens: NDArray[np.int32]
) -> Coverage:
    """Return the joint coverage of several sets, given the lengths of all items."""
    first = coverages[0]
    n_items = sum(coverage.n_items for coverage in coverages)
    matched = reference.match(n_tokens)
    total = np.sum([coverage.mean_saliency * coverage.n_items for coverage in coverages], axis=0)
    mean_saliency = total / max(n_items, 1)
    overall = float(mean_saliency.mean()) if len(mean_saliency) else 0.0
    return Coverage(
        n_items=n_items,
        count=np.sum([coverage.count for coverage in coverages], axis=0),
        n_active=np.sum([coverage.n_active for coverage in coverages], axis=0),
        mean_saliency=mean_saliency,
        chi_bench=mean_saliency / overall if overall else np.zeros_like(mean_saliency),
        expected=matched.rates * n_items,
        base_rate=matched.rates,
        n_reference=matched.n_effective,
        reference=first.reference,
        thresholds=first.thresholds,
        dictionary=first.dictionary,
    )


def _jaccard(presence: NDArray[np.bool_]) -> Floats:
    """Return the Jaccard index of each pair of rows; NaN if both are empty."""
    indicators = presence.astype(np.float64)
    intersection = indicators @ indicators.T
    sizes = indicators.sum(axis=1)
    union = sizes[:, None] + sizes[None, :] - intersection
    with np.errstate(invalid="ignore", divide="ignore"):
        index: Floats = np.where(union > 0, intersection / union, np.nan)
    return index


def _near_duplicates(
    maps: Sequence[ConceptMap], threshold: float
) -> tuple[NDArray[np.int64] | None, tuple[NearDuplicate, ...]]:
    """Count items with a near-duplicate in each other benchmark; the diagonal counts any other."""
    embeddings = [concept_map.embeddings for concept_map in maps]
    if any(matrix is None for matrix in embeddings):
        return None, ()
    vectors = [np.asarray(matrix, dtype=np.float32) for matrix in embeddings]
    counts = np.zeros((len(maps), len(maps)), dtype=np.int64)
    pairs: list[NearDuplicate] = []
    for a, left in enumerate(vectors):
        has_duplicate = np.zeros(len(left), dtype=bool)
        for b, right in enumerate(vectors):
            if a == b or not len(left) or not len(right):
                continue
            best, nearest = _nearest(left, right)
            is_close = best >= threshold
            counts[a, b] = is_close.sum()
            has_duplicate |= is_close
            if a < b:
                pairs += [
                    NearDuplicate(a, int(row), b, int(nearest[row]), float(best[row]))
                    for row in np.flatnonzero(is_close)
                ]
        counts[a, a] = has_duplicate.sum()
    pairs.sort(key=lambda pair: (-pair.similarity, pair.benchmark_a, pair.row_a, pair.benchmark_b))
    return counts, tuple(pairs[:_MAX_KEPT_PAIRS])


def _nearest(
    left: NDArray[np.float32], right: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the largest cosine of each left row with any right row, and that row."""
    best = np.full(len(left), -1.0, dtype=np.float32)
    nearest = np.zeros(len(left), dtype=np.int64)
    for start in range(0, len(left), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        for first in range(0, len(right), 8 * _BLOCK_ROWS):
            cosines = left[rows] @ right[first : first + 8 * _BLOCK_ROWS].T
            column = cosines.argmax(axis=1)
            value = cosines[np.arange(len(column)), column]
            is_better = value > best[rows]
            best[rows] = np.where(is_better, value, best[rows])
            nearest[rows] = np.where(is_better, column + first, nearest[rows])
    return best, nearest
