"""Statistics of each concept on a corpus: thresholds, base rates and flags.

There is one pass per block of concepts, so that memory does not grow with their number. Rules:

- threshold: a share of the mean of the concept's strongest peaks, which its label is based on.
  For 1,313 concepts labelled with one word and a share of 0.6, 77% of the texts at or above the
  threshold contain the word (61% at a share of 0.38, which a quantile of all peaks amounts to),
  and 61% of the word's texts reach the threshold;
- base rate: per length bin, the share of texts whose peak reaches the threshold;
- q90: 90th percentile of saliency over those texts;
- flags: see `FlagRules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchdesign.concepts.training.activation_bank import CorpusActivations
from benchdesign.concepts.training.concept_activations import ActiveBlock, ActiveConcepts
from benchdesign.concepts.training.concept_flags import add_flags
from benchdesign.concepts.training.contexts import ConceptContexts, ContextSettings, find_contexts
from benchdesign.concepts.training.corpus_frame import CorpusFrame
from benchdesign.concepts.training.statistics_rules import LevelStatistics, StatisticsRules
from benchdesign.concepts.training.text_entries import TextEntries
from benchdesign.errors import Interrupted
from benchdesign.foundation.progress import ProgressCallback, StopCheck, Ticker

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = ["measure_level"]


_BLOCK = 512


def measure_level(
    collected: CorpusActivations,
    active: ActiveConcepts,
    *,
    rules: StatisticsRules | None = None,
    contexts: ContextSettings | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> tuple[LevelStatistics, list[ConceptContexts]]:
    """Measure every concept of one level; find contexts only if `contexts` has settings."""
    import numpy as np

    chosen = rules or StatisticsRules()
    width, bank = active.width, active.bank
    frame = CorpusFrame.from_activations(collected, bank, chosen)
    ticker = Ticker("measuring concepts", width, progress=progress)
    parts: list[dict[str, Any]] = []
    level_contexts: list[ConceptContexts] = []
    for low in range(0, width, _BLOCK):
        if stop is not None and stop():
            raise Interrupted("Stopped while measuring concepts; continue with --resume.")
        block = slice(low, min(low + _BLOCK, width))
        part = active.of(block)
        entries, sums = _pool_block(frame, part, block.stop - low, active.device)
        columns = _describe(frame, entries, sums)
        parts.append(columns)
        if contexts is not None:
            level_contexts += find_contexts(
                collected,
                bank,
                part,
                entries,
                columns["threshold"],
                first=low,
                settings=contexts,
            )
        ticker.advance(block.stop - low)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return add_flags(frame, active, joined), level_contexts


def _pool_block(
    frame: CorpusFrame, block: ActiveBlock, width: int, device: torch.device
) -> tuple[TextEntries, dict[str, NDArray[np.float64]]]:
    """Pool a block's activations per text; return the entries and sums over rows."""
    import numpy as np
    import torch

    fired = torch.zeros(width, dtype=torch.float64, device=device)
    total, strongest = torch.zeros_like(fired), torch.zeros_like(fired)
    marked = torch.zeros((3, width), dtype=torch.float64, device=device)
    parts: list[tuple[torch.Tensor, ...]] = []
    indptr = torch.from_numpy(frame.bank.indptr)
    for low, high in frame.chunks:
        first, last = int(indptr[low]), int(indptr[high])
        if first == last:
            continue
        acts = block.between(first, last)
        lengths = (indptr[low + 1 : high + 1] - indptr[low:high]).to(device)
        sums = torch.segment_reduce(acts, "sum", lengths=lengths, unsafe=True)
        peaks = torch.segment_reduce(acts, "max", lengths=lengths, unsafe=True, initial=0.0)
        text, concept = peaks.nonzero(as_tuple=True)
        saliency = sums[text, concept] / lengths[text]
        parts.append((concept.int(), (text + low).int(), peaks[text, concept], saliency))
        fired += (acts > 0).sum(0)
        total += acts.sum(0, dtype=torch.float64)
        strongest = torch.maximum(strongest, acts.amax(0).double())
        marked += (frame.marks[first:last].to(device).float().T @ acts).double()
    concept, text, peak, saliency = (torch.cat(column) for column in zip(*parts, strict=True))
    order = torch.argsort(peak, descending=True, stable=True)
    order = order[torch.argsort(concept[order], stable=True)]
    counts = torch.bincount(concept.long(), minlength=width).cpu().numpy()
    entries = TextEntries(
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        text=text[order].cpu().numpy().astype(np.int64),
        peak=peak[order].cpu().numpy(),
        saliency=saliency[order].cpu().numpy(),
    )
    sums_by_name = {"fired": fired, "total": total, "strongest": strongest}
    rows = {name: values.cpu().numpy() for name, values in sums_by_name.items()}
    return entries, rows | {"marked": marked.cpu().numpy()}


def _describe(
    frame: CorpusFrame, entries: TextEntries, sums: dict[str, NDArray[np.float64]]
) -> dict[str, NDArray[Any]]:
    """Compute the columns of one block from its pooled texts."""
    import numpy as np

    width = len(entries.indptr) - 1
    rules, bank = frame.rules, frame.bank
    share = rules.token_share if bank.key.unit == "token" else rules.passage_share
    texts_per_bin = np.bincount(frame.bin_of, minlength=frame.n_bins)
    texts_per_source = np.bincount(frame.source_of, minlength=frame.n_sources)
    threshold = np.full(width, np.inf, dtype=np.float32)
    rates = np.full((width, frame.n_bins), np.nan, dtype=np.float32)
    q90 = np.full(width, np.nan, dtype=np.float32)
    n_present = np.zeros(width, dtype=np.int64)
    top, cover, entropy = (np.zeros(width, dtype=np.float32) for _ in range(3))
    for concept in range(width):
        low, high = entries.indptr[concept], entries.indptr[concept + 1]
        if low == high:
            rates[concept] = np.where(texts_per_bin > 0, 0.0, np.nan)
            continue
        peaks = entries.peak[low:high]
        # Peaks descend.
        strongest = peaks[: rules.n_strongest].mean()
        threshold[concept] = max(np.float32(share * strongest), peaks[-1])
        n = int(np.count_nonzero(peaks >= threshold[concept]))
        texts = entries.text[low : low + n]
        n_present[concept] = n
        counts = np.bincount(frame.bin_of[texts], minlength=frame.n_bins)
        with np.errstate(invalid="ignore", divide="ignore"):
            rates[concept] = counts / texts_per_bin
        q90[concept] = np.quantile(entries.saliency[low : low + n], 0.9)
        source_counts = np.bincount(frame.source_of[texts], minlength=frame.n_sources)
        source = int(source_counts.argmax())
        top[concept] = source_counts[source] / n
        cover[concept] = source_counts[source] / texts_per_source[source]
        shares = source_counts[source_counts > 0] / n
        entropy[concept] = -(shares * np.log(shares)).sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (sums["total"] / sums["fired"]).astype(np.float32)
        marked = (sums["marked"] / sums["total"]).astype(np.float32)
    return {
        "threshold": threshold,
        "base_rates": rates,
        "mean_activation": mean,
        "max_activation": sums["strongest"].astype(np.float32),
        "q90": q90,
        "density": (sums["fired"] / len(bank)).astype(np.float32),
        "n_present": n_present,
        "top_source_share": top,
        "top_source_cover": cover,
        "source_entropy": entropy,
        "marked": np.nan_to_num(marked.T),
    }
