"""Convert items to model input: tokens with character offsets, content masks and passages.

The model reads special tokens and template boilerplate, but they never count. Nothing is truncated:
a text longer than the model's limit is split into several windows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item, Span
from benchdesign.concepts.reference_model.chat_template import EDGE, ChatFrame, chat_frame
from benchdesign.errors import ModelError

__all__ = ["Window", "WindowMaker", "split_passages"]

WHOLE_PASSAGE = 96
"""Maximum number of content tokens of a window that is a single passage."""

SHORTEST_PASSAGE, LONGEST_PASSAGE = 20, 80

_SENTENCE_END = re.compile(r"""[.!?]+["')\]”’]*(?=\s|$)|[。！？]+|\n""")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CHUNK = 512


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Consecutive tokens of an item, as the model reads them."""

    item: int
    """Index of the item in the input sequence."""

    token_ids: NDArray[np.int32]
    """Token ids, including special tokens."""

    content: NDArray[np.bool_]
    """Per token of `token_ids`: whether it is from the item's record."""

    starts: NDArray[np.int32]
    """Per content token: first character in the item's text."""

    ends: NDArray[np.int32]
    passages: tuple[tuple[int, int], ...]
    """Half-open ranges of content tokens; 0 is the window's first content token."""

    @property
    def n_content(self) -> int:
        """Number of content tokens."""
        return len(self.starts)

    def __len__(self) -> int:
        """Count the tokens, including special tokens."""
        return len(self.token_ids)


@dataclass(frozen=True, slots=True, eq=False)
class WindowMaker:
    """Splits items into windows with one tokenizer."""

    tokenizer: Any
    """A `tokenizers.Tokenizer` without truncation or padding."""

    limit: int
    """Maximum number of tokens in a window, including special tokens."""

    before: tuple[int, ...] = ()
    """Special tokens at the start of every window."""

    after: tuple[int, ...] = ()
    chat: ChatFrame | None = None
    """Puts every item in the user's turn; `before` and `after` have its control tokens."""

    @classmethod
    def from_transformers(
        cls, tokenizer: Any, *, limit: int, prepend_bos: bool | None = None, chat: bool = False
    ) -> WindowMaker:
        """Wrap a fast tokenizer of transformers.

        With `prepend_bos` None the tokenizer decides; `chat` puts items into its chat template.
        """
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None or not hasattr(backend, "encode_batch"):
            raise ModelError(
                f"{tokenizer.__class__.__name__} has no character offsets. "
                "Use a model with a fast tokenizer (tokenizer.json)."
            )
        backend.no_truncation()
        backend.no_padding()
        bare = backend.encode("a", add_special_tokens=False).ids
        full = tokenizer("a").input_ids
        frame = chat_frame(tokenizer) if chat else None
        # Encode "[SEP]" or "<|endoftext|>" in an item as text, not as a control token.
        # Set this last: calling the tokenizer resets it.
        backend.encode_special_tokens = True
        at = next((i for i in range(len(full)) if full[i : i + len(bare)] == bare), 0)
        before, after = tuple(full[:at]), tuple(full[at + len(bare) :])
        bos = tokenizer.bos_token_id
        if frame is not None:
            # Many templates include the BOS token: do not add it twice.
            adds_bos = bos in before and bos not in frame.before
            before = (bos, *frame.before) if adds_bos else frame.before
            after = frame.after
        if prepend_bos is not None and bos is not None and (frame is not None or not after):
            before = tuple(token for token in before if token != bos)
            before = (bos, *before) if prepend_bos else before
        if limit <= len(before) + len(after):
            raise ModelError(f"A window of {limit} tokens leaves no room for text.")
        return cls(backend, limit, before, after, frame)

    def windows(self, items: Sequence[Item]) -> list[Window]:
        """Return the windows of all items in order; none for an item without content tokens."""
        return [window for group in self.cut(items, _CHUNK) for window in group]

    def cut(self, items: Sequence[Item], chunk_size: int) -> Iterator[list[Window]]:
        """Yield the windows of `chunk_size` items at a time."""
        opens, closes = (self.chat.opens, self.chat.closes) if self.chat else ("", "")
        for low in range(0, len(items), chunk_size):
            chunk = items[low : low + chunk_size]
            texts = [_SURROGATE.sub("\ufffd", item.text) for item in chunk]
            if self.chat is not None:
                texts = [text.replace(EDGE, "\ufffd") for text in texts]
            encodings = self.tokenizer.encode_batch(
                [f"{opens}{text}{closes}" for text in texts], add_special_tokens=False
            )
            windows: list[Window] = []
            for position, (text, item, encoding) in enumerate(
                zip(texts, chunk, encodings, strict=True), start=low
            ):
                windows += self._cut(position, text, item.content, encoding)
            yield windows

    def _cut(
        self, position: int, text: str, content: tuple[Span, ...], encoding: Any
    ) -> Iterable[Window]:
        ids = np.asarray(encoding.ids, dtype=np.int32)
        if not len(ids):
            return
        offsets = np.asarray(encoding.offsets, dtype=np.int32).reshape(-1, 2)
        before = np.asarray(self.before, dtype=np.int32)
        after = np.asarray(self.after, dtype=np.int32)
        if self.chat is not None:
            first, last = _text_tokens(offsets, opens=len(self.chat.opens), length=len(text))
            has_edge = self.chat.opens.startswith(EDGE)
            before = np.concatenate([before, ids[int(has_edge) : first]])
            after = np.concatenate([ids[last:], after])
            ids = ids[first:last]
            # Clip: a token may start in the template and end in the text.
            offsets = np.clip(offsets[first:last] - len(self.chat.opens), 0, len(text))
        starts, ends = offsets[:, 0], offsets[:, 1]
        is_content = _content_mask(starts, ends, content, len(text))
        closes = _sentence_end_mask(text, starts)
        room = self.limit - len(before) - len(after)
        if room < 1:
            raise ModelError(f"A window of {self.limit} tokens leaves no room for text.")
        for low, high in _window_ranges(len(ids), room, closes):
            mask = is_content[low:high]
            if not mask.any():
                continue
            yield Window(
                item=position,
                token_ids=np.concatenate([before, ids[low:high], after]),
                content=np.concatenate(
                    [np.zeros(len(before), bool), mask, np.zeros(len(after), bool)]
                ),
                starts=starts[low:high][mask],
                ends=ends[low:high][mask],
                passages=split_passages(closes[low:high][mask]),
            )


