"""Mapping many items: each once, in shards on disk, so that nothing done is done again.

A shard is a Parquet map written whole or not at all. Items are sorted by length before they are
cut into shards, and a run that was interrupted cuts what is left into the very same shards: the
map it ends with is the one an uninterrupted run gives.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from benchdesign.conceptmap import ConceptMap, read_parquet
from benchdesign.errors import Interrupted, WorkspaceLockedError
from benchdesign.items import Item
from benchdesign.progress import ProgressCallback, StopCheck, Ticker

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchdesign.mapping import Mapper

__all__ = ["map_items"]

SHARD_ITEMS, SHARD_CHARACTERS = 1024, 1 << 18
"""A shard ends at whichever comes first; on a CPU that is seconds of work."""


@runtime_checkable
class _Ticking(Protocol):
    """A mapper that tells how far it is within a shard, and has its own key."""

    key: str

    def map_batch(
        self, items: Sequence[Item], *, tick: Callable[[int], None] | None = None
    ) -> ConceptMap: ...


def map_items(
    items: Sequence[Item],
    mapper: Mapper,
    *,
    cache: Path | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> ConceptMap:
    """Map items, in order; one that occurs twice, or is in `cache`, is not mapped again.

    Raises `Interrupted` when `stop` says so; with a `cache`, finished shards are kept.
    """
    digests = [item.digest for item in items]
    unique: dict[str, Item] = {}
    for digest, item in zip(digests, items, strict=True):
        unique.setdefault(digest, item)
    if cache is None:
        shards = _map_missing(unique, mapper, set(), None, progress, stop)
        return _in_order(digests, list(shards), mapper)
    folder = cache / _key(mapper)[:32]
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        kept = _stored(folder, unique)
        done = {digest for found in kept.values() for digest in found}
        for _ in _map_missing(unique, mapper, done, folder, progress, stop):
            pass
        return _in_order(digests, list(_load(folder, unique)), mapper)


def _map_missing(
    unique: Mapping[str, Item],
    mapper: Mapper,
    done: set[str],
    folder: Path | None,
    progress: ProgressCallback | None,
    stop: StopCheck | None,
) -> Iterator[ConceptMap]:
    """Map what is not done, shard by shard; with a folder, write each shard as it is finished."""
    ticker = Ticker("mapping items", len(unique), progress=progress)
    ticker.skip(len(done))

    def tick(n: int) -> None:
        ticker.advance(n)
        if stop is not None and stop():
            raise Interrupted("Stopped; what was mapped is kept.")

    missing = [item for digest, item in unique.items() if digest not in done]
    for shard in _shards(missing):
        if isinstance(mapper, _Ticking):
            made = mapper.map_batch(shard, tick=tick)
        else:
            tick(0)
            made = mapper.map_batch(shard)
            tick(len(shard))
        if folder is not None:
            made.save(folder / f"shard-{_name(made.digests)}.parquet")
        yield made


def _shards(items: Sequence[Item]) -> list[list[Item]]:
    """Cut items into shards of similar length, in an order that keeps the rate steady."""
    shards: list[list[Item]] = []
    characters = 0
    # Ascending, so that what a finished shard leaves behind is cut in the same places again.
    for item in sorted(items, key=lambda item: (len(item.text), item.digest)):
        full = not shards or len(shards[-1]) >= SHARD_ITEMS
        if full or characters + len(item.text) > SHARD_CHARACTERS:
            shards.append([])
            characters = 0
        shards[-1].append(item)
        characters += len(item.text)
    # Steps of the golden ratio visit short and long shards in turn; in order of length the time
    # left would be told far too small until the end.
    return [
        shards[place]
        for place in sorted(range(len(shards)), key=lambda place: (place * 0.6180339887) % 1)
    ]


def _in_order(digests: Sequence[str], shards: Sequence[ConceptMap], mapper: Mapper) -> ConceptMap:
    """Put the rows of all shards in the order of the items."""
    if not shards:
        return mapper.map_batch([])
    joined = ConceptMap.concatenate(shards) if len(shards) > 1 else shards[0]
    row_of = {digest: row for row, digest in enumerate(joined.digests)}
    return joined.take(np.asarray([row_of[digest] for digest in digests], dtype=np.int64))


def _stored(folder: Path, wanted: Mapping[str, Item]) -> dict[Path, list[str]]:
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


def _load(folder: Path, wanted: Mapping[str, Item]) -> Iterator[ConceptMap]:
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


def _key(mapper: Mapper) -> str:
    return mapper.key if isinstance(mapper, _Ticking) else mapper.dictionary.fingerprint


def _name(digests: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:32]


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder of shards for this process."""
    with (folder / ".lock").open("a+b") as stream:
        try:
            _lock(stream.fileno())
        except OSError:
            raise WorkspaceLockedError(
                f"{folder}: another process is mapping into it. Wait for it, or stop it."
            ) from None
        # Left behind by a run that was killed while it wrote.
        for partial in folder.glob(".shard-*.tmp"):
            partial.unlink(missing_ok=True)
        yield


def _lock(descriptor: int) -> None:
    """Take an exclusive lock that ends with the process; raise OSError if it is held."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
