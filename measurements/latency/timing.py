"""Time actions and key presses."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from textual.app import App

from benchdesign.tui.screens import list_detail

SIZE = (120, 36)

Row = tuple[str, float, str, float]
"""Quantity, value, unit, budget."""


class Empty(App[None]):
    """An empty application, for the cost of a key press alone."""


def median_ms(
    action: Callable[[], Any], *, times: int = 9, clock: Callable[[], float] = time.process_time
) -> float:
    """Return the median processor time of an action: other processes do not count."""
    durations = []
    for _ in range(times):
        start = clock()
        action()
        durations.append(1000 * (clock() - start))
    return statistics.median(durations)


def children_time() -> float:
    """Return the processor time of child processes that have exited."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def press_ms(pilot: Any, *keys: str, times: int = 15) -> list[float]:
    """Return the median processor time of each of alternating keys, drawing included."""
    durations: list[list[float]] = [[] for _ in keys]
    for _ in range(times):
        for place, key in enumerate(keys):
            start = time.process_time()
            await pilot.press(key)
            durations[place].append(1000 * (time.process_time() - start))
    return [statistics.median(key_durations) for key_durations in durations]


async def measure_moves(pilot: Any, base: float) -> list[Row]:
    """Measure moves in a list under key repeat: the page waits until the cursor rests."""
    results: list[Row] = []
    with page_waits():
        for keys in (("down",), ("pagedown",), ("end", "home")):
            durations = await press_ms(pilot, *keys)
            results += [
                (key, duration - base, "ms", 30.0)
                for key, duration in zip(keys, durations, strict=True)
            ]
    return results


@contextmanager
def page_waits() -> Iterator[None]:
    """Delay the page of a row, as key repeat does."""
    delay, list_detail._DETAIL_DELAY = list_detail._DETAIL_DELAY, 60.0
    try:
        yield
    finally:
        list_detail._DETAIL_DELAY = delay


async def one_press_ms(pilot: Any, *keys: str) -> float:
    """Return the processor time of one key press with everything it causes, drawing included."""
    start = time.process_time()
    await pilot.press(*keys)
    await pilot.pause()
    return 1000 * (time.process_time() - start)


async def empty_press_ms() -> float:
    """Return the processor time of a key press in an empty application."""
    async with Empty().run_test(size=SIZE) as pilot:
        return (await press_ms(pilot, "down"))[0]
