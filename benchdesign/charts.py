"""Geometry of the report's charts: numbers in, places on a canvas out.

Nothing here draws; templates turn the places into SVG and the same numbers into a table, so a
chart is never the only way to read something.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Bar",
    "Bin",
    "PairedHistogram",
    "Part",
    "StackedBar",
    "Tick",
    "histogram_of_lengths",
    "histogram_of_lifts",
    "stack",
]

_WIDTH, _HEIGHT = 640, 200
_LIFT_EDGES = np.arange(-4.0, 4.01, 0.5)
_LIFT_TICKS = ((-3, "⅛"), (-2, "¼"), (-1, "½"), (0, "same"), (1, "2×"), (2, "4×"), (3, "8×"))
_MOST_BINS = 24
_FEWEST_TO_BIN = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on the horizontal axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin in words, for the table beside the chart."""

    label: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class PairedHistogram:
    """One distribution before, as bars, and after, as an outline, on the same scale."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    outline: str
    """Path data of the distribution after."""

    ticks: tuple[Tick, ...]
    bins: tuple[Bin, ...]
    marker: float | None = None
    """Place of a vertical line worth noticing."""

    unit: str = "count"
    """count or share: how the numbers of `bins` are to be read."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a stacked bar; places are in thousandths of its length."""

    name: str
    n: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class StackedBar:
    """A whole divided into named parts."""

    name: str
    total: int
    parts: tuple[Part, ...]


def stack(name: str, counts: Mapping[str, int]) -> StackedBar:
    """Lay out counts end to end; empty parts are left out of the bar, not of the total."""
    total = sum(counts.values())
    parts, place = [], 0.0
    for part, n in counts.items():
        width = 1000 * n / total if total else 0.0
        if n:
            parts.append(Part(part, n, round(place, 1), round(width, 1)))
        place += width
    return StackedBar(name, total, tuple(parts))


def histogram_of_lifts(
    before: NDArray[np.float64], after: NDArray[np.float64]
) -> PairedHistogram | None:
    """Lay out how concepts compare with the reference; None if none can be compared."""
    first, second = (_clip(values, _LIFT_EDGES) for values in (before, after))
    if not len(first) and not len(second):
        return None
    counts = [np.histogram(values, _LIFT_EDGES)[0].astype(float) for values in (first, second)]
    labels = [f"{_times(low)} to {_times(high)}" for low, high in itertools.pairwise(_LIFT_EDGES)]
    labels[0] = f"below {_times(_LIFT_EDGES[1])}"
    labels[-1] = f"above {_times(_LIFT_EDGES[-2])}"
    ticks = [Tick(_place(value, _LIFT_EDGES), label) for value, label in _LIFT_TICKS]
    return _paired(counts, labels, ticks, marker=_place(0.0, _LIFT_EDGES), unit="count")


def histogram_of_lengths(
    before: NDArray[np.int32], after: NDArray[np.int32]
) -> PairedHistogram | None:
    """Lay out the shares of items by length in tokens; None without items on both sides."""
    if not len(before) or not len(after):
        return None
    everything = np.concatenate([before, after])
    # The longest hundredth shares the last bin, or one novel would flatten everything else.
    top = max(int(np.quantile(everything, 0.99, method="higher")) + 1, _FEWEST_TO_BIN)
    low = int(everything.min())
    step = _round_up(max((top - low) / _MOST_BINS, 1.0))
    start = low // step * step
    edges = np.arange(start, top + step, step, dtype=float)
    shares = [
        np.histogram(_clip(values.astype(float), edges), edges)[0] / len(values)
        for values in (before, after)
    ]
    labels = [f"{int(edge)} to {int(edge) + step - 1}" for edge in edges[:-1]]
    labels[-1] = f"{int(edges[-2])} and more"
    every = max(1, len(labels) // 6)
    ticks = [Tick(_place(edge, edges), str(int(edge))) for edge in edges[:-1:every]]
    return _paired(shares, labels, ticks, marker=None, unit="share")


def _paired(
    values: Sequence[NDArray[np.float64]],
    labels: Sequence[str],
    ticks: Sequence[Tick],
    *,
    marker: float | None,
    unit: str,
) -> PairedHistogram:
    before, after = values
    highest = max(float(np.max(before, initial=0.0)), float(np.max(after, initial=0.0))) or 1.0
    step = _WIDTH / len(labels)
    heights = [np.round(_HEIGHT * one / highest, 1) for one in values]
    bars = tuple(
        Bar(round(step * place + 1, 1), round(_HEIGHT - height, 1), round(step - 2, 1), height)
        for place, height in enumerate(heights[0].tolist())
        if height
    )
    path = [f"M0 {_HEIGHT}"]
    for place, height in enumerate(heights[1].tolist()):
        path.append(f"V{round(_HEIGHT - height, 1):g}H{round(step * (place + 1), 1):g}")
    path.append(f"V{_HEIGHT}")
    bins = tuple(
        Bin(label, float(one), float(other))
        for label, one, other in zip(labels, before, after, strict=True)
    )
    return PairedHistogram(
        _WIDTH, _HEIGHT, bars, "".join(path), tuple(ticks), bins, marker=marker, unit=unit
    )


def _clip(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    known = values[~np.isnan(values)]
    return np.clip(known, edges[0], np.nextafter(edges[-1], edges[0]))


def _place(value: float, edges: NDArray[np.float64]) -> float:
    return round(float((value - edges[0]) / (edges[-1] - edges[0]) * _WIDTH), 1)


def _times(lift: float) -> str:
    return f"{2.0**lift:.2g}×"


def _round_up(step: float) -> int:
    """Return the next of 1, 2, 5, 10, 20, ... that is at least `step`."""
    scale = 1
    while True:
        for digit in (1, 2, 5):
            if digit * scale >= step:
                return digit * scale
        scale *= 10
