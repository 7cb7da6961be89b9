"""Per-item results of models: lm-eval, Inspect and HELM logs, or plain tables.

Scores are numbers in [0, 1], booleans, or the letters C, I, P and N; anything else is refused with
its row. Where a log holds several scores, one is asked for: they are never mixed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchdesign.errors import FormatError
from benchdesign.formats.result_join import ItemIndex, Match
from benchdesign.formats.result_rows import ResultRow, ResultSet, parse_score, read_score
from benchdesign.items import Benchmark
from benchdesign.regular import expanded, is_folder, is_there

__all__ = [
    "JoinedResults",
    "ResultProblem",
    "ResultRow",
    "ResultSet",
    "join_results",
    "load_results",
    "read_results",
]

_MOST_PROBLEMS = 10_000


@dataclass(frozen=True, slots=True)
class ResultProblem:
    """A row that was not simply taken as it is."""

    kind: str
    """unmatched, ambiguous, disagreeing, missing, repeated, conflicting or unreadable."""

    message: str


@dataclass(frozen=True, eq=False)
class JoinedResults:
    """Scores of each model in the order of the benchmark's items."""

    scores: Mapping[str, NDArray[np.float64]]
    """By model: (n_items,), NaN where it has no result."""

    metrics: Mapping[str, str]
    """By model: the name of its score in the files."""

    n_rows: int
    n_joined: int
    """Rows with a score that belong to an item."""

    n_unmatched: int
    """Rows about no item of the benchmark."""

    n_ambiguous: int
    """Rows that fit several items."""

    n_missing: int
    """Rows without a score, such as a sample that failed."""

    n_repeated: int
    """Rows that say again what another said; averaged, which changes nothing."""

    n_conflicting: int
    """Items with different scores of one model where one was expected; their mean is used."""

    n_disagreeing: int
    """Rows whose id names one item and whose text is another's; the text counts."""

    n_unreadable: int
    """Rows that could not be read at all."""

    joined_by: Mapping[str, int]
    """Joined rows by what told the item: id, text, row."""

    is_about: NDArray[np.bool_]
    """(n_rows,): rows that belong to an item, with a score or without."""

    answers: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    """By model and position of the item: what it answered, where the files tell."""

    problems: tuple[ResultProblem, ...] = field(default=())
    """Each of the above, in order; the first ten thousand."""

    notes: tuple[str, ...] = field(default=())
    """What was odd about the files."""

    @property
    def n_items(self) -> int:
        """Count the items that at least one model has a score for."""
        if not self.scores:
            return 0
        return int((~np.isnan(np.stack(list(self.scores.values())))).any(axis=0).sum())


def load_results(
    paths: Iterable[str | Path], benchmark: Benchmark, *, metrics: Sequence[str] = ()
) -> JoinedResults:
    """Read files of results and line them up with a benchmark; `MODEL=FILE` names the model."""
    return join_results(read_results(*paths, metrics=metrics), benchmark, metrics=metrics)


def read_results(
    *paths: str | Path, model: str | None = None, metrics: Sequence[str] = ()
) -> ResultSet:
    """Read files and folders of results, whatever their form; `MODEL=FILE` names the model."""
    sets = []
    for given in paths:
        name, path = (model, Path(given)) if model else _split_name(given)
        sets.append(_read_one(expanded(path), name, metrics))
    return ResultSet.together(sets)


def join_results(
    results: ResultSet, benchmark: Benchmark, *, metrics: Sequence[str] = ()
) -> JoinedResults:
    """Line results up with items: by id, else by text, else by row."""
    index = ItemIndex(benchmark)
    matches = [index.find(row) for row in results.rows]
    joining = _Joining(results, matches, benchmark)
    for name in dict.fromkeys(row.model for row in results.rows):
        joining.add_model(name, metrics)
    return joining.finish()


def _split_name(given: str | Path) -> tuple[str | None, Path]:
    name, sign, path = str(given).partition("=")
    if not sign or not name or not path or is_there(given):
        return None, Path(given)
    return name, Path(path)


def _read_one(path: Path, model: str | None, metrics: Sequence[str]) -> ResultSet:
    from benchdesign.formats.helm import is_helm_stats, read_helm
    from benchdesign.formats.inspect_logs import is_inspect_log, read_inspect_log
    from benchdesign.formats.lm_eval import is_lm_eval_samples, read_lm_eval
    from benchdesign.formats.result_tables import read_table

    if is_folder(path):
        return _read_folder(path, model, metrics)
    if is_helm_stats(path):
        return read_helm(path, model=model)
    if is_inspect_log(path):
        return read_inspect_log(path, model=model)
    if is_lm_eval_samples(path):
        return read_lm_eval(path, model=model)
    if path.name.startswith("results_") and path.suffix == ".json":
        raise FormatError(
            f"{path}: averages only. Give the folder with its samples_*.jsonl, or run lm-eval "
            "again with --log_samples."
        )
    return read_table(path, model=model, metrics=metrics)


def _read_folder(folder: Path, model: str | None, metrics: Sequence[str]) -> ResultSet:
    """Read every log in a folder and below; without any, the folder is a table."""
    from benchdesign.formats.helm import is_helm_stats, read_helm
    from benchdesign.formats.inspect_logs import is_inspect_log, read_inspect_log
    from benchdesign.formats.lm_eval import latest_samples, read_lm_eval
    from benchdesign.formats.result_tables import read_table

    files = sorted(one for one in folder.rglob("*") if one.is_file())
    newest, notes = latest_samples([one for one in files if one.name.startswith("samples_")])
    sets = [ResultSet((), notes=notes), *(read_lm_eval(one, model=model) for one in newest)]
    sets += [read_helm(one, model=model) for one in files if is_helm_stats(one)]
    for one in files:
        if one.suffix.lower() in {".eval", ".json"} and is_inspect_log(one):
            sets.append(read_inspect_log(one, model=model))
    if len(sets) == 1:
        return read_table(folder, model=model, metrics=metrics)
    return ResultSet.together(sets)


