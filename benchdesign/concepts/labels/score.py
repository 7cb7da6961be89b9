"""Scores of labels: how well a label ranks held-out contexts of its concept.

Held-out contexts where the concept fires are ranked against contexts where it does not, by their
similarity to the label. The score is the area under the ROC curve (0.5 is chance). Similarity is
the cosine of sentence embeddings plus the share of the label's words in the context: an embedding
barely registers whether a text has the word "exactly", and many concepts are a single word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.labels.labels import ConceptLabel
from benchdesign.concepts.reference_model.model import ReferenceModel, pool_passages
from benchdesign.concepts.training.contexts import ConceptContexts
from benchdesign.errors import Interrupted
from benchdesign.foundation.progress import ProgressCallback, StopCheck, Ticker
from benchdesign.foundation.words import EMPTY_LABEL_WORDS, WORD, is_form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Embedder", "auc", "builtin_embedder", "score_labels"]

Embedder = Callable[[Sequence[str]], "NDArray[np.float32]"]
"""Maps texts to unit vectors (n, d)."""

WORDS_WEIGHT = 0.5
"""Weight of the share of the label's words; the cosine of embeddings is mostly in 0 to 0.6."""

_QUOTED = re.compile(r"[“\"]([^”\"]+)[”\"]")
_WORD_PART_TERMS = re.compile(r"\b(?:pieces?|prefix(?:es)?|suffix(?:es)?|letters?|endings?)\b")

_SENTENCE_HOOK = "blocks.5.hook_resid_post"
_CONCEPTS_PER_CHUNK = 64


def score_labels(
    labels: Sequence[ConceptLabel],
    contexts: Sequence[ConceptContexts],
    *,
    embed: Embedder,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> tuple[ConceptLabel, ...]:
    """Return the labels with their scores; None for a label without held-out contexts."""
    contexts_by_id = {
        concept.concept_id: concept
        for concept in contexts
        if concept.scored_present and concept.scored_absent
    }
    ticker = Ticker("scoring labels", len(labels), progress=progress)
    scored: list[ConceptLabel] = []
    for low in range(0, len(labels), _CONCEPTS_PER_CHUNK):
        if stop is not None and stop():
            raise Interrupted("Stopped while scoring labels; nothing was written.")
        part = labels[low : low + _CONCEPTS_PER_CHUNK]
        texts: list[str] = []
        for label in part:
            concept = contexts_by_id.get(label.concept_id)
            if label.label and concept is not None:
                texts.append(label.label)
                scored_contexts = (*concept.scored_present, *concept.scored_absent)
                texts += [context.text for context in scored_contexts]
        vectors = embed(texts) if texts else None
        row = 0
        for label in part:
            concept = contexts_by_id.get(label.concept_id)
            if not label.label or concept is None or vectors is None:
                scored.append(replace(label, score=None))
                continue
            n, m = len(concept.scored_present), len(concept.scored_absent)
            similarity = vectors[row + 1 : row + 1 + n + m] @ vectors[row]
            scored_contexts = (*concept.scored_present, *concept.scored_absent)
            context_texts = [context.text for context in scored_contexts]
            similarity += WORDS_WEIGHT * word_similarity(label.label, context_texts)
            row += 1 + n + m
            scored.append(replace(label, score=auc(similarity[:n], similarity[n:])))
        ticker.advance(len(part))
    return tuple(scored)


def word_similarity(label: str, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return, per text, the share of the label's words that it contains.

    Quoted words are alternatives: if the label has any, 1.0 means that the text contains one.
    Inflected forms of a word count. Generic words ("prefix", "verbs") are ignored.
    """
    import numpy as np

    quoted = [word for quote in _QUOTED.findall(label) for word in WORD.findall(quote.lower())]
    inside = bool(_WORD_PART_TERMS.search(label))
    words = quoted or [
        word
        for word in WORD.findall(label.lower())
        if word not in EMPTY_LABEL_WORDS and len(word) > 1
    ]
    if not words:
        return np.zeros(len(texts), dtype=np.float32)
    shares = []
    for text in texts:
        text_words = set(WORD.findall(text.lower()))
        matches = [
            any(_is_form(word, other, inside=inside) for other in text_words) for word in words
        ]
        # Quoted words are examples of the concept: one of them is enough.
        shares.append(float(any(matches)) if quoted else sum(matches) / len(matches))
    return np.asarray(shares, dtype=np.float32)


def _is_form(word: str, other: str, *, inside: bool) -> bool:
    """Whether `other` is the word or a form of it, or (`inside`) contains it."""
    if inside and word in other:
        return True
    return is_form(word, other)


def auc(present: NDArray[np.float32], absent: NDArray[np.float32]) -> float:
    """Return the share of (present, absent) pairs in the right order; a tie counts as half."""
    difference = present[:, None] - absent[None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def builtin_embedder(*, device: str | None = None, dtype: str | None = None) -> Embedder:
    """Return an embedder of short texts that uses the built-in model."""
    import numpy as np
    import torch

    model = ReferenceModel.from_spec(
        "builtin", hook_points=(_SENTENCE_HOOK,), device=device, dtype=dtype
    )
    batch_size = 512 if model.device.type == "cuda" else 32

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), model.width[_SENTENCE_HOOK]), dtype=np.float32)
        items = [Item(str(n), n, text, ((0, len(text)),), text) for n, text in enumerate(texts)]
        # A text is represented by its first window: contexts and labels fit into one.
        first = {window.item: window for window in reversed(model.windows(items))}
        windows = sorted(first.values(), key=len)
        for low in range(0, len(windows), batch_size):
            batch = windows[low : low + batch_size]
            states = model.activations(batch)[_SENTENCE_HOOK].float()
            pooled = pool_passages(states, [window.n_content for window in batch])
            vectors[[window.item for window in batch]] = pooled.to("cpu", torch.float32).numpy()
        return vectors

    return embed
