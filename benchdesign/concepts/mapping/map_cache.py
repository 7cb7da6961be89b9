"""The cache of mapped items: shards on disk, so that each item is mapped only once.

A shard is a Parquet file, written atomically and named by a hash of its items. Items are sorted by
length before they are split into shards, so that an interrupted run splits the remaining items into
the same shards and ends with the same map as an uninterrupted run. The module `map_items` fills the
cache.

Each mapper has one folder of shards, which any number of runs share. A run skips a shard that
another run has locked.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.map_file import read_map
from benchdesign.errors import WorkspaceError
from benchdesign.foundation.arrow_arrays import read_parquet

__all__ = [
    "join_shards",
    "load_shard",
    "shard_lock",
    "shard_name",
    "shared_folder",
    "stored_digests",
    "write_errors",
]


def join_shards(digests: Sequence[str], shards: Sequence[ConceptMap]) -> ConceptMap:
    """Return one map with a row for each digest, from the shards that have it."""
    place_of = {
        digest: (number, row)
        for number, shard in enumerate(shards)
        for row, digest in enumerate(shard.digests)
    }
    return ConceptMap.gather(shards, [place_of[digest] for digest in digests])


def stored_digests(folder: Path, requested: Collection[str]) -> dict[Path, list[str]]:
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


def load_shard(folder: Path, requested: Collection[str]) -> Iterator[ConceptMap]:
    """Load the requested rows of all shards, each row once."""
    seen: set[str] = set()
    for path, digests in stored_digests(folder, requested).items():
        fresh = set(digests) - seen
        if not fresh:
            continue
        seen |= fresh
        shard = read_map(path)
        if len(fresh) == len(shard):
            yield shard
        else:
            yield shard.take([row for row, digest in enumerate(shard.digests) if digest in fresh])


def shard_name(items: Sequence[Item]) -> str:
    """Return the name of a shard: a hash of its items."""
    return hashlib.sha256("\n".join(item.digest for item in items).encode()).hexdigest()[:32]


@contextlib.contextmanager
def shared_folder(folder: Path) -> Iterator[None]:
    """Open a folder of shards with a shared lock; the first process removes leftovers."""
    with write_errors(folder):
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
def shard_lock(shard: Path) -> Iterator[bool]:
    """Yield whether this process may map a shard; its lock ends with the process."""
    path = shard.with_name(f".claim-{shard.stem}")
    with write_errors(path.parent):
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
def write_errors(folder: Path) -> Iterator[None]:
    """Raise a `WorkspaceError` with the reason if a folder cannot be written."""
    try:
        yield
    except OSError as problem:
        raise WorkspaceError(
            f"{folder}: cannot write concept maps ({problem.strerror or problem}). "
            "Free space, or set another cache folder (BENCHDESIGN_CACHE)."
        ) from None
