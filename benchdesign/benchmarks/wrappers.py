"""Recurring wrappers: text that most items of a set share, whatever they are about.

A chat wrapper, a polite sentence round every question or an instruction in every prompt says
nothing about an item's subject. Wrappers are found in the items themselves and cut out of the text
that the reference model reads: next to it, the same question would look like another subject.
Prompts and choices, as people read them, stay as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchdesign.benchmarks.cut_text import cut_text
from benchdesign.benchmarks.items import Finding, Item, Span, WordRun, Wrappers
from benchdesign.foundation.text import display

__all__ = ["find_wrappers", "mask_wrappers", "wrapper_findings"]

_MIN_ITEMS = 20
"""Items with different texts; in fewer, text is shared by chance."""

_MAX_SAMPLE = 2_000
"""Items in which wrappers are looked for; what is found is cut out of all."""

_MIN_SHARE = 0.5
_MIN_LEFT = 1 / 3
"""Share of an item's words that must remain in the median. Below it the shared text is most of the
items, as in sets made from one template, and cannot be told from their subject."""

_MIN_RUN_WORDS = 2
"""A run that ends inside a sentence is a stem or a part of a template, not a wrapper."""

_MAX_RUN = 1_000
"""Words of a run that are looked at."""

_MIN_LINE_WORDS = 3
_MIN_SYMBOLS = 3
"""Characters of a word of symbols only (a fence, a blank) that may be a wrapper by itself."""

_N_SLOTS = 2
"""Content ranges, from the first on, whose start and end are compared: context and prompt."""

_N_QUOTED, _QUOTED_WIDTH = 3, 40

_TOKEN = re.compile(r"\S+|\s+")
_DIGITS = re.compile(r"\d++")
_LINE = re.compile(r"[^\n]++")
_SENTENCE_END = re.compile(r"""(?<![.!?])[.!?]++["')\]”’*]*+(?!\S)|[。！？]++""")
_LABEL = re.compile(
    r"(?<!\S)(?:"
    r"(?P<option>\([A-Ja-j]\)|[A-Ja-j][).:])"
    r"|[A-Z][\w-]{0,30}(?: [a-z][\w-]{0,30}){0,2}:"
    r")(?!\S)"
)
_BREAK = "\n"
_CLOSED = tuple(".!?:;,…。！？")
_QUOTES = "\"')]”’*_`"


def find_wrappers(items: Sequence[Item]) -> Wrappers:
    """Find the wrappers of a set in a sample of its items; none in fewer than 20 texts."""
    filled = [place for place, item in enumerate(items) if item.content]
    step = max(len(filled) / _MAX_SAMPLE, 1.0)
    n_sampled = min(len(filled), _MAX_SAMPLE)
    chosen = [items[filled[int(at * step)]] for at in range(n_sampled)]
    sample = list({item.text: item for item in chosen}.values())
    if len(sample) < _MIN_ITEMS:
        return Wrappers()
    texts = [[item.text[low:high] for low, high in item.content] for item in sample]
    needed = max(_MIN_SHARE * len(sample), 1)
    starts, ends = [], []
    for slot in range(_N_SLOTS):
        ranges = [
            spans[slot]
            for spans, item in zip(texts, sample, strict=True)
            if slot < _n_before_choices(item)
        ]
        if run := _shared_start(ranges, needed):
            starts.append((slot, run))
        if run := _shared_end(ranges, needed):
            ends.append((slot, run))
    lines = _common(
        ({piece for text in spans for piece in _lines(text)} for spans in texts), needed
    )
    labels = _common(
        ({match[0] for text in spans for match in _LABEL.finditer(text)} for spans in texts), needed
    )
    wrappers = Wrappers(
        tuple(starts), tuple(ends), frozenset(filter(_is_wrapper, lines)), _real_labels(labels)
    )
    if not wrappers:
        return wrappers
    left = []
    for item in sample:
        n_words = _count_words(item.text, item.content)
        n_left = _count_words(item.text, _without(item.text, item.content, _cuts(item, wrappers)))
        left.append(n_left / max(n_words, 1))
    if median(left) < _MIN_LEFT:
        return Wrappers(is_most_of_text=True)
    return wrappers


def mask_wrappers(items: Sequence[Item], wrappers: Wrappers) -> tuple[Item, ...]:
    """Return the items with wrappers cut out of their text and content.

    An item of which nothing would remain stays as it is.
    """
    if not wrappers:
        return tuple(items)
    return tuple(_masked(item, wrappers) for item in items)


