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

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchdesign.errors import Interrupted
from benchdesign.mapping.activations import ActivationBank, Collected
from benchdesign.mapping.active import ActiveBlock, ActiveConcepts
from benchdesign.mapping.contexts import ConceptContexts, ContextSettings, find_contexts
from benchdesign.progress import ProgressCallback, StopCheck, Ticker

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = ["LENGTH_EDGES", "FlagRules", "LevelStatistics", "StatisticsRules", "measure_level"]

LENGTH_EDGES = (16, 32, 64, 128, 256)
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class FlagRules:
    """Limits beyond which a concept gets a flag, which excludes it from the counts."""

    dense: float = 0.10
    """dense: it fires on more than this share of tokens (passages)."""

    rare: int = 5
    """rare: it is present in fewer texts, too few to estimate rates."""

    punctuation: float = 0.6
    """structural:punctuation: at least this share of its activation is on tokens without a letter
    or digit."""

    position: float = 0.7
    """structural:position: at least this share is on first tokens of texts, whatever they are."""

    wordpiece: float = 0.8
    """structural:wordpiece: at least this share is on tokens inside a word, whatever they are."""

    variety: float = 0.5
    """"Whatever they are": the ten tokens with most of it have at most this share."""

    template_share: float = 0.8
    """structural:template: at least this share of the texts with it are from one source ..."""

    template_cover: float = 0.3
    """... and at least this share of that source's texts have it."""


@dataclass(frozen=True, slots=True)
class StatisticsRules:
    """Rules for thresholds, bins and flags."""

    length_edges: tuple[int, ...] = LENGTH_EDGES
    n_strongest: int = 8
    """Number of strongest peaks whose mean is the reference of the threshold."""

    token_share: float = 0.6
    passage_share: float = 0.5
    flags: FlagRules = field(default_factory=FlagRules)


@dataclass(frozen=True, eq=False)
class LevelStatistics:
    """Per-concept columns of one level; the length of each is the width of the level."""

    threshold: NDArray[np.float32]
    base_rates: NDArray[np.float32]
    """(width, n_bins)"""

    mean_activation: NDArray[np.float32]
    max_activation: NDArray[np.float32]
    q90: NDArray[np.float32]
    density: NDArray[np.float32]
    flags: tuple[frozenset[str], ...]
    n_present: NDArray[np.int64]
    """Number of texts in which the concept is present."""

    top_source_share: NDArray[np.float32]
    """Share of those texts that are from the most frequent source."""

    source_entropy: NDArray[np.float32]
    """Entropy (nats) of their sources."""


