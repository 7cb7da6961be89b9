"""Map items with the reference model that the settings name, through a cache of its output.

Maps, token evidence and sentence embeddings are cached in a folder that all workspaces of a user
share. The model is opened only on a cache miss, so a second run on the same files never loads it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.mapping.map_items import map_items, recall_items
from benchdesign.concepts.mapping.map_keys import key_of, key_of_parts
from benchdesign.concepts.mapping.mapper_protocols import Mapper
from benchdesign.concepts.mapping.model_settings import ModelSettings
from benchdesign.concepts.mapping.open_mapper import open_mapper
from benchdesign.concepts.mapping.sentence_mapper import SENTENCES_KEY, SentenceMapper
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.token_evidence import TokenEvidence
from benchdesign.foundation.atomic_files import write_atomically
from benchdesign.foundation.progress import Progress, ProgressCallback, StopCheck
from benchdesign.foundation.serialization import read_json

__all__ = ["ItemMapper", "choose_cache_folder"]


def _open_mapper(settings: ModelSettings) -> Mapper:
    """Open the reference model and the dictionary that the settings name."""
    return open_mapper(
        # `builtin` with another dictionary means the model that the dictionary was built for.
        None if settings.model == "builtin" else settings.model,
        settings.dictionary,
        device=settings.device,
        dtype=settings.dtype,
        hook_module=settings.hook_module,
        chat=settings.chat,
    )


def choose_cache_folder(preferred: Path | None, fallback: Path) -> Path:
    """Return the preferred cache folder if it is writable, else the fallback."""
    if preferred is None:
        return fallback
    with contextlib.suppress(OSError):
        preferred.mkdir(parents=True, exist_ok=True)
    return preferred if os.access(preferred, os.W_OK) else fallback


class ItemMapper:
    """A reference model behind a cache of its output."""

    def __init__(
        self,
        settings: ModelSettings,
        *,
        cache: Path,
        progress: ProgressCallback | None = None,
        stop: StopCheck | None = None,
    ) -> None:
        self.settings = settings
        self._maps = cache / "maps"
        self._evidence = cache / "evidence"
        self._progress = progress
        self._stop = stop

    @cached_property
    def mapper(self) -> Mapper:
        """The model; opened on first access."""
        if self._progress is not None:
            self._progress(Progress("opening the reference model", 0, None))
        return _open_mapper(self.settings)

    @cached_property
    def dictionary(self) -> Dictionary:
        """The dictionary; does not open the model."""
        if "mapper" in vars(self):
            return self.mapper.dictionary
        return load_dictionary(self.settings.dictionary)

    def trust_dictionary(self, fingerprint: str) -> None:
        """Open the dictionary with a trusted fingerprint instead of hashing its weights."""
        self.dictionary = load_dictionary(self.settings.dictionary, fingerprint=fingerprint)

    @cached_property
    def key(self) -> str:
        """The cache key of the model, the dictionary and the options that affect maps."""
        settings = self.settings
        is_plain = settings.dtype is None and not settings.chat
        if settings.model == self.dictionary.model == "builtin" and is_plain:
            return key_of_parts(
                self.dictionary.fingerprint,
                model="builtin",
                number_type="torch.float32",
                hook_module=settings.hook_module,
            )
        return key_of(self.mapper)

    def recall(self, items: Sequence[Item]) -> ConceptMap | None:
        """Return the map of items if all of them are cached, else None; opens no model."""
        concept_map = recall_items(items, self.key, cache=self._maps)
        if concept_map is None or concept_map.embeddings is not None:
            return concept_map
        sentences = recall_items(items, SENTENCES_KEY, cache=self._maps)
        return None if sentences is None else replace(concept_map, embeddings=sentences.embeddings)

    def map(
        self,
        items: Sequence[Item],
        *,
        stage: str = "mapping items",
        on_shard: Callable[[ConceptMap], None] | None = None,
    ) -> ConceptMap:
        """Map items in order, with sentence embeddings.

        `on_shard` receives each finished part. Raises Interrupted if `stop` returns True.
        """
        concept_map = self.recall(items)
        if concept_map is None:
            concept_map = map_items(
                items,
                self.mapper,
                cache=self._maps,
                progress=self._progress,
                stop=self._stop,
                stage=stage,
                on_shard=on_shard,
            )
        if concept_map.embeddings is None:
            # Only the built-in model yields sentence embeddings along with the map.
            concept_map = replace(concept_map, embeddings=self.embeddings(items))
        return concept_map

    def embeddings(self, items: Sequence[Item]) -> NDArray[np.float16]:
        """Return the built-in model's sentence embeddings of items, (n_items, d)."""
        concept_map = recall_items(items, SENTENCES_KEY, cache=self._maps)
        if concept_map is None:
            concept_map = map_items(
                items,
                SentenceMapper(lambda texts: self.mapper.embed(texts)),
                cache=self._maps,
                progress=self._progress,
                stop=self._stop,
                stage="embedding items",
            )
        assert concept_map.embeddings is not None
        return concept_map.embeddings

    def embed(self, texts: Sequence[str]) -> NDArray[np.float16]:
        """Return unit vectors for texts, (n_texts, d)."""
        return self.embeddings(
            [
                Item(str(row), row, text, ((0, len(text)),) if text else (), text)
                for row, text in enumerate(texts)
            ]
        )

    def evidence(
        self, item: Item, concept_ids: Sequence[int]
    ) -> dict[int, tuple[TokenEvidence, ...]]:
        """Return the characters of an item that show each concept."""
        digest = item.digest
        path = self._evidence / self.key[:32] / digest[:2] / f"{digest}.json"
        cached = _read_evidence(path)
        missing = [concept_id for concept_id in concept_ids if concept_id not in cached]
        if missing:
            cached |= self.mapper.evidence(item, missing)
            _save_evidence(path, cached)
        return {concept_id: cached[concept_id] for concept_id in concept_ids}


def _save_evidence(path: Path, evidence: Mapping[int, Sequence[TokenEvidence]]) -> None:
    # If the cache cannot be written, the evidence is computed again next time.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(evidence, sort_keys=True))


def _read_evidence(path: Path) -> dict[int, tuple[TokenEvidence, ...]]:
    try:
        return {
            int(concept_id): tuple(
                TokenEvidence(int(start), int(end), float(activation))
                for start, end, activation in ranges
            )
            for concept_id, ranges in read_json(path).items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