def wrapper_findings(
    items: Sequence[Item], masked: Sequence[Item], wrappers: Wrappers, path: Path
) -> list[Finding]:
    """Return a finding that says what was masked in how many items, if anything was."""
    if wrappers.is_most_of_text:
        return [
            Finding(
                "wrapper",
                f"{path}: most items share more than two thirds of their text, which counts as "
                "content. If it is an instruction, use an item template to leave it out.",
            )
        ]
    changed = [
        before for before, after in zip(items, masked, strict=True) if before.text != after.text
    ]
    if not changed:
        return []
    quoted: dict[str, None] = {}
    end = 0
    for low, high in sorted(_cuts(changed[0], wrappers), key=lambda cut: (cut[0], -cut[1])):
        if high > end and len(quoted) < _N_QUOTED:
            quoted[f"'{_shortened(changed[0].text[low:high])}'"] = None
        end = max(end, high)
    return [
        Finding(
            "wrapper",
            f"{path}: text that most items share ({', '.join(quoted)}) is in {len(changed):,} of "
            f"{len(items):,} items; it does not count as content and is left out of what the "
            "reference model reads.",
        )
    ]


def _shortened(text: str) -> str:
    words = text.split()
    shown = " ".join(words[:4]) + (" …" if len(words) > 4 else "")
    return display(shown, width=_QUOTED_WIDTH)


def _masked(item: Item, wrappers: Wrappers) -> Item:
    cuts = _cuts(item, wrappers)
    if not cuts:
        return item
    content = _without(item.text, item.content, cuts)
    if content == item.content or not any(_is_word(item.text[low:high]) for low, high in content):
        return item
    text, content = cut_text(item.text, content, cuts)
    return replace(item, text=text, content=content)


def _fold(text: str) -> str:
    return _DIGITS.sub("0", text)


def _tokens(text: str, *, backwards: bool = False) -> Iterator[tuple[str, int]]:
    """Yield words and line breaks with where each ends (starts, if read backwards)."""
    source = text[::-1] if backwards else text
    for match in _TOKEN.finditer(source):
        token = match[0]
        if token.isspace():
            # Breaks at the edges are not between words.
            if "\n" in token and match.start() > 0 and match.end() < len(source):
                yield _BREAK, match.end()
            continue
        yield _fold(token[::-1] if backwards else token), match.end()


def _is_word(token: str) -> bool:
    return any(map(str.isalnum, token))


def _is_closed(token: str) -> bool:
    """Whether a token ends a sentence or clause, or a line."""
    return token == _BREAK or token.rstrip(_QUOTES).endswith(_CLOSED) or not _is_word(token)


def _shared_path(
    texts: Iterable[str], needed: float, *, backwards: bool = False
) -> tuple[list[str], Counter[str]]:
    """Return the words that enough texts share from the edge on, and the words that follow."""
    walks = [_tokens(text, backwards=backwards) for text in texts]
    path: list[str] = []
    while len(path) < _MAX_RUN:
        following = [(walk, token) for walk in walks for token, _ in [next(walk, ("", 0))]]
        counts = Counter(token for _, token in following if token)
        if not counts:
            return path, counts
        best, count = counts.most_common(1)[0]
        if count < needed:
            return path, counts
        path.append(best)
        walks = [walk for walk, token in following if token == best]
    return path, Counter()


def _shared_start(texts: Sequence[str], needed: float) -> WordRun:
    path, _ = _shared_path(texts, needed)
    closed = [at + 1 for at, token in enumerate(path) if _is_closed(token)]
    return _usable(path, closed[-1] if closed else 0)


def _shared_end(texts: Sequence[str], needed: float) -> WordRun:
    """Return the run at the end, last word first."""
    path, before = _shared_path(texts, needed, backwards=True)
    closed = [at for at in range(1, len(path)) if _is_closed(path[at]) or path[at - 1] == _BREAK]
    n_closed = sum(count for token, count in before.items() if _is_closed(token))
    if path and (2 * n_closed >= before.total() or not _is_word(path[-1])):
        closed.append(len(path))
    return _usable(path, closed[-1] if closed else 0)


def _usable(path: list[str], n_closed: int) -> WordRun:
    """Return the longest part of a path that is a wrapper, of whole clauses or lines."""
    run = path[:n_closed]
    words = [token for token in run if _is_word(token)]
    symbols = [token for token in run if token != _BREAK and not _is_word(token)]
    is_label = all(token.endswith(":") for token in words)
    is_symbol = any(len(token) >= _MIN_SYMBOLS for token in symbols)
    if len(words) >= _MIN_RUN_WORDS or (is_label and (words or is_symbol)):
        return tuple(run)
    return ()


