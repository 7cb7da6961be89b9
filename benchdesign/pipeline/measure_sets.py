"""Map and measure sets of items without a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchdesign.concepts.mapping.item_mapper import ItemMapper
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.areas import group_areas
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.reference import reference_of
from benchdesign.foundation.preferences import cache_folder, load_preferences
from benchdesign.workspace.load_sets import read_set
from benchdesign.workspace.open_item_mapper import model_settings
from benchdesign.workspace.settings import Settings

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.coverage.areas import Areas
    from benchdesign.coverage.gaps import Gaps
    from benchdesign.coverage.reference import Reference
    from benchdesign.foundation.progress import ProgressCallback, StopCheck

__all__ = ["Measured", "distinct_names", "measure_sets"]


@dataclass(frozen=True, eq=False)
class Measured:
    """Benchmarks with their maps, and the reference they are compared with."""

    benchmarks: tuple[Benchmark, ...]
    maps: tuple[ConceptMap, ...]
    pool_map: ConceptMap | None
    dictionary: Dictionary
    reference: Reference

    def gaps(self, place: int = 0) -> Gaps:
        """Judge the coverage of one benchmark."""
        coverage = measure_coverage(self.maps[place], self.dictionary, reference=self.reference)
        return find_gaps(coverage, self.dictionary)

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
        pool_map,
        mapper.dictionary,
        reference_of(pool_map, mapper.dictionary),
    )


def distinct_names(benchmarks: Sequence[Benchmark]) -> tuple[str, ...]:
    """Return the names of benchmarks, with their folders if two have the same name."""
    names = [benchmark.name for benchmark in benchmarks]
    if len(set(names)) == len(names):
        return tuple(names)
    return tuple(f"{Path(benchmark.path).parent.name}/{benchmark.name}" for benchmark in benchmarks)
