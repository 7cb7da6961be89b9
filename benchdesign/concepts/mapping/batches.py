"""Batches of windows for the reference model, sorted by length and prefetched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.reference_model.windows import Window

__all__ = []


BATCH_TOKENS = 1024
"""Positions in one batch on a CPU; larger batches exceed its caches and are no faster."""


MAX_BATCH_WINDOWS = 2048


PADDING, PADDED_TOKENS = 0.03, 1 << 12
"""Maximum share of padding in a batch of more than `PADDED_TOKENS` positions.

Fewer positions would leave a GPU idle.
"""


PREFETCH_ITEMS = 128
"""Items cut into windows while a GPU computes one batch; more than a batch contains."""


@dataclass(eq=False)
class WindowPrefetch:
    """The next items, cut into windows while the GPU is busy."""

    items: Sequence[Item]
    steps: Iterator[list[Window]]
    windows: list[Window] = field(default_factory=list)

    def step(self) -> None:
        """Cut the next group of items."""
        self.windows += next(self.steps, [])

    def all(self) -> list[Window]:
        """Cut the remaining items and return all windows."""
        for windows in self.steps:
            self.windows += windows
        return self.windows


def first_batch(
    order: NDArray[np.int64], lengths: NDArray[np.int64], batch_tokens: int
) -> NDArray[np.int64]:
    """Return the windows at the front of `order` (shortest first) that fill a padded batch."""
    head = order[:MAX_BATCH_WINDOWS]
    padded = lengths[head] * np.arange(1, len(head) + 1)
    size = int(np.searchsorted(padded, batch_tokens, side="right"))
    wasteful = padded > np.maximum((1 + PADDING) * np.cumsum(lengths[head]), PADDED_TOKENS)
    if wasteful.any():
        size = min(size, int(wasteful.argmax()))
    return head[: max(size, 1)]


def iterate_batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[NDArray[np.int64]]:
    window_lengths = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(window_lengths, kind="stable")
    while len(order):
        batch = first_batch(order, window_lengths, batch_tokens)
        yield batch
        order = order[len(batch) :]
