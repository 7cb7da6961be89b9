"""What can be said of a benchmark while it is still being mapped.

Every finished shard goes in; now and then a small summary of what was read so far is written
beside the workspace's results, for an interface to show. It is never read by any other stage.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchdesign.records import plain, read_json, revive, write_json

if TYPE_CHECKING:
    from benchdesign.conceptmap import ConceptMap
    from benchdesign.dictionary import Dictionary

__all__ = ["SoFar", "SoFarWriter", "forget_so_far", "read_so_far", "summarise"]

_SMALLEST_POOL = 50
_SHOWN = 8
_PAUSE = 20.0
"""Times as long as a summary took passes before the next: it must not slow the mapping."""


@dataclass(frozen=True, slots=True)
class SoFar:
    """A summary of a job that is still running."""

    n_items: int
    """Benchmark items that were read."""

    n_pool: int
    n_concepts: int
    n_touched: int
    """Concepts that at least one benchmark item shows."""

    n_missing: int
    n_under: int
    against: str
    """What the gaps were judged against: `pool` or `dictionary`."""

    gaps: tuple[tuple[str, int, int], ...] = ()
    """Label, items that show it, items expected; worst first."""

    frequent: tuple[tuple[str, int], ...] = ()
    """Label and items that show it, most frequent first; concepts kept out are left out."""


def summarise(
    benchmark: Iterable[ConceptMap], pool: Iterable[ConceptMap], dictionary: Dictionary
) -> SoFar | None:
    """Judge what was read so far; None before the first benchmark item."""
    import numpy as np

    from benchdesign.conceptmap import ConceptMap
    from benchdesign.coverage import Reference, measure_coverage
    from benchdesign.gaps import Status, find_gaps

    ours, theirs = [one for one in benchmark if len(one)], [one for one in pool if len(one)]
    if not ours:
        return None
    concept_map = ConceptMap.concatenate(ours) if len(ours) > 1 else ours[0]
    n_pool = sum(len(one) for one in theirs)
    if n_pool >= _SMALLEST_POOL:
        reference = Reference.from_map(ConceptMap.concatenate(theirs), dictionary)
    else:
        reference = Reference.from_dictionary(dictionary)
    coverage = measure_coverage(concept_map, dictionary, reference=reference)
    gaps = find_gaps(coverage, dictionary)
    counts = gaps.counts()
    shown = np.where(gaps.in_scope, gaps.count, 0)
    often = np.argsort(-shown, kind="stable")[:_SHOWN]
    return SoFar(
        n_items=len(concept_map),
        n_pool=n_pool,
        n_concepts=int(gaps.in_scope.sum()),
        n_touched=int((shown > 0).sum()),
        n_missing=counts[Status.MISSING],
        n_under=counts[Status.UNDER],
        against=reference.kind,
        gaps=tuple(
            (dictionary.label(one), int(gaps.count[one]), int(gaps.target[one]))
            for one in gaps.ranked()[:_SHOWN].tolist()
        ),
        frequent=tuple(
            (dictionary.label(one), int(shown[one])) for one in often.tolist() if shown[one]
        ),
    )


class SoFarWriter:
    """Takes in shards as they are finished and writes the summary."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = _path(folder)
        self._clock = clock
        self._shards: dict[str, list[ConceptMap]] = {"benchmark": [], "pool": []}
        self._not_before = float("-inf")

    def add(
        self, which: str, dictionary: Dictionary, shard: ConceptMap, *, is_whole: bool = False
    ) -> None:
        """Take in a shard of the benchmark or the pool; a whole map replaces its shards."""
        shards = self._shards[which]
        if is_whole:
            shards.clear()
        shards.append(shard)
        start = self._clock()
        if start < self._not_before and not is_whole:
            return
        found = summarise(self._shards["benchmark"], self._shards["pool"], dictionary)
        if found is not None:
            write_json(self._path, plain(found))
        end = self._clock()
        self._not_before = end + _PAUSE * (end - start)


def read_so_far(folder: Path) -> SoFar | None:
    """Read the summary of a running job; None where there is none."""
    try:
        return revive(SoFar, read_json(_path(folder)))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def forget_so_far(folder: Path) -> None:
    """Remove the summary: the results have come, or a new job begins."""
    _path(folder).unlink(missing_ok=True)


def _path(folder: Path) -> Path:
    return folder / "results" / "so_far.json"
