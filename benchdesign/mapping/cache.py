"""Mapping many items: each once, in shards on disk, so that nothing done is done again.

A shard is a Parquet map written whole or not at all, under a name that says which items it holds.
Items are sorted by length before they are cut into shards, and a run that was interrupted cuts what
is left into the very same shards: the map it ends with is the one an uninterrupted run gives.

Shards lie in one folder per mapper, which any number of runs share: one that finds another at work
on a shard leaves it to that one and goes on with the next.
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
"""A shard ends at whichever comes first; on a CPU that is seconds of work, lost when it is stopped.

A mapper with larger batches says so with `shard_limits`.
"""


@runtime_checkable
class TickingMapper(Protocol):
    """What maps items, tells how far it is within a shard, and has its own key."""

    key: str

    def map_batch(
        self, items: Sequence[Item], *, tick: Callable[[int], None] | None = None
    ) -> ConceptMap:
        """Map items, in order; `tick` is told how many are done, and may raise."""
        ...


@runtime_checkable
class ExpectantMapper(Protocol):
    """What can get the next items ready while it maps others."""

    on_gpu: bool

    def expect(self, items: Sequence[Item]) -> None:
        """Say which items come after those of the next call of `run_batch`."""
        ...

    def run_batch(
        self, items: Sequence[Item], *, tick: Callable[[int], None] | None = None
    ) -> Callable[[], ConceptMap]:
        """Do the model's part of `map_batch`; what is returned does the rest, in any thread."""
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
    """Map items, in order; one that occurs twice, or is in `cache`, is not mapped again.

    Raises `Interrupted` when `stop` says so; with a `cache`, finished shards are kept. `on_shard`
    is given every shard as it is finished, those of an earlier run first.
    """
    digests = [item.digest for item in items]
    unique: dict[str, Item] = {}
    for digest, item in zip(digests, items, strict=True):
        unique.setdefault(digest, item)
    ticker = Ticker(stage, len(unique), progress=progress)
    if cache is None:
        shards = _map_missing(list(unique.values()), mapper, None, ticker, stop)
        return _in_order(digests, list(shards), mapper)
    folder = cache / key_of(mapper)[:32]
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _in_use(folder):
        done = {digest for found in _stored(folder, unique).values() for digest in found}
        ticker.skip(len(done))
        missing = [item for digest, item in unique.items() if digest not in done]
        made = []
        for shard in chain(
            _load(folder, done) if done else (),
            _map_missing(missing, mapper, folder, ticker, stop),
        ):
            made.append(shard)
            if on_shard is not None:
                on_shard(shard)
        # Some may have been mapped by another run.
        others = unique.keys() - {digest for shard in made for digest in shard.digests}
        return _in_order(digests, [*made, *(_load(folder, others) if others else ())], mapper)


def recall_items(items: Sequence[Item], key: str, *, cache: Path) -> ConceptMap | None:
    """Return the map of items that a mapper of that key mapped before; None if any is missing."""
    folder = cache / key[:32]
    if not items or not folder.is_dir():
        return None
    digests = [item.digest for item in items]
    wanted = set(digests)
    with _in_use(folder):
        found = {digest for one in _stored(folder, wanted).values() for digest in one}
        shards = list(_load(folder, wanted)) if found == wanted else []
    return _joined(digests, shards) if shards else None


def key_of_parts(
    fingerprint: str,
    *,
    model: str,
    number_type: str,
    hook_module: str | None,
    chat: str | None = None,
) -> str:
    """Return the key of a mapper: dictionary, model weights, number type, module read by hand.

    `chat` is the identity of the chat template around every item.
    """
    parts = (fingerprint, model, number_type, *([hook_module] if hook_module else []))
    parts += (f"chat {chat}",) if chat else ()
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def key_of(mapper: Mapper | TickingMapper) -> str:
    """Return what tells maps of one mapper from those of another."""
    return mapper.key if isinstance(mapper, TickingMapper) else mapper.dictionary.fingerprint


def _map_missing(
    items: Sequence[Item],
    mapper: Mapper | TickingMapper,
    folder: Path | None,
    ticker: Ticker,
    stop: StopCheck | None,
) -> Iterator[ConceptMap]:
    """Map items shard by shard; with a folder, write each shard as it is finished."""

    def tick(n: int) -> None:
        ticker.advance(n)
        if stop is not None and stop():
            raise Interrupted("Stopped; what was mapped is kept.")

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
    elsewhere: list[tuple[Path, list[Item]]] = []
    # A GPU goes on while shards are put together and written; without one nothing is to be gained.
    at_once = _BEHIND if isinstance(mapper, ExpectantMapper) and mapper.on_gpu else 0
    unfinished: deque[Future[ConceptMap]] = deque()
    with ThreadPoolExecutor(max(at_once, 1)) as behind:
        for shard in shards:
            following = next(upcoming, None)
            path = None if folder is None else folder / f"shard-{_name(shard)}.parquet"
            with contextlib.ExitStack() as claim:
                if path is not None and not claim.enter_context(_claim(path)):
                    elsewhere.append((path, shard))
                elif path is not None and path.exists():
                    ticker.skip(len(shard))
                else:
                    if following is not None and isinstance(mapper, ExpectantMapper):
                        mapper.expect(following)
                    finish = run(shard)
                    unfinished.append(behind.submit(_finish, finish, path, claim.pop_all()))
            while len(unfinished) > at_once:
                yield unfinished.popleft().result()
        while unfinished:
            yield unfinished.popleft().result()
    # By now another run has finished these; if it was stopped, they are done here after all. Where
    # it is still at it, doing the same work twice is better than waiting for what may never come.
    for path, shard in elsewhere:
        if path.exists():
            ticker.skip(len(shard))
        else:
            yield _finish(run(shard), path, contextlib.nullcontext())


