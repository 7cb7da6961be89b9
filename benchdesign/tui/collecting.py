"""Keeps Python's search for garbage out of the way of keys.

The search stops everything while it looks at every object, and a set of 100,000 items has over a
million: a fifth of a second, several times while they are read and now and then ever after.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["no_collecting"]

_MANY = 200_000
"""New objects from which they are left out of every later search."""


@contextmanager
def no_collecting() -> Iterator[None]:
    """Search for no garbage inside the block, nor later among the many objects it made."""
    before = len(gc.get_objects())
    gc.disable()
    try:
        yield
    finally:
        if len(gc.get_objects()) - before > _MANY:
            # What is loaded is in no cycle: it is freed when nobody holds it, searched or not.
            gc.freeze()
        gc.enable()
