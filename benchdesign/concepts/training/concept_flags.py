"""Flags of concepts that are kept out of gaps: dead, dense, structural."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchdesign.concepts.training.concept_activations import ActiveConcepts
from benchdesign.concepts.training.corpus_frame import CorpusFrame
from benchdesign.concepts.training.statistics_rules import LevelStatistics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "add_flags",
]


def add_flags(
    frame: CorpusFrame, active: ActiveConcepts, columns: dict[str, NDArray[Any]]
) -> LevelStatistics:
    """Return the statistics with flags."""
    import numpy as np

    rules = frame.rules.flags
    cover, marked = columns.pop("top_source_cover"), columns.pop("marked")
    dead = ~(columns["density"] > 0)
    has_sources = frame.n_sources >= 3
    limits = {
        "structural:position": (1, rules.position),
        "structural:wordpiece": (2, rules.wordpiece),
    }
    tests = {
        "dead": dead,
        "rare": ~dead & (columns["n_present"] < rules.rare),
        "dense": columns["density"] > rules.dense,
        "structural:punctuation": marked[:, 0] >= rules.punctuation,
        "structural:template": has_sources
        & (columns["top_source_share"] >= rules.template_share)
        & (cover >= rules.template_cover),
    }
    suspects = np.flatnonzero(
        np.any([marked[:, mark] >= limit for mark, limit in limits.values()], axis=0)
    )
    varied = np.zeros(len(dead), dtype=bool)
    varied[suspects] = _top_token_share(active, suspects) <= rules.variety
    for name, (mark, limit) in limits.items():
        tests[name] = varied & (marked[:, mark] >= limit)
    flags = tuple(
        frozenset(name for name, test in tests.items() if test[concept])
        for concept in range(len(dead))
    )
    # A dead concept has no peaks for a threshold; its flag excludes it.
    columns["threshold"] = np.where(dead, np.float32(0), columns["threshold"])
    return LevelStatistics(flags=flags, **columns)


def _top_token_share(active: ActiveConcepts, concepts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of each concept's activation on its top ten tokens (first 2M rows)."""
    import numpy as np
    import torch

    bank, device = active.bank, active.device
    if not len(concepts) or bank.key.unit != "token":
        return np.ones(len(concepts))
    block = active.of(concepts)
    vocabulary = int(bank.token_ids.max()) + 1
    mass = torch.zeros((vocabulary, len(concepts)), device=device)
    step = 65_536 if device.type == "cuda" else 8192
    n_rows = min(len(bank), 2_000_000)
    for low in range(0, n_rows, step):
        high = min(low + step, len(bank))
        ids = torch.from_numpy(bank.token_ids[low:high].astype(np.int64)).to(device)
        mass.index_add_(0, ids, block.between(low, high))
    top = mass.topk(min(10, vocabulary), dim=0).values.sum(0)
    return (top / mass.sum(0).clamp(min=1e-9)).double().cpu().numpy()
