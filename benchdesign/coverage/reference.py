"""The reference that a benchmark is compared with, matched for length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.errors import DictionaryError, UsageError
from benchdesign.foundation.arrays import Floats

__all__ = ["Reference", "reference_of"]


_ITEMS_PER_BIN = 200


_MAX_LENGTH_BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """How often each concept occurs in the distribution that a benchmark is compared with."""

    kind: str
    """`pool`, `dictionary` or `sample`."""

    edges: tuple[int, ...]
    """Ascending upper edges, exclusive, of all length bins but the last, in content tokens."""

    rates: Floats
    """(n_concepts, n_bins): share of reference items that show the concept; NaN if unknown."""

    n_items: Floats
    """(n_bins,): reference items in each length bin; infinite if the rates count as exact."""

    thresholds: NDArray[np.float32]
    """Presence thresholds that the rates are based on."""

    dictionary: str
    """Fingerprint of the dictionary."""

    @classmethod
    def from_map(
        cls,
        concept_map: ConceptMap,
        dictionary: Dictionary,
        *,
        thresholds: NDArray[np.float32] | None = None,
        n_bins: int | None = None,
        kind: str = "pool",
    ) -> Reference:
        """Measure the rates of a pool, in length bins that are quantiles of its own lengths."""
        check_reference(concept_map, dictionary)
        if not len(concept_map):
            raise UsageError("The pool is empty; choose one with items, or leave it out.")
        if thresholds is None:
            thresholds = dictionary.table.threshold
        lengths = concept_map.n_tokens
        n_bins = n_bins or min(max(len(lengths) // _ITEMS_PER_BIN, 1), _MAX_LENGTH_BINS)
        cuts = np.quantile(lengths, np.arange(1, n_bins) / n_bins, method="higher")
        edges = tuple(int(edge) for edge in np.unique(cuts) if edge > lengths.min())
        bins = np.searchsorted(np.asarray(edges), lengths, side="right")
        counts = count_by_bin(concept_map, thresholds, bins=bins, n_bins=len(edges) + 1)
        n_items = np.bincount(bins, minlength=len(edges) + 1).astype(np.float64)
        return cls(
            kind,
            edges,
            counts / np.maximum(n_items, 1),
            n_items,
            thresholds,
            dictionary.fingerprint,
        )

    @classmethod
    def from_dictionary(cls, dictionary: Dictionary) -> Reference:
        """Return the base rates published with a dictionary."""
        rates = dictionary.table.base_rates.astype(np.float64)
        n_bins = rates.shape[1]
        return cls(
            "dictionary",
            dictionary.length_edges,
            rates,
            np.full(n_bins, np.inf),
            dictionary.table.threshold,
            dictionary.fingerprint,
        )

    @property
    def size(self) -> float:
        """Number of reference items; infinite if the rates count as exact."""
        return float(self.n_items.sum())

    def bin_counts(self, n_tokens: NDArray[np.int32]) -> NDArray[np.int64]:
        """Count the items in each length bin, from their numbers of content tokens."""
        bins = np.searchsorted(np.asarray(self.edges), n_tokens, side="right")
        return np.bincount(bins, minlength=len(self.n_items))

    def match(self, n_tokens: NDArray[np.int32]) -> MatchedRates:
        """Return the rates expected of a set with these lengths, drawn from the reference."""
        counts = self.bin_counts(n_tokens).astype(np.float64)
        n = counts.sum()
        if not n:
            return MatchedRates(np.full(len(self.rates), np.nan), 0.0)
        weights = counts / n
        occupied = weights > 0
        rates = self.rates[:, occupied] @ weights[occupied]
        # Effective sample size (Kish): unequal weights of the bins reduce it.
        spread = float(np.sum(weights[occupied] ** 2 / self.n_items[occupied]))
        return MatchedRates(rates, 1 / spread if spread else np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class MatchedRates:
    """Reference rates matched to the lengths of a set."""

    rates: Floats
    """(n_concepts,): NaN if unknown."""

    n_effective: float
    """Effective number of reference items; infinite if the rates count as exact."""


def count_by_bin(
    concept_map: ConceptMap,
    thresholds: NDArray[np.float32],
    *,
    bins: NDArray[np.int64],
    n_bins: int,
) -> NDArray[np.int64]:
    """Count the items that show each concept, by length bin: (n_concepts, n_bins)."""
    n_concepts = concept_map.n_concepts
    counts = np.zeros(n_bins * n_concepts, dtype=np.int64)
    indptr = concept_map.indptr
    for first, last in concept_map.row_blocks():
        part = slice(int(indptr[first]), int(indptr[last]))
        ids = concept_map.indices[part]
        is_present = concept_map.peak[part] >= thresholds[ids]
        bin_of = np.repeat(bins[first:last] * n_concepts, np.diff(indptr[first : last + 1]))
        counts += np.bincount(bin_of[is_present] + ids[is_present], minlength=len(counts))
    return counts.reshape(n_bins, n_concepts).T


def check_reference(concept_map: ConceptMap, dictionary: Dictionary) -> None:
    if (concept_map.n_concepts, concept_map.dictionary) != (
        dictionary.n_concepts,
        dictionary.fingerprint,
    ):
        raise DictionaryError(
            f"The map was not made with dictionary {dictionary.name}; map the items again."
        )


_MIN_REFERENCE_POOL = 50
"""Smallest pool whose rates serve as the reference; below, the dictionary's corpus is used."""


def reference_of(pool_map: ConceptMap | None, dictionary: Dictionary) -> Reference:
    """Return the reference rates: those of the pool, or of the dictionary's corpus."""
    if pool_map is None or len(pool_map) < _MIN_REFERENCE_POOL:
        return Reference.from_dictionary(dictionary)
    return Reference.from_map(pool_map, dictionary)
