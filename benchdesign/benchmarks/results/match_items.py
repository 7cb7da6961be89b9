"""Join results with the items of a benchmark, without guessing.

Rows are joined by id, else by text: a digest of the question with its choices, or the whole
question inside the prompt that was sent. A row number is used only if the text does not contradict
it. Rows that match no item or several, and rows that contradict themselves, are counted and listed.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchdesign.benchmarks.content_marks import render_default
from benchdesign.benchmarks.fields.values import as_text, get_value, read_choices
from benchdesign.benchmarks.items import Benchmark
from benchdesign.benchmarks.results.rows import ResultRow
from benchdesign.benchmarks.template import Template
from benchdesign.errors import BenchdesignError
from benchdesign.foundation.text import replace_surrogates

__all__ = ["ItemIndex", "Match"]

_N_FIRST_WORDS = 5
"""Number of first words by which questions are looked up in a prompt."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Match:
    """The item that a row belongs to."""

    place: int | None
    """Position among the benchmark's items; None if no item matches, or several do."""

    by: str = ""
    """id, text or row."""

    problem: str = ""
    """Why there is no item, or what contradicts it."""

    is_ambiguous: bool = False


class ItemIndex:
    """Index of a benchmark's items by id, text and row."""

    def __init__(self, benchmark: Benchmark) -> None:
        self._benchmark = benchmark
        self._items = benchmark.items
        self._by_id = {item.id: place for place, item in enumerate(benchmark.items)}
        self._by_row = {item.row: place for place, item in enumerate(benchmark.items)}
        self._by_text: dict[bytes, list[int]] = defaultdict(list)
        for place, item in enumerate(benchmark.items):
            keys = {_key(item.text), _key(item.prompt), _key(item.prompt, item.choices)}
            if benchmark.wrappers:
                # Rows have the text as rendered, wrappers included.
                keys |= set(self._keys_of_record(benchmark.record(item)))
            for key in keys - {_EMPTY}:
                self._by_text[key].append(place)

    def find(self, row: ResultRow) -> Match:
        """Find the item that a row belongs to."""
        places, by_whole_text = self._places_by_text(row)
        ids = (item_id for item_id in self._ids(row) if item_id in self._by_id)
        place_by_id = next((self._by_id[item_id] for item_id in ids), None)
        if place_by_id is not None:
            if not places or place_by_id in places:
                return Match(place_by_id, "id")
            if len(places) == 1 and by_whole_text:
                other = self._items[places[0]].id
                problem = f"has the text of {other}, not of the item with its id; the text counts"
                return Match(places[0], "text", problem)
            return Match(place_by_id, "id")
        place_by_row = None if row.row is None else self._by_row.get(row.row)
        if len(places) == 1:
            return Match(places[0], "text")
        if places:
            if place_by_row in places:
                return Match(place_by_row, "text")
            several = ", ".join(self._items[place].id for place in places[:3])
            return Match(None, problem=f"matches several items ({several})", is_ambiguous=True)
        if place_by_row is not None and not row.ids and self._fits(row, place_by_row):
            return Match(place_by_row, "row")
        return Match(None, problem=f"matches no item of {self._benchmark.path}")

    def _ids(self, row: ResultRow) -> Iterator[str]:
        yield from map(_plain_id, row.ids)
        path = self._benchmark.mapping.id
        if row.record is not None and path is not None:
            value = get_value(row.record, path)
            if value is not None:
                yield _plain_id(as_text(value))

    def _places_by_text(self, row: ResultRow) -> tuple[list[int], bool]:
        """Return the items that match a row's text, and whether they match the whole text."""
        for key in self._keys(row):
            if key in self._by_text:
                return self._by_text[key], True
        for text in row.texts:
            if places := self._questions_in(text, row.choices):
                return places, False
        return [], False

    def _keys(self, row: ResultRow) -> Iterator[bytes]:
        """Yield digests of a row's text, most specific first."""
        if row.record is not None:
            yield from self._keys_of_record(row.record)
        for text in row.texts:
            if row.choices:
                yield _key(text, row.choices)
            yield _key(text)

    def _keys_of_record(self, record: Mapping[str, Any]) -> Iterator[bytes]:
        mapping = self._benchmark.mapping
        try:
            choices = read_choices(record, mapping)
            prompt = choices.prompt
            if prompt is None:
                prompt = as_text(get_value(record, mapping.prompt))
            if self._template is not None:
                text = self._template.render(record).text
            else:
                context = as_text(get_value(record, mapping.context))
                text = render_default(prompt, context, choices.texts).text
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
            if len(words) >= _N_FIRST_WORDS:
                openings[tuple(words[:_N_FIRST_WORDS])].append(place)
        return openings

    def _questions_in(self, text: str, choices: Sequence[str]) -> list[int]:
        """Return the items whose whole question is in a text, with their choices if possible."""
        words = text.split()
        places: set[int] = set()
        for start in range(len(words) - _N_FIRST_WORDS + 1):
            lengths = {
                place: len(question)
                for place in self._openings.get(tuple(words[start : start + _N_FIRST_WORDS]), ())
                if words[start : start + len(question := self._items[place].prompt.split())]
                == question
            }
            # Ignore questions that are only the beginning of a longer one that matches.
            longest = max(lengths.values(), default=0)
            places.update(place for place, length in lengths.items() if length == longest)
        if len(places) < 2:
            return sorted(places)
        plain = " ".join(words)
        shown_choices = {" ".join(choice.split()) for choice in choices}
        complete = {place for place in places if self._has_choices(place, plain, shown_choices)}
        return sorted(complete or places)

    def _has_choices(self, place: int, text: str, shown_choices: set[str]) -> bool:
        choices = (" ".join(choice.split()) for choice in self._items[place].choices)
        return all(choice in shown_choices or choice in text for choice in choices)

    def _fits(self, row: ResultRow, place: int) -> bool:
        """Whether a row has all words of the item's prompt, or has neither text nor record."""
        text = " ".join(row.texts)
        if not text.strip():
            return row.record is None
        prompt_words = set(_WORD.findall(self._items[place].prompt.casefold()))
        words = set(_WORD.findall(text.casefold()))
        return bool(prompt_words) and prompt_words <= words


def _plain_id(text: str) -> str:
    """Return an id in the form that items have."""
    return replace_surrogates(text).strip()


def _key(text: str, choices: Sequence[str] = ()) -> bytes:
    """Return a digest of question and choices that ignores spacing and the order of choices."""
    parts = [" ".join(text.split()), *sorted(" ".join(choice.split()) for choice in choices)]
    joined = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=16).digest()


_EMPTY = _key("")
