"""Convert items of a pool to records of a benchmark, through the field mappings.

A field that the item lacks stays empty and is reported; no value is invented.
"""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchdesign.benchmarks.fields.answer_styles import (
    IdStyle,
    InlineStyle,
    label_like,
    list_like,
)
from benchdesign.benchmarks.fields.field_statistics import FieldStatistics, measure_fields
from benchdesign.benchmarks.fields.inline_choices import letter
from benchdesign.benchmarks.fields.values import (
    LABEL_SIBLINGS,
    as_list,
    as_text,
    get_value,
)
from benchdesign.benchmarks.items import Benchmark, Item
from benchdesign.benchmarks.record_sample import RecordSample
from benchdesign.benchmarks.record_skeleton import (
    answer_scores,
    choice_objects,
    lettered_choices,
    mapped_paths,
    separated_choices,
)

__all__ = ["AddedItem", "BuiltRecords", "RecordBuilder", "build_records"]


@dataclass(frozen=True, slots=True)
class AddedItem:
    """An item to add to a benchmark."""

    item: Item
    record: Mapping[str, Any]
    """Its record in the pool."""

    pool: Benchmark | None = None
    licence: str | None = None
    edits: Mapping[str, Any] = field(default_factory=dict)
    """Values the designer changed: prompt, context, choices, answer (text), category, source."""


@dataclass(frozen=True, slots=True)
class BuiltRecords:
    """Records of added items, in order, as they are written into a benchmark."""

    records: tuple[Mapping[str, Any], ...] = ()
    ids: tuple[str, ...] = ()
    """Id of each record in the revised benchmark."""

    empty_fields: Mapping[str, int] = field(default_factory=dict)
    """Number of records that lack a value, by field."""

    dropped_parts: Mapping[str, int] = field(default_factory=dict)
    """Number of items with a part that the benchmark has no field for, by part."""


def build_records(benchmark: Benchmark, added: Sequence[AddedItem]) -> BuiltRecords:
    """Return the records of added items; the benchmark is sampled once for all of them."""
    if not added:
        return BuiltRecords()
    builder = RecordBuilder(benchmark)
    built = [builder.build(item) for item in added]
    return BuiltRecords(
        records=tuple(record for record, _ in built),
        ids=tuple(item_id for _, item_id in built),
        empty_fields=dict(builder.empty),
        dropped_parts=dict(builder.dropped),
    )


@dataclass(slots=True)
class _Parts:
    """Content of an added item."""

    prompt: str
    context: str
    choices: tuple[str, ...]
    answer: str | None
    answer_index: int | None
    category: str | None
    source: str | None
    licence: str | None
    provenance: str


