"""How numbers, durations and times are written for people."""

from __future__ import annotations

import math
from datetime import datetime

__all__ = [
    "chance",
    "decimals",
    "duration",
    "elapsed",
    "local_time_text",
    "multiple",
    "noun",
    "percent",
    "plural",
    "points",
    "rate_percent",
    "round_times",
    "signed",
    "speed",
    "times",
    "typeset",
]

_MAX_SECONDS = 90
"""From here on, a duration is written in minutes."""

_MAX_MINUTE_SECONDS = 90 * 60
"""From here on, a duration is written in hours."""


def percent(share: float | None, digits: int = 0, *, unknown: str = "–", gap: str = "") -> str:
    """Return a share in percent: 12%; `unknown` for None and NaN."""
    if share is None or math.isnan(share):
        return unknown
    return f"{100 * share:.{digits}f}{gap}%"


def rate_percent(rate: float) -> str:
    """Return a rate, which may be tiny, in percent with three significant digits: 0.0123 %."""
    return "unknown" if math.isnan(rate) else f"{100 * rate:.3g} %"


def signed(value: float, digits: int = 1) -> str:
    """Return a number with its sign; zero has no sign."""
    text = f"{value:+.{digits}f}"
    return text if text.strip("+-0.") else text[1:]


def points(difference: float, digits: int = 0) -> str:
    """Return a difference of shares in percentage points: +12."""
    return signed(100 * difference, digits)


def decimals(value: float | None, digits: int = 2, *, unknown: str) -> str:
    """Return a number with fixed decimals; `unknown` for None and NaN."""
    return unknown if value is None or math.isnan(value) else f"{value:.{digits}f}"


def typeset(value: float | None, digits: int = 0) -> str:
    """Return a number with thin spaces between thousands and a minus sign, for a report."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    return f"{value:,.{digits}f}".replace(",", "\u202f").replace("-", "−")


def times(ratio: float) -> str:
    """Return a ratio to the reference: 0.25×, 3.1×."""
    if math.isnan(ratio):
        return "–"
    return f"{ratio:.2f}×" if ratio < 1 else f"{ratio:.1f}×"


def multiple(ratio: float) -> str:
    """Return a ratio as a plain number, to precede the word `times`: 0, 0.004, 0.25, 3.1."""
    if math.isnan(ratio):
        return "–"
    if math.isinf(ratio):
        return "∞"
    if ratio < 0.0005:
        return "0"
    if ratio < 0.01:
        return f"{ratio:.3f}"
    return f"{ratio:.2f}" if ratio < 1 else f"{ratio:.1f}"


def round_times(ratio: float) -> str:
    """Return a ratio with two significant digits, for an axis: 0.25×, 4×."""
    return f"{ratio:.2g}×"


def noun(n: int, singular: str, plural: str | None = None) -> str:
    """Return the word that follows a count; the plural ends in `s` unless it is given."""
    return singular if n == 1 else plural or singular + "s"


def plural(n: int, singular: str, plural: str | None = None) -> str:
    """Return a count with its noun: 1 item, 2,000 items."""
    return f"{n:,} {noun(n, singular, plural)}"


def chance(p_value: float) -> str:
    """Return a probability as runs of many, to precede the word `runs`: 4 of 10, 7 of 100."""
    if math.isnan(p_value):
        return "–"
    if p_value >= 0.095:
        return f"{10 * p_value:.0f} of 10"
    if p_value >= 0.01:
        return f"{100 * p_value:.0f} of 100"
    return f"1 of {round(1 / max(p_value, 1e-6)):,}"


def duration(seconds: float) -> str:
    """Return a duration: 89 s, 12 min, 1.6 h."""
    if seconds < _MAX_SECONDS:
        return f"{seconds:.0f} s"
    if seconds < _MAX_MINUTE_SECONDS:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def elapsed(seconds: float) -> str:
    """Return a running time to the second, so that it visibly counts."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{int(seconds)} s" if seconds < 120 else f"{minutes} min {rest:02d} s"


def speed(per_second: float) -> str:
    """Return units per second: 1,200/s, 3.4/s."""
    return f"{per_second:,.0f}/s" if per_second >= 10 else f"{per_second:.1f}/s"


def local_time_text(timestamp: str) -> str:
    """Return a timestamp in local time, with its date unless that is today; empty if invalid."""
    try:
        moment = datetime.fromisoformat(timestamp).astimezone()
    except ValueError:
        return ""
    is_today = moment.date() == datetime.now().astimezone().date()
    return f"{moment:%H:%M}" if is_today else f"{moment:%d %b %Y %H:%M}"
