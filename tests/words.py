"""An analysis whose concepts are words and categories: real items, real counts, and no model.

A word fires where it stands. Each category has a few strands, concepts that fire at some word of
most of its items, because single words are too rare for small sets to be judged on.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchdesign.benchmarks.items import Benchmark, FieldMapping, Item
from benchdesign.benchmarks.load import load_benchmark
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.areas import group_areas
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.reference import Reference
from benchdesign.selection.additions import propose_additions
from benchdesign.workspace.analysis import Analysis
from benchdesign.workspace.settings import Settings
from tests.helpers import make_dictionary

WORD = re.compile(r"[^\W\d_]{4,}")
STRANDS = 3


class Records:
    """Records in memory, where a source is needed."""

    format = "jsonl"
    suffix = ".jsonl"

    def __init__(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.records = records

    def record(self, row: int) -> Mapping[str, Any]:
        return self.records[row]

    def companions(self, name: str) -> tuple[str, ...]:
        return ()

    def __len__(self) -> int:
        return len(self.records)


def make_set(texts: Sequence[str], *, prefix: str, categories: Sequence[str] = ()) -> Benchmark:
    """Items that are texts and nothing else."""
    items = tuple(
        Item(
            id=f"{prefix}{row}",
            row=row,
            text=text,
            content=((0, len(text)),),
            prompt=text,
            category=categories[row] if categories else None,
        )
        for row, text in enumerate(texts)
    )
    source = Records([{"question": text} for text in texts])
    mapping = FieldMapping(prompt="question", origin={"prompt": "detected"})
    return Benchmark(Path(f"{prefix}.jsonl"), prefix, items, mapping, source, "0" * 64)


def words_of(item: Item) -> dict[str, list[tuple[int, int]]]:
    """Words and strands of an item, with where they stand."""
    found: dict[str, list[tuple[int, int]]] = {}
    for match in WORD.finditer(item.text):
        found.setdefault(match.group().lower(), []).append(match.span())
    places = [spans[0] for spans in found.values()]
    for strand in range(STRANDS if item.category and places else 0):
        draw = zlib.crc32(f"{strand} {item.text}".encode("utf-8", "surrogatepass"))
        if draw % 4:
            found[f"{item.category}, strand {strand + 1}"] = [places[draw % len(places)]]
    return found


def make_word_dictionary(sets: Sequence[Benchmark], *, at_least: int = 3) -> Dictionary:
    """One concept a word; its area is the category whose items show it most."""
    counts: Counter[str] = Counter()
    by_category: dict[str, Counter[str]] = {}
    for item in (item for benchmark in sets for item in benchmark.items):
        for word in words_of(item):
            counts[word] += 1
            by_category.setdefault(word, Counter())[item.category or ""] += 1
    words = sorted(word for word, n in counts.items() if n >= at_least)
    areas = [by_category[word].most_common(1)[0][0] or "everything" for word in words]
    return make_dictionary(words, areas=areas, q90=[0.1] * len(words))


def map_words(benchmark: Benchmark, dictionary: Dictionary) -> ConceptMap:
    """A concept fires where its word stands; the embedding is the words themselves."""
    place = {word: concept for concept, word in enumerate(dictionary.table.label)}
    rows, lengths = [], []
    for item in benchmark.items:
        spans_by_concept = {
            place[word]: spans for word, spans in words_of(item).items() if word in place
        }
        rows.append(dict(sorted(spans_by_concept.items())))
        lengths.append(max(len(item.text.split()), 1))
    embeddings = np.zeros((len(rows), len(place) + 1), dtype=np.float16)
    for row, spans_by_concept in enumerate(rows):
        embeddings[row, [*spans_by_concept]] = 1
        embeddings[row] /= max(float(np.linalg.norm(embeddings[row].astype(np.float32))), 1.0)
    entries = [
        (spans, lengths[row])
        for row, spans_by_concept in enumerate(rows)
        for spans in spans_by_concept.values()
    ]
    return ConceptMap(
        digests=tuple(item.digest for item in benchmark.items),
        n_concepts=dictionary.n_concepts,
        dictionary=dictionary.fingerprint,
        indptr=np.cumsum([0, *(len(spans_by_concept) for spans_by_concept in rows)]).astype(
            np.int64
        ),
        indices=np.asarray(
            [concept for spans_by_concept in rows for concept in spans_by_concept], dtype=np.int32
        ),
        saliency=np.asarray([len(spans) / n for spans, n in entries], dtype=np.float32),
        peak=np.ones(len(entries), dtype=np.float32),
        start=np.asarray([spans[0][0] for spans, _ in entries], dtype=np.int32),
        end=np.asarray([spans[0][1] for spans, _ in entries], dtype=np.int32),
        n_tokens=np.asarray(lengths, dtype=np.int32),
        embeddings=embeddings,
    )


def analyse_words(
    benchmark: Benchmark, pool: Benchmark, *, n_add: int = 10, at_least: int = 3
) -> Analysis:
    """The whole way from two sets to proposals."""
    dictionary = make_word_dictionary([benchmark, pool], at_least=at_least)
    maps = map_words(benchmark, dictionary), map_words(pool, dictionary)
    coverage = measure_coverage(
        maps[0], dictionary, reference=Reference.from_map(maps[1], dictionary)
    )
    gaps = find_gaps(coverage, dictionary)
    analysis = Analysis(
        benchmark=benchmark,
        pool=pool,
        dictionary=dictionary,
        benchmark_map=maps[0],
        pool_map=maps[1],
        coverage_before=coverage,
        gaps=gaps,
        areas=group_areas(dictionary),
        relevance=None,
        settings=Settings(n_add=n_add, seed=7),
        findings=(*benchmark.findings, *pool.findings),
    )
    proposals = propose_additions(
        *maps,
        gaps,
        dictionary,
        n=n_add,
        pool_items=pool.items,
        benchmark_items=benchmark.items,
        rng=np.random.default_rng(7),
    )
    return replace(analysis, proposals=proposals)


def analyse_files(benchmark: Path, pool: Path, *, n_add: int = 30) -> Analysis:
    """The same for files."""
    return analyse_words(load_benchmark(benchmark), load_benchmark(pool), n_add=n_add)
