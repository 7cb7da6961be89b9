"""Sentence embeddings: sums of the states of an item's tokens, at unit length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.reference_model.windows import Window

if TYPE_CHECKING:
    import torch

__all__ = ["SENTENCE_HOOK", "StateSums", "sum_states", "unit_vectors"]


SENTENCE_HOOK = "blocks.5.hook_resid_post"
"""Last layer of the built-in model; a sentence embedding is the mean of its states."""


class StateSums(NamedTuple):
    """Sums of the states of windows, on the device of the states."""

    items: list[int]
    totals: torch.Tensor
    """(n_windows, d)"""


def sum_states(states: torch.Tensor, windows: Sequence[Window]) -> StateSums:
    """Return the sum of the content states of each window."""
    import torch

    counts = torch.as_tensor([window.n_content for window in windows], device=states.device)
    totals = torch.segment_reduce(states.float(), "sum", lengths=counts, unsafe=True)
    return StateSums([window.item for window in windows], totals)


def unit_vectors(parts: Sequence[StateSums], n_items: int, width: int) -> NDArray[np.float16]:
    """Return the sum of each item's states, scaled to unit length."""
    sums = np.zeros((n_items, width), dtype=np.float32)
    for part in parts:
        np.add.at(sums, part.items, part.totals.cpu().numpy())
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    unit: NDArray[np.float16] = (sums / np.maximum(norms, 1e-12)).astype(np.float16)
    return unit
