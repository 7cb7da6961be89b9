"""Line results up with the items of a benchmark, without guessing.

By id, else by text: a digest of the question with its choices, or the whole question found inside
the prompt that was sent. A row number counts only where the text does not say otherwise. Whatever
fits no item, or several, or says two things, is counted and listed.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from benchdesign.errors import BenchdesignError
from benchdesign.formats.result_rows import ResultRow
from benchdesign.formats.values import as_text, get_value, read_choices
from benchdesign.items import Benchmark
from benchdesign.render import Template, default_render
from benchdesign.text import replace_surrogates

__all__ = ["ItemIndex", "Match"]

_RUN = 5
"""Words a question must begin with in a prompt to be looked for there."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Match:
    """Which item a row is about."""

    place: int | None
    """Position among the benchmark's items; None if it is about none, or cannot be told."""

    by: str = ""
    """id, text or row."""

    problem: str = ""
    """Why there is no item, or what speaks against it."""

    is_ambiguous: bool = False


class ItemIndex:
    """The items of a benchmark, found by id, text or row."""

    def __init__(self, benchmark: Benchmark) -> None:
        self._benchmark = benchmark
        self._items = benchmark.items
        self._by_id = {item.id: place for place, item in enumerate(benchmark.items)}
        self._by_row = {item.row: place for place, item in enumerate(benchmark.items)}
        self._by_text: dict[bytes, list[int]] = defaultdict(list)
        for place, item in enumerate(benchmark.items):
            keys = {_key(item.text), _key(item.prompt), _key(item.prompt, item.choices)}
            for key in keys - {_EMPTY}:
                self._by_text[key].append(place)

    def find(self, row: ResultRow) -> Match:
        """Find the item a row is about."""
        places, by_whole_text = self._places_by_text(row)
        named = next((self._by_id[one] for one in self._ids(row) if one in self._by_id), None)
        if named is not None:
            if not places or named in places:
                return Match(named, "id")
            if len(places) == 1 and by_whole_text:
                other = self._items[places[0]].id
                problem = f"has the text of {other}, not of the item it names; the text counts"
                return Match(places[0], "text", problem)
            return Match(named, "id")
        numbered = None if row.row is None else self._by_row.get(row.row)
        if len(places) == 1:
            return Match(places[0], "text")
        if places:
            if numbered in places:
                return Match(numbered, "text")
            several = ", ".join(self._items[place].id for place in places[:3])
            return Match(None, problem=f"fits several items ({several})", is_ambiguous=True)
        if numbered is not None and not row.ids and self._may_be(row, numbered):
            return Match(numbered, "row")
        return Match(None, problem=f"no such item in {self._benchmark.path}")

    def _ids(self, row: ResultRow) -> Iterator[str]:
        yield from (_plain_id(one) for one in row.ids)
        path = self._benchmark.mapping.id
        if row.record is not None and path is not None:
            value = get_value(row.record, path)
            if value is not None:
                yield _plain_id(as_text(value))

    def _places_by_text(self, row: ResultRow) -> tuple[list[int], bool]:
        """Return the items a row's text fits, and whether it is the whole text that does."""
        for key in self._keys(row):
            if key in self._by_text:
                return self._by_text[key], True
        for text in row.texts:
            if inside := self._questions_in(text, row.choices):
                return inside, False
        return [], False

    def _keys(self, row: ResultRow) -> Iterator[bytes]:
        """Yield digests to look for, the most telling first."""
        if row.record is not None:
            yield from self._keys_of_record(row)
        for text in row.texts:
            if row.choices:
                yield _key(text, row.choices)
            yield _key(text)

    def _keys_of_record(self, row: ResultRow) -> Iterator[bytes]:
        mapping, record = self._benchmark.mapping, row.record
        assert record is not None
        try:
            choices = read_choices(record, mapping)
            prompt = choices.prompt
            if prompt is None:
                prompt = as_text(get_value(record, mapping.prompt))
            if self._template is not None:
                text = self._template.render(record).text
            else:
                context = as_text(get_value(record, mapping.context))
                text = default_render(prompt, context, choices.texts).text
        except BenchdesignError:
            return
        if prompt.strip():
            yield _key(text)
            yield _key(prompt, choices.texts)
            yield _key(prompt)

    @cached_property
    def _template(self) -> Template | None:
        source = self._benchmark.template
        return None if source is None else Template(source)

    @cached_property
    def _openings(self) -> dict[tuple[str, ...], list[int]]:
        openings: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for place, item in enumerate(self._items):
            words = item.prompt.split()
            if len(words) >= _RUN:
                openings[tuple(words[:_RUN])].append(place)
        return openings

    def _questions_in(self, text: str, choices: Sequence[str]) -> list[int]:
        """Return the items whose whole question stands in a text, with its choices if told."""
        words = text.split()
        found: set[int] = set()
        for start in range(len(words) - _RUN + 1):
            here = {
                place: len(question)
                for place in self._openings.get(tuple(words[start : start + _RUN]), ())
                if words[start : start + len(question := self._items[place].prompt.split())]
                == question
            }
            # A question that another one begins with stands here only as its beginning.
            longest = max(here.values(), default=0)
            found.update(place for place, length in here.items() if length == longest)
        if len(found) < 2:
            return sorted(found)
        plain = " ".join(words)
        given = {" ".join(one.split()) for one in choices}
        told = {place for place in found if self._shows_choices(place, plain, given)}
        return sorted(told or found)

    def _shows_choices(self, place: int, text: str, given: set[str]) -> bool:
        asked = (" ".join(choice.split()) for choice in self._items[place].choices)
        return all(choice in given or choice in text for choice in asked)

    def _may_be(self, row: ResultRow, place: int) -> bool:
        """Say whether a row that has no text, or one with all the item's words, may be about it."""
        told = " ".join(row.texts)
        if not told.strip():
            return row.record is None
        asked = set(_WORD.findall(self._items[place].prompt.casefold()))
        words = set(_WORD.findall(told.casefold()))
        return bool(asked) and asked <= words


def _plain_id(text: str) -> str:
    """Return an id as items have it."""
    return replace_surrogates(text).strip()


def _key(text: str, choices: Sequence[str] = ()) -> bytes:
    """Digest a question and its choices, whatever their spacing and the order of the choices."""
    parts = [" ".join(text.split()), *sorted(" ".join(one.split()) for one in choices)]
    whole = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(whole, digest_size=16).digest()


_EMPTY = _key("")
