"""Builders of small things for tests; every argument has a harmless default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchdesign.conceptmap import ConceptMap
from benchdesign.dictionary import ConceptTable, Dictionary, Level


def make_dictionary(
    labels: Sequence[str | None],
    *,
    levels: Sequence[tuple[str, str, int]] | None = None,
    base_rates: Sequence[float] | Sequence[Sequence[float]] | None = None,
    thresholds: Sequence[float] | None = None,
    q90: Sequence[float] | None = None,
    density: Sequence[float] | None = None,
    flags: Mapping[int, Sequence[str]] | None = None,
    areas: Sequence[str | None] | None = None,
    length_edges: Sequence[int] = (),
    fingerprint: str = "test-dictionary",
) -> Dictionary:
    """A dictionary without weights; `levels` are (name, unit, width), by default one of terms."""
    n = len(labels)
    bins = len(length_edges) + 1
    made, offset = [], 0
    for name, unit, width in levels or [("terms", "token", n)]:
        made.append(Level(name, unit, "blocks.0.hook_resid_post", offset, width))
        offset += width
    rates = np.full((n, bins), np.nan, dtype=np.float32)
    if base_rates is not None:
        rates[:] = np.asarray(base_rates, dtype=np.float32).reshape(n, -1)
    unknown = [float("nan")] * n
    table = ConceptTable(
        level=np.repeat(np.arange(len(made)), [one.width for one in made]).astype(np.int8),
        threshold=np.asarray(thresholds or [0.0] * n, dtype=np.float32),
        base_rates=rates,
        mean_activation=np.asarray(unknown, dtype=np.float32),
        max_activation=np.asarray(unknown, dtype=np.float32),
        q90=np.asarray(q90 or [1.0] * n, dtype=np.float32),
        density=np.asarray(density or unknown, dtype=np.float32),
        flags=tuple(frozenset((flags or {}).get(concept, ())) for concept in range(n)),
        label=tuple(labels),
        label_source=tuple(None if label is None else "written" for label in labels),
        label_score=np.asarray(unknown, dtype=np.float32),
        area=tuple(areas) if areas is not None else (None,) * n,
    )
    return Dictionary("test", "builtin", tuple(made), table, tuple(length_edges), fingerprint)


def make_map(
    rows: Sequence[Mapping[int, float]],
    *,
    n_concepts: int,
    n_tokens: Sequence[int] | int = 20,
    embeddings: np.ndarray | None = None,
    fingerprint: str = "test-dictionary",
    prefix: str = "item",
) -> ConceptMap:
    """A map from one {concept id: saliency} an item; peaks equal saliencies, places are 0 to 1."""
    ids = [sorted(row) for row in rows]
    values = np.asarray(
        [row[concept] for row, order in zip(rows, ids, strict=True) for concept in order],
        dtype=np.float32,
    )
    lengths = [n_tokens] * len(rows) if isinstance(n_tokens, int) else list(n_tokens)
    return ConceptMap(
        digests=tuple(f"{prefix}-{row}" for row in range(len(rows))),
        n_concepts=n_concepts,
        dictionary=fingerprint,
        indptr=np.cumsum([0, *(len(order) for order in ids)]).astype(np.int64),
        indices=np.asarray([concept for order in ids for concept in order], dtype=np.int32),
        saliency=values,
        peak=values.copy(),
        start=np.zeros(len(values), dtype=np.int32),
        end=np.ones(len(values), dtype=np.int32),
        n_tokens=np.asarray(lengths, dtype=np.int32),
        embeddings=embeddings,
    )
