"""The mapper: runs a reference model and a dictionary's encoders to map items to concepts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.dictionary import Dictionary, Level
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.mapping.batches import (
    BATCH_TOKENS,
    PREFETCH_ITEMS,
    WindowPrefetch,
    first_batch,
    iterate_batches,
)
from benchdesign.concepts.mapping.compatibility import (
    check_model,
    check_names,
    hook_point,
    module_paths,
    needs_whole_windows,
)
from benchdesign.concepts.mapping.map_items import SHARD_CHARACTERS, SHARD_ITEMS
from benchdesign.concepts.mapping.map_keys import key_of_parts
from benchdesign.concepts.mapping.pooling import PooledEntries, merge_windows, pool_hits
from benchdesign.concepts.mapping.sae_encoder import SequenceEncoder
from benchdesign.concepts.mapping.sae_folder import load_encoder
from benchdesign.concepts.mapping.sentence_sums import (
    SENTENCE_HOOK,
    StateSums,
    sum_states,
    unit_vectors,
)
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.token_evidence import TokenEvidence
from benchdesign.concepts.reference_model.loading import (
    MEMORY_ADVICE,
    choose_device,
    is_out_of_memory,
)
from benchdesign.concepts.reference_model.model import ReferenceModel, pool_passages
from benchdesign.concepts.reference_model.windows import Window
from benchdesign.errors import DictionaryError, ModelError

if TYPE_CHECKING:
    import torch

    from benchdesign.concepts.mapping.sae_encoder import Encoder, Hits

__all__ = ["SaeMapper"]


FIRST_BATCH_TOKENS_GPU, MAX_BATCH_TOKENS_GPU = 1 << 14, 1 << 17


SHARD_ITEMS_GPU, SHARD_CHARACTERS_GPU = 1 << 12, 1 << 20


@dataclass(eq=False)
class SaeMapper:
    """Maps items with one reference model and one dictionary."""

    dictionary: Dictionary
    model: ReferenceModel
    encoders: tuple[Encoder, ...]
    """One per level."""

    batch_tokens: int = BATCH_TOKENS
    _may_grow: bool = False
    _hook_module: str | None = None
    _embedder: ReferenceModel | None = field(default=None, repr=False)
    _expected: list[WindowPrefetch] = field(default_factory=list, repr=False)

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
        reference.keeps_all = needs_whole_windows(dictionary, encoders)
        mapper = cls(
            dictionary=dictionary,
            model=reference,
            encoders=tuple(encoders),
            _hook_module=hook_module,
        )
        if mapper.on_gpu:
            mapper.batch_tokens, mapper._may_grow = FIRST_BATCH_TOKENS_GPU, True
        return mapper

    @property
    def on_gpu(self) -> bool:
        """Whether the model runs on an accelerator, which leaves the CPU free for other work."""
        return self.model.device.type != "cpu"

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
        """Queue the items that follow those of the next call of `map_batch`.

        The CPU cuts them into windows while a GPU computes.
        """
        self._expected = [
            *self._expected[-1:],
            WindowPrefetch(items, self.model.maker.cut(items, PREFETCH_ITEMS)),
        ]

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
        windows = self._windows(items)
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
            pooled = [
                self._pool(level, encoder, states, batch, chosen)
                for level, encoder in zip(self.dictionary.levels, self.encoders, strict=True)
            ]
            if sums is not None:
                sums.append(sum_states(self._content(states[SENTENCE_HOOK], chosen), chosen))
            parts.extend(pooled)

        for batch in self._run(windows, use):
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
            for level, encoder in zip(self.dictionary.levels, self.encoders, strict=True):
                concepts = [
                    concept - level.offset
                    for concept in evidence
                    if level.offset <= concept < level.offset + level.width
                ]
                if concepts:
                    level_states = states[self._point(level)]
                    self._add_evidence(level, encoder, level_states, chosen, concepts, evidence)

        for _ in self._run(windows, use):
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
        for batch in iterate_batches(lengths, self.batch_tokens):
            chosen = [windows[index] for index in batch]
            states = model.activations(chosen)[SENTENCE_HOOK]
            content_states = self._content(states, chosen) if model is self.model else states
            sums.append(sum_states(content_states, chosen))
        return unit_vectors(sums, len(items), model.width[SENTENCE_HOOK])

    def _windows(self, items: Sequence[Item]) -> list[Window]:
        """Return the windows of items, reusing those cut ahead."""
        for ahead in self._expected:
            if ahead.items is items:
                self._expected.remove(ahead)
                return ahead.all()
        return self.model.windows(items)

    def _run(
        self,
        windows: Sequence[Window],
        use: Callable[[NDArray[np.int64], dict[str, torch.Tensor]], None],
    ) -> Iterator[NDArray[np.int64]]:
        """Pass the states of all windows to `use`, shortest first, in batches that fit in memory.

        Yields each finished batch (indices into `windows`). A batch that does not fit is halved
        and run again, so `use` must keep nothing from a batch that failed.
        """
        import torch

        lengths = np.asarray([len(window) for window in windows], dtype=np.int64)
        order = np.argsort(lengths, kind="stable")
        low = 0
        while low < len(order):
            batch = first_batch(order[low:], lengths, self.batch_tokens)
            fits = True
            try:
                self._run_batch(batch, [windows[index] for index in batch], use)
            except (RuntimeError, MemoryError) as problem:
                if not is_out_of_memory(problem):
                    raise
                fits = False
            # Outside the except block: the exception would keep the failed batch in memory.
            if not fits:
                if len(batch) == 1:
                    raise ModelError(
                        f"One window of {lengths[batch[0]]} tokens does not fit in memory. "
                        f"{MEMORY_ADVICE}"
                    )
                self.batch_tokens = max(int(lengths[batch].max()) * len(batch) // 2, 1)
                self._may_grow = False
                torch.cuda.empty_cache()
                continue
            yield batch
            low += len(batch)
            if self._may_grow:
                self.batch_tokens = min(self.batch_tokens * 2, MAX_BATCH_TOKENS_GPU)

    def _run_batch(
        self,
        batch: NDArray[np.int64],
        windows: Sequence[Window],
        use: Callable[[NDArray[np.int64], dict[str, torch.Tensor]], None],
    ) -> None:
        states = self.model.activations(windows)
        # CUDA runs asynchronously: cut windows while the GPU computes.
        if self._expected and self.on_gpu:
            self._expected[-1].step()
        use(batch, states)

    def _pool(
        self,
        level: Level,
        encoder: Encoder,
        states: dict[str, torch.Tensor],
        batch: NDArray[np.int64],
        windows: Sequence[Window],
    ) -> PooledEntries:
        """Encode one batch at one level and pool it per window."""
        import torch

        if level.unit == "token":
            counts = [window.n_content for window in windows]
            starts = np.concatenate([window.starts for window in windows])
            ends = np.concatenate([window.ends for window in windows])
        else:
            counts = [len(window.passages) for window in windows]
            spans = [
                (window.starts[low], window.ends[high - 1])
                for window in windows
                for low, high in window.passages
            ]
            starts, ends = np.asarray(spans, dtype=np.int32).reshape(-1, 2).T
        with torch.inference_mode():
            hits = self._encode(level, encoder, states[self._point(level)], windows)
            return pool_hits(
                hits,
                np.repeat(batch, counts),
                width=level.width,
                offset=level.offset,
                starts=starts,
                ends=ends,
            )

    def _encode(
        self, level: Level, encoder: Encoder, states: torch.Tensor, windows: Sequence[Window]
    ) -> Hits:
        """Encode the content tokens of windows, or their passages."""
        import torch

        if isinstance(encoder, SequenceEncoder):
            masks = [torch.from_numpy(window.content) for window in windows]
            return encoder.encode_windows(states, masks)
        states = self._content(states, windows)
        if level.unit == "passage":
            states = pool_passages(states, _passage_lengths(windows))
        return encoder.encode(states)

    def _content(self, states: torch.Tensor, windows: Sequence[Window]) -> torch.Tensor:
        """Return the states of content tokens; the model may return those of all tokens."""
        import torch

        if not self.model.keeps_all:
            return states
        content = np.concatenate([window.content for window in windows])
        return states[torch.from_numpy(content).to(states.device)]

    def _add_evidence(
        self,
        level: Level,
        encoder: Encoder,
        states: torch.Tensor,
        windows: Sequence[Window],
        concepts: Sequence[int],
        evidence: dict[int, list[TokenEvidence]],
    ) -> None:
        """Add the evidence of one batch for `concepts`, which are numbered within the level."""
        import torch

        starts = np.concatenate([window.starts for window in windows])
        ends = np.concatenate([window.ends for window in windows])

        def add(concept: int, token: int, share: float) -> None:
            token_evidence = TokenEvidence(int(starts[token]), int(ends[token]), share)
            evidence[concept + level.offset].append(token_evidence)

        with torch.inference_mode():
            hits = self._encode(level, encoder, states, windows)
            states = self._content(states, windows)
            lengths = [1] * len(states) if level.unit == "token" else _passage_lengths(windows)
            ids = torch.as_tensor(concepts, device=hits.concept.device)
            chosen = torch.isin(hits.concept, ids)
            fired = zip(
                hits.state[chosen].tolist(),
                hits.concept[chosen].tolist(),
                hits.value[chosen].tolist(),
                strict=True,
            )
            bounds = np.concatenate([[0], np.cumsum(lengths)])
            for unit, concept, value in fired:
                low, high = int(bounds[unit]), int(bounds[unit + 1])
                if level.unit == "token":
                    add(concept, unit, value)
                    continue
                shares = encoder.contributions(states[low:high], ids.new_tensor([concept]))
                if shares is None:
                    continue
                for token, share in enumerate(shares[:, 0].tolist(), start=low):
                    add(concept, token, share)

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
            cpu_parts = [part.in_memory() for part in parts]
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

    def _point(self, level: Level) -> str:
        """Return the reference model's hook point for a level."""
        return (
            level.hook_point if level.hook_point in self.model.width else self.model.hook_points[0]
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


def _passage_lengths(windows: Sequence[Window]) -> list[int]:
    return [high - low for window in windows for low, high in window.passages]
