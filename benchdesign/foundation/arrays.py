"""Names of array types, and positions in arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "even_positions"]

Floats = NDArray[np.float64]


def even_positions(total: int, limit: int) -> NDArray[np.int64]:
    """Return at most `limit` of `total` positions, evenly spaced."""
    if total <= limit:
        return np.arange(total)
    return np.linspace(0, total - 1, limit).astype(np.int64)
