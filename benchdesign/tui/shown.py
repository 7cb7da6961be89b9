"""Which items show each concept: a map turned round, so that pages about concepts need no search.

A large map has tens of millions of entries. Looking through all of them for one concept takes a
tenth of a second, which is too long between two key presses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.conceptmap import ConceptMap

__all__ = ["Shown"]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """The entries of a map that say a concept is present, by concept."""

    starts: NDArray[np.int64]
    """(n_concepts + 1,): concept c is entries `starts[c]` to `starts[c + 1]`."""

    rows: NDArray[np.int32]
    """Item of each entry, ascending within a concept."""

    peaks: NDArray[np.float32]
    n_concepts: NDArray[np.int64]
    """(n_items,): concepts present in each item."""

    @classmethod
    def from_map(cls, concept_map: ConceptMap, thresholds: NDArray[np.float32]) -> Shown:
        """Turn a map round; takes a second for 50 million entries."""
        from scipy.sparse import csr_array

        present = np.flatnonzero(concept_map.peak >= thresholds[concept_map.indices])
        indptr = np.searchsorted(present, concept_map.indptr)
        by_item = csr_array(
            (concept_map.peak[present], concept_map.indices[present], indptr),
            shape=(len(concept_map), concept_map.n_concepts),
        )
        turned = by_item.tocsc()
        return cls(turned.indptr.astype(np.int64), turned.indices, turned.data, np.diff(indptr))

    @property
    def counts(self) -> NDArray[np.int64]:
        """Items that show each concept."""
        return np.diff(self.starts)

    def of(self, concept_id: int) -> NDArray[np.int32]:
        """Return the items that show a concept."""
        return self.rows[self.starts[concept_id] : self.starts[concept_id + 1]]

    def strongest(self, concept_id: int, n: int) -> list[tuple[int, float]]:
        """Return the items that show a concept most, strongest first, with its peak in each."""
        part = slice(self.starts[concept_id], self.starts[concept_id + 1])
        rows, peaks = self.rows[part], self.peaks[part]
        best = np.argsort(-peaks, kind="stable")[:n]
        return list(zip(rows[best].tolist(), peaks[best].tolist(), strict=True))
