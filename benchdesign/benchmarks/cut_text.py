"""Cut ranges out of a text whose content ranges are known."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from benchdesign.benchmarks.items import Span

__all__ = ["cut_text"]


def cut_text(
    text: str, content: Iterable[Span], cuts: Iterable[Span]
) -> tuple[str, tuple[Span, ...]]:
    """Return a text without the cut ranges, and where its content ranges then are.

    `content` is sorted, disjoint and outside the cuts; cuts may overlap. White space round a cut
    becomes one line break or space, and none at the ends of the text.
    """
    seams = _seams(text, _joined(cuts))
    parts: list[str] = []
    shifts = [0]
    end = 0
    for low, high in seams:
        joint = _joint(text, low, high)
        parts += [text[end:low], joint]
        shifts.append(shifts[-1] + len(joint) - (high - low))
        end = high
    parts.append(text[end:])
    lows, highs = [low for low, _ in seams], [high for _, high in seams]

    def start_of(place: int) -> int:
        at = bisect_right(lows, place)
        return max(place, highs[at - 1] if at else 0) + shifts[at]

    def end_of(place: int) -> int:
        at = bisect_left(lows, place)
        if at and place <= highs[at - 1]:
            return lows[at - 1] + shifts[at - 1]
        return place + shifts[at]

    moved = [(start_of(low), end_of(high)) for low, high in content]
    return "".join(parts), tuple((low, high) for low, high in moved if low < high)


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Return disjoint ranges in order."""
    joined: list[Span] = []
    for low, high in sorted(spans):
        if joined and low <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], high)
        else:
            joined.append((low, high))
    return joined


def _seams(text: str, cuts: Sequence[Span]) -> list[Span]:
    """Return the cuts with the white space round them."""
    seams: list[Span] = []
    for at, (low, high) in enumerate(cuts):
        before = seams[-1][1] if seams else 0
        after = cuts[at + 1][0] if at + 1 < len(cuts) else len(text)
        low = before + len(text[before:low].rstrip())
        high = after - len(text[high:after].lstrip())
        if seams and low == before:
            seams[-1] = seams[-1][0], high
        else:
            seams.append((low, high))
    return seams


def _joint(text: str, low: int, high: int) -> str:
    """Return what stands in place of a seam."""
    if low == 0 or high == len(text):
        return ""
    part = text[low:high]
    edges = part[: len(part) - len(part.lstrip())] + part[len(part.rstrip()) :]
    return "\n" if "\n" in edges else " " if edges else ""