def split_passages(closes: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """Split content tokens into passages; `closes` marks tokens at the end of a sentence."""
    n = len(closes)
    if n <= WHOLE_PASSAGE:
        return ((0, n),) if n else ()
    cuts, low = [0], 0
    while n - low > LONGEST_PASSAGE:
        # Leave enough tokens for one more passage.
        latest = min(LONGEST_PASSAGE, n - low - SHORTEST_PASSAGE)
        sentence_ends = np.flatnonzero(closes[low + SHORTEST_PASSAGE - 1 : low + latest])
        low += int(sentence_ends[-1]) + SHORTEST_PASSAGE if len(sentence_ends) else latest
        cuts.append(low)
    return tuple(pairwise([*cuts, n]))


def _text_tokens(offsets: NDArray[np.int32], *, opens: int, length: int) -> tuple[int, int]:
    """Return the range of tokens that overlap the text, which starts after `opens` characters."""
    first = int(np.searchsorted(offsets[:, 1], opens, side="right"))
    last = int(np.searchsorted(offsets[:, 0], opens + length, side="left"))
    return first, max(first, last)


def _window_ranges(n: int, room: int, closes: NDArray[np.bool_]) -> Iterable[tuple[int, int]]:
    """Split n tokens into ranges of at most `room` tokens, at the end of a sentence if possible."""
    low = 0
    while n - low > room:
        early = low + room * 3 // 4
        sentence_ends = np.flatnonzero(closes[early : low + room])
        high = early + int(sentence_ends[-1]) + 1 if len(sentence_ends) else low + room
        yield low, high
        low = high
    yield low, n


def _content_mask(
    starts: NDArray[np.int32], ends: NDArray[np.int32], content: tuple[Span, ...], length: int
) -> NDArray[np.bool_]:
    """Return a mask of the tokens that overlap the content spans."""
    if content == ((0, length),):
        return ends > starts
    inside = np.zeros(length + 1, dtype=np.int32)
    for low, high in content:
        inside[low + 1 : high + 1] = 1
    n_inside = np.cumsum(inside)
    return np.asarray(n_inside[ends] > n_inside[starts])


def _sentence_end_mask(text: str, starts: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return a mask of the last tokens of sentences and lines, including the last token."""
    ends = np.asarray([match.end() for match in _SENTENCE_END.finditer(text)], dtype=np.int32)
    n_ended = np.searchsorted(ends, starts, side="right")
    return np.append(n_ended[1:] > n_ended[:-1], True)
