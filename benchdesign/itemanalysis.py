"""What several models' results say about single items.

Difficulty, discrimination, items that add nothing, and keys worth checking. With few models these
are hints to look at, never verdicts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.errors import UsageError

__all__ = ["ItemAnalysis", "ItemRow", "analyse_items"]

Floats = NDArray[np.float64]

_FEWEST_FOR_DISCRIMINATION = 4
_SURPRISE = 0.05
"""A key is worth checking when good models would all miss a random item less often than this."""


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One item for people."""

    row: int
    n_models: int
    n_passed: int
    """Models that scored at least one half."""

    difficulty: float
    discrimination: float
    surprise: float
    agreed: str
    """The other answer that most of the better models give; empty if they give none."""

    notes: tuple[str, ...]
    """all-miss, all-pass, check-key."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemAnalysis:
    """Figures of every item; arrays are (n_items,)."""

    models: tuple[str, ...]
    """Best first."""

    n_models: NDArray[np.int64]
    """Models with a result for the item."""

    n_passed: NDArray[np.int64]
    difficulty: Floats
    """One minus the mean score; NaN without results."""

    discrimination: Floats
    """Correlation over models of the item's score with the score on the rest; NaN where all score
    alike or there are fewer than four models."""

    surprise: Floats
    """Chance that the better models miss an item of this benchmark as badly; NaN if they do not."""

    all_miss: NDArray[np.bool_]
    all_pass: NDArray[np.bool_]
    check_key: NDArray[np.bool_]
    """The better models all miss it, which is surprising."""

    expected_suspects: float
    """Items that the better models would all miss if every key were right and misses independent:
    as many of `check_key` may be by chance."""

    agreed: Mapping[int, str]
    """By item, where answers are known: the other answer most of the better models agree on."""

    @property
    def uninformative(self) -> NDArray[np.bool_]:
        """Mark items on which all models score alike, so that they tell no two apart."""
        alike: NDArray[np.bool_] = self.all_miss | self.all_pass
        return alike

    def row(self, item: int) -> ItemRow:
        """Return one item for people."""
        marks = (
            ("all-miss", self.all_miss),
            ("all-pass", self.all_pass),
            ("check-key", self.check_key),
        )
        return ItemRow(
            item,
            int(self.n_models[item]),
            int(self.n_passed[item]),
            float(self.difficulty[item]),
            float(self.discrimination[item]),
            float(self.surprise[item]),
            self.agreed.get(item, ""),
            tuple(name for name, mark in marks if mark[item]),
        )

    def suspects(self) -> Iterator[ItemRow]:
        """Iterate over the items whose key is worth checking, the most telling first.

        Better models that agree on another answer tell most, then worse models that get it.
        """
        rows = np.flatnonzero(self.check_key)
        agree = np.asarray([int(row) in self.agreed for row in rows], dtype=bool)
        order = np.lexsort((self.surprise[rows], -self.n_passed[rows], ~agree))
        return (self.row(int(row)) for row in rows[order])


def analyse_items(
    scores: Mapping[str, NDArray[np.float64]],
    *,
    answers: Mapping[str, Mapping[int, str]] | None = None,
) -> ItemAnalysis:
    """Analyse items from the scores in [0, 1] of at least two models; NaN where there is none.

    `answers` are what the models said, by model and item, as far as that is known.
    """
    if len(scores) < 2:
        raise UsageError(f"Item analysis needs results of two models; there are {len(scores)}.")
    table = np.stack([np.asarray(values, dtype=np.float64) for values in scores.values()])
    known = ~np.isnan(table)
    filled = np.where(known, table, 0.0)
    per_model = filled.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    order = np.argsort(-per_model, kind="stable")
    table, known, filled, per_model = table[order], known[order], filled[order], per_model[order]
    n_models = known.sum(axis=0)
    passed = known & (filled >= 0.5)
    with np.errstate(invalid="ignore", divide="ignore"):
        difficulty = 1 - np.where(n_models > 0, filled.sum(axis=0) / n_models, np.nan)
    n_passed = passed.sum(axis=0)

    better = np.arange(len(per_model)) < len(per_model) / 2
    missed = known & ~passed
    # Independent misses: the joint chance is the product of the models' own miss rates.
    miss_rate = missed.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    best_all_miss = (missed | ~known)[better].all(axis=0) & known[better].any(axis=0)
    chance = np.where(known[better], miss_rate[better, None], 1.0).prod(axis=0)
    surprise = np.where(best_all_miss, chance, np.nan)
    with np.errstate(invalid="ignore"):
        check_key = surprise < _SURPRISE
    several = n_models >= 2
    names = [list(scores)[place] for place in order]
    check_key &= several
    said = [(answers or {}).get(name, {}) for name, best in zip(names, better, strict=True) if best]
    return ItemAnalysis(
        models=tuple(names),
        n_models=n_models,
        n_passed=n_passed,
        difficulty=difficulty,
        discrimination=_discrimination(filled, known),
        surprise=surprise,
        all_miss=several & (filled.max(axis=0) == 0),
        all_pass=several & (np.where(known, table, 1.0).min(axis=0) == 1),
        check_key=check_key,
        # Only items so easy for the better models that missing them would be a suspect count.
        expected_suspects=float(chance[several & (chance < _SURPRISE)].sum()),
        agreed=_agreed(np.flatnonzero(check_key), said),
    )


def _agreed(rows: NDArray[np.int64], said: Sequence[Mapping[int, str]]) -> dict[int, str]:
    """Return the answer that most models, and at least two, give to an item that all miss."""
    found = {}
    for row in rows.tolist():
        given = [answers[row] for answers in said if row in answers]
        folded = [" ".join(one.casefold().split()).rstrip(".") for one in given]
        top, n = Counter(folded).most_common(1)[0] if folded else ("", 0)
        if top and n >= 2 and 2 * n > len(given):
            found[row] = given[folded.index(top)]
    return found


def _discrimination(filled: Floats, known: NDArray[np.bool_]) -> Floats:
    """Correlate each item's scores with the models' mean scores on all other items."""
    n_items = known.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        rest = (filled.sum(axis=1, keepdims=True) - filled) / (n_items - known)
    rest = np.where(known, np.nan_to_num(rest), 0.0)
    n = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        own = np.where(known, filled - filled.sum(axis=0) / n, 0.0)
        other = np.where(known, rest - rest.sum(axis=0) / n, 0.0)
        spread = np.sqrt((own**2).sum(axis=0) * (other**2).sum(axis=0))
        correlation = (own * other).sum(axis=0) / spread
    usable = (n >= _FEWEST_FOR_DISCRIMINATION) & (spread > 1e-9)
    found: Floats = np.where(usable, correlation, np.nan)
    return found
