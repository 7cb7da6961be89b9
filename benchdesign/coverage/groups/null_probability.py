"""The probability that an item is the benchmark's if nothing is lacking."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchdesign.foundation.arrays import Floats

__all__ = ["null_probabilities"]

_FLAT = 1e-6
_NEWTON_STEPS = 30
_SLOPE_PENALTY = 10.0
"""Pull of the exponent of the rate towards 1."""


def null_probabilities(rate: Floats, is_own: NDArray[np.bool_]) -> Floats:
    """Return each item's probability of being the benchmark's if nothing is lacking.

    Its odds are exp(a) rate^b, where `rate` is how often items like it occur in the benchmark
    relative to the pool; a and b are fitted (logistic regression), since the parts of the rate are
    not independent. Two numbers cannot take up a group that is lacking.
    """
    log_rate = np.log(np.maximum(rate, 1e-3))
    target = is_own.astype(np.float64)
    if float(np.ptp(log_rate)) < _FLAT:
        return np.full(len(rate), target.mean())
    design = np.stack([np.ones(len(rate)), log_rate], axis=1)
    weights = np.asarray([np.log(target.mean() / (1 - target.mean())), 1.0])
    for _ in range(_NEWTON_STEPS):
        null = _sigmoid(design @ weights)
        slope = design.T @ (target - null) - _SLOPE_PENALTY * np.asarray([0.0, weights[1] - 1])
        curvature = (design * (null * (1 - null))[:, None]).T @ design
        curvature += np.diag([1e-6, _SLOPE_PENALTY])
        weights = weights + np.clip(np.linalg.solve(curvature, slope), -1.0, 1.0)
    if weights[1] < 0:
        return np.full(len(rate), target.mean())
    return _sigmoid(design @ weights)


def _sigmoid(values: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(values, -30, 30)))
