"""How far a long job is: told through a callback, so that nothing below an interface prints.

Standard library only: the command line, the interface and the child process all read it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Progress", "ProgressCallback", "StopCheck", "Ticker"]


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a job."""

    stage: str
    """What is being done, as a person would say it: `mapping items`."""

    done: int
    total: int | None
    """None while it is not known."""

    rate: float | None = None
    """Units per second; None until it means something."""

    seconds_left: float | None = None


ProgressCallback = Callable[[Progress], None]
StopCheck = Callable[[], bool]


class Ticker:
    """Counts what is done and tells a callback, at most ten times a second."""

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
        self._told = float("-inf")
        self._done = 0
        self._skipped = 0

    def skip(self, n: int) -> None:
        """Count units that cost nothing (found in a cache), so that the rate stays true."""
        self._done += n
        self._skipped += n
        self._tell()

    def advance(self, n: int) -> None:
        """Count units of work done."""
        self._done += n
        self._tell()

    def _tell(self) -> None:
        if self._progress is None:
            return
        now = self._clock()
        finished = self._total is not None and self._done >= self._total
        if not finished and now - self._told < 0.1:
            return
        self._told = now
        worked = self._done - self._skipped
        seconds = now - self._start
        rate = worked / seconds if worked and seconds > 0.2 else None
        left = (self._total - self._done) / rate if rate and self._total is not None else None
        self._progress(Progress(self._stage, self._done, self._total, rate, left))
