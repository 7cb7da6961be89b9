"""Reads items through the reference model that settings name, and never the same thing twice.

Maps, token evidence and sentence embeddings are kept in a cache folder that all workspaces of one
person share. The model is opened only when something is asked for that is not there, so a second
run on the same files never loads it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.config import Settings
from benchdesign.items import Item
from benchdesign.mapping import Mapper, TokenEvidence
from benchdesign.mapping.cache import key_of, key_of_parts, map_items, recall_items
from benchdesign.mapping.sentences import SENTENCES_KEY, SentenceMapper
from benchdesign.progress import Progress, ProgressCallback, StopCheck
from benchdesign.records import read_json
from benchdesign.whole_files import write_whole

if TYPE_CHECKING:
    from benchdesign.conceptmap import ConceptMap
    from benchdesign.dictionary import Dictionary

__all__ = ["Reader", "open_reference", "usable_cache"]


def open_reference(settings: Settings) -> Mapper:
    """Open the reference model and dictionary that settings name."""
    from benchdesign.mapping import open_mapper

    return open_mapper(
        # `builtin` beside another dictionary means the model that dictionary was made for.
        None if settings.model == "builtin" else settings.model,
        settings.dictionary,
        device=settings.device,
        dtype=settings.dtype,
        hook_module=settings.hook_module,
        chat=settings.chat,
    )


def usable_cache(wanted: Path | None, otherwise: Path) -> Path:
    """Return the folder wanted for the cache, or the other one where nothing can be written."""
    if wanted is None:
        return otherwise
    with contextlib.suppress(OSError):
        wanted.mkdir(parents=True, exist_ok=True)
    return wanted if os.access(wanted, os.W_OK) else otherwise


class Reader:
    """The reference model of some settings behind what it has read before."""

    def __init__(
        self,
        settings: Settings,
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
        """The model itself; asking for it opens it."""
        if self._progress is not None:
            self._progress(Progress("opening the reference model", 0, None))
        return open_reference(self.settings)

    @cached_property
    def dictionary(self) -> Dictionary:
        """The dictionary, without opening the model for it."""
        from benchdesign.mapping import load_dictionary

        if "mapper" in vars(self):
            return self.mapper.dictionary
        return load_dictionary(self.settings.dictionary)

    def trust_dictionary(self, fingerprint: str) -> None:
        """Open the dictionary as the one of a fingerprint, without reading its weights to check."""
        from benchdesign.mapping import load_dictionary

        self.dictionary = load_dictionary(self.settings.dictionary, fingerprint=fingerprint)

    @cached_property
    def key(self) -> str:
        """What tells this reader's maps from another's."""
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
        """Return the map of items that were all mapped before; None otherwise. Opens no model."""
        made = recall_items(items, self.key, cache=self._maps)
        if made is None or made.embeddings is not None:
            return made
        sentences = recall_items(items, SENTENCES_KEY, cache=self._maps)
        return None if sentences is None else replace(made, embeddings=sentences.embeddings)

    def map(
        self,
        items: Sequence[Item],
        *,
        stage: str = "mapping items",
        on_shard: Callable[[ConceptMap], None] | None = None,
    ) -> ConceptMap:
        """Map items in order, with sentence embeddings; raises Interrupted when told to stop.

        `on_shard` is given what is finished while the rest is still being read.
        """
        made = self.recall(items)
        if made is None:
            made = map_items(
                items,
                self.mapper,
                cache=self._maps,
                progress=self._progress,
                stop=self._stop,
                stage=stage,
                on_shard=on_shard,
            )
        if made.embeddings is None:
            # Another model than the built-in one: its states say nothing of whole sentences.
            made = replace(made, embeddings=self.embeddings(items))
        return made

    def embeddings(self, items: Sequence[Item]) -> NDArray[np.float16]:
        """Return the sentence embedding of each item (n_items, d), by the built-in model."""
        made = recall_items(items, SENTENCES_KEY, cache=self._maps)
        if made is None:
            made = map_items(
                items,
                SentenceMapper(lambda texts: self.mapper.embed(texts)),
                cache=self._maps,
                progress=self._progress,
                stop=self._stop,
                stage="embedding items",
            )
        assert made.embeddings is not None
        return made.embeddings

    def embed(self, texts: Sequence[str]) -> NDArray[np.float16]:
        """Embed texts as unit vectors (n_texts, d)."""
        return self.embeddings(
            [
                Item(str(row), row, text, ((0, len(text)),) if text else (), text)
                for row, text in enumerate(texts)
            ]
        )

    def evidence(
        self, item: Item, concept_ids: Sequence[int]
    ) -> dict[int, tuple[TokenEvidence, ...]]:
        """Say which characters of an item show each concept."""
        digest = item.digest
        path = self._evidence / self.key[:32] / digest[:2] / f"{digest}.json"
        known = _read_evidence(path)
        missing = [one for one in concept_ids if one not in known]
        if missing:
            known |= self.mapper.evidence(item, missing)
            _keep_evidence(path, known)
        return {one: known[one] for one in concept_ids}


def _keep_evidence(path: Path, known: Mapping[int, Sequence[TokenEvidence]]) -> None:
    # What cannot be kept is worked out again next time.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(known, sort_keys=True))


def _read_evidence(path: Path) -> dict[int, tuple[TokenEvidence, ...]]:
    try:
        return {
            int(concept_id): tuple(
                TokenEvidence(int(start), int(end), float(activation))
                for start, end, activation in found
            )
            for concept_id, found in read_json(path).items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
