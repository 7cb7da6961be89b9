"""Layout of the report's charts: numbers in, canvas coordinates out.

Templates render the coordinates as SVG and the same numbers as a table, so that every chart has a
text alternative.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.foundation.number_words import round_times

__all__ = [
    "Bar",
    "BarPart",
    "Bin",
    "FilledBar",
    "PairedHistogram",
    "StackedBar",
    "Tick",
    "fill_bar",
    "histogram_of_lengths",
    "histogram_of_lifts",
    "stack",
]

_WIDTH, _HEIGHT = 640, 200
_LIFT_EDGES = np.arange(-4.0, 4.01, 0.5)
_LIFT_TICKS = ((-3, "⅛"), (-2, "¼"), (-1, "½"), (0, "same"), (1, "2×"), (2, "4×"), (3, "8×"))
_MAX_CHART_BINS = 24
_MIN_AXIS_END = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled position on the horizontal axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Bin:
    """One row of the table beside the chart."""

    label: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class PairedHistogram:
    """A distribution before (bars) and after (outline), on the same scale."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    outline: str
    """SVG path data of the distribution after."""

    ticks: tuple[Tick, ...]
    bins: tuple[Bin, ...]
    marker: float | None = None
    """Position of a vertical reference line."""

    unit: str = "count"
    """Unit of the numbers in `bins`: `count` or `share`."""


@dataclass(frozen=True, slots=True)
class BarPart:
    """One part of a stacked bar; coordinates are thousandths of its length."""

    name: str
    n: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class StackedBar:
    """A whole divided into named parts."""

    name: str
    total: int
    parts: tuple[BarPart, ...]


@dataclass(frozen=True, slots=True)
class FilledBar:
    """What there was and what was added, against what is expected, in thousandths of its length."""

    had: float
    added: float
    expected: float


def fill_bar(had: float, added: float, expected: float) -> FilledBar:
    """Lay out a bar that is as long as the expected number, or as what there is if that is more."""
    whole = max(had + added, expected)
    if not whole > 0:
        return FilledBar(0.0, 0.0, 0.0)
    return FilledBar(*(round(1000 * part / whole, 1) for part in (had, added, expected)))


def stack(name: str, counts: Mapping[str, int]) -> StackedBar:
    """Lay out counts end to end, without empty parts."""
    total = sum(counts.values())
    parts, left = [], 0.0
    for part, n in counts.items():
        width = 1000 * n / total if total else 0.0
        if n:
            parts.append(BarPart(part, n, round(left, 1), round(width, 1)))
        left += width
    return StackedBar(name, total, tuple(parts))


def histogram_of_lifts(
    before: NDArray[np.float64], after: NDArray[np.float64]
) -> PairedHistogram | None:
    """Lay out the lifts of the concepts; None if no lift is known."""
    first, second = (_clip(values, _LIFT_EDGES) for values in (before, after))
    if not len(first) and not len(second):
        return None
    counts = [np.histogram(values, _LIFT_EDGES)[0].astype(float) for values in (first, second)]
    labels = [
        f"{round_times(2.0**low)} to {round_times(2.0**high)}"
        for low, high in itertools.pairwise(_LIFT_EDGES)
    ]
    labels[0] = f"below {round_times(2.0 ** _LIFT_EDGES[1])}"
    labels[-1] = f"above {round_times(2.0 ** _LIFT_EDGES[-2])}"
    ticks = [Tick(_place(value, _LIFT_EDGES), label) for value, label in _LIFT_TICKS]
    return _paired(counts, labels, ticks, marker=_place(0.0, _LIFT_EDGES), unit="count")


def histogram_of_lengths(
    before: NDArray[np.int32], after: NDArray[np.int32]
) -> PairedHistogram | None:
    """Lay out the shares of items by length in tokens; None if either side is empty."""
    if not len(before) or not len(after):
        return None
    lengths = np.concatenate([before, after])
    # Put the longest 1% into the last bin, so that an outlier does not flatten the chart.
    top = max(int(np.quantile(lengths, 0.99, method="higher")) + 1, _MIN_AXIS_END)
    low = int(lengths.min())
    step = _round_up(max((top - low) / _MAX_CHART_BINS, 1.0))
    start = low // step * step
    edges = np.arange(start, top + step, step, dtype=float)
    shares = [
        np.histogram(_clip(values.astype(float), edges), edges)[0] / len(values)
        for values in (before, after)
    ]
    labels = [f"{int(edge)} to {int(edge) + step - 1}" for edge in edges[:-1]]
    labels[-1] = f"{int(edges[-2])} or more"
    tick_step = max(1, len(labels) // 6)
    ticks = [Tick(_place(edge, edges), str(int(edge))) for edge in edges[:-1:tick_step]]
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
    heights = [np.round(_HEIGHT * numbers / highest, 1) for numbers in values]
    bars = tuple(
        Bar(round(step * position + 1, 1), round(_HEIGHT - height, 1), round(step - 2, 1), height)
        for position, height in enumerate(heights[0].tolist())
        if height
    )
    path = [f"M0 {_HEIGHT}"]
    for position, height in enumerate(heights[1].tolist()):
        path.append(f"V{round(_HEIGHT - height, 1):g}H{round(step * (position + 1), 1):g}")
    path.append(f"V{_HEIGHT}")
    bins = tuple(
        Bin(label, float(value_before), float(value_after))
        for label, value_before, value_after in zip(labels, before, after, strict=True)
    )
    return PairedHistogram(
        _WIDTH, _HEIGHT, bars, "".join(path), tuple(ticks), bins, marker=marker, unit=unit
    )


def _clip(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    numbers = values[~np.isnan(values)]
    return np.clip(numbers, edges[0], np.nextafter(edges[-1], edges[0]))


def _place(value: float, edges: NDArray[np.float64]) -> float:
    return round(float((value - edges[0]) / (edges[-1] - edges[0]) * _WIDTH), 1)


def _round_up(step: float) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, ... that is at least `step`."""
    scale = 1
    while True:
        for digit in (1, 2, 5):
            if digit * scale >= step:
                return digit * scale
        scale *= 10
