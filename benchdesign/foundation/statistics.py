"""Intervals, p-values and q-values of plain numbers.

All functions are vectorised and know nothing about items or concepts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchdesign.foundation.arrays import Floats

__all__ = [
    "Interval",
    "Tails",
    "adjust_p_values",
    "beta_interval",
    "binomial_tails",
    "items_to_show_absence",
    "poisson_tails",
    "predictive_tails",
]


_NEGLIGIBLE = 1e-14
"""Relative size of a term below which the summation of a tail stops."""


class Interval(NamedTuple):
    """Lower and upper end of an interval, elementwise."""

    low: Floats
    high: Floats


class Tails(NamedTuple):
    """One-sided p-values, elementwise."""

    lower: Floats
    """Probability of a count this low or lower."""

    upper: Floats
    """Probability of a count this high or higher."""


def beta_interval(successes: ArrayLike, failures: ArrayLike, *, level: float = 0.90) -> Interval:
    """Return the equal-tailed interval of Beta(successes, failures); 0 or 1 if a parameter is 0."""
    from scipy.special import betaincinv

    a, b = np.broadcast_arrays(np.asarray(successes, float), np.asarray(failures, float))
    tail = (1 - level) / 2
    proper = (a > 0) & (b > 0)
    safe_a, safe_b = np.where(proper, a, 1.0), np.where(proper, b, 1.0)
    point = np.where(a > 0, 1.0, 0.0)
    low = np.where(proper, betaincinv(safe_a, safe_b, tail), point)
    high = np.where(proper, betaincinv(safe_a, safe_b, 1 - tail), point)
    unknown = np.isnan(a) | np.isnan(b)
    return Interval(np.where(unknown, np.nan, low), np.where(unknown, np.nan, high))


def adjust_p_values(p_values: ArrayLike) -> Floats:
    """Return Benjamini-Hochberg q-values; NaN stays NaN and does not count as a test."""
    p = np.asarray(p_values, dtype=np.float64)
    q = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    if not len(tested):
        return q
    order = tested[np.argsort(p[tested], kind="stable")]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def binomial_tails(count: ArrayLike, n: ArrayLike, rate: ArrayLike) -> Tails:
    """Return one-sided p-values of a count out of n against an exact rate."""
    from scipy.special import betainc

    k, size, p = np.broadcast_arrays(
        np.asarray(count, float), np.asarray(n, float), np.asarray(rate, float)
    )
    # P(X <= k) = I_{1-p}(n - k, k + 1); this is undefined at k = n, where P is 1.
    full, none = k >= size, k <= 0
    lower = np.where(full, 1.0, betainc(np.where(full, 1.0, size - k), k + 1, 1 - p))
    upper = np.where(none, 1.0, betainc(np.where(none, 1.0, k), size - k + 1, p))
    unknown = np.isnan(p)
    return Tails(np.where(unknown, np.nan, lower), np.where(unknown, np.nan, upper))


def poisson_tails(count: ArrayLike, expected: ArrayLike, *, exposure: float) -> Tails:
    """Return one-sided p-values of a (possibly fractional) Poisson count against an estimated mean.

    `exposure` is the sample size divided by the size of the reference that gave the mean; 0 if the
    mean counts as exact.
    """
    from scipy.special import betainc, gammainc, gammaincc

    k, mean = np.broadcast_arrays(np.asarray(count, float), np.asarray(expected, float))
    is_positive = mean > 0
    safe_mean = np.where(is_positive, mean, 1.0)
    safe_k = np.where(k > 0, k, 1.0)
    if exposure > 0:
        # Conditional on the total of both counts, the count of the sample is binomial.
        share = exposure / (1 + exposure)
        reference = safe_mean / exposure
        lower = betainc(reference, k + 1, 1 - share)
        upper = betainc(safe_k, reference + 1, share)
    else:
        lower, upper = gammaincc(k + 1, safe_mean), gammainc(safe_k, safe_mean)
    return Tails(
        np.where(is_positive, lower, 1.0), np.where(k > 0, np.where(is_positive, upper, 0.0), 1.0)
    )


def predictive_tails(
    count: ArrayLike, n: ArrayLike, reference_count: ArrayLike, reference_n: ArrayLike
) -> Tails:
    """Return one-sided p-values of a count out of n against a finite reference sample.

    Given the reference, the count is beta-binomial, with the prior that is conservative for the
    side tested. For whole numbers this is Fisher's exact test. Reference counts may be fractional
    (length-matched). If `reference_n` is infinite, `reference_count` is the rate itself.
    """
    k, size, positives, total = (
        np.array(part, dtype=np.float64)
        for part in np.broadcast_arrays(count, n, reference_count, reference_n)
    )
    lower, upper = np.full(k.shape, np.nan), np.full(k.shape, np.nan)
    is_valid = ~np.isnan(positives)
    exact = is_valid & np.isinf(total)
    lower[exact], upper[exact] = binomial_tails(k[exact], size[exact], positives[exact])
    sampled = is_valid & ~exact
    k, size, positives, negatives = (
        k[sampled],
        size[sampled],
        positives[sampled],
        (total - positives)[sampled],
    )
    lower[sampled] = _beta_binomial_lower(k, size, positives, negatives + 1)
    upper[sampled] = _beta_binomial_lower(size - k, size, negatives, positives + 1)
    return Tails(lower, upper)


def items_to_show_absence(
    reference_count: ArrayLike, reference_n: ArrayLike, *, alpha: float
) -> Floats:
    """Return the fewest items at which a count of 0 is significant; inf if no number suffices.

    Arguments as in `predictive_tails`; NaN where the reference is unknown.
    """
    positives, total = np.broadcast_arrays(
        np.asarray(reference_count, float), np.asarray(reference_n, float)
    )
    needed = np.where(np.isnan(positives), np.nan, np.inf)
    possible = positives > 0
    low = np.zeros(int(possible.sum()))
    high = np.full(low.shape, 2.0**50)
    positives, total = positives[possible], total[possible]

    def enough(n: Floats) -> NDArray[np.bool_]:
        chance: NDArray[np.bool_] = _chance_of_none(n, positives, total) <= alpha
        return chance

    reachable = enough(high)
    while np.any(high - low > 1):
        middle = np.floor((low + high) / 2)
        is_enough = enough(middle)
        low, high = np.where(is_enough, low, middle), np.where(is_enough, middle, high)
    needed[possible] = np.where(reachable, high, np.inf)
    return needed


def _chance_of_none(n: Floats, positives: Floats, total: Floats) -> Floats:
    """Return the lower tail of `predictive_tails` at a count of 0, in closed form."""
    from scipy.special import betaln

    exact = np.isinf(total)
    a = np.where(exact, 1.0, positives)
    b = np.where(exact, 1.0, total - positives + 1)
    sampled = np.exp(betaln(a, b + n) - betaln(a, b))
    rate = np.where(exact, np.minimum(positives, 1 - 1e-16), 0.0)
    chance: Floats = np.where(exact, np.exp(n * np.log1p(-rate)), sampled)
    return chance


def _beta_binomial_lower(count: Floats, n: Floats, a: Floats, b: Floats) -> Floats:
    """Return P(X <= count) for X ~ BetaBinomial(n, a, b); a point mass if a or b is 0."""
    result = np.ones_like(count)
    result[(b <= 0) & (count < n)] = 0.0
    proper = (a > 0) & (b > 0) & (count < n) & (count >= 0)
    below = proper & (count * (a + b) <= n * a)
    result[below] = _sum_down(count[below], n[below], a[below], b[below])
    # Above the mean, the upper tail is the shorter one.
    above = proper & ~below
    result[above] = 1 - _sum_down((n - count - 1)[above], n[above], b[above], a[above])
    return np.clip(result, 0.0, 1.0)


def _sum_down(count: Floats, n: Floats, a: Floats, b: Floats) -> Floats:
    """Return the sum of beta-binomial probabilities from `count` down to 0."""
    from scipy.special import betaln, gammaln

    log_first = (
        gammaln(n + 1)
        - gammaln(count + 1)
        - gammaln(n - count + 1)
        + betaln(count + a, n - count + b)
        - betaln(a, b)
    )
    total, term, j = np.ones_like(count), np.ones_like(count), count.copy()
    active = np.flatnonzero(j > 0)
    while len(active):
        value, size, alpha, beta = j[active], n[active], a[active], b[active]
        term[active] *= value * (size - value + beta) / ((size - value + 1) * (value - 1 + alpha))
        total[active] += term[active]
        j[active] -= 1
        # With a < 1 the terms grow again towards 0, so the sum must run to the end.
        continues = (j[active] > 0) & ((term[active] > _NEGLIGIBLE * total[active]) | (alpha < 1))
        active = active[continues]
    tail: Floats = np.exp(log_first) * total
    return tail
