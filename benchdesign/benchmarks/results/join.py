"""Join the results of models to the items of a benchmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Benchmark
from benchdesign.benchmarks.results.match_items import ItemIndex, Match
from benchdesign.benchmarks.results.read_results import read_results
from benchdesign.benchmarks.results.rows import ResultRow, ResultSet, parse_score, read_score
from benchdesign.errors import FormatError

__all__ = ["JoinedResults", "ResultJoiner", "ResultProblem", "join_results", "load_results"]


_MAX_PROBLEMS = 10_000


@dataclass(frozen=True, slots=True)
class ResultProblem:
    """A row that was not used, or not used as it is."""

    kind: str
    """unmatched, ambiguous, disagreeing, missing, repeated, conflicting or unreadable."""

    message: str


@dataclass(frozen=True, eq=False)
class JoinedResults:
    """Scores of each model, in the order of the benchmark's items."""

    scores: Mapping[str, NDArray[np.float64]]
    """By model: (n_items,), NaN for items without a result."""

    metrics: Mapping[str, str]
    """By model: name of its score in the files."""

    n_rows: int
    n_joined: int
    """Rows with a score that belong to an item."""

    n_unmatched: int
    """Rows that match no item."""

    n_ambiguous: int
    """Rows that match several items."""

    n_missing: int
    """Rows without a score, such as failed samples."""

    n_repeated: int
    """Rows that repeat the score of another row, which changes nothing."""

    n_conflicting: int
    """Items with different scores of one model in one repeat; their mean is used."""

    n_disagreeing: int
    """Rows with the id of one item and the text of another; the text counts."""

    n_unreadable: int
    """Rows that could not be read."""

    joined_by: Mapping[str, int]
    """Number of joined rows by key: id, text or row."""

    is_matched: NDArray[np.bool_]
    """(n_rows,): whether the row belongs to an item, with or without a score."""

    answers: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    """By model and position of the item: the model's answer, if logged."""

    problems: tuple[ResultProblem, ...] = field(default=())
    """The rows counted above, in order; at most 10,000."""

    notes: tuple[str, ...] = field(default=())
    """Remarks on the files."""

    @property
    def n_items(self) -> int:
        """Number of items with a score of at least one model."""
        if not self.scores:
            return 0
        return int((~np.isnan(np.stack(list(self.scores.values())))).any(axis=0).sum())


def load_results(
    paths: Iterable[str | Path], benchmark: Benchmark, *, metrics: Sequence[str] = ()
) -> JoinedResults:
    """Read files of results and join them with a benchmark; `MODEL=FILE` names the model."""
    return join_results(read_results(*paths, metrics=metrics), benchmark, metrics=metrics)


def join_results(
    results: ResultSet, benchmark: Benchmark, *, metrics: Sequence[str] = ()
) -> JoinedResults:
    """Join results with items: by id, else by text, else by row."""
    index = ItemIndex(benchmark)
    matches = [index.find(row) for row in results.rows]
    joining = ResultJoiner(results, matches, benchmark)
    for name in dict.fromkeys(row.model for row in results.rows):
        joining.add_model(name, metrics)
    return joining.finish()


