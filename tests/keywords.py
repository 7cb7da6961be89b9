"""A mapper whose concepts are words: what a map holds can be worked out by reading the items."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.mapping.map_keys import key_of_parts
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.token_evidence import TokenEvidence
from tests.helpers import make_dictionary

WORDS = ("cat", "dog", "fox", "owl", "the", "of")
_TOKEN = re.compile(r"\w+")


class KeywordMapper:
    """Concept i fires with 1.0 on every occurrence of the i-th word."""

    def __init__(self, words: Sequence[str] = WORDS) -> None:
        self.words = tuple(words)
        self.dictionary: Dictionary = make_dictionary(
            self.words,
            base_rates=[0.25] * len(self.words),
            thresholds=[0.5] * len(self.words),
            areas=["animals" if word not in ("the", "of") else None for word in self.words],
            flags={place: ["structural"] for place, word in enumerate(words) if word in "the of"},
            fingerprint=f"keywords {' '.join(self.words)}",
        )
        self.n_mapped = 0

    @property
    def key(self) -> str:
        """The key of the built-in model with this dictionary, which needs no model to know."""
        return key_of_parts(
            self.dictionary.fingerprint,
            model="builtin",
            number_type="torch.float32",
            hook_module=None,
        )

    def map_batch(
        self, items: Sequence[Item], *, tick: Callable[[int], None] | None = None
    ) -> ConceptMap:
        self.n_mapped += len(items)
        if tick is not None:
            tick(len(items))
        indptr, ids, saliency, starts, ends, lengths = [0], [], [], [], [], []
        for item in items:
            tokens = list(_TOKEN.finditer(item.text.lower()))
            lengths.append(len(tokens))
            for concept_id, word in enumerate(self.words):
                places = [match for match in tokens if match.group() == word]
                if places:
                    ids.append(concept_id)
                    saliency.append(len(places) / len(tokens))
                    starts.append(places[0].start())
                    ends.append(places[0].end())
            indptr.append(len(ids))
        return ConceptMap(
            digests=tuple(item.digest for item in items),
            n_concepts=len(self.words),
            dictionary=self.dictionary.fingerprint,
            indptr=np.asarray(indptr, dtype=np.int64),
            indices=np.asarray(ids, dtype=np.int32),
            saliency=np.asarray(saliency, dtype=np.float32),
            peak=np.ones(len(ids), dtype=np.float32),
            start=np.asarray(starts, dtype=np.int32),
            end=np.asarray(ends, dtype=np.int32),
            n_tokens=np.asarray(lengths, dtype=np.int32),
            embeddings=self.embed([item.text for item in items]),
        )

    def evidence(
        self, item: Item, concept_ids: Sequence[int]
    ) -> dict[int, tuple[TokenEvidence, ...]]:
        tokens = list(_TOKEN.finditer(item.text.lower()))
        return {
            concept_id: tuple(
                TokenEvidence(match.start(), match.end(), 1.0)
                for match in tokens
                if match.group() == self.words[concept_id]
            )
            for concept_id in concept_ids
        }

    def embed(self, texts: Sequence[str]) -> NDArray[np.float16]:
        """Unit vectors that have nothing to do with each other, so that nothing is a duplicate."""
        vectors = np.zeros((len(texts), 64), dtype=np.float32)
        for row, text in enumerate(texts):
            seed = int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:8])
            vectors[row] = np.random.default_rng(seed).standard_normal(64)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors.astype(np.float16)


def use_mapper(monkeypatch: pytest.MonkeyPatch, mapper: KeywordMapper) -> None:
    """Make every command read items through a mapper, wherever one is opened."""
    replace_open_mapper(monkeypatch, lambda *_, **__: mapper)
    monkeypatch.setattr(
        "benchdesign.concepts.dictionaries.open.open_folder", lambda *_, **__: mapper.dictionary
    )


def replace_open_mapper(monkeypatch: pytest.MonkeyPatch, opener: Callable[..., Any]) -> None:
    """Replace what loads a reference model, for everything that opens a mapper."""
    monkeypatch.setattr("benchdesign.concepts.mapping.mapper.SaeMapper.from_specs", opener)


def use_keywords(monkeypatch: pytest.MonkeyPatch) -> KeywordMapper:
    """Make every run read items through the words above."""
    mapper = KeywordMapper()
    use_mapper(monkeypatch, mapper)
    return mapper


def write_sets(folder: Path) -> tuple[Path, Path]:
    """A benchmark of 80 questions without foxes, and a pool of 160 of which 40 are about foxes."""
    benchmark, pool = folder / "animals.jsonl", folder / "pool.jsonl"
    _write(benchmark, "b", 80, ("cat", "dog", "owl"))
    _write(pool, "p", 160, ("cat", "dog", "owl", "fox"))
    return benchmark, pool


def _write(path: Path, prefix: str, n: int, animals: Sequence[str]) -> None:
    lines = []
    for row in range(n):
        animal = animals[row % len(animals)]
        lines.append(
            json.dumps(
                {
                    "id": f"{prefix}-{row}",
                    "question": f"What does {animal} number {row} of {prefix} eat?",
                    "choices": ["fish", "grass", "berries", f"stones {row}"],
                    "answer": "ABCD"[row % 4],
                    "category": animal,
                }
            )
        )
    path.write_text("\n".join(lines) + "\n", "utf-8")
