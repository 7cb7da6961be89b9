"""Several benchmarks side by side: what each covers, where they overlap, what each adds.

All measured against one reference, so that the numbers of different benchmarks can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.areas import AreaGaps, Areas, find_area_gaps
from benchdesign.conceptmap import ConceptMap
from benchdesign.coverage import Coverage, Reference, measure_coverage
from benchdesign.dictionary import Dictionary
from benchdesign.errors import UsageError
from benchdesign.gaps import Gaps, GapSettings, Status, find_gaps
from benchdesign.scope import Relevance

__all__ = [
    "NearDuplicate",
    "Suite",
    "SuiteRow",
    "compare_areas",
    "compare_suite",
    "join_coverages",
]

Floats = NDArray[np.float64]

_BLOCK_ROWS = 2_048
_MOST_PAIRS = 1_000
"""Near-duplicate pairs kept to show; all are counted."""


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two items of different benchmarks with almost the same text."""

    benchmark_a: int
    row_a: int
    benchmark_b: int
    row_b: int
    similarity: float


@dataclass(frozen=True, slots=True)
class SuiteRow:
    """One benchmark of a suite for people."""

    name: str
    n_items: int
    n_present: int
    """Judged concepts shown by at least one item."""

    n_missing: int
    """Significantly absent at this benchmark's lengths and size."""

    n_under: int
    n_tested: int
    """Concepts for which this benchmark could have shown a deficit."""

    share_silent: float
    """The paper's figure: share of judged concepts that no item activates at all."""

    n_only_here: int
    """Judged concepts shown by this benchmark and no other."""

    n_closed: int
    """Gaps of the rest of the suite that are no gaps once this benchmark is added."""

    n_near_duplicates: int | None
    """Items almost equal to one of another benchmark; None if the maps hold no embeddings."""

    @property
    def share_missing(self) -> float:
        """Share of tested concepts that are missing or under; NaN if none was tested."""
        return (self.n_missing + self.n_under) / self.n_tested if self.n_tested else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Suite:
    """Coverage of several benchmarks, each alone and all together."""

    names: tuple[str, ...]
    gaps: tuple[Gaps, ...]
    """Per benchmark; `gaps[b].coverage` holds its coverage."""

    joint: Gaps
    """All items together."""

    chi_bench: Floats
    """(n_concepts,): the paper's joint score, the mean of the benchmarks' own."""

    overlap: Floats
    """(n, n): Jaccard index of the judged concepts shown; NaN where neither shows any."""

    only_here: NDArray[np.bool_]
    """(n, n_concepts): judged concepts shown by one benchmark and no other."""

    closed: NDArray[np.bool_]
    """(n, n_concepts): gaps of the rest that adding the benchmark closes."""

    near_duplicates: NDArray[np.int64] | None
    """(n, n): items of the first with an almost equal item in the second; None if not measured."""

    pairs: tuple[NearDuplicate, ...]
    """The most similar pairs across benchmarks, most similar first."""

    def __len__(self) -> int:
        """Count the benchmarks."""
        return len(self.names)

    def rows(self) -> Iterator[SuiteRow]:
        """Iterate over the benchmarks for people, in the order given."""
        judged = self.joint.in_scope
        n_judged = int(judged.sum())
        for place, (name, gaps) in enumerate(zip(self.names, self.gaps, strict=True)):
            counts = gaps.counts()
            silent = int((gaps.coverage.missing & judged).sum())
            yield SuiteRow(
                name=name,
                n_items=gaps.n_items,
                n_present=int(((gaps.count > 0) & judged).sum()),
                n_missing=counts[Status.MISSING],
                n_under=counts[Status.UNDER],
                n_tested=int(gaps.is_tested.sum()),
                share_silent=silent / n_judged if n_judged else float("nan"),
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
    """Compare benchmarks that were mapped with one dictionary.

    Without a reference the dictionary's base rates are used, and where it has none, all items of
    the suite together: then a gap is what this benchmark lacks and the others have.
    """
    if not maps or len(maps) != len(names):
        raise UsageError(f"There are {len(maps)} maps and {len(names)} names; give one name a map.")
    if reference is None:
        reference = Reference.from_dictionary(dictionary)
        if np.isnan(reference.rates).all():
            everything = ConceptMap.concatenate([one for one in maps if len(one)] or list(maps))
            reference = Reference.from_map(everything, dictionary, kind="sample")
    coverages = [measure_coverage(one, dictionary, reference=reference) for one in maps]
    lengths = [one.n_tokens for one in maps]

    def judge(chosen: Sequence[int]) -> Gaps:
        joined = join_coverages(
            [coverages[place] for place in chosen],
            reference,
            n_tokens=np.concatenate([lengths[place] for place in chosen]),
        )
        return find_gaps(joined, dictionary, relevance=relevance, settings=settings)

    gaps = tuple(
        find_gaps(one, dictionary, relevance=relevance, settings=settings) for one in coverages
    )
    joint = judge(range(len(maps)))
    shown = np.stack([one.count > 0 for one in coverages]) & joint.in_scope
    closed = np.zeros_like(shown)
    for place in range(len(maps)):
        others = [other for other in range(len(maps)) if other != place]
        if others:
            closed[place] = judge(others).is_gap & ~joint.is_gap
    counts, pairs = _near_duplicates(maps, near_duplicate)
    return Suite(
        names=tuple(names),
        gaps=gaps,
        joint=joint,
        chi_bench=np.mean([one.chi_bench for one in coverages], axis=0),
        overlap=_jaccard(shown),
        only_here=shown & (shown.sum(axis=0) == 1),
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
    """Judge every area in each benchmark of a suite, at its own lengths and size."""
    return tuple(
        find_area_gaps(areas, gaps, concept_map=one, reference_map=reference_map)
        for gaps, one in zip(suite.gaps, maps, strict=True)
    )


def join_coverages(
    coverages: Sequence[Coverage], reference: Reference, *, n_tokens: NDArray[np.int32]
) -> Coverage:
    """Return the coverage of several sets together, from theirs and all items' lengths."""
    first = coverages[0]
    n_items = sum(one.n_items for one in coverages)
    matched = reference.match(n_tokens)
    total = np.sum([one.mean_saliency * one.n_items for one in coverages], axis=0)
    mean_saliency = total / max(n_items, 1)
    overall = float(mean_saliency.mean()) if len(mean_saliency) else 0.0
    return Coverage(
        n_items=n_items,
        count=np.sum([one.count for one in coverages], axis=0),
        n_active=np.sum([one.n_active for one in coverages], axis=0),
        mean_saliency=mean_saliency,
        chi_bench=mean_saliency / overall if overall else np.zeros_like(mean_saliency),
        expected=matched.rates * n_items,
        base_rate=matched.rates,
        n_reference=matched.n_effective,
        reference=first.reference,
        thresholds=first.thresholds,
        dictionary=first.dictionary,
    )


def _jaccard(shown: NDArray[np.bool_]) -> Floats:
    """Return the Jaccard index of each pair of rows; NaN where both are empty."""
    numbers = shown.astype(np.float64)
    both = numbers @ numbers.T
    sizes = numbers.sum(axis=1)
    either = sizes[:, None] + sizes[None, :] - both
    with np.errstate(invalid="ignore", divide="ignore"):
        index: Floats = np.where(either > 0, both / either, np.nan)
    return index


def _near_duplicates(
    maps: Sequence[ConceptMap], threshold: float
) -> tuple[NDArray[np.int64] | None, tuple[NearDuplicate, ...]]:
    """Count items with an almost equal one in each other benchmark; the diagonal counts any."""
    embeddings = [one.embeddings for one in maps]
    if any(one is None for one in embeddings):
        return None, ()
    vectors = [np.asarray(one, dtype=np.float32) for one in embeddings]
    counts = np.zeros((len(maps), len(maps)), dtype=np.int64)
    pairs: list[NearDuplicate] = []
    for a, left in enumerate(vectors):
        doubled = np.zeros(len(left), dtype=bool)
        for b, right in enumerate(vectors):
            if a == b or not len(left) or not len(right):
                continue
            best, where = _nearest(left, right)
            close = best >= threshold
            counts[a, b] = close.sum()
            doubled |= close
            if a < b:
                pairs += [
                    NearDuplicate(a, int(row), b, int(where[row]), float(best[row]))
                    for row in np.flatnonzero(close)
                ]
        counts[a, a] = doubled.sum()
    pairs.sort(key=lambda pair: (-pair.similarity, pair.benchmark_a, pair.row_a, pair.benchmark_b))
    return counts, tuple(pairs[:_MOST_PAIRS])


def _nearest(
    left: NDArray[np.float32], right: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return each left row's largest cosine with any right row, and which row that is."""
    best = np.full(len(left), -1.0, dtype=np.float32)
    where = np.zeros(len(left), dtype=np.int64)
    for start in range(0, len(left), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        for first in range(0, len(right), 8 * _BLOCK_ROWS):
            cosines = left[rows] @ right[first : first + 8 * _BLOCK_ROWS].T
            at = cosines.argmax(axis=1)
            value = cosines[np.arange(len(at)), at]
            better = value > best[rows]
            best[rows] = np.where(better, value, best[rows])
            where[rows] = np.where(better, at + first, where[rows])
    return best, where