def measure_level(
    collected: Collected,
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
    frame = _Frame.of(collected, bank, chosen)
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
    return _with_flags(frame, active, joined), level_contexts


@dataclass(frozen=True, eq=False)
class Entries:
    """Texts in which the concepts of a block fire, by concept and descending peak."""

    indptr: NDArray[np.int64]
    text: NDArray[np.int64]
    peak: NDArray[np.float32]
    saliency: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Frame:
    """Data that all blocks share."""

    bank: ActivationBank
    rules: StatisticsRules
    chunks: tuple[tuple[int, int], ...]
    """Ranges of texts to pool together."""

    marks: torch.Tensor
    """(n_rows, 3) float16: whether the token is punctuation, first in its text, inside a word."""

    bin_of: NDArray[np.int64]
    """Length bin of each text."""

    n_bins: int
    source_of: NDArray[np.int64]
    n_sources: int

    @classmethod
    def of(cls, collected: Collected, bank: ActivationBank, rules: StatisticsRules) -> _Frame:
        import numpy as np
        import torch

        n_rows = 262_144 if bank.rows.device.type == "cuda" else 8192
        chunks, low = [], 0
        n_texts = len(collected.texts)
        while low < n_texts:
            high = int(np.searchsorted(bank.indptr, bank.indptr[low] + n_rows, side="right")) - 1
            high = min(max(high, low + 1), n_texts)
            chunks.append((low, high))
            low = high
        names = sorted({text.source for text in collected.texts})
        index_of = {name: index for index, name in enumerate(names)}
        return cls(
            bank=bank,
            rules=rules,
            chunks=tuple(chunks),
            marks=torch.from_numpy(_token_marks(collected, bank)).to(bank.rows.device),
            bin_of=np.searchsorted(
                np.asarray(rules.length_edges), collected.n_tokens, side="right"
            ),
            n_bins=len(rules.length_edges) + 1,
            source_of=np.asarray([index_of[text.source] for text in collected.texts]),
            n_sources=len(names),
        )


def _token_marks(collected: Collected, bank: ActivationBank) -> NDArray[np.float16]:
    """Return, per token, whether it is punctuation, first in its text, and inside a word."""
    import numpy as np

    marks = np.zeros((len(bank), 3), dtype=np.float16)
    if bank.key.unit != "token":
        return marks
    alnum = np.fromiter((chr(code).isalnum() for code in range(0x110000)), dtype=bool)
    for index, text in enumerate(collected.texts):
        low, high = int(bank.indptr[index]), int(bank.indptr[index + 1])
        if low == high:
            continue
        codes = np.frombuffer(text.text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        is_alnum = alnum[codes]
        n_alnum = np.concatenate([[0], np.cumsum(is_alnum)])
        starts, ends = bank.starts[low:high], bank.ends[low:high]
        marks[low:high, 0] = n_alnum[ends] == n_alnum[starts]
        marks[low, 1] = 1
        # A token with a leading space starts a word, so its first character decides.
        marks[low:high, 2] = is_alnum[starts] & np.where(starts > 0, is_alnum[starts - 1], False)
    return marks


def _pool_block(
    frame: _Frame, block: ActiveBlock, width: int, device: torch.device
) -> tuple[Entries, dict[str, NDArray[np.float64]]]:
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
    entries = Entries(
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        text=text[order].cpu().numpy().astype(np.int64),
        peak=peak[order].cpu().numpy(),
        saliency=saliency[order].cpu().numpy(),
    )
    sums_by_name = {"fired": fired, "total": total, "strongest": strongest}
    rows = {name: values.cpu().numpy() for name, values in sums_by_name.items()}
    return entries, rows | {"marked": marked.cpu().numpy()}


def _describe(
    frame: _Frame, entries: Entries, sums: dict[str, NDArray[np.float64]]
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


def _with_flags(
    frame: _Frame, active: ActiveConcepts, columns: dict[str, NDArray[Any]]
) -> LevelStatistics:
    """Return the statistics with flags."""
    import numpy as np

    rules = frame.rules.flags
    cover, marked = columns.pop("top_source_cover"), columns.pop("marked")
    dead = ~(columns["density"] > 0)
    has_sources = frame.n_sources >= 3
    limits = {
        "structural:position": (1, rules.position),
        "structural:wordpiece": (2, rules.wordpiece),
    }
    tests = {
        "dead": dead,
        "rare": ~dead & (columns["n_present"] < rules.rare),
        "dense": columns["density"] > rules.dense,
        "structural:punctuation": marked[:, 0] >= rules.punctuation,
        "structural:template": has_sources
        & (columns["top_source_share"] >= rules.template_share)
        & (cover >= rules.template_cover),
    }
    suspects = np.flatnonzero(
        np.any([marked[:, mark] >= limit for mark, limit in limits.values()], axis=0)
    )
    varied = np.zeros(len(dead), dtype=bool)
    varied[suspects] = _top_token_share(active, suspects) <= rules.variety
    for name, (mark, limit) in limits.items():
        tests[name] = varied & (marked[:, mark] >= limit)
    flags = tuple(
        frozenset(name for name, test in tests.items() if test[concept])
        for concept in range(len(dead))
    )
    # A dead concept has no peaks for a threshold; its flag excludes it.
    columns["threshold"] = np.where(dead, np.float32(0), columns["threshold"])
    return LevelStatistics(flags=flags, **columns)


def _top_token_share(active: ActiveConcepts, concepts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of each concept's activation on its top ten tokens (first 2M rows)."""
    import numpy as np
    import torch

    bank, device = active.bank, active.device
    if not len(concepts) or bank.key.unit != "token":
        return np.ones(len(concepts))
    block = active.of(concepts)
    vocabulary = int(bank.token_ids.max()) + 1
    mass = torch.zeros((vocabulary, len(concepts)), device=device)
    step = 65_536 if device.type == "cuda" else 8192
    n_rows = min(len(bank), 2_000_000)
    for low in range(0, n_rows, step):
        high = min(low + step, len(bank))
        ids = torch.from_numpy(bank.token_ids[low:high].astype(np.int64)).to(device)
        mass.index_add_(0, ids, block.between(low, high))
    top = mass.topk(min(10, vocabulary), dim=0).values.sum(0)
    return (top / mass.sum(0).clamp(min=1e-9)).double().cpu().numpy()
