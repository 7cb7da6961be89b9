"""Activations of a whole corpus, held in memory so that training can shuffle them.

Activations are stored as float16; a bank that overflows switches to float32. One forward pass
fills every requested bank: token states of any hook points, passage embeddings of others. Banks
are on the GPU if they fit, otherwise in RAM; if neither is large enough, the error names
`--max-tokens`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.reference_model.model import pool_passages
from benchdesign.concepts.training.corpus import CorpusText
from benchdesign.errors import InputError, Interrupted, ModelError, UsageError
from benchdesign.foundation.progress import ProgressCallback, StopCheck, Ticker

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from benchdesign.concepts.reference_model.model import ReferenceModel
    from benchdesign.concepts.reference_model.windows import Window

__all__ = ["ActivationBank", "BankKey", "CorpusActivations", "collect_activations"]

_BATCH_TOKENS = {"cpu": 4096, "cuda": 131_072}


class BankKey(NamedTuple):
    """Hook point and unit of a bank."""

    hook_point: str
    unit: str
    """`token` or `passage`."""


@dataclass(frozen=True, eq=False)
class ActivationBank:
    """Activations of one kind for every text of a corpus, in text order."""

    key: BankKey
    rows: torch.Tensor
    """(n, d) float16, or float32 if float16 overflows; one row per token or passage."""

    text_of: NDArray[np.int32]
    """(n,): position of the row's text in the corpus, ascending."""

    starts: NDArray[np.int32]
    """(n,): first character of the token or passage in its text."""

    ends: NDArray[np.int32]
    token_ids: NDArray[np.int32]
    """(n,): token id; -1 for passages."""

    indptr: NDArray[np.int64]
    """(n_texts + 1,): rows of text i are `indptr[i]` to `indptr[i + 1]`."""

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.text_of)


@dataclass(frozen=True, eq=False)
class CorpusActivations:
    """Activations and texts of one pass over a corpus."""

    texts: tuple[CorpusText, ...]
    """Texts with activations, in order; fewer than in the corpus if `max_tokens` is reached."""

    banks: dict[BankKey, ActivationBank]
    n_tokens: NDArray[np.int32]
    """(n_texts,): number of content tokens of each text."""

    held_out: NDArray[np.bool_]
    """(n_texts,): whether the text is never trained on."""


