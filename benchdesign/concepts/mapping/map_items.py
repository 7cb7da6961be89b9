"""Map items through the cache, so that only new items reach the reference model."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.mapping.map_cache import (
    join_shards,
    load_shard,
    shard_lock,
    shard_name,
    shared_folder,
    stored_digests,
    write_errors,
)
from benchdesign.concepts.mapping.map_keys import key_of
from benchdesign.concepts.mapping.mapper_protocols import (
    Mapper,
    PrefetchingMapper,
    ShardingMapper,
    TickingMapper,
)
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.map_file import write_map
from benchdesign.errors import Interrupted
from benchdesign.foundation.progress import ProgressCallback, StopCheck, Ticker

__all__ = [
    "SHARD_CHARACTERS",
    "SHARD_ITEMS",
    "map_items",
    "recall_items",
]


SHARD_ITEMS, SHARD_CHARACTERS = 1024, 1 << 16
"""Default size limits of a shard: on a CPU, a stopped run loses a few seconds of work.

A mapper with larger batches sets `shard_limits`.
"""


def map_items(
    items: Sequence[Item],
    mapper: Mapper | TickingMapper,
    *,
    cache: Path | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
    stage: str = "mapping items",
    on_shard: Callable[[ConceptMap], None] | None = None,
) -> ConceptMap:
    """Map items in order; duplicates and items in `cache` are not mapped again.

    Raise `Interrupted` when `stop` returns true; finished shards stay in `cache`. `on_shard` is
    called with every shard: first the cached ones, then each new one when it is finished.
    """
    digests = [item.digest for item in items]
    unique: dict[str, Item] = {}
    for digest, item in zip(digests, items, strict=True):
        unique.setdefault(digest, item)
    ticker = Ticker(stage, len(unique), progress=progress)
    if cache is None:
        shards = list(_map_missing(list(unique.values()), mapper, None, ticker, stop))
        return _gather_in_order(digests, shards, mapper)
    folder = cache / key_of(mapper)[:32]
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with shared_folder(folder):
        cached = {
            digest for digests in stored_digests(folder, unique).values() for digest in digests
        }
        ticker.skip(len(cached))
        missing = [item for digest, item in unique.items() if digest not in cached]
        shards = []
        for shard in chain(
            load_shard(folder, cached) if cached else (),
            _map_missing(missing, mapper, folder, ticker, stop),
        ):
            shards.append(shard)
            if on_shard is not None:
                on_shard(shard)
        # The remaining items were mapped by another run.
        others = unique.keys() - {digest for shard in shards for digest in shard.digests}
        return _gather_in_order(
            digests, [*shards, *(load_shard(folder, others) if others else ())], mapper
        )


def recall_items(items: Sequence[Item], key: str, *, cache: Path) -> ConceptMap | None:
    """Return the cached map of items for a mapper key; None if an item is missing."""
    folder = cache / key[:32]
    if not items or not folder.is_dir():
        return None
    digests = [item.digest for item in items]
    requested = set(digests)
    with shared_folder(folder):
        stored = stored_digests(folder, requested).values()
        cached = {digest for shard_digests in stored for digest in shard_digests}
        shards = list(load_shard(folder, requested)) if cached == requested else []
    return join_shards(digests, shards) if shards else None


def _map_missing(
    items: Sequence[Item],
    mapper: Mapper | TickingMapper,
    folder: Path | None,
    ticker: Ticker,
    stop: StopCheck | None,
) -> Iterator[ConceptMap]:
    """Map items shard by shard; with a folder, write each shard when it is finished."""

    def tick(n: int) -> None:
        ticker.advance(n)
        if stop is not None and stop():
            raise Interrupted("Stopped; items mapped so far are cached.")

    def run(shard: Sequence[Item]) -> Callable[[], ConceptMap]:
        if isinstance(mapper, PrefetchingMapper):
            return mapper.run_batch(shard, tick=tick)
        if isinstance(mapper, TickingMapper):
            mapped = mapper.map_batch(shard, tick=tick)
        else:
            tick(0)
            mapped = mapper.map_batch(shard)
            tick(len(shard))
        return lambda: mapped

    max_items, max_characters = (
        mapper.shard_limits
        if isinstance(mapper, ShardingMapper)
        else (SHARD_ITEMS, SHARD_CHARACTERS)
    )
    shards = _shards(items, max_items, max_characters)
    upcoming = iter(shards[1:])
    skipped: list[tuple[Path, list[Item]]] = []
    # On a GPU, the next shard runs while earlier ones are assembled and written; a CPU gains
    # nothing from that.
    max_unwritten = (
        _MAX_UNWRITTEN_SHARDS if isinstance(mapper, PrefetchingMapper) and mapper.on_gpu else 0
    )
    unwritten: deque[Future[ConceptMap]] = deque()
    with ThreadPoolExecutor(max(max_unwritten, 1)) as pool:
        for shard in shards:
            following = next(upcoming, None)
            path = None if folder is None else folder / f"shard-{shard_name(shard)}.parquet"
            with contextlib.ExitStack() as claim:
                if path is not None and not claim.enter_context(shard_lock(path)):
                    skipped.append((path, shard))
                elif path is not None and path.exists():
                    ticker.skip(len(shard))
                else:
                    if following is not None and isinstance(mapper, PrefetchingMapper):
                        mapper.expect(following)
                    assemble = run(shard)
                    unwritten.append(pool.submit(_assemble_shard, assemble, path, claim.pop_all()))
            while len(unwritten) > max_unwritten:
                yield unwritten.popleft().result()
        while unwritten:
            yield unwritten.popleft().result()
    # Shards that another run had locked. Map those that it has not written yet: it may have been
    # stopped, and duplicate work is better than waiting for it.
    for path, shard in skipped:
        if path.exists():
            ticker.skip(len(shard))
        else:
            yield _assemble_shard(run(shard), path, contextlib.nullcontext())


_MAX_UNWRITTEN_SHARDS = 2
"""Number of shards that may be assembled and written while the GPU works on the next one."""


def _assemble_shard(
    assemble: Callable[[], ConceptMap],
    path: Path | None,
    claim: contextlib.AbstractContextManager[object],
) -> ConceptMap:
    """Assemble a shard, write it to `path` if there is one, and release its lock."""
    with claim:
        mapped = assemble()
        if path is not None:
            with write_errors(path.parent):
                write_map(mapped, path)
        return mapped


def _shards(items: Sequence[Item], max_items: int, max_characters: int) -> list[list[Item]]:
    """Split items into shards of similar length, in an order that keeps the rate steady."""
    shards: list[list[Item]] = []
    n_characters = 0
    # Ascending order: without the shards that are finished, the rest is split at the same places.
    for item in sorted(items, key=lambda item: (len(item.text), item.digest)):
        full = not shards or len(shards[-1]) >= max_items
        if full or n_characters + len(item.text) > max_characters:
            shards.append([])
            n_characters = 0
        shards[-1].append(item)
        n_characters += len(item.text)
    # Golden-ratio steps alternate short and long shards; in order of length, the time left would be
    # underestimated until the end.
    return [
        shards[place]
        for place in sorted(range(len(shards)), key=lambda place: (place * 0.6180339887) % 1)
    ]


def _gather_in_order(
    digests: Sequence[str], shards: Sequence[ConceptMap], mapper: Mapper | TickingMapper
) -> ConceptMap:
    """Join the rows of all shards in the order of the items."""
    return join_shards(digests, shards) if shards else mapper.map_batch([])
