"""Windows of a training corpus and the marks of their tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchdesign.concepts.training.activation_bank import ActivationBank, CorpusActivations
from benchdesign.concepts.training.statistics_rules import StatisticsRules

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = [
    "CorpusFrame",
]


@dataclass(frozen=True, eq=False)
class CorpusFrame:
    """Data that all blocks share."""

    bank: ActivationBank
    rules: StatisticsRules
    chunks: tuple[tuple[int, int], ...]
    """Ranges of texts to pool together."""

    marks: torch.Tensor
    """(n_rows, 3) float16: whether the token is punctuation, first in its text, inside a word."""

    bin_of: NDArray[np.int64]
    """Length bin of each text."""

    n_bins: int
    source_of: NDArray[np.int64]
    n_sources: int

    @classmethod
    def from_activations(
        cls, collected: CorpusActivations, bank: ActivationBank, rules: StatisticsRules
    ) -> CorpusFrame:
        """Describe the rows of a bank: token marks, length bins, sources and chunks of texts."""
        import numpy as np
        import torch

        n_rows = 262_144 if bank.rows.device.type == "cuda" else 8192
        chunks, low = [], 0
        n_texts = len(collected.texts)
        while low < n_texts:
            high = int(np.searchsorted(bank.indptr, bank.indptr[low] + n_rows, side="right")) - 1
            high = min(max(high, low + 1), n_texts)
            chunks.append((low, high))
            low = high
        names = sorted({text.source for text in collected.texts})
        index_of = {name: index for index, name in enumerate(names)}
        return cls(
            bank=bank,
            rules=rules,
            chunks=tuple(chunks),
            marks=torch.from_numpy(_token_marks(collected, bank)).to(bank.rows.device),
            bin_of=np.searchsorted(
                np.asarray(rules.length_edges), collected.n_tokens, side="right"
            ),
            n_bins=len(rules.length_edges) + 1,
            source_of=np.asarray([index_of[text.source] for text in collected.texts]),
            n_sources=len(names),
        )


def _token_marks(collected: CorpusActivations, bank: ActivationBank) -> NDArray[np.float16]:
    """Return, per token, whether it is punctuation, first in its text, and inside a word."""
    import numpy as np

    marks = np.zeros((len(bank), 3), dtype=np.float16)
    if bank.key.unit != "token":
        return marks
    alnum = np.fromiter((chr(code).isalnum() for code in range(0x110000)), dtype=bool)
    for index, text in enumerate(collected.texts):
        low, high = int(bank.indptr[index]), int(bank.indptr[index + 1])
        if low == high:
            continue
        codes = np.frombuffer(text.text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        is_alnum = alnum[codes]
        n_alnum = np.concatenate([[0], np.cumsum(is_alnum)])
        starts, ends = bank.starts[low:high], bank.ends[low:high]
        marks[low:high, 0] = n_alnum[ends] == n_alnum[starts]
        marks[low, 1] = 1
        # A token with a leading space starts a word, so its first character decides.
        marks[low:high, 2] = is_alnum[starts] & np.where(starts > 0, is_alnum[starts - 1], False)
    return marks
