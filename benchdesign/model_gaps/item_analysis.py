"""Item analysis from the results of several models.

Difficulty, discrimination, uninformative items and answer keys worth checking. With few models
these are hints for a reviewer, not verdicts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchdesign.errors import UsageError
from benchdesign.foundation.arrays import Floats

__all__ = ["ItemAnalysis", "ItemStatistics", "analyse_items"]


_MIN_MODELS_FOR_DISCRIMINATION = 4
_SURPRISE_THRESHOLD = 0.05
"""Threshold of `ItemAnalysis.surprise` below which an answer key is worth checking."""


@dataclass(frozen=True, slots=True)
class ItemStatistics:
    """Figures of one item."""

    row: int
    n_models: int
    n_passed: int
    """Models that scored at least one half."""

    difficulty: float
    discrimination: float
    surprise: float
    agreed: str
    """The wrong answer that most of the better models share; empty if there is none."""

    notes: tuple[str, ...]
    """Any of all-miss, all-pass, check-key."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemAnalysis:
    """Figures of all items; arrays are (n_items,)."""

    models: tuple[str, ...]
    """Best first."""

    n_models: NDArray[np.int64]
    """Models with a result for the item."""

    n_passed: NDArray[np.int64]
    difficulty: Floats
    """One minus the mean score; NaN without results."""

    discrimination: Floats
    """Correlation, over models, between the score on the item and the mean score on all others.
    NaN if all models score the same or there are fewer than four models."""

    surprise: Floats
    """Probability that all better models miss an item by chance; NaN if one of them passed it."""

    all_miss: NDArray[np.bool_]
    all_pass: NDArray[np.bool_]
    check_key: NDArray[np.bool_]
    """Whether all better models miss the item although that is improbable."""

    expected_suspects: float
    """Expected number of items in `check_key` if every key were right and misses independent."""

    agreed: Mapping[int, str]
    """By item: the wrong answer that most of the better models share, if answers are available."""

    @property
    def uninformative(self) -> NDArray[np.bool_]:
        """Whether all models pass or all miss an item, so that it separates no two models."""
        uninformative: NDArray[np.bool_] = self.all_miss | self.all_pass
        return uninformative

    def row(self, item: int) -> ItemStatistics:
        """Return the figures of one item."""
        marks = (
            ("all-miss", self.all_miss),
            ("all-pass", self.all_pass),
            ("check-key", self.check_key),
        )
        return ItemStatistics(
            item,
            int(self.n_models[item]),
            int(self.n_passed[item]),
            float(self.difficulty[item]),
            float(self.discrimination[item]),
            float(self.surprise[item]),
            self.agreed.get(item, ""),
            tuple(name for name, mark in marks if mark[item]),
        )

    def suspects(self) -> Iterator[ItemStatistics]:
        """Yield the items whose key is worth checking, strongest evidence first.

        A wrong answer that the better models share is the strongest evidence; next come items that
        weaker models pass.
        """
        rows = np.flatnonzero(self.check_key)
        has_shared = np.asarray([int(row) in self.agreed for row in rows], dtype=bool)
        order = np.lexsort((self.surprise[rows], -self.n_passed[rows], ~has_shared))
        return (self.row(int(row)) for row in rows[order])


def analyse_items(
    scores: Mapping[str, NDArray[np.float64]],
    *,
    answers: Mapping[str, Mapping[int, str]] | None = None,
) -> ItemAnalysis:
    """Analyse items from the scores of at least two models.

    Scores are in [0, 1], and NaN where a model has no result. `answers` are the models' answers by
    model and item, as far as they are available.
    """
    if len(scores) < 2:
        raise UsageError(
            f"Item analysis needs the results of at least two models; got {len(scores)}."
        )
    table = np.stack([np.asarray(values, dtype=np.float64) for values in scores.values()])
    has_score = ~np.isnan(table)
    filled = np.where(has_score, table, 0.0)
    per_model = filled.sum(axis=1) / np.maximum(has_score.sum(axis=1), 1)
    order = np.argsort(-per_model, kind="stable")
    table, has_score, filled, per_model = (
        table[order],
        has_score[order],
        filled[order],
        per_model[order],
    )
    n_models = has_score.sum(axis=0)
    passed = has_score & (filled >= 0.5)
    with np.errstate(invalid="ignore", divide="ignore"):
        difficulty = 1 - np.where(n_models > 0, filled.sum(axis=0) / n_models, np.nan)
    n_passed = passed.sum(axis=0)

    better = np.arange(len(per_model)) < len(per_model) / 2
    missed = has_score & ~passed
    # Assume independent misses: the joint probability is the product of the models' miss rates.
    miss_rate = missed.sum(axis=1) / np.maximum(has_score.sum(axis=1), 1)
    best_all_miss = (missed | ~has_score)[better].all(axis=0) & has_score[better].any(axis=0)
    chance = np.where(has_score[better], miss_rate[better, None], 1.0).prod(axis=0)
    surprise = np.where(best_all_miss, chance, np.nan)
    with np.errstate(invalid="ignore"):
        check_key = surprise < _SURPRISE_THRESHOLD
    has_several = n_models >= 2
    names = [list(scores)[place] for place in order]
    check_key &= has_several
    answers_of_better = [
        (answers or {}).get(name, {})
        for name, is_better in zip(names, better, strict=True)
        if is_better
    ]
    return ItemAnalysis(
        models=tuple(names),
        n_models=n_models,
        n_passed=n_passed,
        difficulty=difficulty,
        discrimination=_discrimination(filled, has_score),
        surprise=surprise,
        all_miss=has_several & (filled.max(axis=0) == 0),
        all_pass=has_several & (np.where(has_score, table, 1.0).min(axis=0) == 1),
        check_key=check_key,
        # Only an item whose joint miss is improbable can become a suspect.
        expected_suspects=float(chance[has_several & (chance < _SURPRISE_THRESHOLD)].sum()),
        agreed=_shared_wrong_answers(np.flatnonzero(check_key), answers_of_better),
    )


def _shared_wrong_answers(
    rows: NDArray[np.int64], answers_by_model: Sequence[Mapping[int, str]]
) -> dict[int, str]:
    """Return, by item, the answer that most of the models, and at least two, share."""
    shared = {}
    for row in rows.tolist():
        answers = [by_row[row] for by_row in answers_by_model if row in by_row]
        folded = [" ".join(answer.casefold().split()).rstrip(".") for answer in answers]
        top, n = Counter(folded).most_common(1)[0] if folded else ("", 0)
        if top and n >= 2 and 2 * n > len(answers):
            shared[row] = answers[folded.index(top)]
    return shared


def _discrimination(filled: Floats, has_score: NDArray[np.bool_]) -> Floats:
    """Correlate each item's scores with the models' mean scores on all other items."""
    n_items = has_score.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        rest = (filled.sum(axis=1, keepdims=True) - filled) / (n_items - has_score)
    rest = np.where(has_score, np.nan_to_num(rest), 0.0)
    n = has_score.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        item_part = np.where(has_score, filled - filled.sum(axis=0) / n, 0.0)
        rest_part = np.where(has_score, rest - rest.sum(axis=0) / n, 0.0)
        spread = np.sqrt((item_part**2).sum(axis=0) * (rest_part**2).sum(axis=0))
        correlation = (item_part * rest_part).sum(axis=0) / spread
    usable = (n >= _MIN_MODELS_FOR_DISCRIMINATION) & (spread > 1e-9)
    discrimination: Floats = np.where(usable, correlation, np.nan)
    return discrimination
