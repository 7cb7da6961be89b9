"""How much a set of items exercises each concept, as such and against a reference.

Two measurements side by side: the scores of the paper, kept exactly, which compare concepts with
each other; and the comparison a decision can stand on, how many items show a concept against how
many would if the set were drawn from the reference at the same text lengths. Nothing here decides
what is a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.conceptmap import ConceptMap
from benchdesign.dictionary import Dictionary
from benchdesign.errors import DictionaryError, UsageError
from benchdesign.stats import Interval, beta_interval

__all__ = ["Coverage", "Reference", "count_items", "measure_coverage"]

Floats = NDArray[np.float64]

_RAREST = 1e-7
"""A published rate of 0 means rarer than any corpus could show, never impossible."""

_ITEMS_A_BIN = 200
_MOST_BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """How often each concept is present in the distribution a benchmark is compared with."""

    kind: str
    """pool, dictionary or sample."""

    edges: tuple[int, ...]
    """Ascending upper edges, exclusive, of all length bins but the last, in content tokens."""

    rates: Floats
    """(n_concepts, n_bins): share of reference items with the concept; NaN if unknown."""

    n_items: Floats
    """(n_bins,): reference items of each length; infinite where the rates count as exact."""

    thresholds: NDArray[np.float32]
    """Presence thresholds the rates were counted at."""

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
        """Count a pool; its length bins are quantiles of the pool's own lengths."""
        _check(concept_map, dictionary)
        if not len(concept_map):
            raise UsageError("The pool has no items; give one with items, or none at all.")
        used = dictionary.table.threshold if thresholds is None else thresholds
        lengths = concept_map.n_tokens
        wanted = n_bins or min(max(len(lengths) // _ITEMS_A_BIN, 1), _MOST_BINS)
        cuts = np.quantile(lengths, np.arange(1, wanted) / wanted, method="higher")
        edges = tuple(int(edge) for edge in np.unique(cuts) if edge > lengths.min())
        bins = np.searchsorted(np.asarray(edges), lengths, side="right")
        counts = _count_by_bin(concept_map, used, bins=bins, n_bins=len(edges) + 1)
        n_items = np.bincount(bins, minlength=len(edges) + 1).astype(np.float64)
        return cls(
            kind, edges, counts / np.maximum(n_items, 1), n_items, used, dictionary.fingerprint
        )

    @classmethod
    def from_dictionary(cls, dictionary: Dictionary) -> Reference:
        """Use the base rates a dictionary was published with."""
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
        """Number of reference items; infinite where the rates count as exact."""
        return float(self.n_items.sum())

    def bin_counts(self, n_tokens: NDArray[np.int32]) -> NDArray[np.int64]:
        """Count items of each length bin from their content-token counts."""
        bins = np.searchsorted(np.asarray(self.edges), n_tokens, side="right")
        return np.bincount(bins, minlength=len(self.n_items))

    def match(self, n_tokens: NDArray[np.int32]) -> MatchedRates:
        """Return the rates a set of these lengths would have if drawn from the reference."""
        counts = self.bin_counts(n_tokens).astype(np.float64)
        n = counts.sum()
        if not n:
            return MatchedRates(np.full(len(self.rates), np.nan), 0.0)
        weights = counts / n
        used = weights > 0
        rates = self.rates[:, used] @ weights[used]
        # Kish: rates averaged over bins of unequal weight are worth fewer items than were counted.
        spread = float(np.sum(weights[used] ** 2 / self.n_items[used]))
        return MatchedRates(rates, 1 / spread if spread else np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class MatchedRates:
    """Reference rates at the lengths of a given set."""

    rates: Floats
    """(n_concepts,): NaN where unknown."""

    n_effective: float
    """Reference items these rates are worth; infinite where they count as exact."""


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """Coverage of every concept by one set of items; all arrays are (n_concepts,)."""

    n_items: int
    count: NDArray[np.int64]
    """Items with the concept present (peak at or over its threshold): k."""

    n_active: NDArray[np.int64]
    """Items in which it fires at all, however weakly: the paper's criterion."""

    mean_saliency: Floats
    """Mean over items of the saliency."""

    chi_bench: Floats
    """The paper's score: mean saliency over that of all concepts and items; 0 if all are 0."""

    expected: Floats
    """Items that would show it if drawn from the reference at these lengths: E; NaN if unknown."""

    base_rate: Floats
    """Length-matched reference rate: pi = E / n; NaN if unknown."""

    n_reference: float
    """Reference items the base rates are worth; infinite where they count as exact."""

    reference: str
    """pool, dictionary, sample, or none."""

    thresholds: NDArray[np.float32]
    dictionary: str
    """Fingerprint of the dictionary."""

    @property
    def rate(self) -> Floats:
        """Share of items with the concept present; NaN for a set without items."""
        return self.count / self.n_items if self.n_items else np.full(len(self.count), np.nan)

    @property
    def missing(self) -> NDArray[np.bool_]:
        """The paper's class: no item activates the concept at all."""
        missing: NDArray[np.bool_] = self.n_active == 0
        return missing

    @property
    def floored_rate(self) -> Floats:
        """Base rate, with half an item standing for none among the reference's."""
        return np.maximum(self.base_rate, max(0.5 / (self.n_reference + 1), _RAREST))

    def lift(self, *, prior: float = 10.0) -> Floats:
        """Return log2 of rate over base rate, with `prior` more items at the base rate."""
        return self._lift_of(self.count, self.floored_rate, prior=prior)

    def joint_lift(self, concept_ids: Sequence[int], *, prior: float = 10.0) -> float:
        """Return the lift of several concepts' counts added up."""
        ids = list(concept_ids)
        together = (values[ids].sum(keepdims=True) for values in (self.count, self.floored_rate))
        return float(self._lift_of(*together, prior=prior)[0])

    def _lift_of(self, count: NDArray[np.int64], pi: Floats, *, prior: float) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log2((count + prior * pi) / ((self.n_items + prior) * pi))

    def rate_interval(self, *, prior: float = 10.0, level: float = 0.90) -> Interval:
        """Return the credible interval of the rate, with `prior` items at the base rate."""
        pi = self.floored_rate
        return beta_interval(
            self.count + prior * pi, self.n_items - self.count + prior * (1 - pi), level=level
        )

    def lift_interval(self, *, prior: float = 10.0, level: float = 0.90) -> Interval:
        """Return the credible interval of the lift."""
        low, high = self.rate_interval(prior=prior, level=level)
        pi = self.floored_rate
        with np.errstate(divide="ignore", invalid="ignore"):
            return Interval(np.log2(low / pi), np.log2(high / pi))


def measure_coverage(
    concept_map: ConceptMap,
    dictionary: Dictionary,
    *,
    reference: Reference | None = None,
    thresholds: NDArray[np.float32] | None = None,
) -> Coverage:
    """Measure a set of items; without a reference, the dictionary's base rates are used."""
    _check(concept_map, dictionary)
    used = dictionary.table.threshold if thresholds is None else thresholds
    if reference is None:
        reference = Reference.from_dictionary(dictionary)
    if reference.dictionary != dictionary.fingerprint:
        raise DictionaryError("The reference was counted with another dictionary; count it again.")
    matched = reference.match(concept_map.n_tokens)
    if not np.array_equal(reference.thresholds, used):
        if reference.kind != "dictionary":
            raise UsageError("The reference was counted at other thresholds; count it at these.")
        # Published base rates hold at the published thresholds only.
        changed = reference.thresholds != used
        matched = MatchedRates(np.where(changed, np.nan, matched.rates), matched.n_effective)
    n_items = len(concept_map)
    n_concepts = concept_map.n_concepts
    count = np.zeros(n_concepts, dtype=np.int64)
    n_active = np.zeros(n_concepts, dtype=np.int64)
    total = np.zeros(n_concepts)
    for first, last in concept_map.row_blocks():
        part = slice(int(concept_map.indptr[first]), int(concept_map.indptr[last]))
        ids, peak = concept_map.indices[part], concept_map.peak[part]
        count += np.bincount(ids[peak >= used[ids]], minlength=n_concepts)
        n_active += np.bincount(ids[peak > 0], minlength=n_concepts)
        total += np.bincount(ids, weights=concept_map.saliency[part], minlength=n_concepts)
    mean_saliency = total / max(n_items, 1)
    overall = mean_saliency.mean() if n_concepts else 0.0
    return Coverage(
        n_items=n_items,
        count=count,
        n_active=n_active,
        mean_saliency=mean_saliency,
        chi_bench=mean_saliency / overall if overall else np.zeros(n_concepts),
        expected=matched.rates * n_items,
        base_rate=matched.rates,
        n_reference=matched.n_effective,
        reference="none" if np.isnan(matched.rates).all() else reference.kind,
        thresholds=used,
        dictionary=dictionary.fingerprint,
    )


def count_items(concept_map: ConceptMap, thresholds: NDArray[np.float32]) -> NDArray[np.int64]:
    """Count the items that show each concept."""
    everything = np.zeros(len(concept_map), dtype=np.int64)
    return _count_by_bin(concept_map, thresholds, bins=everything, n_bins=1)[:, 0]


def _count_by_bin(
    concept_map: ConceptMap,
    thresholds: NDArray[np.float32],
    *,
    bins: NDArray[np.int64],
    n_bins: int,
) -> NDArray[np.int64]:
    """Count (n_concepts, n_bins) items with each concept present."""
    n_concepts = concept_map.n_concepts
    counts = np.zeros(n_bins * n_concepts, dtype=np.int64)
    indptr = concept_map.indptr
    for first, last in concept_map.row_blocks():
        part = slice(int(indptr[first]), int(indptr[last]))
        ids = concept_map.indices[part]
        keep = concept_map.peak[part] >= thresholds[ids]
        bin_of = np.repeat(bins[first:last] * n_concepts, np.diff(indptr[first : last + 1]))
        counts += np.bincount(bin_of[keep] + ids[keep], minlength=len(counts))
    return counts.reshape(n_bins, n_concepts).T


def _check(concept_map: ConceptMap, dictionary: Dictionary) -> None:
    if (concept_map.n_concepts, concept_map.dictionary) != (
        dictionary.n_concepts,
        dictionary.fingerprint,
    ):
        raise DictionaryError(
            f"The map was not made by dictionary {dictionary.name}; map the items again with it."
        )
