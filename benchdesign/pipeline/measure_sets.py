"""Map and measure sets of items without a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchdesign.concepts.mapping.item_mapper import ItemMapper
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.areas import group_areas
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.groups.find_groups import find_gap_groups
from benchdesign.coverage.reference import reference_of
from benchdesign.coverage.relevance import Relevance, measure_relevance
from benchdesign.foundation.preferences import cache_folder, load_preferences
from benchdesign.workspace.load_sets import read_set
from benchdesign.workspace.open_item_mapper import model_settings
from benchdesign.workspace.settings import Settings

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.coverage.areas import Areas
    from benchdesign.coverage.gaps import Gaps
    from benchdesign.coverage.groups.gap_group import GapGroups
    from benchdesign.coverage.reference import Reference
    from benchdesign.coverage.scope import Scope
    from benchdesign.foundation.progress import ProgressCallback, StopCheck

__all__ = ["Measured", "distinct_names", "measure_sets"]


@dataclass(frozen=True, eq=False)
class Measured:
    """Benchmarks with their maps, and the reference they are compared with."""

    benchmarks: tuple[Benchmark, ...]
    maps: tuple[ConceptMap, ...]
    pool: Benchmark | None
    pool_map: ConceptMap | None
    dictionary: Dictionary
    reference: Reference
    scope: Scope
    mapper: ItemMapper

    def gaps(self, place: int = 0) -> Gaps:
        """Judge the coverage of one benchmark."""
        coverage = measure_coverage(self.maps[place], self.dictionary, reference=self.reference)
        return find_gaps(coverage, self.dictionary, relevance=self._relevance(place))

    def groups(self, place: int = 0) -> GapGroups:
        """Find the groups of similar items that one benchmark lacks against the pool."""
        queries = None
        if self.scope.queries and self.pool is not None:
            queries = np.asarray(self.mapper.embed(self.scope.queries), dtype=np.float64)
        return find_gap_groups(
            self.maps[place],
            self.pool_map,
            self.dictionary,
            benchmark_items=self.benchmarks[place].items,
            pool_items=() if self.pool is None else self.pool.items,
            queries=queries,
            takes_all=self.scope.takes_all,
            # The seed of the stage in a workspace: both find the same groups.
            rng=np.random.default_rng(0),
        )

    def _relevance(self, place: int) -> Relevance | None:
        if self.scope.is_empty:
            return None
        maps = [part for part in (self.maps[place], self.pool_map) if part is not None]
        return measure_relevance(self.scope, self.dictionary, mapper=self.mapper, concept_map=maps)

    def areas(self) -> Areas:
        """Group the concepts by all maps."""
        maps = [*self.maps, *([] if self.pool_map is None else [self.pool_map])]
        return group_areas(self.dictionary, concept_map=ConceptMap.concatenate(maps))


def measure_sets(
    paths: Sequence[str],
    pool: str | None,
    settings: Settings,
    *,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> Measured:
    """Read and map benchmarks and a pool; the maps are cached."""
    preferences, _ = load_preferences({"device": settings.device})
    settings = replace(settings, device=preferences.device)
    benchmarks = tuple(read_set(path, settings, "benchmark") for path in paths)
    pool_items = None if pool is None else read_set(pool, settings, "pool")
    mapper = ItemMapper(
        model_settings(settings), cache=cache_folder(preferences), progress=progress, stop=stop
    )
    sets = [*benchmarks, *([] if pool_items is None else [pool_items])]
    maps = [mapper.map(item_set.items) for item_set in sets]
    pool_map = None if pool_items is None else maps.pop()
    return Measured(
        benchmarks,
        tuple(maps),
        pool_items,
        pool_map,
        mapper.dictionary,
        reference_of(pool_map, mapper.dictionary),
        settings.scope,
        mapper,
    )


def distinct_names(benchmarks: Sequence[Benchmark]) -> tuple[str, ...]:
    """Return the names of benchmarks, with their folders if two have the same name."""
    names = [benchmark.name for benchmark in benchmarks]
    if len(set(names)) == len(names):
        return tuple(names)
    return tuple(f"{Path(benchmark.path).parent.name}/{benchmark.name}" for benchmark in benchmarks)
