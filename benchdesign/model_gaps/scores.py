"""Scores of a model over groups of items (concepts or areas): estimate, interval, test, power.

This module works on sparse weights alone and knows neither the model nor the meaning of the groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.foundation.arrays import Floats
from benchdesign.foundation.statistics import Interval, adjust_p_values

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = [
    "MIN_ITEMS_FOR_SHARES",
    "STANDINGS",
    "ColumnTest",
    "ModelGapSettings",
    "Rating",
    "ScoreRow",
    "Scores",
    "assess_columns",
    "column_sums",
    "control_basis",
    "score_columns",
]


MIN_ITEMS_FOR_SHARES = 10
"""With fewer items, counts are shown instead of shares, which would look too precise."""

_LENGTH_BINS = 5
_REPLICATES_AT_ONCE = 25
_POWER = 0.80
_ALPHA = 0.05


class Rating(StrEnum):
    """A model's result on a concept or area relative to its overall score."""

    VERY_POOR = "very poor"
    POOR = "poor"
    AVERAGE = "average"
    GOOD = "good"
    VERY_GOOD = "very good"
    TOO_FEW = "too few items"
    KEPT_OUT = "kept out"


STANDINGS: tuple[Rating, ...] = tuple(Rating)
"""The standings in the order of `Scores.standing_codes`."""


@dataclass(frozen=True, slots=True)
class ModelGapSettings:
    """Thresholds for tests and classes."""

    fdr: float = 0.05
    min_items: float = 10.0
    """Fewest effective items for testing a concept."""

    poor: float = 0.05
    """Smallest significant difference below (above) the overall score that is poor (good)."""

    very_poor: float = 0.15
    level: float = 0.90
    n_bootstrap: int = 200


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One model's scores on one concept or area, for display."""

    unit: int
    """Concept id or area number."""

    name: str
    chi_model: float
    low: float
    high: float
    n_items: int
    n_passed: int
    """Those of `n_items` with a score of at least one half."""

    gap: float
    """Difference from the model's overall score on comparable items; negative if weaker."""

    q_value: float
    standing: Rating
    detectable: float
    """Smallest gap that the results can detect at 80% power."""

    needed_5: int | None
    """Items needed to detect a gap of 5 points at 80% power; None if unknown."""

    needed_10: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """A model's scores on concepts or areas; arrays are (n_units,)."""

    names: tuple[str, ...]
    chi_model: Floats
    """Mean score weighted by saliency; NaN without saliency."""

    low: Floats
    high: Floats
    """Bootstrap interval of `chi_model` over items."""

    n_items: NDArray[np.int64]
    """Items with a result that show the unit."""

    n_passed: NDArray[np.int64]
    """Those of `n_items` with a score of at least one half."""

    n_effective: Floats
    """Number of equally weighted items with the same precision."""

    total_saliency: Floats
    gap: Floats
    standard_error: Floats
    p_value: Floats
    """Two-sided; NaN if not tested."""

    q_value: Floats
    standing_codes: NDArray[np.int8]
    residual_variance: float

    def __len__(self) -> int:
        """Return the number of concepts or areas."""
        return len(self.chi_model)

    def standing(self, unit: int) -> Rating:
        """Return the standing of one concept or area."""
        return STANDINGS[int(self.standing_codes[unit])]

    @property
    def detectable(self) -> Floats:
        """Smallest gap that each unit's results can detect at 80% power; NaN without results."""
        return _detectable_z() * self.standard_error

    def items_needed(self, points: float) -> float:
        """Return the effective items needed to detect a gap of `points` at 80% power."""
        return float(np.ceil(self.residual_variance * (_detectable_z() / points) ** 2))

    def row(self, unit: int) -> ScoreRow:
        """Return one concept or area for display."""
        # Weights are uneven, so the number of items must exceed that of effective items.
        share = self.n_effective[unit] / max(int(self.n_items[unit]), 1)
        needed = [
            int(np.ceil(self.items_needed(points) / share)) if share > 0 else None
            for points in (0.05, 0.10)
        ]
        return ScoreRow(
            unit,
            self.names[unit],
            float(self.chi_model[unit]),
            float(self.low[unit]),
            float(self.high[unit]),
            int(self.n_items[unit]),
            int(self.n_passed[unit]),
            float(self.gap[unit]),
            float(self.q_value[unit]),
            self.standing(unit),
            float(self.detectable[unit]),
            needed[0],
            needed[1],
        )

    def ranked(self) -> NDArray[np.int64]:
        """Return the tested units by gap in standard errors, weakest first."""
        tested = np.flatnonzero(~np.isnan(self.p_value))
        return tested[np.argsort(_ratio(self.gap, self.standard_error)[tested], kind="stable")]

    def rows(self, units: Sequence[int] | NDArray[np.int64] | None = None) -> Iterator[ScoreRow]:
        """Return an iterator over units for display; by default the tested ones, weakest first."""
        return (self.row(int(unit)) for unit in (self.ranked() if units is None else units))

    def weak(self) -> NDArray[np.int64]:
        """Return the units that are poor or very poor, weakest first."""
        return self._ranked_among(Rating.POOR, Rating.VERY_POOR)

    def strong(self) -> NDArray[np.int64]:
        """Return the units that are good or very good, strongest first."""
        return self._ranked_among(Rating.GOOD, Rating.VERY_GOOD)[::-1]

    def _ranked_among(self, *standings: Rating) -> NDArray[np.int64]:
        ranked = self.ranked()
        codes = [STANDINGS.index(standing) for standing in standings]
        return ranked[np.isin(self.standing_codes[ranked], codes)]


