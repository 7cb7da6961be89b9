"""The concept dictionary: the label, base rates and quality flags of every concept.

A dictionary is a folder:

    dictionary.json       name, reference model, levels, edges of the length bins, recipe
    concepts.parquet      one row per concept; the columns are the fields of `ConceptTable`
    <level>/cfg.json, <level>/sae_weights.safetensors      one sae-lens folder per level

A plain sae-lens folder is a dictionary with one level and without statistics or labels. Only
`benchdesign.concepts.mapping` reads weights, so opening a dictionary does not import torch.
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
"""Areas of form (how a text is written, whatever its subject); never reported as gaps.

Question formats belong here: otherwise a multiple-choice set would be advised to add yes-or-no
questions, and most reports would lead with the words "question" and "answer"."""


@dataclass(frozen=True, slots=True)
class Level:
    """One SAE of a dictionary, and the activations it reads."""

    name: str
    """`terms` (token activations), `themes` (passage embeddings), or another dictionary's name."""

    unit: str
    """Unit of text per activation: `token` or `passage`."""

    hook_point: str
    """TransformerLens-style name, such as `blocks.4.hook_resid_post`, or a module path."""

    offset: int
    """Concept id of the level's first concept."""

    width: int
    """Number of concepts in the level."""

    folder: Path | None = None
    """The sae-lens folder with the weights; None in tests without weights."""


@dataclass(frozen=True, slots=True, eq=False)
class ConceptTable:
    """Per-concept columns, each of length n_concepts, in order of concept id."""

    level: NDArray[np.int8]
    """Position of the concept's level in `Dictionary.levels`."""

    threshold: NDArray[np.float32]
    """Presence threshold tau: a concept is present if its peak reaches it."""

    base_rates: NDArray[np.float32]
    """(n_concepts, n_bins): share of the corpus texts in each length bin that show the concept; NaN
    if unknown."""

    mean_activation: NDArray[np.float32]
    """Mean activation where it fires; NaN if unknown."""

    max_activation: NDArray[np.float32]
    q90: NDArray[np.float32]
    """90th percentile of saliency among corpus texts that show the concept, used as the scale of
    soft presence; NaN if unknown."""

    density: NDArray[np.float32]
    """Share of content tokens (or passages) on which it fires; NaN if unknown."""

    flags: tuple[frozenset[str], ...]
    """dead, dense, rare, structural:punctuation, structural:template, unclear, ..."""

    label: tuple[str | None, ...]
    label_source: tuple[str | None, ...]
    """`written`, `keywords`, `file`, `neuronpedia` or `model:<name>`; None without a label."""

    label_score: NDArray[np.float32]
    """AUC of the label on held-out contexts; NaN if not measured."""

    area: tuple[str | None, ...]
    """Name of the concept's area; None without an area."""


@dataclass(frozen=True, eq=False)
class Dictionary:
    """A concept dictionary without its weights.

    It has no slots because `cached_property` needs a `__dict__`.
    """

    name: str
    """Name shown in reports: `builtin`, a folder name, or a spec."""

    model: str
    """Spec of the reference model that it was built for."""

    levels: tuple[Level, ...]
    table: ConceptTable
    length_edges: tuple[int, ...]
    """Ascending upper edges, exclusive, of all length bins but the last, in content tokens."""

    fingerprint: str
    """SHA-256 of weights, hook points and pooling version; identifies the dictionary in maps."""

    @property
    def n_concepts(self) -> int:
        """Number of concepts in all levels."""
        return sum(level.width for level in self.levels)

    def level_of(self, concept_id: int) -> Level:
        """Return the level of a concept."""
        return self.levels[int(self.table.level[concept_id])]

    def label(self, concept_id: int) -> str:
        """Return the label to display.

        The id is appended if another usable concept has the same label.
        """
        label = self.bare_label(concept_id)
        n_others = self._n_live.get(label, 0) - (not self.table.flags[concept_id])
        return f"{label} #{concept_id}" if n_others > 0 else label

    def bare_label(self, concept_id: int) -> str:
        """Return the original label, for searching; `concept <id>` without a label."""
        return self.table.label[concept_id] or f"concept {concept_id}"

    @cached_property
    def _n_live(self) -> Counter[str]:
        """Number of usable concepts with each label."""
        table = self.table
        return Counter(
            label
            for label, flags in zip(table.label, table.flags, strict=True)
            if label and not flags
        )

    def label_score(self, concept_id: int) -> float | None:
        """Return the AUC of the label as a predictor of the concept; None if not measured."""
        score = float(self.table.label_score[concept_id])
        return None if score != score else score

    def kept_out(self, concept_id: int) -> str | None:
        """Return the first flag that excludes a concept from every count; None without flags."""
        flags = sorted(self.table.flags[concept_id])
        return flags[0] if flags else None

    @property
    def form_concepts(self) -> tuple[int, ...]:
        """Ids of the concepts that describe form rather than a subject."""
        return tuple(
            concept_id for concept_id, area in enumerate(self.table.area) if area in FORM_AREAS
        )

    def length_bins(self, n_tokens: Sequence[int] | NDArray[np.int32]) -> NDArray[np.int64]:
        """Return the length bin of each item, from its number of content tokens."""
        import numpy as np

        return np.searchsorted(np.asarray(self.length_edges), np.asarray(n_tokens), side="right")
