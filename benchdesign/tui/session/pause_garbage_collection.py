"""Pause cyclic garbage collection while many objects are loaded.

A full collection visits every object and blocks the interface meanwhile. A set of 100,000 items
has over a million objects: 0.2 seconds, several times during loading and now and then afterwards.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["pause_collection"]

_MIN_FROZEN_OBJECTS = 200_000
"""Number of new objects above which they are excluded from later collections."""


@contextmanager
def pause_collection() -> Iterator[None]:
    """Disable garbage collection in the block; freeze its objects if there are many."""
    n_before = len(gc.get_objects())
    gc.disable()
    try:
        yield
    finally:
        if len(gc.get_objects()) - n_before > _MIN_FROZEN_OBJECTS:
            # Loaded objects are in no reference cycle: reference counting frees them.
            gc.freeze()
        gc.enable()