def control_basis(n_tokens: NDArray[np.int32], difficulty: Floats | None) -> Floats:
    """Return an orthonormal basis (n_items, k) of constant, length bins and difficulty."""
    n = len(n_tokens)
    columns = [np.ones(n)]
    if n:
        cuts = np.unique(np.quantile(n_tokens, np.arange(1, _LENGTH_BINS) / _LENGTH_BINS))
        bins = np.searchsorted(cuts, n_tokens, side="right")
        columns += [(bins == number).astype(np.float64) for number in range(1, len(cuts) + 1)]
    if difficulty is not None:
        columns += [difficulty, difficulty**2]
    design = np.stack(columns, axis=1)
    basis, strength, _ = np.linalg.svd(design, full_matrices=False)
    independent: Floats = basis[:, strength > 1e-9 * strength.max(initial=1e-300)]
    return independent


def score_columns(
    saliency: csr_array,
    weights: csr_array,
    y: Floats,
    basis: Floats,
    names: tuple[str, ...],
    kept_out: NDArray[np.bool_],
    settings: ModelGapSettings,
    rng: np.random.Generator,
) -> Scores:
    """Score, test and classify every column of `weights`.

    The score is that of the paper, sum s*y / sum s over `saliency`. The test is `assess_columns`
    over the bounded `weights`. The q-values are those of Benjamini and Hochberg (JRSS B 1995).
    """
    total = column_sums(saliency)
    chi = _ratio(saliency.T @ y, total)
    low, high = _bootstrap(saliency, y, settings, rng)
    test = assess_columns(weights, y, basis)
    tested = (test.n_effective >= settings.min_items) & ~kept_out & (test.standard_error > 0)
    p_value = np.where(tested, test.p_two_sided, np.nan)
    q_value = adjust_p_values(p_value)
    presence = weights > 0
    codes = np.full(len(chi), STANDINGS.index(Rating.TOO_FEW), dtype=np.int8)
    with np.errstate(invalid="ignore"):
        significant = q_value <= settings.fdr
    for mask, standing in (
        (tested, Rating.AVERAGE),
        (significant & (test.gap <= -settings.poor), Rating.POOR),
        (significant & (test.gap <= -settings.very_poor), Rating.VERY_POOR),
        (significant & (test.gap >= settings.poor), Rating.GOOD),
        (significant & (test.gap >= settings.very_poor), Rating.VERY_GOOD),
        (kept_out, Rating.KEPT_OUT),
    ):
        codes[mask] = STANDINGS.index(standing)
    return Scores(
        names=names,
        chi_model=chi,
        low=low,
        high=high,
        n_items=column_sums(presence).astype(np.int64),
        n_passed=np.asarray(presence.T @ (y >= 0.5).astype(np.int64)).astype(np.int64),
        n_effective=test.n_effective,
        total_saliency=total,
        gap=test.gap,
        standard_error=test.standard_error,
        p_value=p_value,
        q_value=q_value,
        standing_codes=codes,
        residual_variance=test.residual_variance,
    )