def _lines(text: str, opening: str | None = None) -> dict[str, list[Span]]:
    """Return the lines and sentences of a text, folded, with places.

    `opening` has the first characters of those that are needed; None for all.
    """
    found: dict[str, list[Span]] = {}
    for line in _LINE.finditer(text):
        ends = [match.end() for match in _SENTENCE_END.finditer(line[0])]
        cuts = [0, *(end for end in ends if end < len(line[0])), len(line[0])]
        pieces = list(pairwise(cuts))
        if len(pieces) > 1:
            pieces.append((0, len(line[0])))
        for low, high in pieces:
            if opening is not None and _fold(line[0][low:high].lstrip()[:1]) not in opening:
                continue
            folded = " ".join(_fold(line[0][low:high]).split())
            if folded:
                place = line.start() + low, line.start() + high
                found.setdefault(folded, []).append(place)
    return found


def _common(found: Iterable[set[str]], needed: float) -> frozenset[str]:
    counts = Counter(piece for pieces in found for piece in pieces)
    return frozenset(piece for piece, count in counts.items() if count >= needed)


def _is_wrapper(line: str) -> bool:
    """Whether a shared line is long enough, a label or a row of symbols."""
    n_words = sum(map(_is_word, line.split()))
    if n_words == 0:
        return len(line) >= _MIN_SYMBOLS
    return n_words >= _MIN_LINE_WORDS or line.endswith(":")


def _real_labels(labels: frozenset[str]) -> frozenset[str]:
    """Return labels without letters of choices that stand alone, such as a vitamin's."""
    options = {label for label in labels if (match := _LABEL.fullmatch(label)) and match["option"]}
    firsts = {label for label in options if label.strip("().:") in ("A", "a")}
    is_series = any(label.replace("A", "B").replace("a", "b") in options for label in firsts)
    return labels if is_series else labels - options


def _cuts(item: Item, wrappers: Wrappers) -> list[Span]:
    """Return the ranges of an item's content that are wrappers; they may overlap."""
    cuts: list[Span] = []
    n = _n_before_choices(item)
    for runs, backwards in ((wrappers.starts, False), (wrappers.ends, True)):
        for slot, run in runs:
            if n <= slot:
                continue
            low, high = item.content[slot]
            length = _match_run(item.text[low:high], run, backwards=backwards)
            if length:
                cuts.append((high - length, high) if backwards else (low, low + length))
    if wrappers.lines or wrappers.labels:
        opening = "".join({line[0] for line in wrappers.lines})
        for low, high in item.content:
            text = item.text[low:high]
            if wrappers.lines:
                for folded, places in _lines(text, opening).items():
                    if folded in wrappers.lines:
                        cuts += [(low + first, low + last) for first, last in places]
            if wrappers.labels:
                cuts += [
                    (low + match.start(), low + match.end())
                    for match in _LABEL.finditer(text)
                    if match[0] in wrappers.labels
                ]
    return cuts


def _n_before_choices(item: Item) -> int:
    """Return the content ranges of context and prompt: choices may differ by a number alone."""
    return max(len(item.content) - sum(1 for choice in item.choices if choice.strip()), 1)


def _match_run(text: str, run: WordRun, *, backwards: bool) -> int:
    """Return the length of a run at the edge of a text; 0 if it is not there."""
    length = 0
    tokens = _tokens(text, backwards=backwards)
    for expected in run:
        token, length = next(tokens, ("", 0))
        if token != expected:
            return 0
    return length


def _without(text: str, content: tuple[Span, ...], cuts: Sequence[Span]) -> tuple[Span, ...]:
    """Return content ranges less cuts; what remains of a range that was cut holds a word."""
    if not cuts:
        return content
    kept: list[Span] = []
    ordered = sorted(cuts)
    at = 0
    for low, high in content:
        start, is_cut = low, False
        while at < len(ordered) and ordered[at][0] < high:
            first, last = ordered[at]
            is_cut = True
            _keep(text, start, first, kept)
            start = max(start, last)
            at += 1
        if not is_cut:
            kept.append((low, high))
        else:
            _keep(text, start, high, kept)
    return tuple(kept)


def _keep(text: str, low: int, high: int, kept: list[Span]) -> None:
    """Add a range without white space at its ends, if it holds a word."""
    if low >= high:
        return
    part = text[low:high]
    if _is_word(part):
        first = len(part) - len(part.lstrip())
        kept.append((low + first, low + len(part.rstrip())))


def _count_words(text: str, content: Iterable[Span]) -> int:
    return sum(_is_word(word) for low, high in content for word in text[low:high].split())
