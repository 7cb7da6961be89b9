"""Numbers and times as the interface writes them."""

from __future__ import annotations

from datetime import datetime

__all__ = ["local_time_text", "signed"]


def signed(value: float) -> str:
    """Return a number with its sign and one decimal; zero has no sign."""
    text = f"{value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def local_time_text(timestamp: str) -> str:
    """Return a log timestamp in local time, with its date unless that is today."""
    try:
        moment = datetime.fromisoformat(timestamp).astimezone()
    except ValueError:
        return ""
    is_today = moment.date() == datetime.now().astimezone().date()
    return f"{moment:%H:%M}" if is_today else f"{moment:%d %b %Y %H:%M}"
