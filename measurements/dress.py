"""Measure whether the same items in another dress look like another subject.

A benchmark and a pool are drawn from the same categories of one set, so that nothing is lacking.
The benchmark alone is dressed: put into a chat wrapper, a cloze, a fence and so on. Reported are
the groups that are lacking or over for certain, the cosine of each item's embedding with that of
the undressed item, and what the search could have seen: for items as read, and as built now, with
the text that most items share cut out of what the reference model reads.

OMP_NUM_THREADS=1 python measurements/dress.py --out measurements/results/dress.md
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from planted.sets import PlantedSet, load_sets

from benchdesign.benchmarks.content_marks import render_default
from benchdesign.benchmarks.items import Item
from benchdesign.benchmarks.wrappers import find_wrappers, mask_wrappers
from benchdesign.concepts.mapping.map_items import map_items
from benchdesign.concepts.mapping.mapper_protocols import Mapper
from benchdesign.concepts.mapping.open_mapper import open_mapper
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.groups.find_groups import find_gap_groups

SETS = ("trivia", "medicine", "mathematics", "intents")
N_CATEGORIES, N_OWN, N_POOL = 20, 15, 30
METHODS = ("as read", "as built")
LETTERS = "ABCDEFGHIJ"


def _inline(item: Item, at: int) -> Item:
    options = " ".join(
        f"({letter}) {choice}" for letter, choice in zip(LETTERS, item.choices, strict=False)
    )
    return _free(item, f"{item.prompt}\nOptions: {options}")


def _free(item: Item, prompt: str) -> Item:
    """Return an item with a prompt and no choices apart from it."""
    return _render(replace(item, prompt=prompt, choices=()))


def _render(item: Item) -> Item:
    rendered = render_default(item.prompt, choices=item.choices)
    return replace(item, text=rendered.text, content=rendered.content)


def _around(before: str, after: str) -> Callable[[Item, int], Item]:
    def dress(item: Item, at: int) -> Item:
        opening = before.replace("{n}", str(at + 1))
        return _render(replace(item, prompt=f"{opening}{item.prompt}{after}"))

    return dress


DRESSES: Mapping[str, Callable[[Item, int], Item]] = {
    "none": lambda item, _: item,
    "chat wrapper": _around(
        "You are a helpful assistant. Answer the user's question as well as you can.\n\nUser: ",
        "\n\nAssistant:",
    ),
    "polite sentences": _around(
        "Hello, I hope that you can help me with this one. ",
        " Thank you very much for your help!",
    ),
    "instruction": _around(
        "Read the following question carefully and choose the best answer from the options "
        "below. Reply with the letter only.\n",
        "",
    ),
    "cloze": _around("Fill in: ", " ____"),
    "inline options": _inline,
    "markdown fence": _around("```\n", "\n```"),
    "numbered": _around("Question {n}. ", ""),
    "long system prompt": _around(
        "You are an expert examiner with many years of experience in writing and grading tests. "
        "You will be given one question at a time. Think about it step by step, consider every "
        "option before you decide, and do not make anything up. If you are not sure, say which "
        "answer seems the most likely to you. Always end with a single letter.\n\nUser: ",
        "\n\nAssistant:",
    ),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one dressing did to one set."""

    set_name: str
    dress: str
    method: str
    n_items: int
    n_cut: int
    """Items that lost text."""

    lacking: int
    over: int
    cosine: float
    power: float | None
    n_of_form: int
    """Pool items of a form that the benchmark has."""

    could_not_tell: bool


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A benchmark and a pool of the same categories."""

    own: tuple[Item, ...]
    pool: tuple[Item, ...]


def draw(item_set: PlantedSet, seed: int) -> Drawn:
    """Draw equally many items of each category for the benchmark, and twice as many for a pool."""
    rng = np.random.default_rng(seed)
    labels = np.asarray(item_set.labels, dtype=object)
    large = [name for name in sorted(set(labels)) if (labels == name).sum() >= N_OWN + N_POOL]
    chosen = [large[place] for place in rng.permutation(len(large))[:N_CATEGORIES]]
    own: list[int] = []
    pool: list[int] = []
    for name in chosen:
        rows = rng.permutation(np.flatnonzero(labels == name)).tolist()
        own += rows[:N_OWN]
        pool += rows[N_OWN : N_OWN + N_POOL]
    return Drawn(
        tuple(item_set.items[row] for row in own),
        tuple(item_set.items[row] for row in pool),
    )


def prepared(items: Sequence[Item], method: str) -> tuple[tuple[Item, ...], int]:
    """Return items as a method reads them, and how many lost text."""
    if method == "as read":
        return tuple(items), 0
    masked = mask_wrappers(items, find_wrappers(items))
    n_cut = sum(after.text != before.text for after, before in zip(masked, items, strict=True))
    return masked, n_cut


def measure(item_set: PlantedSet, cache: Path, seed: int) -> list[Outcome]:
    """Dress the benchmark of one set in every dress; a process of its own."""
    rows = []
    for row in outcomes(item_set, open_mapper(dictionary="builtin"), cache, seed):
        print(row, flush=True)
        rows.append(row)
    return rows


def outcomes(item_set: PlantedSet, mapper: Mapper, cache: Path, seed: int) -> Iterator[Outcome]:
    """Yield what every dress and method did to one set."""
    drawn = draw(item_set, seed)
    plain = map_items(drawn.own, mapper, cache=cache)
    for name, dress in DRESSES.items():
        dressed = [dress(item, at) for at, item in enumerate(drawn.own)]
        for method in METHODS:
            own, n_cut = prepared(dressed, method)
            pool, _ = prepared(drawn.pool, method)
            own_map = map_items(own, mapper, cache=cache)
            pool_map = map_items(pool, mapper, cache=cache)

            groups = find_gap_groups(
                own_map,
                pool_map,
                mapper.dictionary,
                benchmark_items=own,
                pool_items=pool,
                rng=np.random.default_rng(seed),
            )
            yield Outcome(
                item_set.name,
                name,
                method,
                len(own),
                n_cut,
                sum(group.is_gap for group in groups.groups),
                len(groups.over),
                mean_cosine(plain, own_map),
                groups.power.smallest_share,
                groups.reference.n_of_form,
                groups.could_not_tell is not None,
            )


def mean_cosine(plain: ConceptMap, dressed: ConceptMap) -> float:
    """Return the mean cosine of the embeddings of the same items."""
    assert plain.embeddings is not None
    assert dressed.embeddings is not None
    one, other = plain.embeddings.astype(np.float64), dressed.embeddings.astype(np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(((one * other).sum(axis=1) / lengths).mean())


def table(rows: Sequence[Outcome], seconds: float) -> str:
    """Return the results as Markdown."""
    lines = [
        "# The same items in another dress",
        "",
        f"Benchmark: {N_OWN} items of each of {N_CATEGORIES} categories (or of all that are large "
        f"enough), dressed; pool: {N_POOL} others of each, undressed. `cut`: items that lost text. "
        "Groups that are lacking and over for certain; none would be right. `cosine`: mean cosine "
        "of the embeddings of dressed and undressed items; at 1.000 the reference model reads the "
        "undressed text, so that the row can only repeat the control, up to form. "
        "`power`: smallest share of the pool whose absence would have been found. `of form`: pool "
        "items of a form (choices, length, code) that the benchmark has. Inline options stay in "
        "the prompt here; when a file is read, they become choices where they are recognised. "
        f"Measured in {seconds:.0f} s on CPU.",
        "",
        "| set | dress | method | cut | lacking | over | cosine | power | of form |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        power = "could not tell" if row.could_not_tell else "none"
        if row.power is not None:
            power = f"{row.power:.1%}"
        lines.append(
            f"| {row.set_name} | {row.dress} | {row.method} | {row.n_cut} of {row.n_items} | "
            f"{row.lacking} | {row.over} | {row.cosine:.3f} | {power} | {row.n_of_form} |"
        )
    lines += ["", "Dressings (the undressed control left out) without a group:", ""]
    for method in METHODS:
        chosen = [row for row in rows if row.method == method and row.dress != "none"]
        clean = [row for row in chosen if not row.lacking + row.over and not row.could_not_tell]
        blind = sum(row.power is None for row in clean)
        untold = sum(row.could_not_tell for row in chosen)
        lines.append(
            f"- {method}: {len(clean)} of {len(chosen)}, {blind} of them without the power to find "
            f"a share; {untold} could not tell"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "dress-maps")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    started = time.perf_counter()
    chosen = [item_set for item_set in load_sets() if item_set.name in options.sets]
    with ProcessPoolExecutor(min(len(chosen), os.cpu_count() or 1)) as executor:
        work = partial(measure, cache=options.cache, seed=options.seed)
        rows = [row for rows in executor.map(work, chosen) for row in rows]
    text = table(rows, time.perf_counter() - started)
    print(text)
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