@dataclass(frozen=True, slots=True, eq=False)
class ColumnTest:
    """Weighted mean of the residuals on the controls, for every column of weights."""

    gap: Floats
    standard_error: Floats
    n_effective: Floats
    p_lower: Floats
    """Probability of a gap this low or lower under the null hypothesis."""

    p_two_sided: Floats
    residual_variance: float


def assess_columns(weights: csr_array, y: Floats, basis: Floats) -> ColumnTest:
    """Test whether the weighted mean of the residuals on the controls differs from 0.

    With weights w, residuals e = (I - BB')y and B orthonormal, gap = w'e / sum w. Its variance is
    w'(I - BB') D (I - BB')w / (sum w)^2, where D holds each item's own variance, fitted on B as in
    White (Econometrica 1980). The statistic is Student's with n_effective - 1 degrees of freedom,
    where n_effective = (sum w)^2 / sum w^2 (Kish, Survey Sampling, 1965).
    """
    from scipy.stats import t as student

    n, k = basis.shape
    residual = y - basis @ (basis.T @ y)
    variance = float(residual @ residual) / max(n - k, 1)
    # The variance of a score depends on the difficulty of the item, so fit it on the controls too.
    fitted = np.clip(basis @ (basis.T @ residual**2), 0.1 * variance, None) * n / max(n - k, 1)
    total = column_sums(weights)
    squares = column_sums(weights.power(2))
    projection = weights.T @ basis
    spread = (
        weights.power(2).T @ fitted
        - 2 * np.sum(projection * (weights.T @ (basis * fitted[:, None])), axis=1)
        + np.einsum("uk,kl,ul->u", projection, basis.T @ (basis * fitted[:, None]), projection)
    )
    gap = _ratio(weights.T @ residual, total)
    error = _ratio(np.sqrt(np.maximum(spread, 0.0)), total)
    n_effective = np.nan_to_num(_ratio(total**2, squares))
    statistic = _ratio(gap, error)
    freedom = np.maximum(n_effective - 1, 1.0)
    lower: Floats = np.asarray(student.cdf(statistic, freedom), dtype=np.float64)
    return ColumnTest(gap, error, n_effective, lower, 2 * np.minimum(lower, 1 - lower), variance)


def _bootstrap(
    saliency: csr_array, y: Floats, settings: ModelGapSettings, rng: np.random.Generator
) -> Interval:
    """Return the percentile interval of the weighted mean score by resampling items."""
    n, n_units = saliency.shape
    unknown = np.full(n_units, np.nan)
    if not n or not settings.n_bootstrap:
        return Interval(unknown, unknown.copy())
    means = np.empty((settings.n_bootstrap, n_units), dtype=np.float32)
    transposed = saliency.T.tocsr()
    for start in range(0, settings.n_bootstrap, _REPLICATES_AT_ONCE):
        size = min(_REPLICATES_AT_ONCE, settings.n_bootstrap - start)
        multiplicity = np.stack(
            [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(size)], axis=1
        ).astype(np.float64)
        means[start : start + size] = _ratio(
            transposed @ (multiplicity * y[:, None]), transposed @ multiplicity
        ).T
    tail = (1 - settings.level) / 2
    has_mean = ~np.isnan(means).all(axis=0)
    low, high = unknown, unknown.copy()
    if has_mean.any():
        low[has_mean], high[has_mean] = np.nanquantile(means[:, has_mean], [tail, 1 - tail], axis=0)
    return Interval(low, high)


def column_sums(matrix: csr_array) -> Floats:
    """Return the column sums of a sparse matrix."""
    return np.asarray(matrix.sum(axis=0), dtype=np.float64).ravel()


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Divide elementwise, with NaN where the divisor is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = np.where(denominator != 0, numerator / denominator, np.nan)
    return ratio


def _detectable_z() -> float:
    """Return the smallest detectable gap in standard errors: z(0.975) + z(0.80)."""
    from scipy.special import ndtri

    return float(ndtri(1 - _ALPHA / 2) + ndtri(_POWER))
