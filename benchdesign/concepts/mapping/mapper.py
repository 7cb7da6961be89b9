"""The mapper: runs a reference model and a dictionary's encoders to map items to concepts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.mapping.batches import BatchRunner, iterate_batches
from benchdesign.concepts.mapping.compatibility import (
    check_model,
    check_names,
    hook_point,
    module_paths,
    needs_whole_windows,
)
from benchdesign.concepts.mapping.level_encoder import LevelEncoder, content_states
from benchdesign.concepts.mapping.map_items import SHARD_CHARACTERS, SHARD_ITEMS
from benchdesign.concepts.mapping.map_keys import key_of_parts
from benchdesign.concepts.mapping.pooling import PooledEntries, merge_windows
from benchdesign.concepts.mapping.sae_encoder import Encoder
from benchdesign.concepts.mapping.sae_folder import load_encoder
from benchdesign.concepts.mapping.sentence_sums import (
    SENTENCE_HOOK,
    StateSums,
    sum_states,
    unit_vectors,
)
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.token_evidence import TokenEvidence
from benchdesign.concepts.reference_model.loading import choose_device, is_out_of_memory
from benchdesign.concepts.reference_model.model import ReferenceModel
from benchdesign.errors import DictionaryError

if TYPE_CHECKING:
    import torch

__all__ = ["SaeMapper"]


SHARD_ITEMS_GPU, SHARD_CHARACTERS_GPU = 1 << 12, 1 << 20


@dataclass(eq=False)
class SaeMapper:
    """Maps items with one reference model and one dictionary."""

    dictionary: Dictionary
    model: ReferenceModel
    encoders: tuple[Encoder, ...]
    """One per level."""

    runner: BatchRunner
    _hook_module: str | None = None
    _embedder: ReferenceModel | None = field(default=None, repr=False)

    @classmethod
    def from_specs(
        cls,
        model: str | Path | None = None,
        dictionary: str | Path | Dictionary = "builtin",
        *,
        device: str | None = None,
        dtype: str | None = None,
        hook_module: str | None = None,
        device_map: str | None = None,
        chat: bool = False,
    ) -> SaeMapper:
        """Load model and encoders; by default the model that the dictionary was trained on."""
        if not isinstance(dictionary, Dictionary):
            dictionary = load_dictionary(dictionary)
        spec = str(model or dictionary.model)
        if not spec:
            raise DictionaryError(
                f"{dictionary.name}: does not name the model it was trained on. Use --model."
            )
        check_names(spec, dictionary)
        folders = [level.folder for level in dictionary.levels if level.folder is not None]
        if len(folders) < len(dictionary.levels):
            raise DictionaryError(f"{dictionary.name}: has no weights, so it cannot map items.")
        points = dict.fromkeys(hook_point(level, hook_module) for level in dictionary.levels)
        chosen = choose_device(device)
        encoders = [load_encoder(folder, device=chosen) for folder in folders]
        settings = encoders[0].settings
        if settings.get("hook_head_index") is not None:
            raise DictionaryError(
                f"{dictionary.name}: SAEs of a single attention head are not supported."
            )
        loading = settings.get("model_from_pretrained_kwargs") or {}
        reference = ReferenceModel.from_spec(
            spec,
            hook_points=tuple(points),
            device=device,
            dtype=dtype,
            hook_module=hook_module,
            module_paths=module_paths(dictionary, encoders),
            device_map=device_map,
            prepend_bos=settings.get("prepend_bos"),
            center=bool(loading.get("center_writing_weights")),
            chat=chat,
        )
        check_model(reference, dictionary, encoders, spec)
        reference.keep_all_tokens = needs_whole_windows(dictionary, encoders)
        return cls(
            dictionary=dictionary,
            model=reference,
            encoders=tuple(encoders),
            runner=BatchRunner.for_device(reference),
            _hook_module=hook_module,
        )

    @cached_property
    def levels(self) -> tuple[LevelEncoder, ...]:
        """The levels of the dictionary with their encoders."""
        return tuple(
            LevelEncoder(level, encoder, self.model)
            for level, encoder in zip(self.dictionary.levels, self.encoders, strict=True)
        )

    @property
    def on_gpu(self) -> bool:
        """Whether the model runs on an accelerator, which leaves the CPU free for other work."""
        return self.model.on_gpu

    @property
    def shard_limits(self) -> tuple[int, int]:
        """Maximum items and characters of a shard: enough for many batches.

        Batches are larger on a GPU. The more windows a shard has, the closer in length are the
        windows of a batch.
        """
        if self.on_gpu:
            return SHARD_ITEMS_GPU, SHARD_CHARACTERS_GPU
        return SHARD_ITEMS, SHARD_CHARACTERS

    def expect(self, items: Sequence[Item]) -> None:
        """Queue the items that follow those of the next call of `map_batch`."""
        self.runner.expect(items)

    @property
    def key(self) -> str:
        """Cache key of the maps: dictionary, weights, dtype and chat template."""
        chat = self.model.maker.chat
        return key_of_parts(
            self.dictionary.fingerprint,
            model=self.model.identity,
            number_type=str(self.model.dtype),
            hook_module=self._hook_module,
            chat=chat.identity if chat else None,
        )

    def map_batch(
        self, items: Sequence[Item], *, tick: Callable[[int], None] | None = None
    ) -> ConceptMap:
        """Map items; `tick` gets the number of items each step finished, and may raise."""
        return self.run_batch(items, tick=tick)()

    def run_batch(
        self, items: Sequence[Item], *, tick: Callable[[int], None] | None = None
    ) -> Callable[[], ConceptMap]:
        """Run the model; return a function that assembles the map and can run in any thread."""
        windows = self.runner.windows(items)
        parts: list[PooledEntries] = []
        item_of = np.asarray([window.item for window in windows], dtype=np.int64)
        n_tokens = np.zeros(len(items), dtype=np.int32)
        n_passages = np.zeros(len(items), dtype=np.int32)
        for window in windows:
            n_tokens[window.item] += window.n_content
            n_passages[window.item] += len(window.passages)
        sums: list[StateSums] | None = [] if self._gives_embeddings else None
        remaining = np.bincount(item_of, minlength=len(items))
        if tick is not None and (n_empty := int((remaining == 0).sum())):
            tick(n_empty)

        def use(batch: NDArray[np.int64], states: dict[str, torch.Tensor]) -> None:
            chosen = [windows[index] for index in batch]
            pooled = [level.pool(states, batch, chosen) for level in self.levels]
            if sums is not None:
                content = content_states(self.model, states[SENTENCE_HOOK], chosen)
                sums.append(sum_states(content, chosen))
            parts.extend(pooled)

        for batch in self.runner.run(windows, use):
            if tick is not None:
                np.subtract.at(remaining, item_of[batch], 1)
                tick(int((remaining[np.unique(item_of[batch])] == 0).sum()))
        return lambda: self._assemble(items, parts, item_of, n_tokens, n_passages, sums)

    def evidence(
        self, item: Item, concept_ids: Sequence[int]
    ) -> dict[int, tuple[TokenEvidence, ...]]:
        """Return, per concept, the tokens that show it in text order; none if it does not fire.

        Terms: every token's activation. Themes: each token's exact share of the pre-activation of
        its passage, for the passages where the theme fires (shares may be negative).
        """
        evidence: dict[int, list[TokenEvidence]] = {int(concept): [] for concept in concept_ids}
        windows = self.model.windows([item])

        def use(batch: NDArray[np.int64], states: dict[str, torch.Tensor]) -> None:
            chosen = [windows[index] for index in batch]
            for level in self.levels:
                for concept, tokens in level.evidence(states, chosen, list(evidence)).items():
                    evidence[concept] += tokens

        for _ in self.runner.run(windows, use):
            pass
        return {concept: tuple(sorted(tokens)) for concept, tokens in evidence.items()}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float16]:
        """Return unit-length embeddings (n, d) from the built-in model; zeros for an empty text."""
        model = self._sentence_model()
        items = [
            Item(str(row), row, text, ((0, len(text)),), text) for row, text in enumerate(texts)
        ]
        sums = []
        windows = model.windows(items)
        lengths = [len(window) for window in windows]
        for batch in iterate_batches(lengths, self.runner.batch_tokens):
            chosen = [windows[index] for index in batch]
            states = model.activations(chosen)[SENTENCE_HOOK]
            if model is self.model:
                states = content_states(model, states, chosen)
            sums.append(sum_states(states, chosen))
        return unit_vectors(sums, len(items), model.width[SENTENCE_HOOK])

    def _assemble(
        self,
        items: Sequence[Item],
        parts: Sequence[PooledEntries],
        item_of: NDArray[np.int64],
        n_tokens: NDArray[np.int32],
        n_passages: NDArray[np.int32],
        sums: Sequence[StateSums] | None,
    ) -> ConceptMap:
        n_concepts = self.dictionary.n_concepts
        try:
            entries = merge_windows(parts, item_of, n_items=len(items), n_concepts=n_concepts)
        except (RuntimeError, MemoryError) as problem:
            if not self.on_gpu or not is_out_of_memory(problem):
                raise
            entries = None
        # Outside the except block: the exception would keep the failed tensors in memory.
        if entries is None:
            cpu_parts = [part.to_cpu() for part in parts]
            entries = merge_windows(cpu_parts, item_of, n_items=len(items), n_concepts=n_concepts)
        is_passage_level = np.zeros(n_concepts, dtype=bool)
        for level in self.dictionary.levels:
            is_passage_level[level.offset : level.offset + level.width] = level.unit == "passage"
        row_lengths = np.diff(entries.indptr)
        n_units = np.where(
            is_passage_level[entries.concept],
            np.repeat(n_passages, row_lengths),
            np.repeat(n_tokens, row_lengths),
        )
        return ConceptMap(
            digests=tuple(item.digest for item in items),
            n_concepts=n_concepts,
            dictionary=self.dictionary.fingerprint,
            indptr=entries.indptr,
            indices=entries.concept,
            saliency=(entries.total / n_units).astype(np.float32),
            peak=entries.peak,
            start=entries.start,
            end=entries.end,
            n_tokens=n_tokens,
            embeddings=None
            if sums is None
            else unit_vectors(sums, len(items), self.model.width[SENTENCE_HOOK]),
        )

    @property
    def _gives_embeddings(self) -> bool:
        """Whether mapping yields sentence embeddings without a second model."""
        return self.model.is_builtin and SENTENCE_HOOK in self.model.width

    def _sentence_model(self) -> ReferenceModel:
        if self._gives_embeddings:
            return self.model
        if self._embedder is None:
            self._embedder = ReferenceModel.from_spec(
                "builtin", hook_points=[SENTENCE_HOOK], device=self.model.device.type
            )
        return self._embedder