class _Joining:
    """Results of one model after the other, with everything that is odd counted."""

    def __init__(self, results: ResultSet, matches: Sequence[Match], benchmark: Benchmark) -> None:
        self._results = results
        self._matches = matches
        self._benchmark = benchmark
        self._scores: dict[str, NDArray[np.float64]] = {}
        self._metrics: dict[str, str] = {}
        self._answers: dict[str, dict[int, str]] = {}
        self._counts: Counter[str] = Counter()
        self._joined_by: Counter[str] = Counter()
        self._problems = [ResultProblem("unreadable", one) for one in results.unreadable]
        self._counts["unreadable"] = len(results.unreadable)

    def add_model(self, model: str, wanted: Sequence[str]) -> None:
        """Join the rows of one model by one of its scores."""
        pairs = [
            (row, match)
            for row, match in zip(self._results.rows, self._matches, strict=True)
            if row.model == model
        ]
        about = [row for row, match in pairs if match.place is not None]
        metric = _choose_metric(model, about, wanted)
        found: dict[int, dict[str, list[tuple[float, str]]]] = {}
        for row, match in pairs:
            if metric is not None and row.scores and metric not in row.scores:
                continue
            self._counts["row"] += 1
            # Rows of other benchmarks may hold anything; what counts is what was asked for.
            value = float("nan")
            if metric is not None and metric in row.scores:
                value = read_score(row.scores[metric], row.place, metric)
            if match.place is None:
                self._tell("ambiguous" if match.is_ambiguous else "unmatched", row, match.problem)
                continue
            if match.problem:
                self._tell("disagreeing", row, match.problem)
            if np.isnan(value):
                self._tell("missing", row, row.failure or "no score")
                continue
            self._joined_by[match.by] += 1
            if row.answer:
                self._answers.setdefault(model, {}).setdefault(match.place, row.answer)
            found.setdefault(match.place, {}).setdefault(row.repeat, []).append((value, row.place))
        if found:
            self._scores[model] = self._average(model, found)
            self._metrics[model] = metric or ""

    def _average(
        self, model: str, found: Mapping[int, Mapping[str, Sequence[tuple[float, str]]]]
    ) -> NDArray[np.float64]:
        values = np.full(len(self._benchmark), np.nan)
        for place, by_repeat in found.items():
            values[place] = np.mean(
                [np.mean([value for value, _ in said]) for said in by_repeat.values()]
            )
            item_id = self._benchmark.items[place].id
            for said in by_repeat.values():
                if len({value for value, _ in said}) > 1:
                    self._counts["conflicting"] += 1
                    where = ", ".join(where for _, where in said[:3])
                    message = f"{model}, item {item_id}: {len(said)} results that differ ({where})"
                    self._problems.append(ResultProblem("conflicting", message))
                else:
                    self._counts["repeated"] += len(said) - 1
                    self._problems += [
                        ResultProblem("repeated", f"{where}: item {item_id} again, the same score")
                        for _, where in said[1:]
                    ]
        return values

    def _tell(self, kind: str, row: ResultRow, problem: str) -> None:
        self._counts[kind] += 1
        self._problems.append(ResultProblem(kind, f"{row.place}: {problem}"))

    def _cut(self) -> tuple[str, ...]:
        n = len(self._problems) - _MOST_PROBLEMS
        return (f"{n:,} more problems are counted and not listed",) if n > 0 else ()

    def finish(self) -> JoinedResults:
        """Return what was joined; results that belong to nothing here are refused."""
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
            is_about=np.fromiter(
                (match.place is not None for match in self._matches), dtype=bool, count=len(rows)
            ),
            answers=self._answers,
            problems=tuple(self._problems[:_MOST_PROBLEMS]),
            notes=(*self._results.notes, *self._cut()),
        )


def _choose_metric(model: str, rows: Sequence[ResultRow], wanted: Sequence[str]) -> str | None:
    """Return the one score to use; None where no row has any."""
    values: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.scores.items():
            values.setdefault(name, []).append(value)
    if not values:
        return None
    # One bad value does not make a score something else: it is refused where it is read.
    usable = [
        name
        for name, said in values.items()
        if 2 * sum(parse_score(one) is not None for one in said) >= len(said)
    ]
    remedy = "Choose one with --metric."
    if wanted:
        names = {name for one in wanted for name in values if _is_called(name, one)}
        if len(names) == 1:
            return names.pop()
        problem = f"no score called {' or '.join(wanted)}" if not names else "several scores asked"
    elif len(values) == 1 or len(usable) == 1:
        return (usable or list(values))[0]
    else:
        problem = "several scores"
    known = ", ".join(sorted(usable or values))
    raise FormatError(f"{rows[0].place}: {model} has {problem}; there are {known}. {remedy}")


def _is_called(name: str, wanted: str) -> bool:
    """Say whether `wanted` names a score: whole, or without its filter."""
    plain = wanted.strip().removesuffix(",none").lower()
    return plain in (name.lower(), name.lower().partition(",")[0])
