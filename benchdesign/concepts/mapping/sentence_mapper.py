"""Sentence embeddings as maps without concepts, so that they are cached like concept maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.mapping.map_keys import key_of_parts
from benchdesign.concepts.maps.concept_map import ConceptMap

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Item

__all__ = ["SENTENCES_KEY", "SentenceMapper"]

_BATCH = 128
"""Items embedded between two calls of `tick`, which can stop the run."""

SENTENCES_KEY = key_of_parts(
    "sentences 1", model="builtin", number_type="torch.float32", hook_module=None
)
"""Cache key of embeddings; increase the number when the embedding of a text changes."""


class SentenceMapper:
    """Embeds the texts of items with `SaeMapper.embed`, which always uses the built-in model."""

    def __init__(self, embed: Callable[[Sequence[str]], NDArray[np.float16]]) -> None:
        self._embed = embed
        self.key = SENTENCES_KEY

    def map_batch(
        self, items: Sequence[Item], *, tick: Callable[[int], None] | None = None
    ) -> ConceptMap:
        """Embed items in order."""
        parts = []
        for low in range(0, max(len(items), 1), _BATCH):
            batch = items[low : low + _BATCH]
            parts.append(self._embed([item.text for item in batch]))
            if tick is not None:
                tick(len(batch))
        no_ints = np.zeros(0, dtype=np.int32)
        no_floats = np.zeros(0, dtype=np.float32)
        return ConceptMap(
            digests=tuple(item.digest for item in items),
            n_concepts=0,
            dictionary=self.key,
            indptr=np.zeros(len(items) + 1, dtype=np.int64),
            indices=no_ints,
            saliency=no_floats,
            peak=no_floats,
            start=no_ints,
            end=no_ints,
            n_tokens=np.zeros(len(items), dtype=np.int32),
            embeddings=np.concatenate(parts),
        )
