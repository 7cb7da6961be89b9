"""How a set writes its choices, keys and ids, learnt from its rows, so that added items match."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchdesign.formats.lettered import find_inline_choices, letter
from benchdesign.formats.values import as_list

__all__ = ["AnswerStyle", "IdStyle", "InlineStyle", "list_like"]

_TOKEN = {
    "letter": re.compile(r"(?P<before>.*?)(?P<token>[A-Za-z])(?P<after>\W*)\Z", re.DOTALL),
    "index": re.compile(r"(?P<before>.*?)(?P<token>\d+)(?P<after>\D*)\Z", re.DOTALL),
}
_TRAILING_NUMBER = re.compile(r"(?P<stem>.*?)(?P<number>\d+)(?P<end>\D{0,5})\Z", re.DOTALL)
_HEX = re.compile(r"[0-9a-f]{8,64}\Z")


@dataclass(frozen=True, slots=True)
class AnswerStyle:
    """How a position is written as a key: `B`, ` (B)`, `answer2`, 1, "1"."""

    kind: str
    before: str = ""
    after: str = ""
    is_upper: bool = True
    is_text: bool = True
    labels: tuple[str, ...] = ()
    """Labels of the sample's choices when keys are labels."""

    @classmethod
    def of(cls, values: Sequence[Any], kind: str, labels: Sequence[str]) -> AnswerStyle:
        """Learn from keys as they are written."""
        value = next((value for value in values if value not in (None, "")), None)
        if not isinstance(value, str):
            return cls(kind, is_text=kind == "letter", labels=tuple(labels))
        found = _TOKEN["letter" if kind == "letter" else "index"].match(value)
        if kind == "letter" and value.strip() in labels:
            lead = len(value) - len(value.lstrip())
            before, after = value[:lead], value[len(value.rstrip()) :]
            return cls(kind, before, after, labels=tuple(labels))
        if not found:
            return cls(kind, labels=tuple(labels))
        upper = found["token"].isupper() or not found["token"].isalpha()
        return cls(kind, found["before"], found["after"], is_upper=upper)

    def write(self, index: int) -> Any:
        """Write the key for the choice at `index`."""
        if self.kind == "letter":
            token = label_like(self.labels, index) if self.labels else letter(index)
            if not self.is_upper:
                token = token.lower()
        else:
            number = index + (self.kind == "number")
            if not self.is_text:
                return number
            token = str(number)
        return f"{self.before}{token}{self.after}"


def label_like(labels: Sequence[str], index: int) -> str:
    """Name a choice as a set names its own: A, B, ... or 1, 2, ... or 0, 1, ..."""
    if index < len(labels):
        return labels[index]
    if labels and labels[0].isdigit():
        return str(int(labels[0]) + index)
    if labels and labels[0] == "a":
        return letter(index).lower()
    return letter(index)


@dataclass(frozen=True, slots=True)
class InlineStyle:
    """How choices are written inside a text."""

    header: str
    """Between question and first choice marker: a blank line and `Options:`, say."""

    marker: Callable[[int], str]
    between: str
    after: str

    @classmethod
    def of(cls, texts: Sequence[str]) -> InlineStyle | None:
        """Learn from texts with choices; what follows them counts only where it recurs."""
        seen = [(text, found) for text in texts if (found := find_inline_choices(text))]
        if not seen:
            return None
        text, found = seen[0]
        start, end = found.markers[0]
        tails = Counter(_numberless(text[one.choices[-1][1] :]) for text, one in seen)
        own_tail = text[found.choices[-1][1] :]
        recurs = tails[_numberless(own_tail)] * 2 >= len(seen)
        return cls(
            header=text[found.prompt_end : start],
            marker=_marker(text[start:end], found.labels[0]),
            between=text[found.choices[0][1] : found.markers[1][0]],
            after=own_tail if recurs else "",
        )

    def write(self, prompt: str, choices: Sequence[str]) -> str:
        """Write a question with its choices."""
        listed = [f"{self.marker(index)}{choice}" for index, choice in enumerate(choices)]
        after = _NAMED.sub(
            lambda named: "/".join(f"{named[1]}{at + 1}" for at in range(len(choices))), self.after
        )
        return f"{prompt}{self.header}{self.between.join(listed)}{after}"


_NAMED = re.compile(r"\b([A-Za-z]+)1(?:/\1\d+)+")
"""`answer1/answer2/answer3`"""


def _numberless(tail: str) -> str:
    return _NAMED.sub(r"\1", tail)


def _marker(written: str, label: str) -> Callable[[int], str]:
    if not label:
        return lambda _: written
    at = written.rindex(label)
    before, after = written[:at], written[at + len(label) :]
    # A first choice on its own line has no blank before its text; neither have the others.
    return lambda index: f"{before}{_label(label, index)}{after}"


def _label(first: str, index: int) -> str:
    if first.isdigit():
        return str(int(first) + index)
    return letter(index) if first.isupper() else letter(index).lower()


@dataclass(frozen=True, slots=True)
class IdStyle:
    """How ids are made: numbers, a stem with a number, hashes, or anything."""

    kind: str
    stem: str = ""
    end: str = ""
    width: int = 0
    next_number: int = 0
    is_text: bool = True

    @classmethod
    def of(cls, values: Sequence[Any]) -> IdStyle:
        """Learn from all ids of a set."""
        if values and all(
            isinstance(value, int) and not isinstance(value, bool) for value in values
        ):
            return cls("number", next_number=max(values) + 1, is_text=False)
        texts = [str(value) for value in values if value not in (None, "")]
        if texts and all(_HEX.match(text) for text in texts) and not all(map(str.isdigit, texts)):
            return cls("hash", width=len(texts[0]))
        found = [_TRAILING_NUMBER.match(text) for text in texts]
        stems = {(one["stem"], one["end"]) for one in found if one}
        if texts and all(found) and len(stems) == 1:
            numbers = [one["number"] for one in found if one]
            padded = len({len(number) for number in numbers}) == 1 and len(numbers[0]) > 1
            (stem, end) = stems.pop()
            return cls(
                "number",
                stem,
                end,
                width=len(numbers[0]) if padded else 0,
                next_number=max(map(int, numbers)) + 1,
            )
        return cls("any")


def list_like(sample: Any, values: list[Any]) -> Any:
    """Write a list as the sample writes one: a list, JSON in a cell, or a Python literal."""
    if not isinstance(sample, str) or as_list(sample) is None:
        return values
    try:
        json.loads(sample)
    except ValueError:
        return repr(values)
    return json.dumps(values, ensure_ascii=False)


def first_present(records: Sequence[Mapping[str, Any]], read: Callable[[Any], Any]) -> Any:
    """Return the first value that is not empty."""
    for record in records:
        value = read(record)
        if value not in (None, "", [], {}):
            return value
    return None
