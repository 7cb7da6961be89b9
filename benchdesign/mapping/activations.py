"""The states of a whole corpus, kept so that they can be shuffled at will.

Half precision holds most models' states; a bank with some beyond its range goes on in single.
One forward pass fills every bank asked for: token states of any number of hook points, passage
embeddings of others. Banks lie on the GPU where they fit, else in memory; a bank too large for
either is an error that names `--max-tokens`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from benchdesign.errors import InputError, Interrupted, ModelError, UsageError
from benchdesign.items import Item
from benchdesign.mapping.corpus import CorpusText
from benchdesign.progress import ProgressCallback, StopCheck, Ticker

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from benchdesign.mapping.reference import ReferenceModel
    from benchdesign.mapping.windows import Window

__all__ = ["ActivationBank", "BankKey", "Collected", "collect_activations"]

_BATCH_TOKENS = {"cpu": 4096, "cuda": 131_072}


class BankKey(NamedTuple):
    """Which activations a bank holds."""

    hook_point: str
    unit: str
    """token or passage."""


@dataclass(frozen=True, eq=False)
class ActivationBank:
    """Activations of one kind for every text of a corpus, in text order."""

    key: BankKey
    rows: torch.Tensor
    """(n, d) float16, float32 where half overflows; one row a token or passage."""

    text_of: NDArray[np.int32]
    """(n,): position of the row's text in the corpus; ascends."""

    starts: NDArray[np.int32]
    """(n,): first character of the token or passage in its text."""

    ends: NDArray[np.int32]
    token_ids: NDArray[np.int32]
    """(n,): the token's id; -1 for passages."""

    indptr: NDArray[np.int64]
    """(n_texts + 1,): rows of text i are `indptr[i]` to `indptr[i + 1]`."""

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.text_of)


@dataclass(frozen=True, eq=False)
class Collected:
    """What one pass over a corpus gave."""

    texts: tuple[CorpusText, ...]
    """The texts read, in order; fewer than the corpus has where `max_tokens` was reached."""

    banks: dict[BankKey, ActivationBank]
    n_tokens: NDArray[np.int32]
    """(n_texts,): content tokens of each text."""

    held_out: NDArray[np.bool_]
    """(n_texts,)"""


def collect_activations(
    texts: Iterable[CorpusText],
    reference: ReferenceModel,
    *,
    keys: Sequence[BankKey],
    max_tokens: int | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> Collected:
    """Run the reference model over texts and keep the activations named by `keys`.

    All texts are read, so that what is wrong with one is known before the model runs and whoever
    reads them has seen them all; those beyond `max_tokens` are not kept.
    """
    import numpy as np

    kept, windows, n_tokens = _read_windows(texts, reference, max_tokens, progress, stop)
    if not windows:
        raise InputError("The corpus holds no content tokens; check its text field.")
    layouts = {unit: _Layout.of(windows, unit, len(kept)) for unit in {key.unit for key in keys}}
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
    held = np.fromiter((text.held_out for text in kept), dtype=bool, count=len(kept))
    return Collected(kept, banks, n_tokens, held)


@dataclass(frozen=True, eq=False)
class _Layout:
    """Where the rows of each window go, for one unit."""

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
    """Tokenise texts until there are enough tokens, and return them; every text is whole."""
    from dataclasses import replace

    import numpy as np

    ticker = Ticker("reading the corpus", None, progress=progress)
    windows: list[Window] = []
    kept: list[CorpusText] = []
    counts: list[int] = []
    total = 0
    is_enough = False
    rest = iter(texts)
    while part := list(islice(rest, 2048)):
        if stop is not None and stop():
            raise Interrupted("Stopped while reading the corpus; nothing was written.")
        ticker.advance(len(part))
        if is_enough:
            continue
        low = len(kept)
        items = [
            Item(str(low + i), low + i, one.text, ((0, len(one.text)),), one.text)
            for i, one in enumerate(part)
        ]
        per_text = np.zeros(len(part), dtype=np.int64)
        made = reference.windows(items)
        for window in made:
            per_text[window.item] += window.n_content
        n_whole = len(part)
        if max_tokens is not None and total + per_text.sum() > max_tokens:
            n_whole = int(np.searchsorted(total + np.cumsum(per_text), max_tokens, side="right"))
            if not counts and not n_whole:
                n_whole = 1
        windows += [
            replace(window, item=low + window.item) for window in made if window.item < n_whole
        ]
        kept += part[:n_whole]
        counts += per_text[:n_whole].tolist()
        total += int(per_text[:n_whole].sum())
        is_enough = n_whole < len(part)
    return tuple(kept), windows, np.asarray(counts, dtype=np.int32)


def _reserve(
    keys: Sequence[BankKey], layouts: dict[str, _Layout], reference: ReferenceModel
) -> dict[BankKey, torch.Tensor]:
    """Make room for the banks: on the GPU if half of its free memory is enough, else in memory."""
    import torch

    need = sum(2 * reference.width[key.hook_point] * len(layouts[key.unit].text_of) for key in keys)
    device = torch.device("cpu")
    if reference.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(reference.device)
        if need < free * 0.6:
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
            f"The activations need {need / 1e9:.1f} GB, more than there is; lower --max-tokens."
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

    from benchdesign.mapping.reference import pool_passages

    order = sorted(range(len(windows)), key=lambda w: -len(windows[w]))
    budget = _BATCH_TOKENS.get(reference.device.type, 8192)
    total = sum(window.n_content for window in windows)
    ticker = Ticker("reading activations", total, progress=progress)
    place = 0
    while place < len(order):
        if stop is not None and stop():
            raise Interrupted("Stopped while reading activations; nothing was written.")
        size = max(1, budget // len(windows[order[place]]))
        batch = order[place : place + size]
        place += size
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
            half = values.to(store.dtype)
            if not bool(torch.isfinite(half).all()):
                store = stores[key] = _widened(store)
                half = values.to(store.dtype)
            store[torch.from_numpy(index).to(store.device)] = half.to(store.device)
        ticker.advance(sum(windows[w].n_content for w in batch))


def _widened(store: torch.Tensor) -> torch.Tensor:
    """Return a bank in single precision: bfloat16 has the range, but rounds four times coarser."""
    try:
        return store.float()
    except (RuntimeError, MemoryError):
        raise UsageError(
            "The activations are too large for half precision, and in single they need "
            f"{4 * store.numel() / 1e9:.1f} GB, more than there is; lower --max-tokens."
        ) from None


def _not_finite(reference: ReferenceModel, hook_point: str) -> ModelError:
    import torch

    # In single precision there is nothing wider to go to.
    wider = "" if reference.dtype is torch.float32 else " or --dtype float32"
    return ModelError(
        f"{reference.spec}: activations at {hook_point} are not finite; choose another hook "
        f"point{wider}."
    )