class RecordBuilder:
    """Builds records of added items, with the fields and style of the benchmark's own."""

    def __init__(self, benchmark: Benchmark) -> None:
        self._benchmark = benchmark
        self._mapped = mapped_paths(benchmark)
        self._mapping = benchmark.mapping
        self._is_table = benchmark.source.format in {"csv", "tsv"}
        self._sample = RecordSample(benchmark)
        self._ids = {item.id for item in benchmark.items}
        self._id_style = IdStyle.of(self._raw_ids())
        self._next_number = itertools.count(self._id_style.next_number)
        self.empty: Counter[str] = Counter()
        """Number of added records that lack a value, by field."""

        self.dropped: Counter[str] = Counter()
        """Number of added items with a part that the benchmark has no field for, by part."""

    def build(self, added: AddedItem) -> tuple[dict[str, Any], str]:
        """Return the record of an added item and its id in the revised benchmark."""
        parts = _parts_of(added)
        record: dict[str, Any] = copy.deepcopy(self._sample.skeleton)
        filled: set[str] = set()
        item_id = self._put_id(record, filled, added.item)
        self._put_prompt(record, filled, parts)
        self._put_choices(record, filled, parts)
        self._put_answer(record, filled, parts)
        for path, value in (
            (self._mapping.category, parts.category),
            (self._mapping.source, parts.source),
            (self._mapping.licence, parts.licence),
            (self._mapping.provenance, parts.provenance),
        ):
            if path is not None and path not in filled and value not in (None, ""):
                self._put(record, filled, path, self._like(path, value))
        self._copy_shared(record, filled, added)
        for path, benchmark_field in self._sample.field_statistics.items():
            is_missing = benchmark_field.values and path not in filled
            if is_missing and not any(path.startswith(f"{parent}.") for parent in filled):
                self.empty[path] += 1
        return record, item_id

    def _raw_ids(self) -> list[Any]:
        if self._mapping.id is None:
            return [item.id for item in self._benchmark.items]
        first = self._sample.records[0] if self._sample.records else {}
        if isinstance(get_value(first, self._mapping.id), int):
            ids = [item.id for item in self._benchmark.items]
            return [int(name) if name.lstrip("-").isdigit() else name for name in ids]
        return [item.id for item in self._benchmark.items]

    def _put_id(self, record: dict[str, Any], filled: set[str], item: Item) -> str:
        style = self._id_style
        value: Any
        if style.kind == "number":
            number = next(self._next_number)
            value = f"{style.stem}{number:0{style.width}d}{style.end}" if style.is_text else number
        elif style.kind == "hash":
            value = item.digest[: style.width]
        else:
            value = item.id
        name = str(value)
        if name in self._ids:
            value = name = next(
                candidate
                for suffix in itertools.count(2)
                if (candidate := f"{value}-{suffix}") not in self._ids
            )
        self._ids.add(name)
        if self._mapping.id is not None:
            self._put(record, filled, self._mapping.id, value)
        return name

    def _put_prompt(self, record: dict[str, Any], filled: set[str], parts: _Parts) -> None:
        mapping = self._mapping
        prompt = parts.prompt
        if parts.context and mapping.context is None:
            prompt = f"{parts.context}\n\n{prompt}"
        if mapping.choices_kind == "inline" and mapping.choices == mapping.prompt:
            style = self._sample.prompt_style
            if parts.choices and style:
                prompt = style.write(prompt, parts.choices)
            elif not parts.choices:
                self.empty[f"{mapping.prompt} (choices)"] += 1
        elif parts.choices and mapping.choices is None:
            # The question may not make sense without its choices: list them in the prompt.
            listed = [f"{letter(at)}. {choice}" for at, choice in enumerate(parts.choices)]
            prompt = "\n".join([prompt, *listed])
        if mapping.prompt is not None:
            self._put(record, filled, mapping.prompt, self._like(mapping.prompt, prompt))
        if mapping.context is not None and parts.context:
            self._put(record, filled, mapping.context, self._like(mapping.context, parts.context))

    def _put_choices(self, record: dict[str, Any], filled: set[str], parts: _Parts) -> None:
        path, kind = self._mapping.choices, self._mapping.choices_kind
        if path is None or kind == "inline" or not parts.choices:
            return
        choices = list(parts.choices)
        if kind == "columns":
            self._put_columns(record, filled, parts, path.split(","))
            return
        sample = self._sample.value(path)
        value: Any = None
        if kind == "targets":
            value = answer_scores(sample, choices, parts.answer_index)
        elif kind == "objects":
            value = list_like(sample, choice_objects(as_list(sample) or [], choices))
        elif kind in {"separated", "distractors"}:
            if kind == "distractors":
                choices = [choice for at, choice in enumerate(choices) if at != parts.answer_index]
            value = separated_choices(sample, choices)
        elif kind == "lettered" and isinstance(sample, str) and as_list(sample) is None:
            style = InlineStyle.of([sample])
            value = style.write("", choices) if style else None
        elif kind == "lettered":
            value = list_like(sample, lettered_choices(as_list(sample) or [], choices))
        else:
            value = list_like(sample, choices)
            self._put_labels(record, filled, path, choices)
        if value is None:
            self.dropped["choices"] += 1
            return
        self._put(record, filled, path, value)

    def _put_columns(
        self, record: dict[str, Any], filled: set[str], parts: _Parts, columns: Sequence[str]
    ) -> None:
        choices = list(parts.choices)
        if len(choices) > len(columns):
            self.dropped["choices"] += 1
            keep = set(range(len(columns)))
            if parts.answer_index is not None and parts.answer_index >= len(columns):
                keep = {*range(len(columns) - 1), parts.answer_index}
            choices = [choice for at, choice in enumerate(choices) if at in keep]
            if parts.answer in choices:
                parts.answer_index = choices.index(str(parts.answer))
        for column, choice in zip(columns, choices, strict=False):
            self._put(record, filled, column, choice)

    def _put_labels(
        self, record: dict[str, Any], filled: set[str], path: str, choices: Sequence[str]
    ) -> None:
        """Write the labels next to `choices.text`."""
        parent = path.rpartition(".")[0]
        for sibling in LABEL_SIBLINGS if parent else ():
            labels = self._sample.value(f"{parent}.{sibling}")
            listed = as_list(labels)
            if listed and all(isinstance(label, str) for label in listed):
                written = [label_like(listed, at) for at in range(len(choices))]
                self._put(record, filled, f"{parent}.{sibling}", list_like(labels, written))

    def _put_answer(self, record: dict[str, Any], filled: set[str], parts: _Parts) -> None:
        path, kind = self._mapping.answer, self._mapping.answer_kind
        if path is None or path in filled or parts.answer is None:
            return
        sample = self._sample.value(path)
        if kind == "targets":
            scores = as_list(sample)
            if scores and parts.answer_index is not None and parts.choices:
                right, wrong = (1.0, 0.0) if isinstance(scores[0], float) else (1, 0)
                value = [
                    right if at == parts.answer_index else wrong for at in range(len(parts.choices))
                ]
                self._put(record, filled, path, list_like(sample, value))
            return
        key = self._written_key(parts)
        if key is not None:
            is_listed = self._sample.answer_list is not None
            self._put(record, filled, path, list_like(sample, [key]) if is_listed else key)

    def _written_key(self, parts: _Parts) -> Any:
        style = self._sample.answer_style
        if style is None:
            return parts.answer
        if parts.answer_index is None or not parts.choices:
            return None
        return style.write(parts.answer_index)

    def _copy_shared(self, record: dict[str, Any], filled: set[str], added: AddedItem) -> None:
        """Copy fields that have the same name and kind of value in both sets."""
        if added.pool is None:
            return
        mapped = mapped_paths(added.pool)
        pool_statistics = measure_fields([added.record])
        for path, benchmark_field in self._sample.field_statistics.items():
            pool_field = pool_statistics.get(path)
            is_used = path in filled or path in mapped or path in self._mapped
            if (
                is_used
                or pool_field is None
                or not pool_field.values
                or pool_field.kind != benchmark_field.kind
            ):
                continue
            self._put(record, filled, path, pool_field.values[0])

    def _like(self, path: str, text: Any) -> Any:
        """Format a text as the field stores texts: plain, in a list, or as messages."""
        benchmark_field: FieldStatistics | None = self._sample.field_statistics.get(path)
        sample = self._sample.value(path)
        if benchmark_field is None or isinstance(text, list):
            return text
        if benchmark_field.kind == "messages":
            return list_like(sample, [{"role": "user", "content": text}])
        if benchmark_field.kind == "texts":
            return list_like(sample, [text])
        return text

    def _put(self, record: dict[str, Any], filled: set[str], path: str, value: Any) -> None:
        filled.add(path)
        if path in record or "." not in path or self._is_table:
            record[path] = value
            return
        target = record
        *parents, last = path.split(".")
        for parent in parents:
            inner = target.get(parent)
            if not isinstance(inner, dict):
                inner = target[parent] = {}
            target = inner
        target[last] = value


def _parts_of(added: AddedItem) -> _Parts:
    item, pool, edits = added.item, added.pool, added.edits
    mapping = pool.mapping if pool is not None else None
    context = as_text(get_value(added.record, mapping.context)) if mapping else ""
    choices = tuple(map(str, edits.get("choices") or item.choices))
    answer = edits.get("answer", item.answer)
    index = item.answer_index if "answer" not in edits and "choices" not in edits else None
    if index is None and answer in choices:
        index = choices.index(answer)
    licence = added.licence
    if licence is None and mapping is not None and mapping.licence is not None:
        licence = as_text(get_value(added.record, mapping.licence)) or None
    origin = f"{pool.path.name if pool is not None else 'pool'}, row {item.row + 1}, id {item.id}"
    return _Parts(
        prompt=str(edits.get("prompt", item.prompt)),
        context=str(edits.get("context", context)),
        choices=choices,
        answer=answer,
        answer_index=index,
        category=edits.get("category", item.category),
        source=edits.get("source", item.source),
        licence=licence,
        provenance=f"{origin}, {licence}" if licence else origin,
    )
