"""Which concepts are never judged, and why: nobody who wants a gap closed can mean them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchdesign.dictionary import Dictionary

__all__ = ["FORM", "KeptOut", "find_kept_out"]

FORM = "form, not subject"
"""Why punctuation, function words and answer formats are kept out until somebody pins them."""


class KeptOut(NamedTuple):
    """Why each concept is kept out."""

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
    """Return why concepts are kept out: by the dictionary's flags, by density, as form, by scope.

    A pin brings back what is kept out as form; masks are (n_concepts,).
    """
    found: dict[str, int] = {}
    codes = np.full(dictionary.n_concepts, -1, dtype=np.int8)
    form = np.zeros(dictionary.n_concepts, dtype=bool)
    form[list(dictionary.form_concepts)] = True
    if pinned is not None:
        form &= ~pinned
    with np.errstate(invalid="ignore"):
        dense = dictionary.table.density > max_density
    for mask, reason in ((out_of_scope, "out of scope"), (form, FORM), (dense, "dense")):
        if mask is not None and mask.any():
            codes[mask] = found.setdefault(reason, len(found))
    # A flag of the dictionary is the stronger reason, so it is the one that is shown.
    for concept_id, flags in enumerate(dictionary.table.flags):
        if flags:
            codes[concept_id] = found.setdefault(min(flags), len(found))
    return KeptOut(codes, tuple(found))
