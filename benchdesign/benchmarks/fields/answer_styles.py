"""Styles of choices, keys and ids in a set, inferred from its rows, for items to be added."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchdesign.benchmarks.fields.inline_choices import find_inline_choices, letter
from benchdesign.benchmarks.fields.values import as_list

__all__ = ["AnswerStyle", "IdStyle", "InlineStyle", "first_present", "label_like", "list_like"]

_TOKEN = {
    "letter": re.compile(r"(?P<before>.*?)(?P<token>[A-Za-z])(?P<after>\W*)\Z", re.DOTALL),
    "index": re.compile(r"(?P<before>.*?)(?P<token>\d+)(?P<after>\D*)\Z", re.DOTALL),
}
_TRAILING_NUMBER = re.compile(r"(?P<stem>.*?)(?P<number>\d+)(?P<end>\D{0,5})\Z", re.DOTALL)
_HEX = re.compile(r"[0-9a-f]{8,64}\Z")


@dataclass(frozen=True, slots=True)
class AnswerStyle:
    """Format of keys that are positions: `B`, ` (B)`, `answer2`, 1, "1"."""

    kind: str
    before: str = ""
    after: str = ""
    is_upper: bool = True
    is_text: bool = True
    labels: tuple[str, ...] = ()
    """Labels of the choices, for keys that are labels."""

    @classmethod
    def of(cls, values: Sequence[Any], kind: str, labels: Sequence[str]) -> AnswerStyle:
        """Infer the style from keys."""
        value = next((value for value in values if value not in (None, "")), None)
        if not isinstance(value, str):
            return cls(kind, is_text=kind == "letter", labels=tuple(labels))
        match = _TOKEN["letter" if kind == "letter" else "index"].match(value)
        if kind == "letter" and value.strip() in labels:
            lead = len(value) - len(value.lstrip())
            before, after = value[:lead], value[len(value.rstrip()) :]
            return cls(kind, before, after, labels=tuple(labels))
        if not match:
            return cls(kind, labels=tuple(labels))
        is_upper = match["token"].isupper() or not match["token"].isalpha()
        return cls(kind, match["before"], match["after"], is_upper=is_upper)

    def write(self, index: int) -> Any:
        """Format the key for the choice at `index`."""
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
    """Return the label of a choice in the style of `labels`: A, B, ..., 1, 2, ... or 0, 1, ..."""
    if index < len(labels):
        return labels[index]
    if labels and labels[0].isdigit():
        return str(int(labels[0]) + index)
    if labels and labels[0] == "a":
        return letter(index).lower()
    return letter(index)


@dataclass(frozen=True, slots=True)
class InlineStyle:
    """Format of choices inside a text."""

    header: str
    """Text between question and first marker, such as a blank line and `Options:`."""

    marker: Callable[[int], str]
    between: str
    after: str

    @classmethod
    def of(cls, texts: Sequence[str]) -> InlineStyle | None:
        """Infer the style from texts; text after the choices is used only if most texts have it."""
        parsed = [(text, choices) for text in texts if (choices := find_inline_choices(text))]
        if not parsed:
            return None
        text, inline = parsed[0]
        start, end = inline.markers[0]
        tails = Counter(_strip_numbers(text[choices.choices[-1][1] :]) for text, choices in parsed)
        own_tail = text[inline.choices[-1][1] :]
        recurs = tails[_strip_numbers(own_tail)] * 2 >= len(parsed)
        return cls(
            header=text[inline.prompt_end : start],
            marker=_marker(text[start:end], inline.labels[0]),
            between=text[inline.choices[0][1] : inline.markers[1][0]],
            after=own_tail if recurs else "",
        )

    def write(self, prompt: str, choices: Sequence[str]) -> str:
        """Format a question with its choices."""
        listed = [f"{self.marker(index)}{choice}" for index, choice in enumerate(choices)]
        after = _NUMBERED_NAMES.sub(
            lambda match: "/".join(f"{match[1]}{at + 1}" for at in range(len(choices))), self.after
        )
        return f"{prompt}{self.header}{self.between.join(listed)}{after}"


_NUMBERED_NAMES = re.compile(r"\b([A-Za-z]+)1(?:/\1\d+)+")
"""A list of numbered names: `answer1/answer2/answer3`."""


def _strip_numbers(tail: str) -> str:
    return _NUMBERED_NAMES.sub(r"\1", tail)


def _marker(written: str, label: str) -> Callable[[int], str]:
    if not label:
        return lambda _: written
    at = written.rindex(label)
    before, after = written[:at], written[at + len(label) :]
    # Blanks around the label are copied from the first choice.
    return lambda index: f"{before}{_label(label, index)}{after}"


def _label(first: str, index: int) -> str:
    if first.isdigit():
        return str(int(first) + index)
    return letter(index) if first.isupper() else letter(index).lower()


@dataclass(frozen=True, slots=True)
class IdStyle:
    """Format of ids: numbers, a stem with a number, hashes, or any text."""

    kind: str
    stem: str = ""
    end: str = ""
    width: int = 0
    next_number: int = 0
    is_text: bool = True

    @classmethod
    def of(cls, values: Sequence[Any]) -> IdStyle:
        """Infer the style from all ids of a set."""
        if values and all(
            isinstance(value, int) and not isinstance(value, bool) for value in values
        ):
            return cls("number", next_number=max(values) + 1, is_text=False)
        texts = [str(value) for value in values if value not in (None, "")]
        if texts and all(_HEX.match(text) for text in texts) and not all(map(str.isdigit, texts)):
            return cls("hash", width=len(texts[0]))
        matches = [_TRAILING_NUMBER.match(text) for text in texts]
        stems = {(match["stem"], match["end"]) for match in matches if match}
        if texts and all(matches) and len(stems) == 1:
            numbers = [match["number"] for match in matches if match]
            is_padded = len({len(number) for number in numbers}) == 1 and len(numbers[0]) > 1
            (stem, end) = stems.pop()
            return cls(
                "number",
                stem,
                end,
                width=len(numbers[0]) if is_padded else 0,
                next_number=max(map(int, numbers)) + 1,
            )
        return cls("any")


def list_like(sample: Any, values: list[Any]) -> Any:
    """Return a list in the format of the sample: a list, or a cell of JSON or a Python literal."""
    if not isinstance(sample, str) or as_list(sample) is None:
        return values
    try:
        json.loads(sample)
    except ValueError:
        return repr(values)
    return json.dumps(values, ensure_ascii=False)


def first_present(records: Sequence[Mapping[str, Any]], read: Callable[[Any], Any]) -> Any:
    """Return the first value that is not empty, or None."""
    for record in records:
        value = read(record)
        if value not in (None, "", [], {}):
            return value
    return None
