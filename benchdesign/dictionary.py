"""The concept dictionary: what each concept is called, how common it is and what to doubt about it.

A dictionary is a folder:

    dictionary.json       name, reference model, levels, edges of the length bins, recipe
    concepts.parquet      one row a concept; the columns are the fields of `ConceptTable`
    <level>/cfg.json, <level>/sae_weights.safetensors      one sae-lens folder a level

A plain sae-lens folder is a dictionary too: one level, no statistics, no labels. Weights are read
by `benchdesign.mapping`, never here, so opening a dictionary costs no torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FORM_AREAS", "ConceptTable", "Dictionary", "Level"]

FORM_AREAS = frozenset(
    {
        "symbols, layout and word fragments",
        "function words and connectives",
        "question and answer formats",
    }
)
"""Areas of how a text is written, whatever it is about: no benchmark is short of these.

How questions are put is among them: without it a set of multiple choice would be told to add
yes-or-no questions, and most reports would lead with the words "question" and "answer"."""


@dataclass(frozen=True, slots=True)
class Level:
    """One SAE of a dictionary and the activations it reads."""

    name: str
    """terms (token activations) or themes (passage embeddings); free for other dictionaries."""

    unit: str
    """What has one activation: `token` or `passage`."""

    hook_point: str
    """TransformerLens-style name such as `blocks.4.hook_resid_post`, or a module path."""

    offset: int
    """Concept id of the level's first concept."""

    width: int
    """Number of concepts of the level."""

    folder: Path | None = None
    """The sae-lens folder with its weights; None in tests that need none."""


@dataclass(frozen=True, slots=True, eq=False)
class ConceptTable:
    """Per-concept columns, all of length n_concepts, in concept-id order."""

    level: NDArray[np.int8]
    """Position of the concept's level in `Dictionary.levels`."""

    threshold: NDArray[np.float32]
    """Presence threshold tau: a concept is present where its peak reaches it."""

    base_rates: NDArray[np.float32]
    """(n_concepts, n_bins): share of corpus texts of each length bin with the concept present; NaN
    where unknown."""

    mean_activation: NDArray[np.float32]
    """Mean activation where it fires; NaN where unknown."""

    max_activation: NDArray[np.float32]
    q90: NDArray[np.float32]
    """90th percentile of item saliency among corpus texts with the concept present, the scale of
    soft presence; NaN where unknown."""

    density: NDArray[np.float32]
    """Share of content tokens (or passages) on which it fires; NaN where unknown."""

    flags: tuple[frozenset[str], ...]
    """dead, dense, rare, structural:punctuation, structural:template, unclear, ..."""

    label: tuple[str | None, ...]
    label_source: tuple[str | None, ...]
    """written, keywords, file, neuronpedia, model:<name>; None where unlabelled."""

    label_score: NDArray[np.float32]
    """AUC of the label for held-out contexts where it fires; NaN where not measured."""

    area: tuple[str | None, ...]
    """Name of the concept's area; None where the dictionary has none."""


@dataclass(frozen=True, eq=False)
class Dictionary:
    """A concept dictionary without its weights.

    Without slots, so that what is derived from the table once can be kept.
    """

    name: str
    """What reports call it: `builtin`, a folder name, or a spec."""

    model: str
    """Spec of the reference model it was made for."""

    levels: tuple[Level, ...]
    table: ConceptTable
    length_edges: tuple[int, ...]
    """Ascending upper edges, exclusive, of all length bins but the last, in content tokens."""

    fingerprint: str
    """SHA-256 over weights, hook points and pooling version: the identity used by maps."""

    @property
    def n_concepts(self) -> int:
        """Number of concepts over all levels."""
        return sum(level.width for level in self.levels)

    def level_of(self, concept_id: int) -> Level:
        """Return the level a concept belongs to."""
        return self.levels[int(self.table.level[concept_id])]

    def label(self, concept_id: int) -> str:
        """Return what the concept is called where people read it.

        Its label, with its id where another concept that is not kept out has the same one.
        """
        label = self.bare_label(concept_id)
        n_others = self._n_live.get(label, 0) - (not self.table.flags[concept_id])
        return f"{label} #{concept_id}" if n_others > 0 else label

    def bare_label(self, concept_id: int) -> str:
        """Return the label as it was given, to search in; `concept <id>` where there is none."""
        return self.table.label[concept_id] or f"concept {concept_id}"

    @cached_property
    def _n_live(self) -> Counter[str]:
        """How many concepts that are not kept out have each label."""
        table = self.table
        return Counter(
            label
            for label, flags in zip(table.label, table.flags, strict=True)
            if label and not flags
        )

    def label_score(self, concept_id: int) -> float | None:
        """Return how well the label finds the concept's texts (AUC); None if not measured."""
        score = float(self.table.label_score[concept_id])
        return None if score != score else score

    def kept_out(self, concept_id: int) -> str | None:
        """Return why a concept is never counted (its first flag), or None if it can be."""
        flags = sorted(self.table.flags[concept_id])
        return flags[0] if flags else None

    @property
    def form_concepts(self) -> tuple[int, ...]:
        """Ids of the concepts that are about form and not about a subject."""
        return tuple(one for one, area in enumerate(self.table.area) if area in FORM_AREAS)

    def length_bins(self, n_tokens: Sequence[int] | NDArray[np.int32]) -> NDArray[np.int64]:
        """Return the length bin of each item from its content-token count."""
        import numpy as np

        return np.searchsorted(np.asarray(self.length_edges), np.asarray(n_tokens), side="right")
