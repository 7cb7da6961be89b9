"""Sets of any size with their maps, made without a model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap

N_BENCHMARK = 2_000
N_SUBJECTS = 40
LACKING = 3
SUBJECT_CONCEPTS = 60
BLOCK = 4_096
DISTINCT_BLOCKS = 16
WORDS_AN_ITEM = 30

SHARE_BY_RANK = (
    (0, 1.0),
    (10, 0.976),
    (30, 0.926),
    (100, 0.786),
    (200, 0.63),
    (500, 0.364),
    (1000, 0.17),
    (2000, 0.058),
    (3000, 0.022),
    (4000, 0.006),
    (4607, 0.001),
)
"""Share of real items in which the concept of a rank fires at all."""


def make_words(rng: np.random.Generator) -> list[str]:
    """Return random words of three syllables."""
    syllables = np.asarray([a + b for a in "bdfgklmnprstvz" for b in "aeiou"])
    return ["".join(rng.choice(syllables, 3)) for _ in range(5_000)]


def make_items(n: int, *, prefix: str, seed: int) -> Iterator[tuple[str, str]]:
    """Yield ids and texts of random words; no two texts are equal."""
    rng = np.random.default_rng(seed)
    words = make_words(rng)
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        chosen = rng.integers(0, len(words), (size, WORDS_AN_ITEM)).tolist()
        for row, places in enumerate(chosen, start):
            yield f"{prefix}{row}", " ".join([words[place] for place in places])


def make_file(path: Path, gigabytes: float) -> None:
    """Write a JSONL benchmark of random words of the given size, unless it exists."""
    if path.exists():
        return
    rng = np.random.default_rng(3)
    words = make_words(rng)
    size = row = 0
    with path.open("w", encoding="ascii") as stream:
        while size < gigabytes * 1e9:
            for places in rng.integers(0, len(words), (1_000, 270)).tolist():
                spelled = [words[place] for place in places]
                record = {
                    "id": f"q{row}",
                    "question": " ".join(spelled[:60]) + "?",
                    "choices": [" ".join(spelled[at : at + 5]) for at in range(60, 80, 5)],
                    "answer": "ABCD"[row % 4],
                    "explanation": " ".join(spelled[80:]),
                }
                size += stream.write(json.dumps(record) + "\n")
                row += 1


def as_item(item_id: str, row: int, text: str) -> Item:
    """Return the item of a JSONL line that has only a prompt."""
    return Item(item_id, row, text, ((0, len(text)),), text)


class MapMaker:
    """Generator of maps with the sparsity of real maps, in blocks of items."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        rng = np.random.default_rng(0)
        n = dictionary.n_concepts
        ranks, shares = np.asarray(SHARE_BY_RANK).T
        share = np.exp(np.interp(np.arange(n), ranks * (n - 1) / ranks[-1], np.log(shares)))
        rate = -np.log1p(-np.minimum(rng.permutation(share), 0.999))
        self._rates = np.tile(rate, (N_SUBJECTS, 1)).astype(np.float32)
        for subject in range(N_SUBJECTS):
            subject_concepts = rng.permutation(np.flatnonzero(rate < 0.05))[:SUBJECT_CONCEPTS]
            self._rates[subject, subject_concepts] += 0.4
        centres = rng.standard_normal((N_SUBJECTS, 384)).astype(np.float32)
        self._centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)

    def blocks(self, digests: list[str], *, subjects: int, seed: int) -> Iterator[ConceptMap]:
        """Yield the map of the items with these digests in blocks."""
        rng = np.random.default_rng(seed)
        blocks: list[ConceptMap] = []
        for place, start in enumerate(range(0, len(digests), BLOCK)):
            part = tuple(digests[start : start + BLOCK])
            if place < DISTINCT_BLOCKS:
                blocks.append(self._block(part, subjects, rng))
            block = blocks[place % DISTINCT_BLOCKS]
            yield replace(block.slice(0, len(part)), digests=part)

    def _block(
        self, digests: tuple[str, ...], subjects: int, rng: np.random.Generator
    ) -> ConceptMap:
        n, table = len(digests), self._dictionary.table
        tokens = np.clip(np.exp(rng.normal(3.93, 0.99, n)), 3, 2_000).astype(np.int32)
        subject = rng.integers(0, subjects, n)
        # Longer items have more concepts, with the exponent of real items.
        factor = ((tokens / 50) ** 0.7).astype(np.float32)[:, None]
        fires = rng.random((n, self._dictionary.n_concepts), dtype=np.float32) < -np.expm1(
            -self._rates[subject] * factor
        )
        rows, ids = np.nonzero(fires)
        strength = np.exp(rng.normal(-0.26, 0.66, len(ids))).astype(np.float32)
        peak = table.threshold[ids] * strength
        scale = np.nan_to_num(table.q90[ids], nan=1.0)
        saliency = scale * np.exp(rng.normal(-1.4, 0.8, len(ids))).astype(np.float32) * strength
        begin = (rng.random(len(ids), dtype=np.float32) * tokens[rows] * 4).astype(np.int32)
        noise = rng.standard_normal((n, 384)).astype(np.float32) / np.sqrt(384)
        vectors = self._centres[subject] + noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return ConceptMap(
            digests=digests,
            n_concepts=self._dictionary.n_concepts,
            dictionary=self._dictionary.fingerprint,
            indptr=np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))]).astype(
                np.int64
            ),
            indices=ids.astype(np.int32),
            saliency=saliency.astype(np.float32),
            peak=peak.astype(np.float32),
            start=begin,
            end=begin + 5,
            n_tokens=tokens,
            embeddings=vectors.astype(np.float16),
        )


def make_set(folder: Path, name: str, n: int, *, subjects: int, seed: int) -> int:
    """Write items as JSONL and their map as Parquet; return the number of entries of the map."""
    from benchdesign.concepts.maps.map_file import MapWriter

    digests = []
    with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as stream:
        for row, (item_id, text) in enumerate(make_items(n, prefix=name, seed=seed)):
            stream.write(json.dumps({"id": item_id, "prompt": text}) + "\n")
            digests.append(as_item(item_id, row, text).digest)
    maker = MapMaker(load_dictionary("builtin"))
    entries = 0
    with MapWriter(folder / f"{name}.parquet") as writer:
        for block in maker.blocks(digests, subjects=subjects, seed=seed):
            entries += len(block.indices)
            writer.write(block)
    return entries


def make_pool(folder: Path, n: int) -> dict[str, Any]:
    """Write pool and benchmark unless they exist; return the size of the pool's map."""
    path = folder / "facts.json"
    if path.exists():
        return dict(json.loads(path.read_text("utf-8")))
    folder.mkdir(parents=True, exist_ok=True)
    entries = make_set(folder, "pool", n, subjects=N_SUBJECTS, seed=1)
    make_set(folder, "benchmark", N_BENCHMARK, subjects=N_SUBJECTS - LACKING, seed=2)
    facts = {"entries": entries, "megabytes": (folder / "pool.parquet").stat().st_size / 1e6}
    path.write_text(json.dumps(facts), "utf-8")
    return facts
