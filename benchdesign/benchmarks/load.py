"""Load a benchmark or pool: open it, detect its fields, render its items, collect findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from benchdesign.benchmarks.content_marks import render_default
from benchdesign.benchmarks.fields.detect import detect_fields
from benchdesign.benchmarks.fields.values import as_text, get_value, read_answer, read_choices
from benchdesign.benchmarks.findings import duplicate_id_findings, find_problems, has_control
from benchdesign.benchmarks.foreign_script import find_other_script
from benchdesign.benchmarks.formats.open_source import open_source
from benchdesign.benchmarks.formats.source import Record, Source
from benchdesign.benchmarks.items import Benchmark, FieldMapping, Finding, Item
from benchdesign.benchmarks.template import Template
from benchdesign.benchmarks.wrappers import find_wrappers, wrapper_findings
from benchdesign.benchmarks.wrappers import mask_wrappers as mask_items
from benchdesign.errors import FormatError, TemplateError
from benchdesign.foundation.text import replace_surrogates

__all__ = ["load_benchmark", "reread_item"]

SAMPLE_SIZE = 500
"""Number of records that field detection uses."""


def load_benchmark(
    path: str | Path,
    *,
    fields: Mapping[str, str] | None = None,
    template: str | None = None,
    split: str | None = None,
    limit: int | None = None,
    mask_wrappers: bool = False,
) -> Benchmark:
    """Read a file, a folder or a hub dataset (`hf:owner/name`) as items.

    `fields` overrides detection, as in {'prompt': 'question'}; `template` is Jinja2 source.
    `mask_wrappers` cuts text that most items share, whatever they are about, out of what the
    reference model reads.
    """
    source = open_source(path, split=split)
    compiled = Template(template) if template is not None else None
    sample = source.sample(SAMPLE_SIZE)
    source.limit = limit
    if not sample:
        raise _no_records_error(source)
    known_fields = {**source.known_fields(), **(fields or {})}
    if compiled is not None and "prompt" not in known_fields:
        mapping = _detect_optional_prompt(sample, known_fields, source)
    else:
        mapping = detect_fields(sample, fields=known_fields, place=str(path))
    if fields is not None:
        origin = {role: "set" if role in fields else "detected" for role in mapping.origin}
        mapping = replace(mapping, origin=origin)
    reading = _ItemReader(source, mapping, compiled)
    items = tuple(reading.items())
    if not items:
        raise _no_records_error(source)
    wrappers = find_wrappers(items) if mask_wrappers else None
    masked = items if wrappers is None else mask_items(items, wrappers)
    return Benchmark(
        path=source.path,
        name=source.name,
        items=masked,
        mapping=mapping,
        source=source,
        sha256=source.sha256,
        # Only the first findings may be shown: start with the one that affects every result.
        findings=(
            *find_other_script(items, source.path),
            *(() if wrappers is None else wrapper_findings(items, masked, wrappers, source.path)),
            *source.findings,
            *reading.findings(items),
        ),
        template=template,
        wrappers=wrappers,
    )


def reread_item(benchmark: Benchmark, item: Item, record: Record) -> Item:
    """Return an item read again from its changed record; id and row stay the same."""
    template = None if benchmark.template is None else Template(benchmark.template)
    reading = _ItemReader(cast("Source", benchmark.source), benchmark.mapping, template)
    read = replace(reading.item(item.row, record), id=item.id)
    return read if benchmark.wrappers is None else mask_items([read], benchmark.wrappers)[0]


def _detect_optional_prompt(
    sample: list[Record], fields: Mapping[str, str], source: Source
) -> FieldMapping:
    """Return the detected fields; with a template a prompt field is optional."""
    try:
        return detect_fields(sample, fields=fields, place=str(source.path))
    except FormatError:
        if fields:
            raise
        return FieldMapping()


def _no_records_error(source: Source) -> FormatError:
    if source.n_skipped:
        first = source.findings[0].message.removesuffix(" Skipped; a revision leaves it out.")
        return FormatError(
            f"{first} None of the {source.n_skipped} rows could be read. "
            "Check that the contents match the file name."
        )
    return FormatError(f"{source.path}: no records found. Check the file.")


class _ItemReader:
    """One pass over a source that collects findings."""

    def __init__(self, source: Source, mapping: FieldMapping, template: Template | None) -> None:
        self._source = source
        self._mapping = mapping
        self._template = template
        self._ids: dict[str, int] = {}
        self._repeated: list[tuple[int, str]] = []
        self._outside: list[int] = []
        self._control: list[int] = []

    def items(self) -> Iterator[Item]:
        """Yield the items in order."""
        for row, record in enumerate(self._source.records()):
            yield self.item(row, record)

    def findings(self, items: tuple[Item, ...]) -> list[Finding]:
        """Return the findings of the pass."""
        repeated_rows = [row for row, _ in self._repeated]
        return duplicate_id_findings(
            self._source, repeated_rows, [name for _, name in self._repeated]
        ) + find_problems(
            items,
            self._source,
            self._mapping,
            outside_rows=self._outside,
            control_rows=self._control,
        )

    def item(self, row: int, record: Record) -> Item:
        """Convert one record to an item."""
        mapping = self._mapping
        choices = read_choices(record, mapping)
        answer = read_answer(record, mapping, choices)
        prompt = choices.prompt
        if prompt is None:
            prompt = as_text(get_value(record, mapping.prompt))
        context = as_text(get_value(record, mapping.context))
        if self._template is None:
            rendered = render_default(prompt, context, choices.texts)
        else:
            try:
                rendered = self._template.render(record)
            except TemplateError as error:
                raise TemplateError(f"{self._source.place(row)}: {error}") from error
        if not answer.among_choices:
            self._outside.append(row)
        if has_control(prompt) or has_control(context) or any(map(has_control, choices.texts)):
            self._control.append(row)
        category = as_text(get_value(record, mapping.category)).strip().replace("\n", ", ")
        return Item(
            id=self._id(row, record),
            row=row,
            text=rendered.text,
            content=rendered.content,
            prompt=replace_surrogates(prompt),
            choices=tuple(map(replace_surrogates, choices.texts)),
            answer=None if answer.text is None else replace_surrogates(answer.text),
            answer_index=answer.index,
            category=replace_surrogates(category) or self._source.default_category(row),
            source=_optional(record, mapping.source),
        )

    def _id(self, row: int, record: Record) -> str:
        value: Any = get_value(record, self._mapping.id)
        name = replace_surrogates(as_text(value)).strip() if value is not None else ""
        if not name:
            name = f"{self._source.name}-{row + 1:05d}"
        if name in self._ids:
            self._repeated.append((row, name))
            stem = name
            while name in self._ids:
                self._ids[stem] += 1
                name = f"{stem}-{self._ids[stem]}"
        self._ids[name] = 1
        return name


def _optional(record: Record, path: str | None) -> str | None:
    return replace_surrogates(as_text(get_value(record, path))) or None
