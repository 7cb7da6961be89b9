"""Records sampled from a benchmark and the styles inferred from them, each inferred once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from benchdesign.benchmarks.fields.answer_styles import AnswerStyle, InlineStyle, first_present
from benchdesign.benchmarks.fields.field_statistics import FieldStatistics, measure_fields
from benchdesign.benchmarks.fields.values import (
    as_list,
    as_text,
    find_index,
    get_value,
    read_choices,
)
from benchdesign.benchmarks.items import Benchmark
from benchdesign.benchmarks.record_skeleton import record_skeleton

__all__ = ["RecordSample"]

SAMPLE_SIZE = 200


class RecordSample:
    """A sample of a benchmark's records; the source is read on creation only."""

    def __init__(self, benchmark: Benchmark) -> None:
        self._mapping = benchmark.mapping
        n_sampled = min(len(benchmark.items), SAMPLE_SIZE)
        step = max(1, len(benchmark.items) // max(1, n_sampled))
        rows = [item.row for item in benchmark.items[::step]][:SAMPLE_SIZE]
        self.records: list[Mapping[str, Any]] = [benchmark.source.record(row) for row in rows]
        self._values: dict[str, Any] = {}

    def value(self, path: str) -> Any:
        """Return the first value of a field that is not empty, or None."""
        if path not in self._values:
            self._values[path] = first_present(self.records, lambda record: get_value(record, path))
        return self._values[path]

    @cached_property
    def field_statistics(self) -> dict[str, FieldStatistics]:
        """Statistics of every field, by path."""
        return measure_fields(self.records)

    @cached_property
    def skeleton(self) -> dict[str, Any]:
        """Empty record with the keys that most records have; copy it before filling it."""
        return record_skeleton(self.records)

    @cached_property
    def prompt_style(self) -> InlineStyle | None:
        """Style of choices inside prompts; None if no prompt has any."""
        return InlineStyle.of(
            [as_text(get_value(record, self._mapping.prompt)) for record in self.records]
        )

    @cached_property
    def answer_list(self) -> list[Any] | None:
        """The first key as a list; None if keys are no lists."""
        path = self._mapping.answer
        is_listed = path is not None and self._mapping.answer_kind == "list"
        return as_list(self.value(path)) if is_listed and path is not None else None

    @cached_property
    def answer_style(self) -> AnswerStyle | None:
        """Style of keys that are positions; None if keys are texts."""
        listed = self.answer_list
        kind = self._mapping.answer_kind if listed is None else self._element_kind()
        if kind not in {"letter", "index", "number"}:
            return None
        values = listed
        if values is None:
            values = [get_value(record, self._mapping.answer) for record in self.records]
        return AnswerStyle.of(values, kind, self._choice_labels() if kind == "letter" else ())

    def _element_kind(self) -> str:
        """Return the kind of keys in list-valued answers: text, letter or index."""
        read = [
            (as_list(get_value(record, self._mapping.answer)) or [], choices)
            for record in self.records
            for choices in (read_choices(record, self._mapping),)
        ]
        for kind in ("text", "letter", "index"):
            n_fitting = 0
            for values, choices in read:
                fits = [find_index(value, kind, choices) is not None for value in values]
                n_fitting += bool(fits) and all(fits)
            if n_fitting * 2 > len(self.records):
                return kind
        return "text"

    def _choice_labels(self) -> tuple[str, ...]:
        longest: tuple[str, ...] = ()
        for record in self.records:
            labels = read_choices(record, self._mapping).labels
            if len(labels) > len(longest):
                longest = labels
        return longest if all(longest) else ()
