"""How much a set of items exercises each concept, in absolute terms and against a reference.

Two measurements: the paper's scores, unchanged, which compare concepts with each other; and the
basis for decisions, the number of items that show a concept against the number expected if the set
were drawn from the reference at the same text lengths. `gaps` decides which concepts are gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.reference import MatchedRates, Reference, check_reference, count_by_bin
from benchdesign.errors import DictionaryError, UsageError
from benchdesign.foundation.arrays import Floats
from benchdesign.foundation.statistics import Interval, beta_interval

__all__ = ["Coverage", "count_items", "measure_coverage"]


_MIN_RATE = 1e-7
"""Smallest base rate: a published rate of 0 means unobserved, not impossible."""


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """Coverage of every concept by one set of items; all arrays are (n_concepts,)."""

    n_items: int
    count: NDArray[np.int64]
    """k: items that show the concept (peak at or above its threshold)."""

    n_active: NDArray[np.int64]
    """Items in which it fires at all, however weakly (the paper's criterion)."""

    mean_saliency: Floats
    """Mean saliency over items."""

    chi_bench: Floats
    """The paper's score: mean saliency relative to all concepts and items; 0 if all are 0."""

    expected: Floats
    """E: items expected to show it if drawn from the reference at these lengths; NaN if unknown."""

    base_rate: Floats
    """pi = E / n: length-matched reference rate; NaN if unknown."""

    n_reference: float
    """Effective number of reference items; infinite if the base rates count as exact."""

    reference: str
    """`pool`, `dictionary`, `sample` or `none`."""

    thresholds: NDArray[np.float32]
    dictionary: str
    """Fingerprint of the dictionary."""

    @property
    def rate(self) -> Floats:
        """Share of items that show the concept; NaN for an empty set."""
        return self.count / self.n_items if self.n_items else np.full(len(self.count), np.nan)

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Mask of the concepts that no item activates at all (the paper's definition)."""
        missing: NDArray[np.bool_] = self.n_active == 0
        return missing

    @property
    def floored_rate(self) -> Floats:
        """Base rate, where zero reference items count as half an item."""
        return np.maximum(self.base_rate, max(0.5 / (self.n_reference + 1), _MIN_RATE))

    def lift(self, *, prior: float = 10.0) -> Floats:
        """Return log2 of rate over base rate, smoothed by `prior` items at the base rate."""
        return self._lift_of(self.count, self.floored_rate, prior=prior)

    def joint_lift(self, concept_ids: Sequence[int], *, prior: float = 10.0) -> float:
        """Return the lift of the summed counts of several concepts."""
        ids = list(concept_ids)
        sums = (values[ids].sum(keepdims=True) for values in (self.count, self.floored_rate))
        return float(self._lift_of(*sums, prior=prior)[0])

    def _lift_of(self, count: NDArray[np.int64], pi: Floats, *, prior: float) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log2((count + prior * pi) / ((self.n_items + prior) * pi))

    def rate_interval(self, *, prior: float = 10.0, level: float = 0.90) -> Interval:
        """Return the credible interval of the rate; the prior is `prior` items at the base rate."""
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
    """Measure the coverage of a set of items; the default reference is the dictionary."""
    check_reference(concept_map, dictionary)
    if thresholds is None:
        thresholds = dictionary.table.threshold
    if reference is None:
        reference = Reference.from_dictionary(dictionary)
    if reference.dictionary != dictionary.fingerprint:
        raise DictionaryError(
            "The reference was measured with another dictionary; measure it again."
        )
    matched = reference.match(concept_map.n_tokens)
    if not np.array_equal(reference.thresholds, thresholds):
        if reference.kind != "dictionary":
            raise UsageError("The reference was measured at other thresholds; measure it again.")
        # Published base rates are valid only at the published thresholds.
        changed = reference.thresholds != thresholds
        matched = MatchedRates(np.where(changed, np.nan, matched.rates), matched.n_effective)
    n_items = len(concept_map)
    n_concepts = concept_map.n_concepts
    count = np.zeros(n_concepts, dtype=np.int64)
    n_active = np.zeros(n_concepts, dtype=np.int64)
    total = np.zeros(n_concepts)
    for first, last in concept_map.row_blocks():
        part = slice(int(concept_map.indptr[first]), int(concept_map.indptr[last]))
        ids, peak = concept_map.indices[part], concept_map.peak[part]
        count += np.bincount(ids[peak >= thresholds[ids]], minlength=n_concepts)
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
        thresholds=thresholds,
        dictionary=dictionary.fingerprint,
    )


def count_items(concept_map: ConceptMap, thresholds: NDArray[np.float32]) -> NDArray[np.int64]:
    """Count the items that show each concept."""
    bins = np.zeros(len(concept_map), dtype=np.int64)
    return count_by_bin(concept_map, thresholds, bins=bins, n_bins=1)[:, 0]
