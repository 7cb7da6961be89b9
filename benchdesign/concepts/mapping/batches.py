"""Batches of windows for the reference model, sorted by length and prefetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.reference_model.loading import MEMORY_ADVICE, is_out_of_memory
from benchdesign.concepts.reference_model.model import ReferenceModel
from benchdesign.concepts.reference_model.windows import Window
from benchdesign.errors import ModelError

if TYPE_CHECKING:
    import torch

    UseStates = Callable[[NDArray[np.int64], dict[str, torch.Tensor]], None]

__all__ = ["BatchRunner", "WindowPrefetch", "first_batch", "iterate_batches"]

BATCH_TOKENS = 1024
"""Positions in one batch on a CPU; larger batches exceed its caches and are no faster."""

FIRST_BATCH_TOKENS_GPU, MAX_BATCH_TOKENS_GPU = 1 << 14, 1 << 17
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
    """Yield the windows of each batch, shortest first."""
    window_lengths = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(window_lengths, kind="stable")
    while len(order):
        batch = first_batch(order, window_lengths, batch_tokens)
        yield batch
        order = order[len(batch) :]


@dataclass(eq=False)
class BatchRunner:
    """Runs a reference model on windows, in batches that fit in memory."""

    model: ReferenceModel
    batch_tokens: int = BATCH_TOKENS
    may_grow: bool = False
    """Whether batches may grow until one does not fit."""

    _expected: list[WindowPrefetch] = field(default_factory=list, repr=False)

    @classmethod
    def for_device(cls, model: ReferenceModel) -> BatchRunner:
        """Start with small batches on a GPU, whose memory is unknown; they grow."""
        if model.on_gpu:
            return cls(model, batch_tokens=FIRST_BATCH_TOKENS_GPU, may_grow=True)
        return cls(model)

    def expect(self, items: Sequence[Item]) -> None:
        """Queue the items that follow those of the next call of `windows`.

        The CPU cuts them into windows while a GPU computes.
        """
        self._expected = [
            *self._expected[-1:],
            WindowPrefetch(items, self.model.maker.cut(items, PREFETCH_ITEMS)),
        ]

    def windows(self, items: Sequence[Item]) -> list[Window]:
        """Return the windows of items, reusing those cut ahead."""
        for prefetch in self._expected:
            if prefetch.items is items:
                self._expected.remove(prefetch)
                return prefetch.all()
        return self.model.windows(items)

    def run(self, windows: Sequence[Window], use: UseStates) -> Iterator[NDArray[np.int64]]:
        """Pass the states of all windows to `use`, shortest first, in batches that fit in memory.

        Yields each finished batch (indices into `windows`). A batch that does not fit is halved
        and run again, so `use` must keep nothing from a batch that failed.
        """
        import torch

        lengths = np.asarray([len(window) for window in windows], dtype=np.int64)
        order = np.argsort(lengths, kind="stable")
        low = 0
        while low < len(order):
            batch = first_batch(order[low:], lengths, self.batch_tokens)
            fits = True
            try:
                self._run_batch(batch, [windows[index] for index in batch], use)
            except (RuntimeError, MemoryError) as problem:
                if not is_out_of_memory(problem):
                    raise
                fits = False
            # Outside the except block: the exception would keep the failed batch in memory.
            if not fits:
                if len(batch) == 1:
                    raise ModelError(
                        f"One window of {lengths[batch[0]]} tokens does not fit in memory. "
                        f"{MEMORY_ADVICE}"
                    )
                self.batch_tokens = max(int(lengths[batch].max()) * len(batch) // 2, 1)
                self.may_grow = False
                torch.cuda.empty_cache()
                continue
            yield batch
            low += len(batch)
            if self.may_grow:
                self.batch_tokens = min(self.batch_tokens * 2, MAX_BATCH_TOKENS_GPU)

    def _run_batch(
        self, batch: NDArray[np.int64], windows: Sequence[Window], use: UseStates
    ) -> None:
        states = self.model.activations(windows)
        # CUDA runs asynchronously: cut windows while the GPU computes.
        if self._expected and self.model.on_gpu:
            self._expected[-1].step()
        use(batch, states)
