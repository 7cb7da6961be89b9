"""Concepts that are excluded from the gap analysis, with the reason for each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary

__all__ = ["FORM", "KeptOut", "find_kept_out"]

FORM = "form, not subject"
"""Reason for punctuation, function words and answer formats, which are kept out unless pinned."""


class KeptOut(NamedTuple):
    """The reason why each concept is kept out."""

    codes: NDArray[np.int8]
    """(n_concepts,): position in `reasons`; -1 where not kept out."""

    reasons: tuple[str, ...]


def find_kept_out(
    dictionary: Dictionary,
    *,
    max_density: float = 0.10,
    out_of_scope: NDArray[np.bool_] | None = None,
    pinned: NDArray[np.bool_] | None = None,
) -> KeptOut:
    """Return why concepts are kept out: dictionary flag, density, form or scope.

    A pinned form concept is not kept out. Masks are (n_concepts,).
    """
    reasons: dict[str, int] = {}
    codes = np.full(dictionary.n_concepts, -1, dtype=np.int8)
    form = np.zeros(dictionary.n_concepts, dtype=bool)
    form[list(dictionary.form_concepts)] = True
    if pinned is not None:
        form &= ~pinned
    with np.errstate(invalid="ignore"):
        dense = dictionary.table.density > max_density
    for mask, reason in ((out_of_scope, "out of scope"), (form, FORM), (dense, "dense")):
        if mask is not None and mask.any():
            codes[mask] = reasons.setdefault(reason, len(reasons))
    # A flag of the dictionary takes precedence over the other reasons.
    for concept_id, flags in enumerate(dictionary.table.flags):
        if flags:
            codes[concept_id] = reasons.setdefault(min(flags), len(reasons))
    return KeptOut(codes, tuple(reasons))
