"""Contexts of a concept, from which labels are made: passages where it fires and where it does not.

Contexts are corpus text: they are written to a separate file, never to a dictionary.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchdesign.concepts.training.activation_bank import ActivationBank, CorpusActivations
from benchdesign.concepts.training.concept_activations import ActiveBlock

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchdesign.concepts.training.text_entries import TextEntries

__all__ = ["ConceptContexts", "Context", "ContextSettings", "find_contexts"]


@dataclass(frozen=True, slots=True)
class Context:
    """A passage of corpus text and the position of its strongest token."""

    text: str
    start: int
    """First character of the strongest token in `text`; equal to `end` if no token fires."""

    end: int
    activation: float
    source: str


@dataclass(frozen=True, slots=True)
class ConceptContexts:
    """Contexts of one concept."""

    concept_id: int
    level: str
    strong: tuple[Context, ...]
    middle: tuple[Context, ...]
    absent: tuple[Context, ...]
    scored_present: tuple[Context, ...]
    """Held out from the author of the label, to score it."""

    scored_absent: tuple[Context, ...]
    weights: str = ""
    """Digest of the SAE weights, to reject contexts of another SAE; may be empty."""


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """Number of contexts of each kind, and their length."""

    n_strong: int = 12
    n_middle: int = 6
    n_absent: int = 6
    n_scored: int = 10
    n_around: int = 12
    """Tokens on either side of the strongest token."""

    most_per_source: int = 3
    seed: int = 0


def find_contexts(
    collected: CorpusActivations,
    bank: ActivationBank,
    block: ActiveBlock,
    entries: TextEntries,
    threshold: NDArray[np.float32],
    *,
    first: int,
    settings: ContextSettings,
) -> list[ConceptContexts]:
    """Choose contexts for the concepts of one block; `first` is the block's first concept."""
    import numpy as np

    contexts = []
    for place in range(len(threshold)):
        random = np.random.default_rng([settings.seed, first + place])
        low, high = int(entries.indptr[place]), int(entries.indptr[place + 1])
        firing = entries.text[low:high]
        n = int(np.count_nonzero(entries.peak[low:high] >= threshold[place]))
        strong = _choose_diverse(collected, firing[: min(n, 400)], settings.n_strong, settings)
        rest = np.setdiff1d(firing[:n], strong, assume_unique=False)
        middle_part = np.setdiff1d(firing[n // 3 : max(n * 4 // 5, 1)], strong)
        middle = _choose_diverse(
            collected, random.permutation(middle_part)[:200], settings.n_middle, settings
        )
        scored_part = random.permutation(np.setdiff1d(rest, middle))[:400]
        scored = _choose_diverse(collected, scored_part, settings.n_scored, settings)
        absent = _choose_absent(
            collected, firing, strong, settings.n_absent + settings.n_scored, random
        )
        present_contexts = _cut(
            collected, bank, block.only(place), [*strong, *middle, *scored], settings
        )
        absent_contexts = [_random_cut(collected, bank, text, settings, random) for text in absent]
        n_strong, n_shown = len(strong), len(strong) + len(middle)
        contexts.append(
            ConceptContexts(
                concept_id=first + place,
                level="",
                strong=tuple(present_contexts[:n_strong]),
                middle=tuple(present_contexts[n_strong:n_shown]),
                absent=tuple(absent_contexts[: settings.n_absent]),
                scored_present=tuple(present_contexts[n_shown:]),
                scored_absent=tuple(absent_contexts[settings.n_absent :]),
            )
        )
    return contexts


def _choose_diverse(
    collected: CorpusActivations, texts: NDArray[np.int64], n: int, settings: ContextSettings
) -> list[int]:
    """Choose `n` texts in order, few per source and with distinct openings as far as possible."""
    chosen: list[int] = []
    others: list[int] = []
    sources: Counter[str] = Counter()
    openings: set[str] = set()
    for number in texts.tolist():
        text = collected.texts[number]
        opening = text.text[:40]
        if sources[text.source] >= settings.most_per_source or opening in openings:
            others.append(number)
            continue
        sources[text.source] += 1
        openings.add(opening)
        chosen.append(number)
        if len(chosen) == n:
            return chosen
    return chosen + others[: n - len(chosen)]


def _choose_absent(
    collected: CorpusActivations,
    firing: NDArray[np.int64],
    strong: list[int],
    n: int,
    random: np.random.Generator,
) -> list[int]:
    """Choose texts where the concept does not fire, half of them from sources where it does."""
    import numpy as np

    firing_texts = set(firing.tolist())
    sources = {collected.texts[number].source for number in strong}
    draws = random.integers(0, len(collected.texts), size=min(400, 20 * len(collected.texts)))
    same_source: list[int] = []
    other_source: list[int] = []
    for number in dict.fromkeys(draws.tolist()):
        if number in firing_texts or not collected.n_tokens[number]:
            continue
        (same_source if collected.texts[number].source in sources else other_source).append(number)
    half = same_source[: n // 2]
    chosen = half + other_source[: n - len(half)]
    chosen += same_source[len(half) : len(half) + n - len(chosen)]
    return [int(number) for number in random.permutation(np.asarray(chosen, dtype=np.int64))]


def _cut(
    collected: CorpusActivations,
    bank: ActivationBank,
    concept: ActiveBlock,
    texts: list[int],
    settings: ContextSettings,
) -> list[Context]:
    """Return the passage around the strongest row of each text."""
    import numpy as np
    import torch

    if not texts:
        return []
    spans = [(int(bank.indptr[text]), int(bank.indptr[text + 1])) for text in texts]
    index = torch.from_numpy(np.concatenate([np.arange(low, high) for low, high in spans]))
    acts = concept.at(index)[:, 0].cpu().numpy()
    contexts, position = [], 0
    for text, (low, high) in zip(texts, spans, strict=True):
        part = acts[position : position + high - low]
        position += high - low
        best = int(part.argmax())
        contexts.append(_context(collected, bank, text, low + best, float(part[best]), settings))
    return contexts


def _random_cut(
    collected: CorpusActivations,
    bank: ActivationBank,
    text: int,
    settings: ContextSettings,
    random: np.random.Generator,
) -> Context:
    row = int(random.integers(bank.indptr[text], bank.indptr[text + 1]))
    return _context(collected, bank, text, row, 0.0, settings)


def _context(
    collected: CorpusActivations,
    bank: ActivationBank,
    text: int,
    row: int,
    activation: float,
    settings: ContextSettings,
) -> Context:
    around = settings.n_around if bank.key.unit == "token" else 0
    low = max(row - around, int(bank.indptr[text]))
    high = min(row + around, int(bank.indptr[text + 1]) - 1)
    first, last = int(bank.starts[low]), int(bank.ends[high])
    whole = collected.texts[text]
    fires = activation > 0
    return Context(
        text=whole.text[first:last],
        start=int(bank.starts[row]) - first if fires else 0,
        end=int(bank.ends[row]) - first if fires else 0,
        activation=round(activation, 4),
        source=whole.source,
    )
