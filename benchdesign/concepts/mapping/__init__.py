"""Map items to concepts: reference model, SAE encoding, pooling, caching.

The package is cheap to import: names are resolved on first use, and only `open_mapper` loads a
model.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchdesign.benchmarks.items import Item
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.concepts.dictionaries.open import load_dictionary
    from benchdesign.concepts.maps.concept_map import ConceptMap
    from benchdesign.concepts.maps.token_evidence import TokenEvidence

__all__ = ["Mapper", "load_dictionary", "open_mapper"]


_HOMES = {
    "load_dictionary": "benchdesign.concepts.dictionaries.open",
}


def __getattr__(name: str) -> Any:
    """Resolve a name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


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


def open_mapper(
    model: str | Path | None = None,
    dictionary: str | Path | Dictionary = "builtin",
    *,
    device: str | None = None,
    dtype: str | None = None,
    hook_module: str | None = None,
    device_map: str | None = None,
    chat: bool = False,
) -> Mapper:
    """Load a reference model and a dictionary; `model` defaults to the dictionary's model.

    `dtype` is float32, bfloat16 or float16. `hook_module` overrides the module that is read. With
    `chat`, every item is read as the user turn of the model's chat template.
    """
    from benchdesign.concepts.mapping.mapper import SaeMapper

    return SaeMapper.from_specs(
        model,
        dictionary,
        device=device,
        dtype=dtype,
        hook_module=hook_module,
        device_map=device_map,
        chat=chat,
    )
