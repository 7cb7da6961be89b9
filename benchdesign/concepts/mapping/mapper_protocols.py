"""What a mapper does, and what it may offer beyond mapping a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from benchdesign.benchmarks.items import Item
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.concepts.maps.concept_map import ConceptMap
    from benchdesign.concepts.maps.token_evidence import TokenEvidence

__all__ = ["Mapper", "PrefetchingMapper", "ShardingMapper", "TickingMapper"]


class Mapper(Protocol):
    """Interface of everything that maps items to concepts."""

    dictionary: Dictionary

    def map_batch(self, items: Sequence[Item]) -> ConceptMap:
        """Map items; rows keep the order of the items."""
        ...

    def evidence(
        self, item: Item, concept_ids: Sequence[int]
    ) -> dict[int, tuple[TokenEvidence, ...]]:
        """Return the tokens of an item that activate each concept, in text order."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float16]:
        """Embed texts as unit vectors (n, d)."""
        ...


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
class ShardingMapper(Protocol):
    """A mapper that knows how large its shards should be."""

    shard_limits: tuple[int, int]
    """Maximum items and characters of a shard."""


@runtime_checkable
class PrefetchingMapper(Protocol):
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
