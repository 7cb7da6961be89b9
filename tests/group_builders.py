"""Gap groups built by hand, and a mapper whose embeddings stand in groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchdesign.coverage.groups.gap_group import (
    ConceptShare,
    GapGroup,
    GapGroups,
    GroupPower,
    GroupReference,
    GroupStatus,
)
from tests.keywords import WORDS, KeywordMapper, use_mapper


def make_group(name: str, **changes: Any) -> GapGroup:
    """A missing group of three pool items and one own item; its id is its name in short."""
    values: dict[str, Any] = {
        "id": f"id-{name}",
        "name": name,
        "status": GroupStatus.MISSING,
        "parent": None,
        "expected": 2.5,
        "count": 0,
        "share": 0.1,
        "lift": -2.0,
        "lift_low": -4.0,
        "lift_high": -0.5,
        "statistic": 4.0,
        "p_value": 0.01,
        "relevance": 1.0,
        "pool_rows": (0, 1, 2),
        "own_rows": (),
        "typical": (0,),
        "nearest_own": (0,),
        "concepts": (ConceptShare(2, "fox", 0.9, 0.1),),
        "words": ("fox",),
    }
    return GapGroup(**{**values, **changes})


def make_groups(*groups: GapGroup, n_pool: int = 160, **changes: Any) -> GapGroups:
    """Those groups, found against a pool."""
    values: dict[str, Any] = {
        "groups": groups,
        "over": (),
        "out_of_scope": (),
        "power": GroupPower(0.04, 0.8, 0.03),
        "reference": GroupReference("pool", n_pool, n_pool, n_pool, "any"),
        "relevance": np.ones(n_pool, dtype=np.float32),
        "fits_form": np.ones(n_pool, dtype=np.bool_),
        "n_items": 80,
    }
    return GapGroups(**{**values, **changes})


class GroupMapper(KeywordMapper):
    """A keyword mapper whose embeddings are near each other for texts of the same animal."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float16]:
        vectors = 0.4 * super().embed(texts).astype(np.float32)
        for row, text in enumerate(texts):
            for place, word in enumerate(WORDS[:4]):
                vectors[row, place] += 1.0 if word in text.lower().split() else 0.0
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors.astype(np.float16)


def use_group_mapper(monkeypatch: pytest.MonkeyPatch) -> GroupMapper:
    """Make every run read items through the mapper above."""
    mapper = GroupMapper()
    use_mapper(monkeypatch, mapper)
    return mapper
