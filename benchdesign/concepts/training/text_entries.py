"""The concepts that a text shows, collected text by text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "TextEntries",
]


@dataclass(frozen=True, eq=False)
class TextEntries:
    """Texts in which the concepts of a block fire, by concept and descending peak."""

    indptr: NDArray[np.int64]
    text: NDArray[np.int64]
    peak: NDArray[np.float32]
    saliency: NDArray[np.float32]
