"""Encode the states of windows at one level of a dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Level
from benchdesign.concepts.mapping.compatibility import model_hook_point
from benchdesign.concepts.mapping.pooling import PooledEntries, pool_hits
from benchdesign.concepts.mapping.sae_encoder import Encoder, SequenceEncoder
from benchdesign.concepts.maps.token_evidence import TokenEvidence
from benchdesign.concepts.reference_model.model import ReferenceModel, pool_passages
from benchdesign.concepts.reference_model.windows import Window

if TYPE_CHECKING:
    import torch

    from benchdesign.concepts.mapping.sae_encoder import Hits

__all__ = ["LevelEncoder", "content_states"]


@dataclass(frozen=True, slots=True, eq=False)
class LevelEncoder:
    """The encoder of one level, on the states of one reference model."""

    level: Level
    encoder: Encoder
    model: ReferenceModel

    @property
    def hook_point(self) -> str:
        """The reference model's hook point for the level."""
        return model_hook_point(self.model, self.level)

    def pool(
        self,
        states: Mapping[str, torch.Tensor],
        batch: NDArray[np.int64],
        windows: Sequence[Window],
    ) -> PooledEntries:
        """Encode one batch and pool it per window; `batch` numbers the windows."""
        import torch

        if self.level.unit == "token":
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
            return pool_hits(
                self._encode(states[self.hook_point], windows),
                np.repeat(batch, counts),
                width=self.level.width,
                offset=self.level.offset,
                starts=starts,
                ends=ends,
            )

    def evidence(
        self,
        states: Mapping[str, torch.Tensor],
        windows: Sequence[Window],
        concept_ids: Sequence[int],
    ) -> dict[int, list[TokenEvidence]]:
        """Return the evidence of one batch for the concepts that belong to this level."""
        import torch

        first = self.level.offset
        evidence: dict[int, list[TokenEvidence]] = {
            concept_id: []
            for concept_id in concept_ids
            if first <= concept_id < first + self.level.width
        }
        if not evidence:
            return evidence
        starts = np.concatenate([window.starts for window in windows])
        ends = np.concatenate([window.ends for window in windows])

        def add(concept: int, token: int, activation: float) -> None:
            span = TokenEvidence(int(starts[token]), int(ends[token]), activation)
            evidence[concept + first].append(span)

        level_states = states[self.hook_point]
        with torch.inference_mode():
            hits = self._encode(level_states, windows)
            content = content_states(self.model, level_states, windows)
            concepts = [concept_id - first for concept_id in evidence]
            ids = torch.as_tensor(concepts, device=hits.concept.device)
            chosen = torch.isin(hits.concept, ids)
            fired = zip(
                hits.state[chosen].tolist(),
                hits.concept[chosen].tolist(),
                hits.value[chosen].tolist(),
                strict=True,
            )
            if self.level.unit == "token":
                for token, concept, activation in fired:
                    add(concept, token, activation)
                return evidence
            bounds = np.concatenate([[0], np.cumsum(_passage_lengths(windows))])
            for passage, concept, _ in fired:
                low, high = int(bounds[passage]), int(bounds[passage + 1])
                shares = self.encoder.contributions(content[low:high], ids.new_tensor([concept]))
                if shares is None:
                    continue
                for token, share in enumerate(shares[:, 0].tolist(), start=low):
                    add(concept, token, share)
        return evidence

    def _encode(self, states: torch.Tensor, windows: Sequence[Window]) -> Hits:
        """Encode the content tokens of windows, or their passages."""
        import torch

        if isinstance(self.encoder, SequenceEncoder):
            masks = [torch.from_numpy(window.content) for window in windows]
            return self.encoder.encode_windows(states, masks)
        states = content_states(self.model, states, windows)
        if self.level.unit == "passage":
            states = pool_passages(states, _passage_lengths(windows))
        return self.encoder.encode(states)


def content_states(
    model: ReferenceModel, states: torch.Tensor, windows: Sequence[Window]
) -> torch.Tensor:
    """Return the states of content tokens; the model may return those of all tokens."""
    import torch

    if not model.keep_all_tokens:
        return states
    content = np.concatenate([window.content for window in windows])
    return states[torch.from_numpy(content).to(states.device)]


def _passage_lengths(windows: Sequence[Window]) -> list[int]:
    return [high - low for window in windows for low, high in window.passages]
