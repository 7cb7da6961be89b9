"""Read and write labels of concepts, and apply them to a dictionary.

A label is a short text for designers, stored with its source and a score of how well it predicts
its concept. The `label_*` modules create labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchdesign.concepts.dictionaries.dictionary import ConceptTable, Dictionary
from benchdesign.concepts.dictionaries.save_changes import save_changed_dictionary
from benchdesign.foundation.text import display

__all__ = ["UNCLEAR", "ConceptLabel", "apply_labels", "clean_label", "shared_labels"]


MAX_LABEL_CHARACTERS = 80


UNCLEAR = "unclear"
"""Flag of a concept whose contexts were read and have nothing in common."""


@dataclass(frozen=True, slots=True)
class ConceptLabel:
    """A label for one concept."""

    concept_id: int
    label: str | None
    """None if the concept is explicitly unlabelled."""

    source: str | None
    """`written`, `keywords`, `file`, `neuronpedia` or `model:<name>`."""

    score: float | None = None
    """AUC; None if it was not measured."""

    area: str | None = None
    unclear: bool = False
    """Whether its contexts were read and have nothing in common."""


def clean_label(text: str) -> str:
    """Return a label as one short line of printable characters."""
    line = " ".join(display(text, newline=" ").split()).strip(" .\"'")
    return (
        line
        if len(line) <= MAX_LABEL_CHARACTERS
        else f"{line[: MAX_LABEL_CHARACTERS - 1].rstrip()}…"
    )


def apply_labels(
    dictionary: Dictionary,
    labels: Sequence[ConceptLabel],
    folder: Path,
    *,
    only_missing: bool = False,
    overwrite: bool = False,
) -> Dictionary:
    """Write the dictionary with these labels to `folder` and return it.

    `folder` is the dictionary's own folder, or a new one, to which the weights are copied.
    With `only_missing`, existing labels are not replaced.
    """
    table = _relabelled(dictionary.table, labels, only_missing=only_missing)
    return save_changed_dictionary(dictionary, folder, table=table, overwrite=overwrite)


def shared_labels(dictionary: Dictionary) -> dict[int, int]:
    """Return concepts without flags whose label is shared within their level, and by how many.

    Shared labels are not wrong, but a reader cannot distinguish the concepts.
    """
    table = dictionary.table
    names = {
        concept: (int(table.level[concept]), label.casefold())
        for concept, label in enumerate(table.label)
        if label and not table.flags[concept]
    }
    counts = Counter(names.values())
    return {concept: counts[name] for concept, name in names.items() if counts[name] > 1}


def _relabelled(
    table: ConceptTable, labels: Sequence[ConceptLabel], *, only_missing: bool
) -> ConceptTable:
    texts, sources, areas = list(table.label), list(table.label_source), list(table.area)
    flags = list(table.flags)
    scores = table.label_score.copy()
    for label in labels:
        concept = label.concept_id
        if only_missing and texts[concept]:
            continue
        if texts[concept] != label.label or label.score is not None:
            # The old score is for the old text.
            scores[concept] = float("nan") if label.score is None else label.score
        texts[concept], sources[concept] = label.label, label.source if label.label else None
        areas[concept] = label.area or areas[concept]
        if label.label or label.unclear:
            flags[concept] = flags[concept] - {UNCLEAR} | ({UNCLEAR} if label.unclear else set())
    return replace(
        table,
        label=tuple(texts),
        label_source=tuple(sources),
        label_score=scores,
        area=tuple(areas),
        flags=tuple(flags),
    )
