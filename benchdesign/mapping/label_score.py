"""How well a label picks out its concept: ranks contexts it was not made from.

Per concept, held-out contexts where it fires are ranked against ones where it does not by their
likeness to the label; the area under that curve is the score, 0.5 being chance. Likeness is that of
sentence embeddings, plus the label's own words where a context has them: an embedding hardly sees
whether a text holds the word "exactly", and many concepts are just that.
"""

from __future__ import annotations

import re
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

WORDS_WEIGHT = 0.5
"""Of the label's own words, against the cosine of embeddings, which rarely leaves 0 to 0.6."""

_WORD = re.compile(r"[^\W_]+")
_QUOTED = re.compile(r"[“\"]([^”\"]+)[”\"]")
_PARTS = re.compile(r"\b(?:pieces?|prefix(?:es)?|suffix(?:es)?|letters?|endings?)\b")
_GENERIC = frozenset(
    """
    a an and any are as at before by ending endings for form forms from in into is it its letter
    letters like name names of on or other out over piece pieces plural prefix sense senses some
    such suffix tense than that the their this to up use used uses using verb verbs with word words
    """.split()  # noqa: SIM905 - a list of fifty quoted words is harder to read
)

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
            contexts_of = (*shown.scored_present, *shown.scored_absent)
            likeness += WORDS_WEIGHT * word_likeness(one.label, [each.text for each in contexts_of])
            place += 1 + n + m
            scored.append(replace(one, score=auc(likeness[:n], likeness[n:])))
        ticker.advance(len(part))
    return tuple(scored)


def word_likeness(label: str, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the share of the label's words that each text holds; of its quoted ones if it quotes.

    Forms of a word count. Words that only say what kind of thing a label names are left out.
    """
    import numpy as np

    quoted = [word for part in _QUOTED.findall(label) for word in _WORD.findall(part.lower())]
    inside = bool(_PARTS.search(label))
    words = quoted or [
        word for word in _WORD.findall(label.lower()) if word not in _GENERIC and len(word) > 1
    ]
    if not words:
        return np.zeros(len(texts), dtype=np.float32)
    shares = []
    for text in texts:
        there = set(_WORD.findall(text.lower()))
        found = [any(_is_form(word, other, inside=inside) for other in there) for word in words]
        # Of several quoted words each is an example: one is enough.
        shares.append(float(any(found)) if quoted else sum(found) / len(found))
    return np.asarray(shares, dtype=np.float32)


def _is_form(word: str, other: str, *, inside: bool) -> bool:
    """Is `other` the word, a form of it, or, for pieces of words, something that holds it?"""
    if inside and word in other:
        return True
    return word == other or (len(word) >= 4 and other.startswith(word[: max(4, len(word) - 2)]))


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
