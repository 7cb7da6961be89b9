"""How well a label picks out its concept: ranks contexts it was not made from.

Per concept, held-out contexts where it fires are ranked against ones where it does not by their
likeness to the label; the area under that curve is the score, 0.5 being chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from benchdesign.errors import Interrupted
from benchdesign.mapping.contexts import ConceptContexts
from benchdesign.mapping.label import ConceptLabel
from benchdesign.progress import ProgressCallback, StopCheck, Ticker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Embedder", "auc", "builtin_embedder", "score_labels"]

Embedder = Callable[[Sequence[str]], "NDArray[np.float32]"]
"""Texts to unit vectors (n, d)."""

_SENTENCE_HOOK = "blocks.5.hook_resid_post"
_CONCEPTS_AT_ONCE = 64


def score_labels(
    labels: Sequence[ConceptLabel],
    contexts: Sequence[ConceptContexts],
    *,
    embed: Embedder,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> tuple[ConceptLabel, ...]:
    """Return the labels with their scores; a label without held-out contexts has none."""
    by_id = {one.concept_id: one for one in contexts if one.scored_present and one.scored_absent}
    ticker = Ticker("scoring labels", len(labels), progress=progress)
    scored: list[ConceptLabel] = []
    for low in range(0, len(labels), _CONCEPTS_AT_ONCE):
        if stop is not None and stop():
            raise Interrupted("Stopped while scoring labels; nothing was written.")
        part = labels[low : low + _CONCEPTS_AT_ONCE]
        texts: list[str] = []
        for one in part:
            shown = by_id.get(one.concept_id)
            if one.label and shown is not None:
                texts.append(one.label)
                texts += [each.text for each in (*shown.scored_present, *shown.scored_absent)]
        vectors = embed(texts) if texts else None
        place = 0
        for one in part:
            shown = by_id.get(one.concept_id)
            if not one.label or shown is None or vectors is None:
                scored.append(replace(one, score=None))
                continue
            n, m = len(shown.scored_present), len(shown.scored_absent)
            likeness = vectors[place + 1 : place + 1 + n + m] @ vectors[place]
            place += 1 + n + m
            scored.append(replace(one, score=auc(likeness[:n], likeness[n:])))
        ticker.advance(len(part))
    return tuple(scored)


def auc(present: NDArray[np.float32], absent: NDArray[np.float32]) -> float:
    """Share of (present, absent) pairs in the right order; ties count half."""
    difference = present[:, None] - absent[None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def builtin_embedder(*, device: str | None = None, dtype: str | None = None) -> Embedder:
    """Return the built-in model as an embedder of short texts."""
    import numpy as np
    import torch

    from benchdesign.items import Item
    from benchdesign.mapping.reference import ReferenceModel, pool_passages

    model = ReferenceModel.from_spec(
        "builtin", hook_points=(_SENTENCE_HOOK,), device=device, dtype=dtype
    )
    batch_size = 512 if model.device.type == "cuda" else 32

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        made = np.zeros((len(texts), model.width[_SENTENCE_HOOK]), dtype=np.float32)
        items = [Item(str(n), n, text, ((0, len(text)),), text) for n, text in enumerate(texts)]
        # The first window stands for a text: contexts and labels fit into one.
        first = {window.item: window for window in reversed(model.windows(items))}
        windows = sorted(first.values(), key=len)
        for low in range(0, len(windows), batch_size):
            batch = windows[low : low + batch_size]
            states = model.activations(batch)[_SENTENCE_HOOK].float()
            pooled = pool_passages(states, [window.n_content for window in batch])
            made[[window.item for window in batch]] = pooled.to("cpu", torch.float32).numpy()
        return made

    return embed