_BEHIND = 2
"""Shards that are put together and written while a GPU works on the next one."""


def _finish(
    finish: Callable[[], ConceptMap],
    path: Path | None,
    claim: contextlib.AbstractContextManager[object],
) -> ConceptMap:
    """Put a shard together, write it where that is asked for, and give up the claim to it."""
    with claim:
        mapped = finish()
        if path is not None:
            with _writing(path.parent):
                mapped.save(path)
        return mapped


def _shards(items: Sequence[Item], most_items: int, most_characters: int) -> list[list[Item]]:
    """Cut items into shards of similar length, in an order that keeps the rate steady."""
    shards: list[list[Item]] = []
    taken = 0
    # Ascending, so that what a finished shard leaves behind is cut in the same places again.
    for item in sorted(items, key=lambda item: (len(item.text), item.digest)):
        full = not shards or len(shards[-1]) >= most_items
        if full or taken + len(item.text) > most_characters:
            shards.append([])
            taken = 0
        shards[-1].append(item)
        taken += len(item.text)
    # Steps of the golden ratio visit short and long shards in turn; in order of length the time
    # left would be told far too small until the end.
    return [
        shards[place]
        for place in sorted(range(len(shards)), key=lambda place: (place * 0.6180339887) % 1)
    ]


def _in_order(
    digests: Sequence[str], shards: Sequence[ConceptMap], mapper: Mapper | TickingMapper
) -> ConceptMap:
    """Put the rows of all shards in the order of the items."""
    return _joined(digests, shards) if shards else mapper.map_batch([])


def _joined(digests: Sequence[str], shards: Sequence[ConceptMap]) -> ConceptMap:
    place_of = {
        digest: (shard, row)
        for shard, one in enumerate(shards)
        for row, digest in enumerate(one.digests)
    }
    return ConceptMap.gather(shards, [place_of[digest] for digest in digests])


def _stored(folder: Path, wanted: Collection[str]) -> dict[Path, list[str]]:
    """List the shards on disk with the wanted digests in each; a damaged shard is dropped."""
    import pyarrow as pa

    found: dict[Path, list[str]] = {}
    for path in sorted(folder.glob("shard-*.parquet")):
        try:
            digests = read_parquet(path, columns=["digest"]).column("digest").to_pylist()
        except (pa.ArrowException, OSError, KeyError):
            path.unlink(missing_ok=True)
            continue
        found[path] = [digest for digest in digests if digest in wanted]
    return found


def _load(folder: Path, wanted: Collection[str]) -> Iterator[ConceptMap]:
    """Read the wanted rows of all shards, each row once."""
    seen: set[str] = set()
    for path, found in _stored(folder, wanted).items():
        fresh = set(found) - seen
        if not fresh:
            continue
        seen |= fresh
        shard = ConceptMap.load(path)
        if len(fresh) == len(shard):
            yield shard
        else:
            yield shard.take([row for row, one in enumerate(shard.digests) if one in fresh])


def _name(items: Sequence[Item]) -> str:
    return hashlib.sha256("\n".join(item.digest for item in items).encode()).hexdigest()[:32]


@contextlib.contextmanager
def _in_use(folder: Path) -> Iterator[None]:
    """Use a folder of shards beside other processes; the first one tidies up."""
    with _writing(folder):
        stream = (folder / ".lock").open("a+b")
    with stream:
        # Where locks do not work (some network drives) nothing is tidied; shards stay safe, as
        # they appear whole, under names that only the same items give.
        with contextlib.suppress(OSError):
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Left behind by runs that were killed: nobody else is here.
            for partial in (*folder.glob(".shard-*.tmp"), *folder.glob(".claim-*")):
                partial.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            fcntl.flock(stream, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def _claim(shard: Path) -> Iterator[bool]:
    """Say whether a shard is this process's to map; the claim ends with the process."""
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
    """Say in one line why a folder cannot be written."""
    try:
        yield
    except OSError as problem:
        raise WorkspaceError(
            f"{folder}: concept maps cannot be kept there ({problem.strerror or problem}). "
            "Free space, or set another cache folder (BENCHDESIGN_CACHE)."
        ) from None