def collect_activations(
    texts: Iterable[CorpusText],
    reference: ReferenceModel,
    *,
    keys: Sequence[BankKey],
    max_tokens: int | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> CorpusActivations:
    """Run the reference model over texts and store the activations named by `keys`.

    Read the whole corpus, so that a damaged text raises before the model runs and the reader's
    counts are complete. Texts beyond `max_tokens` are discarded.
    """
    import numpy as np

    used_texts, windows, n_tokens = _read_windows(texts, reference, max_tokens, progress, stop)
    if not windows:
        raise InputError("The corpus has no content tokens; check its text field.")
    layouts = {
        unit: _Layout.of(windows, unit, len(used_texts)) for unit in {key.unit for key in keys}
    }
    stores = _reserve(keys, layouts, reference)
    _fill(windows, reference, layouts, stores, progress, stop)
    banks = {}
    for key, rows in stores.items():
        layout = layouts[key.unit]
        banks[key] = ActivationBank(
            key=key,
            rows=rows,
            text_of=layout.text_of,
            starts=layout.starts,
            ends=layout.ends,
            token_ids=layout.token_ids,
            indptr=layout.indptr,
        )
    held_out = np.fromiter(
        (text.held_out for text in used_texts), dtype=bool, count=len(used_texts)
    )
    return CorpusActivations(used_texts, banks, n_tokens, held_out)


@dataclass(frozen=True, eq=False)
class _Layout:
    """Rows of each window in a bank, for one unit."""

    offsets: NDArray[np.int64]
    """(n_windows + 1,)"""

    text_of: NDArray[np.int32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    token_ids: NDArray[np.int32]
    indptr: NDArray[np.int64]

    @classmethod
    def of(cls, windows: Sequence[Window], unit: str, n_texts: int) -> _Layout:
        import numpy as np

        passages = unit == "passage"
        sizes = [len(w.passages) if passages else w.n_content for w in windows]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        owner = np.repeat(np.fromiter((w.item for w in windows), np.int32, len(windows)), sizes)
        if passages:
            starts = [w.starts[low] for w in windows for low, _ in w.passages]
            ends = [w.ends[high - 1] for w in windows for _, high in w.passages]
            first, last = np.asarray(starts, np.int32), np.asarray(ends, np.int32)
            ids = np.full(len(owner), -1, np.int32)
        else:
            first = np.concatenate([w.starts for w in windows])
            last = np.concatenate([w.ends for w in windows])
            ids = np.concatenate([w.token_ids[w.content] for w in windows])
        counts = np.bincount(owner, minlength=n_texts)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(offsets, owner.astype(np.int32), first, last, ids, indptr)


def _read_windows(
    texts: Iterable[CorpusText],
    reference: ReferenceModel,
    max_tokens: int | None,
    progress: ProgressCallback | None,
    stop: StopCheck | None,
) -> tuple[tuple[CorpusText, ...], list[Window], NDArray[np.int32]]:
    """Tokenise whole texts until `max_tokens` is reached; read the rest without keeping it."""
    import numpy as np

    ticker = Ticker("reading the corpus", None, progress=progress)
    windows: list[Window] = []
    used_texts: list[CorpusText] = []
    counts: list[int] = []
    total = 0
    is_full = False
    stream = iter(texts)
    while batch := list(islice(stream, 2048)):
        if stop is not None and stop():
            raise Interrupted("Stopped while reading the corpus; nothing was written.")
        ticker.advance(len(batch))
        if is_full:
            continue
        low = len(used_texts)
        items = [
            Item(str(low + i), low + i, text.text, ((0, len(text.text)),), text.text)
            for i, text in enumerate(batch)
        ]
        per_text = np.zeros(len(batch), dtype=np.int64)
        new_windows = reference.windows(items)
        for window in new_windows:
            per_text[window.item] += window.n_content
        n_whole = len(batch)
        if max_tokens is not None and total + per_text.sum() > max_tokens:
            n_whole = int(np.searchsorted(total + np.cumsum(per_text), max_tokens, side="right"))
            if not counts and not n_whole:
                n_whole = 1
        windows += [
            replace(window, item=low + window.item)
            for window in new_windows
            if window.item < n_whole
        ]
        used_texts += batch[:n_whole]
        counts += per_text[:n_whole].tolist()
        total += int(per_text[:n_whole].sum())
        is_full = n_whole < len(batch)
    return tuple(used_texts), windows, np.asarray(counts, dtype=np.int32)


def _reserve(
    keys: Sequence[BankKey], layouts: dict[str, _Layout], reference: ReferenceModel
) -> dict[BankKey, torch.Tensor]:
    """Allocate the banks: on the GPU if they fit in 60 % of free memory, else in RAM."""
    import torch

    n_bytes = sum(
        2 * reference.width[key.hook_point] * len(layouts[key.unit].text_of) for key in keys
    )
    device = torch.device("cpu")
    if reference.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(reference.device)
        if n_bytes < free * 0.6:
            device = reference.device
    try:
        return {
            key: torch.empty(
                (len(layouts[key.unit].text_of), reference.width[key.hook_point]),
                dtype=torch.float16,
                device=device,
            )
            for key in keys
        }
    except (RuntimeError, MemoryError):
        raise UsageError(
            f"Not enough memory for the activations ({n_bytes / 1e9:.1f} GB); lower --max-tokens."
        ) from None


def _fill(
    windows: Sequence[Window],
    reference: ReferenceModel,
    layouts: dict[str, _Layout],
    stores: dict[BankKey, torch.Tensor],
    progress: ProgressCallback | None,
    stop: StopCheck | None,
) -> None:
    import numpy as np
    import torch

    order = sorted(range(len(windows)), key=lambda w: -len(windows[w]))
    budget = _BATCH_TOKENS.get(reference.device.type, 8192)
    total = sum(window.n_content for window in windows)
    ticker = Ticker("reading activations", total, progress=progress)
    position = 0
    while position < len(order):
        if stop is not None and stop():
            raise Interrupted("Stopped while reading activations; nothing was written.")
        size = max(1, budget // len(windows[order[position]]))
        batch = order[position : position + size]
        position += size
        states = reference.activations([windows[w] for w in batch])
        lengths = [high - low for w in batch for low, high in windows[w].passages]
        for key, store in stores.items():
            values = states[key.hook_point]
            if key.unit == "passage":
                values = pool_passages(values, lengths)
            offsets = layouts[key.unit].offsets
            index = np.concatenate([np.arange(offsets[w], offsets[w + 1]) for w in batch])
            if not bool(torch.isfinite(values).all()):
                raise _not_finite(reference, key.hook_point)
            rounded = values.to(store.dtype)
            if not bool(torch.isfinite(rounded).all()):
                store = stores[key] = _as_float32(store)
                rounded = values.to(store.dtype)
            store[torch.from_numpy(index).to(store.device)] = rounded.to(store.device)
        ticker.advance(sum(windows[w].n_content for w in batch))


def _as_float32(store: torch.Tensor) -> torch.Tensor:
    """Convert a bank to float32: bfloat16 has the range, but a rounding error 8 times larger."""
    try:
        return store.float()
    except (RuntimeError, MemoryError):
        raise UsageError(
            "The activations overflow float16, and there is not enough memory for float32 "
            f"({4 * store.numel() / 1e9:.1f} GB); lower --max-tokens."
        ) from None


def _not_finite(reference: ReferenceModel, hook_point: str) -> ModelError:
    import torch

    # float32 is the widest dtype of the reference model.
    wider = "" if reference.dtype is torch.float32 else " or --dtype float32"
    return ModelError(
        f"{reference.spec}: activations at {hook_point} are not finite; choose another hook "
        f"point{wider}."
    )
