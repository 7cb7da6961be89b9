"""Progress of long jobs, reported through a callback so that library code does not print.

Standard library only, because the command line, the interface and child processes import it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Progress", "ProgressCallback", "StopCheck", "Ticker"]


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a job."""

    stage: str
    """The current stage in plain words: `mapping items`."""

    done: int
    total: int | None
    """None while unknown."""

    rate: float | None = None
    """Units per second; None until it can be estimated."""

    seconds_left: float | None = None


ProgressCallback = Callable[[Progress], None]
StopCheck = Callable[[], bool]


class Ticker:
    """Count finished units and report progress at most ten times a second."""

    def __init__(
        self,
        stage: str,
        total: int | None,
        *,
        progress: ProgressCallback | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stage = stage
        self._total = total
        self._progress = progress
        self._clock = clock
        self._start = clock()
        self._reported_at = float("-inf")
        self._done = 0
        self._skipped = 0

    def skip(self, n: int) -> None:
        """Count units that were found in a cache; they do not count towards the rate."""
        self._done += n
        self._skipped += n
        self._report()

    def advance(self, n: int) -> None:
        """Count finished units."""
        self._done += n
        self._report()

    def _report(self) -> None:
        if self._progress is None:
            return
        now = self._clock()
        finished = self._total is not None and self._done >= self._total
        if not finished and now - self._reported_at < 0.1:
            return
        self._reported_at = now
        worked = self._done - self._skipped
        seconds = now - self._start
        rate = worked / seconds if worked and seconds > 0.2 else None
        left = (self._total - self._done) / rate if rate and self._total is not None else None
        self._progress(Progress(self._stage, self._done, self._total, rate, left))
