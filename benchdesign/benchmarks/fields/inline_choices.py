"""Choices inside a text: `(A) x (B) y`, `Options:` blocks, `Answer1: x Answer2: y`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["InlineChoices", "find_inline_choices", "letter", "strip_letters"]

MAX_TEXT = 200_000
"""Characters; longer texts are documents, not questions with choices."""


@dataclass(frozen=True, slots=True)
class InlineChoices:
    """Positions of the choices inside a text; all ranges are half open."""

    prompt_end: int
    """End of the question, before a header such as `Options:`."""

    labels: tuple[str, ...]
    """As written: A, B, ... or 1, 2, ...; empty strings for bullets."""

    markers: tuple[tuple[int, int], ...]
    choices: tuple[tuple[int, int], ...]

    def texts(self, text: str) -> tuple[str, ...]:
        """Return the texts of the choices."""
        return tuple(text[start:end] for start, end in self.choices)


_HEADER = re.compile(
    r"\s*(?:answer\s+)?(?:options|choices|alternatives|possible answers|choose one)\s*:?\s*\Z",
    re.IGNORECASE,
)
_HEADED_BULLETS = re.compile(r"(?im)^[^\S\n]*(?:answer\s+)?(?:options|choices)\s*:[^\S\n]*\n")
_BULLET = re.compile(r"(?m)^[^\S\n]*[-*•][^\S\n]+")
_MARKERS = (
    re.compile(r"(?:(?<=\s)|\A)\((?P<label>[A-Z])\)[^\S\n]*"),
    re.compile(r"(?m)^[^\S\n]*(?P<label>[A-Z])[.):][^\S\n]+"),
    re.compile(r"\b(?:Answer|Option|Choice|Ending|Solution|Sol)\s?(?P<label>\d)\s*:\s*"),
    re.compile(r"(?m)^[^\S\n]*\((?P<label>[a-z])\)[^\S\n]+"),
    re.compile(r"(?m)^[^\S\n]*\(?(?P<label>[1-9])[.)][^\S\n]+"),
)
_TAIL = re.compile(r"\n\s*\n|\s+Answer format\s*:|\n\s*(?:Answer|A|Q|Output)\s*:", re.IGNORECASE)
_LETTERED = re.compile(r"\s*(?:\((?P<a>[A-Za-z]|\d)\)|(?P<b>[A-Za-z]|\d)[.):．、）])\s*(?=\S|\Z)")


def letter(index: int) -> str:
    """Return the label of a choice: A to Z, then numbers from 27."""
    return chr(ord("A") + index) if index < 26 else str(index + 1)


def strip_letters(choices: Sequence[str]) -> tuple[str, ...] | None:
    """Return choices without their letters; None unless all are lettered, in order."""
    texts = []
    first = None
    for position, choice in enumerate(choices):
        match = _LETTERED.match(choice)
        if not match:
            return None
        label = match["a"] or match["b"]
        first = label if first is None else first
        if first not in {"A", "a", "1", "0"} or ord(label) != ord(first) + position:
            return None
        texts.append(choice[match.end() :])
    return tuple(texts) if len(texts) > 1 else None


def find_inline_choices(text: str) -> InlineChoices | None:
    """Find the choices a text ends with; None if there are fewer than two."""
    if len(text) > MAX_TEXT:
        return None
    for pattern in _MARKERS:
        run = _last_run(list(pattern.finditer(text)))
        if len(run) > 1:
            return _inline(
                text, [marker.span() for marker in run], [marker["label"] for marker in run]
            )
    headers = list(_HEADED_BULLETS.finditer(text))
    if not headers:
        return None
    header = headers[-1]
    bullets = list(_BULLET.finditer(text, header.end()))
    if len(bullets) < 2 or text[header.end() : bullets[0].start()].strip():
        return None
    return _inline(text, [bullet.span() for bullet in bullets], [""] * len(bullets))


def _last_run(markers: list[re.Match[str]]) -> list[re.Match[str]]:
    """Return the last run of consecutive labels from A, a or 1."""
    best: list[re.Match[str]] = []
    run: list[re.Match[str]] = []
    for marker in markers:
        label = marker["label"]
        if run and ord(label) == ord(run[-1]["label"]) + 1:
            run.append(marker)
        elif label in {"A", "a", "1"}:
            run = [marker]
        else:
            continue
        if len(run) > 1:
            best = run
    return best


def _inline(text: str, markers: list[tuple[int, int]], labels: list[str]) -> InlineChoices:
    tail = _TAIL.search(text, markers[-1][1])
    end = tail.start() if tail else len(text)
    stops = [start for start, _ in markers[1:]] + [end]
    choices = []
    for (_, start), stop in zip(markers, stops, strict=True):
        choice = text[start:stop]
        left = start + len(choice) - len(choice.lstrip())
        choices.append((left, max(left, start + len(choice.rstrip()))))
    before = text[: markers[0][0]]
    header = _HEADER.search(before)
    prompt_end = header.start() if header else len(before.rstrip())
    return InlineChoices(prompt_end, tuple(labels), tuple(markers), tuple(choices))