class ResultJoiner:
    """Joins the results of one model after another, and counts problems."""

    def __init__(self, results: ResultSet, matches: Sequence[Match], benchmark: Benchmark) -> None:
        self._results = results
        self._matches = matches
        self._benchmark = benchmark
        self._scores: dict[str, NDArray[np.float64]] = {}
        self._metrics: dict[str, str] = {}
        self._answers: dict[str, dict[int, str]] = {}
        self._counts: Counter[str] = Counter()
        self._joined_by: Counter[str] = Counter()
        self._problems = [ResultProblem("unreadable", line) for line in results.unreadable]
        self._counts["unreadable"] = len(results.unreadable)

    def add_model(self, model: str, metrics: Sequence[str]) -> None:
        """Join the rows of one model by one of its scores."""
        pairs = [
            (row, match)
            for row, match in zip(self._results.rows, self._matches, strict=True)
            if row.model == model
        ]
        matched = [row for row, match in pairs if match.place is not None]
        metric = _choose_metric(model, matched, metrics)
        results: dict[int, dict[str, list[tuple[float, str]]]] = {}
        for row, match in pairs:
            if metric is not None and row.scores and metric not in row.scores:
                continue
            self._counts["row"] += 1
            # Parse the chosen metric only: rows of other benchmarks may have any values.
            value = float("nan")
            if metric is not None and metric in row.scores:
                value = read_score(row.scores[metric], row.place, metric)
            if match.place is None:
                self._add_problem(
                    "ambiguous" if match.is_ambiguous else "unmatched", row, match.problem
                )
                continue
            if match.problem:
                self._add_problem("disagreeing", row, match.problem)
            if np.isnan(value):
                self._add_problem("missing", row, row.failure or "no score")
                continue
            self._joined_by[match.by] += 1
            if row.answer:
                self._answers.setdefault(model, {}).setdefault(match.place, row.answer)
            results.setdefault(match.place, {}).setdefault(row.repeat, []).append(
                (value, row.place)
            )
        if results:
            self._scores[model] = self._average(model, results)
            self._metrics[model] = metric or ""

    def _average(
        self, model: str, results: Mapping[int, Mapping[str, Sequence[tuple[float, str]]]]
    ) -> NDArray[np.float64]:
        values = np.full(len(self._benchmark), np.nan)
        for place, by_repeat in results.items():
            values[place] = np.mean(
                [np.mean([value for value, _ in entries]) for entries in by_repeat.values()]
            )
            item_id = self._benchmark.items[place].id
            for entries in by_repeat.values():
                if len({value for value, _ in entries}) > 1:
                    self._counts["conflicting"] += 1
                    places = ", ".join(row_place for _, row_place in entries[:3])
                    message = f"{model}, item {item_id}: {len(entries)} different scores ({places})"
                    self._problems.append(ResultProblem("conflicting", message))
                else:
                    self._counts["repeated"] += len(entries) - 1
                    self._problems += [
                        ResultProblem(
                            "repeated", f"{row_place}: item {item_id} again, with the same score"
                        )
                        for _, row_place in entries[1:]
                    ]
        return values

    def _add_problem(self, kind: str, row: ResultRow, problem: str) -> None:
        self._counts[kind] += 1
        self._problems.append(ResultProblem(kind, f"{row.place}: {problem}"))

    def _unlisted_note(self) -> tuple[str, ...]:
        n_unlisted = len(self._problems) - _MAX_PROBLEMS
        return (f"{n_unlisted:,} more problems are not listed",) if n_unlisted > 0 else ()

    def finish(self) -> JoinedResults:
        """Return the joined results; raise if no row belongs to an item."""
        counts, rows = self._counts, self._results.rows
        if not self._scores:
            first = f" ({self._problems[0].message})" if self._problems else ""
            raise FormatError(
                f"{self._benchmark.path}: no result belongs to any of its items{first}. "
                "Results are joined by id, else by text, else by row."
            )
        return JoinedResults(
            scores=self._scores,
            metrics=self._metrics,
            n_rows=counts["row"],
            n_joined=sum(self._joined_by.values()),
            n_unmatched=counts["unmatched"],
            n_ambiguous=counts["ambiguous"],
            n_missing=counts["missing"],
            n_repeated=counts["repeated"],
            n_conflicting=counts["conflicting"],
            n_disagreeing=counts["disagreeing"],
            n_unreadable=counts["unreadable"],
            joined_by=dict(self._joined_by),
            is_matched=np.fromiter(
                (match.place is not None for match in self._matches), dtype=bool, count=len(rows)
            ),
            answers=self._answers,
            problems=tuple(self._problems[:_MAX_PROBLEMS]),
            notes=(*self._results.notes, *self._unlisted_note()),
        )


def _choose_metric(model: str, rows: Sequence[ResultRow], metrics: Sequence[str]) -> str | None:
    """Return the score to use; None if no row has one."""
    values: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.scores.items():
            values.setdefault(name, []).append(value)
    if not values:
        return None
    # A single invalid value does not disqualify a score: reading it raises.
    usable = [
        name
        for name, column in values.items()
        if 2 * sum(parse_score(value) is not None for value in column) >= len(column)
    ]
    remedy = "Choose one with --metric."
    if metrics:
        names = {name for metric in metrics for name in values if _matches_metric(name, metric)}
        if len(names) == 1:
            return names.pop()
        problem = f"no score called {' or '.join(metrics)}" if not names else "several such scores"
    elif len(values) == 1 or len(usable) == 1:
        return (usable or list(values))[0]
    else:
        problem = "several scores"
    available = ", ".join(sorted(usable or values))
    raise FormatError(f"{rows[0].place}: {model} has {problem} (available: {available}). {remedy}")


def _matches_metric(name: str, metric: str) -> bool:
    """Whether `metric` is the name of a score, with or without its filter."""
    plain = metric.strip().removesuffix(",none").lower()
    return plain in (name.lower(), name.lower().partition(",")[0])
