"""The concept map: which items show which concepts, how strongly and where.

A sparse matrix: saliency, peak and peak position share one compressed-row structure. On disk it is
Parquet with one row per item and list columns, whose offsets are the row pointers, so that it loads
without a copy. Activations are computed elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.maps.peak_places import find_peak_span
from benchdesign.errors import FormatError

if TYPE_CHECKING:
    import pyarrow as pa
    from scipy.sparse import csr_array

__all__ = ["ConceptMap", "Peak"]


_BLOCK_ENTRIES = 1 << 22
"""Entries processed at once, so that a map of 1,000,000 items is never copied whole."""


class Peak(NamedTuple):
    """The position in an item where a concept is strongest."""

    saliency: float
    peak: float
    start: int
    """First character of the strongest token or passage in the item's text."""

    end: int


@dataclass(frozen=True, slots=True, eq=False)
class ConceptMap:
    """Items x concepts, as compressed rows; concept ids ascend within each row."""

    digests: tuple[str, ...]
    """Identity of each item (`Item.digest`), in order."""

    n_concepts: int
    dictionary: str
    """Fingerprint of the dictionary: reference model, hook points, weights, pooling version."""

    indptr: NDArray[np.int64]
    """(n_items + 1,): row i consists of entries `indptr[i]` to `indptr[i + 1]`."""

    indices: NDArray[np.int32]
    """Concept id of each entry."""

    saliency: NDArray[np.float32]
    """Mean activation over the item's content tokens (or passages)."""

    peak: NDArray[np.float32]
    """Largest activation over the item's content tokens (or passages)."""

    start: NDArray[np.int32]
    """First character of the peak token or passage in the item's text."""

    end: NDArray[np.int32]

    n_tokens: NDArray[np.int32]
    """(n_items,): content tokens of each item."""

    embeddings: NDArray[np.float16] | None = None
    """(n_items, d): unit-length sentence embeddings, if the mapper computes them."""

    places: Path | None = None
    """File to read `start` and `end` from, if they were not loaded to save memory."""

    def __len__(self) -> int:
        """Count the items."""
        return len(self.digests)

    def saliency_matrix(self) -> csr_array:
        """Return saliency as a (n_items, n_concepts) sparse array that shares memory."""
        return self._matrix(self.saliency)

    def peak_matrix(self) -> csr_array:
        """Return peaks as a (n_items, n_concepts) sparse array that shares memory."""
        return self._matrix(self.peak)

    def presence(self, thresholds: NDArray[np.float32]) -> csr_array:
        """Return 1.0 where a concept's peak reaches its threshold (n_items, n_concepts).

        `thresholds` is (n_concepts,). A concept with threshold 0 is present wherever it fires.
        """
        from scipy.sparse import csr_array

        entries = np.flatnonzero(self.peak >= thresholds[self.indices])
        return csr_array(
            (
                np.ones(len(entries), dtype=np.float32),
                self.indices[entries],
                np.searchsorted(entries, self.indptr),
            ),
            shape=(len(self), self.n_concepts),
        )

    def row_blocks(self) -> Iterator[tuple[int, int]]:
        """Yield ranges of rows, first to last (exclusive), with a few million entries each."""
        first = 0
        while first < len(self):
            last = (
                int(np.searchsorted(self.indptr, self.indptr[first] + _BLOCK_ENTRIES, side="right"))
                - 1
            )
            last = max(last, first + 1)
            yield first, last
            first = last

    def at(self, row: int, concept_id: int) -> Peak | None:
        """Return the peak of one concept in one item; None if the item does not show it."""
        low, high = int(self.indptr[row]), int(self.indptr[row + 1])
        entry = low + int(np.searchsorted(self.indices[low:high], concept_id))
        if entry == high or self.indices[entry] != concept_id:
            return None
        start, end = int(self.start[entry]), int(self.end[entry])
        if self.places is not None:
            start, end = find_peak_span(self.places, row, concept_id)
        return Peak(float(self.saliency[entry]), float(self.peak[entry]), start, end)

    def slice(self, first: int, last: int) -> ConceptMap:
        """Return the map of rows `first` to `last` (exclusive), sharing memory."""
        last = min(last, len(self))
        rows, entries = slice(first, last), slice(*map(int, self.indptr[[first, last]]))
        return replace(
            self,
            digests=self.digests[rows],
            indptr=self.indptr[first : last + 1] - self.indptr[first],
            indices=self.indices[entries],
            saliency=self.saliency[entries],
            peak=self.peak[entries],
            start=self.start[entries],
            end=self.end[entries],
            n_tokens=self.n_tokens[rows],
            embeddings=None if self.embeddings is None else self.embeddings[rows],
            places=None,
        )

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> ConceptMap:
        """Return the map of the items at `rows`, in this order."""
        selection = np.asarray(rows, dtype=np.int64)
        lengths = np.diff(self.indptr)[selection]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        entries = np.repeat(self.indptr[selection] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return ConceptMap(
            digests=tuple(self.digests[row] for row in selection),
            n_concepts=self.n_concepts,
            dictionary=self.dictionary,
            indptr=indptr,
            indices=self.indices[entries],
            saliency=self.saliency[entries],
            peak=self.peak[entries],
            start=self.start[entries],
            end=self.end[entries],
            n_tokens=self.n_tokens[selection],
            embeddings=None if self.embeddings is None else self.embeddings[selection],
        )

    @classmethod
    def gather(cls, maps: Sequence[ConceptMap], places: Sequence[tuple[int, int]]) -> ConceptMap:
        """Return the map of items from several maps, in the order of `places`: (map, row) pairs.

        Each row is copied once, directly from its map.
        """
        first = maps[0]
        ends = [concept_map.indptr.tolist() for concept_map in maps]
        spans = [(index, ends[index][row], ends[index][row + 1]) for index, row in places]
        lengths = [high - low for _, low, high in spans]

        def entries(name: str) -> NDArray[Any]:
            columns = [getattr(concept_map, name) for concept_map in maps]
            return np.concatenate(
                [columns[0][:0], *(columns[index][low:high] for index, low, high in spans)]
            )

        def rows(name: str) -> NDArray[Any]:
            columns = [getattr(concept_map, name) for concept_map in maps]
            return np.stack([columns[index][row] for index, row in places])

        return cls(
            digests=tuple(maps[index].digests[row] for index, row in places),
            n_concepts=first.n_concepts,
            dictionary=first.dictionary,
            indptr=np.cumsum([0, *lengths]),
            indices=entries("indices"),
            saliency=entries("saliency"),
            peak=entries("peak"),
            start=entries("start"),
            end=entries("end"),
            n_tokens=rows("n_tokens"),
            embeddings=rows("embeddings") if first.embeddings is not None else None,
        )

    @classmethod
    def concatenate(cls, maps: Sequence[ConceptMap]) -> ConceptMap:
        """Join maps made with the same dictionary, in order."""
        first = maps[0]
        if any(other.dictionary != first.dictionary for other in maps):
            raise FormatError("Maps made with different dictionaries cannot be joined; map again.")
        shifts = np.cumsum([0, *(concept_map.indptr[-1] for concept_map in maps[:-1])])
        with_embeddings = all(concept_map.embeddings is not None for concept_map in maps)
        return cls(
            digests=tuple(digest for concept_map in maps for digest in concept_map.digests),
            n_concepts=first.n_concepts,
            dictionary=first.dictionary,
            indptr=np.concatenate(
                [
                    np.zeros(1, dtype=np.int64),
                    *(
                        concept_map.indptr[1:] + shift
                        for concept_map, shift in zip(maps, shifts, strict=True)
                    ),
                ]
            ),
            indices=np.concatenate([concept_map.indices for concept_map in maps]),
            saliency=np.concatenate([concept_map.saliency for concept_map in maps]),
            peak=np.concatenate([concept_map.peak for concept_map in maps]),
            start=np.concatenate([concept_map.start for concept_map in maps]),
            end=np.concatenate([concept_map.end for concept_map in maps]),
            n_tokens=np.concatenate([concept_map.n_tokens for concept_map in maps]),
            embeddings=np.concatenate(
                [
                    concept_map.embeddings
                    for concept_map in maps
                    if concept_map.embeddings is not None
                ]
            )
            if with_embeddings
            else None,
        )

    def to_table(self) -> pa.Table:
        """Return the map as an Arrow table: one row per item, list columns with shared offsets."""
        import pyarrow as pa

        if self.indptr[-1] > np.iinfo(np.int32).max:
            raise FormatError("A map shard has more than 2^31 entries; write smaller shards.")
        offsets = pa.array(self.indptr.astype(np.int32))

        # Declaring the elements non-nullable makes lists load twice as fast.
        def lists(values: NDArray[np.generic]) -> pa.ListArray:
            entries = pa.array(values)
            kind = pa.list_(pa.field("element", entries.type, nullable=False))
            return pa.ListArray.from_arrays(offsets, entries, type=kind)

        columns = {
            "digest": pa.array(self.digests, pa.string()),
            "n_tokens": pa.array(self.n_tokens),
            "concept": lists(self.indices),
            "saliency": lists(self.saliency),
            "peak": lists(self.peak),
            "start": lists(self.start),
            "end": lists(self.end),
        }
        if self.embeddings is not None:
            columns["embedding"] = pa.FixedSizeListArray.from_arrays(
                pa.array(self.embeddings.reshape(-1)), self.embeddings.shape[1]
            )
        schema = pa.schema(
            [pa.field(name, column.type, nullable=False) for name, column in columns.items()],
            {"dictionary": self.dictionary, "n_concepts": str(self.n_concepts), "version": "1"},
        )
        return pa.table(columns, schema=schema)

    def _matrix(self, values: NDArray[np.float32]) -> csr_array:
        from scipy.sparse import csr_array

        return csr_array((values, self.indices, self.indptr), shape=(len(self), self.n_concepts))
