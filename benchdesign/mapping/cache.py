"""Map items through a cache of shards on disk, so that each item is mapped only once.

A shard is a Parquet file, written atomically and named by a hash of its items. Items are sorted by
length before they are split into shards, so that an interrupted run splits the remaining items into
the same shards and ends with the same map as an uninterrupted run.

Each mapper has one folder of shards, which any number of runs share. A run skips a shard that
another run has locked.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from benchdesign.conceptmap import ConceptMap, read_parquet
from benchdesign.errors import Interrupted, WorkspaceError
from benchdesign.items import Item
from benchdesign.progress import ProgressCallback, StopCheck, Ticker

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchdesign.mapping import Mapper

__all__ = ["TickingMapper", "key_of", "key_of_parts", "map_items", "recall_items"]

SHARD_ITEMS, SHARD_CHARACTERS = 1024, 1 << 16
"""Default size limits of a shard: on a CPU, a stopped run loses a few seconds of work.

A mapper with larger batches sets `shard_limits`.
"""


@runtime_checkable
class TickingMapper(Protocol):
    """A mapper that reports progress within a shard and has its own cache key."""

    key: str

    def map_batch(
        self, items: Sequence[Item], *, tick: Callable[[int], None] | None = None
    ) -> ConceptMap:
        """Map items in order; `tick` is called with the number just done, and may raise."""
        ...


@runtime_checkable
class ExpectantMapper(Protocol):
    """A mapper that prepares the next items while it maps the current ones."""

    on_gpu: bool

    def expect(self, items: Sequence[Item]) -> None:
        """Start preparing the items that follow those of the next `run_batch` call."""
        ...

    def run_batch(
        self, items: Sequence[Item], *, tick: Callable[[int], None] | None = None
    ) -> Callable[[], ConceptMap]:
        """Run the model; the returned function finishes `map_batch`, in any thread."""
        ...


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
        return _in_order(digests, shards, mapper)
    folder = cache / key_of(mapper)[:32]
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _in_use(folder):
        cached = {digest for digests in _stored(folder, unique).values() for digest in digests}
        ticker.skip(len(cached))
        missing = [item for digest, item in unique.items() if digest not in cached]
        shards = []
        for shard in chain(
            _load(folder, cached) if cached else (),
            _map_missing(missing, mapper, folder, ticker, stop),
        ):
            shards.append(shard)
            if on_shard is not None:
                on_shard(shard)
        # The remaining items were mapped by another run.
        others = unique.keys() - {digest for shard in shards for digest in shard.digests}
        return _in_order(digests, [*shards, *(_load(folder, others) if others else ())], mapper)


def recall_items(items: Sequence[Item], key: str, *, cache: Path) -> ConceptMap | None:
    """Return the cached map of items for a mapper key; None if an item is missing."""
    folder = cache / key[:32]
    if not items or not folder.is_dir():
        return None
    digests = [item.digest for item in items]
    requested = set(digests)
    with _in_use(folder):
        stored = _stored(folder, requested).values()
        cached = {digest for shard_digests in stored for digest in shard_digests}
        shards = list(_load(folder, requested)) if cached == requested else []
    return _joined(digests, shards) if shards else None


def key_of_parts(
    fingerprint: str,
    *,
    model: str,
    number_type: str,
    hook_module: str | None,
    chat: str | None = None,
) -> str:
    """Return the cache key of a mapper: dictionary, model weights, dtype, hook module.

    `chat` identifies the chat template around every item.
    """
    parts = (fingerprint, model, number_type, *([hook_module] if hook_module else []))
    parts += (f"chat {chat}",) if chat else ()
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def key_of(mapper: Mapper | TickingMapper) -> str:
    """Return the cache key of a mapper."""
    return mapper.key if isinstance(mapper, TickingMapper) else mapper.dictionary.fingerprint


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
        if isinstance(mapper, ExpectantMapper):
            return mapper.run_batch(shard, tick=tick)
        if isinstance(mapper, TickingMapper):
            mapped = mapper.map_batch(shard, tick=tick)
        else:
            tick(0)
            mapped = mapper.map_batch(shard)
            tick(len(shard))
        return lambda: mapped

    shards = _shards(items, *getattr(mapper, "shard_limits", (SHARD_ITEMS, SHARD_CHARACTERS)))
    upcoming = iter(shards[1:])
    skipped: list[tuple[Path, list[Item]]] = []
    # On a GPU, the next shard runs while earlier ones are assembled and written; a CPU gains
    # nothing from that.
    max_unwritten = _BEHIND if isinstance(mapper, ExpectantMapper) and mapper.on_gpu else 0
    unwritten: deque[Future[ConceptMap]] = deque()
    with ThreadPoolExecutor(max(max_unwritten, 1)) as pool:
        for shard in shards:
            following = next(upcoming, None)
            path = None if folder is None else folder / f"shard-{_name(shard)}.parquet"
            with contextlib.ExitStack() as claim:
                if path is not None and not claim.enter_context(_claim(path)):
                    skipped.append((path, shard))
                elif path is not None and path.exists():
                    ticker.skip(len(shard))
                else:
                    if following is not None and isinstance(mapper, ExpectantMapper):
                        mapper.expect(following)
                    assemble = run(shard)
                    unwritten.append(pool.submit(_finish, assemble, path, claim.pop_all()))
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
            yield _finish(run(shard), path, contextlib.nullcontext())


_BEHIND = 2
"""Number of shards that may be assembled and written while the GPU works on the next one."""


def _finish(
    assemble: Callable[[], ConceptMap],
    path: Path | None,
    claim: contextlib.AbstractContextManager[object],
) -> ConceptMap:
    """Assemble a shard, write it to `path` if there is one, and release its lock."""
    with claim:
        mapped = assemble()
        if path is not None:
            with _writing(path.parent):
                mapped.save(path)
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


def _in_order(
    digests: Sequence[str], shards: Sequence[ConceptMap], mapper: Mapper | TickingMapper
) -> ConceptMap:
    """Join the rows of all shards in the order of the items."""
    return _joined(digests, shards) if shards else mapper.map_batch([])


def _joined(digests: Sequence[str], shards: Sequence[ConceptMap]) -> ConceptMap:
    place_of = {
        digest: (number, row)
        for number, shard in enumerate(shards)
        for row, digest in enumerate(shard.digests)
    }
    return ConceptMap.gather(shards, [place_of[digest] for digest in digests])


def _stored(folder: Path, requested: Collection[str]) -> dict[Path, list[str]]:
    """Return the requested digests in each shard on disk; delete damaged shards."""
    import pyarrow as pa

    by_shard: dict[Path, list[str]] = {}
    for path in sorted(folder.glob("shard-*.parquet")):
        try:
            digests = read_parquet(path, columns=["digest"]).column("digest").to_pylist()
        except (pa.ArrowException, OSError, KeyError):
            path.unlink(missing_ok=True)
            continue
        by_shard[path] = [digest for digest in digests if digest in requested]
    return by_shard


def _load(folder: Path, requested: Collection[str]) -> Iterator[ConceptMap]:
    """Load the requested rows of all shards, each row once."""
    seen: set[str] = set()
    for path, digests in _stored(folder, requested).items():
        fresh = set(digests) - seen
        if not fresh:
            continue
        seen |= fresh
        shard = ConceptMap.load(path)
        if len(fresh) == len(shard):
            yield shard
        else:
            yield shard.take([row for row, digest in enumerate(shard.digests) if digest in fresh])


def _name(items: Sequence[Item]) -> str:
    return hashlib.sha256("\n".join(item.digest for item in items).encode()).hexdigest()[:32]


@contextlib.contextmanager
def _in_use(folder: Path) -> Iterator[None]:
    """Open a folder of shards with a shared lock; the first process removes leftovers."""
    with _writing(folder):
        stream = (folder / ".lock").open("a+b")
    with stream:
        # If locks do not work (some network drives), leftovers stay. Shards are safe even then:
        # writes are atomic, and equal names mean equal items.
        with contextlib.suppress(OSError):
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The exclusive lock proves that these belong to killed runs.
            for partial in (*folder.glob(".shard-*.tmp"), *folder.glob(".claim-*")):
                partial.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            fcntl.flock(stream, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def _claim(shard: Path) -> Iterator[bool]:
    """Yield whether this process may map a shard; its lock ends with the process."""
    path = shard.with_name(f".claim-{shard.stem}")
    with _writing(path.parent):
        stream = path.open("a+b")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:
            yield True
            return
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Raise a `WorkspaceError` with the reason if a folder cannot be written."""
    try:
        yield
    except OSError as problem:
        raise WorkspaceError(
            f"{folder}: cannot write concept maps ({problem.strerror or problem}). "
            "Free space, or set another cache folder (BENCHDESIGN_CACHE)."
        ) from None
