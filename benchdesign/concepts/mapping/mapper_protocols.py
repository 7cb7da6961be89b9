"""What a mapper may offer beyond mapping a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.maps.concept_map import ConceptMap

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TickingMapper"]


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
