"""Partial results of a benchmark that is still being mapped.

The writer collects finished shards and from time to time writes a small summary beside the results
of the workspace. Only the interface reads it; no other stage does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.reference import reference_of
from benchdesign.coverage.status import Status
from benchdesign.foundation.serialization import from_json, read_json, to_json, write_json

if TYPE_CHECKING:
    from benchdesign.concepts.dictionaries.dictionary import Dictionary

__all__ = [
    "PartialSummary",
    "PartialSummaryWriter",
    "delete_partial_summary",
    "read_partial_summary",
    "summarise_partial_map",
]

_MAX_SUMMARY_CONCEPTS = 8
_PAUSE_FACTOR = 20.0
"""Pause between summaries, in multiples of the time the last one took, to keep mapping fast."""


@dataclass(frozen=True, slots=True)
class PartialSummary:
    """A summary of a job that is still running."""

    n_items: int
    """Benchmark items mapped so far."""

    n_pool: int
    n_concepts: int
    n_touched: int
    """Concepts that at least one benchmark item shows."""

    n_missing: int
    n_under: int
    against: str
    """The reference for the gaps: `pool` or `dictionary`."""

    gaps: tuple[tuple[str, int, int], ...] = ()
    """Label, number of items that show it and number expected; worst first."""

    frequent: tuple[tuple[str, int], ...] = ()
    """Label and number of items that show it, most frequent first, without concepts kept out."""


def summarise_partial_map(
    benchmark: Iterable[ConceptMap], pool: Iterable[ConceptMap], dictionary: Dictionary
) -> PartialSummary | None:
    """Return a summary of the items mapped so far; None before the first benchmark item."""
    import numpy as np

    benchmark_shards = [shard for shard in benchmark if len(shard)]
    pool_shards = [shard for shard in pool if len(shard)]
    if not benchmark_shards:
        return None
    concept_map = (
        ConceptMap.concatenate(benchmark_shards)
        if len(benchmark_shards) > 1
        else benchmark_shards[0]
    )
    pool_map = ConceptMap.concatenate(pool_shards) if pool_shards else None
    reference = reference_of(pool_map, dictionary)
    coverage = measure_coverage(concept_map, dictionary, reference=reference)
    gaps = find_gaps(coverage, dictionary)
    counts = gaps.counts()
    scoped_counts = np.where(gaps.in_scope, gaps.count, 0)
    most_frequent = np.argsort(-scoped_counts, kind="stable")[:_MAX_SUMMARY_CONCEPTS]
    return PartialSummary(
        n_items=len(concept_map),
        n_pool=0 if pool_map is None else len(pool_map),
        n_concepts=int(gaps.in_scope.sum()),
        n_touched=int((scoped_counts > 0).sum()),
        n_missing=counts[Status.MISSING],
        n_under=counts[Status.UNDER],
        against=reference.kind,
        gaps=tuple(
            (
                dictionary.label(concept_id),
                int(gaps.count[concept_id]),
                int(gaps.target[concept_id]),
            )
            for concept_id in gaps.ranked()[:_MAX_SUMMARY_CONCEPTS].tolist()
        ),
        frequent=tuple(
            (dictionary.label(concept_id), int(scoped_counts[concept_id]))
            for concept_id in most_frequent.tolist()
            if scoped_counts[concept_id]
        ),
    )


class PartialSummaryWriter:
    """Collector of finished shards that writes the summary."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = _path(folder)
        self._clock = clock
        self._shards: dict[str, list[ConceptMap]] = {"benchmark": [], "pool": []}
        self._not_before = float("-inf")

    def add(
        self, which: str, dictionary: Dictionary, shard: ConceptMap, *, is_whole: bool = False
    ) -> None:
        """Record a shard of the benchmark or the pool; a complete map replaces its shards."""
        shards = self._shards[which]
        if is_whole:
            shards.clear()
        shards.append(shard)
        start = self._clock()
        if start < self._not_before and not is_whole:
            return
        summary = summarise_partial_map(self._shards["benchmark"], self._shards["pool"], dictionary)
        if summary is not None:
            write_json(self._path, to_json(summary))
        end = self._clock()
        self._not_before = end + _PAUSE_FACTOR * (end - start)


def read_partial_summary(folder: Path) -> PartialSummary | None:
    """Read the summary of a running job; None if there is no readable one."""
    try:
        return from_json(PartialSummary, read_json(_path(folder)))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def delete_partial_summary(folder: Path) -> None:
    """Delete the summary, when the results are complete or a new job starts."""
    _path(folder).unlink(missing_ok=True)


def _path(folder: Path) -> Path:
    return folder / "results" / "so_far.json"
