"""`models`: where models are weak, from their results on each item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchdesign.benchmarks.results.join import join_results
from benchdesign.benchmarks.results.read_results import read_results
from benchdesign.cli.actions.models_json import mean_figures, study_figures
from benchdesign.cli.actions.models_tables import print_across, print_joined, print_study
from benchdesign.cli.actions.set_figures import map_sets
from benchdesign.cli.options import ReportOptions, ResultsOptions
from benchdesign.cli.output import Messages, print_json, print_lines
from benchdesign.errors import UsageError
from benchdesign.foundation.text import display
from benchdesign.model_gaps.scores import MIN_ITEMS_FOR_SHARES
from benchdesign.model_gaps.study import study_models
from benchdesign.pipeline.measure_sets import Measured, distinct_names
from benchdesign.report.collect_models import MODEL_FILES, collect_study, write_models_report
from benchdesign.report.models_data import ModelsReport
from benchdesign.report.report_files import check_report_folder
from benchdesign.version import __version__
from benchdesign.workspace.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.benchmarks.results.join import JoinedResults
    from benchdesign.benchmarks.results.rows import ResultSet
    from benchdesign.model_gaps.study import ModelStudy

__all__ = ["ModelsRequest", "models_job"]

_MAX_PROBLEMS = 5


@dataclass(frozen=True, slots=True)
class ModelsRequest:
    """The benchmarks, the results and the output of `models`."""

    benchmarks: Sequence[str]
    results: ResultsOptions
    settings: Settings
    report: ReportOptions
    top: int = 10

    @property
    def metrics(self) -> Sequence[str]:
        """Scores to use if logs have several."""
        return self.results.metric or ()


@dataclass(frozen=True, slots=True, eq=False)
class _Studied:
    name: str
    benchmark: Benchmark
    joined: JoinedResults
    study: ModelStudy

    def figures(self) -> dict[str, Any]:
        """Return the figures of the study, ready for JSON."""
        return study_figures(self.benchmark, self.joined, self.study)


def models_job(request: ModelsRequest) -> None:
    """Join results to the benchmarks, measure every model, and print what is weak."""
    report, output = request.report, request.report.output
    messages = Messages(quiet=output.quiet)
    # Wrong paths raise before anything is mapped.
    if report.report is not None:
        check_report_folder(report.report, MODEL_FILES, force=report.force)
    results = read_results(*request.results.results, metrics=request.metrics)
    measured = map_sets(request.benchmarks, None, request.settings, messages)
    for benchmark in measured.benchmarks:
        messages.say_findings(benchmark.findings, rest="listed by `benchdesign check`")
    studied = list(_study_all(measured, results, request, messages))
    across: dict[str, Any] = {}
    if len(studied) > 1:
        across = mean_figures([(part.name, part.study) for part in studied])
    if output.as_json or report.report is not None:
        parts = [part.figures() for part in studied]
        figures = {"benchmarks": parts, "across": across} if across else parts[0]
        figures |= {"dictionary": measured.dictionary.name, "seed": request.settings.seed}
        if report.report is not None:
            for path in _write_report(report.report, request, studied, across, figures):
                messages.say(f"wrote {display(str(path))}")
        if output.as_json:
            print_json(figures)
            return
    _print_tables(studied, across, top=request.top)


def _print_tables(studied: Sequence[_Studied], across: Mapping[str, Any], *, top: int) -> None:
    for part in studied:
        if across:
            print_lines(f"== {display(part.name)} ==")
        print_joined(part.joined)
        print_study(part.study, part.benchmark.items, top=top)
        if across:
            print_lines("")
    if across:
        print_across(across, [part.name for part in studied], top=top)


def _write_report(
    folder: Path,
    request: ModelsRequest,
    studied: Sequence[_Studied],
    across: Mapping[str, Any],
    figures: Mapping[str, Any],
) -> tuple[Path, ...]:
    settings = studied[0].study.settings
    report = ModelsReport(
        title=" and ".join(part.name for part in studied),
        parts=tuple(
            collect_study(part.name, part.benchmark, part.joined, part.study, place=place)
            for place, part in enumerate(studied, 1)
        ),
        across=across,
        dictionary=str(figures["dictionary"]),
        seed=request.settings.seed,
        version=__version__,
        fdr=settings.fdr,
        poor=settings.poor,
        very_poor=settings.very_poor,
        level=settings.level,
        min_items=settings.min_items,
        n_bootstrap=settings.n_bootstrap,
        few=MIN_ITEMS_FOR_SHARES,
    )
    return write_models_report(folder, report, figures, force=request.report.force)


def _study_all(
    measured: Measured, results: ResultSet, request: ModelsRequest, messages: Messages
) -> Iterator[_Studied]:
    areas = measured.areas()
    n_matches = np.zeros(len(results.rows), dtype=np.int64)
    names = distinct_names(measured.benchmarks)
    for name, benchmark, concept_map in zip(names, measured.benchmarks, measured.maps, strict=True):
        joined = join_results(results, benchmark, metrics=request.metrics)
        n_matches += joined.is_matched
        _print_problems(joined, messages, is_only=len(names) == 1)
        messages.say(f"measuring models on {display(name)}")
        study = study_models(
            concept_map,
            joined.scores,
            measured.dictionary,
            rng=np.random.default_rng(request.settings.seed),
            areas=areas,
            metrics=joined.metrics,
            answers=joined.answers,
            pairs=_parse_pairs(request.results.compare or (), joined.scores) or None,
        )
        yield _Studied(name, benchmark, joined, study)
    if len(names) > 1:
        n_unmatched, n_repeated = int((n_matches == 0).sum()), int((n_matches > 1).sum())
        if n_unmatched:
            messages.say(f"note: {n_unmatched:,} results match none of the benchmarks")
        if n_repeated:
            messages.say(
                f"note: {n_repeated:,} results match items of several benchmarks and count in each"
            )


def _print_problems(joined: JoinedResults, messages: Messages, *, is_only: bool) -> None:
    """Print notes and problems; with several benchmarks a row should match only one of them."""
    for note in joined.notes:
        messages.say(f"note: {display(note)}")
    problems = [problem for problem in joined.problems if is_only or problem.kind != "unmatched"]
    for problem in problems[:_MAX_PROBLEMS]:
        messages.say(f"note: {display(problem.message)}")
    if len(problems) > _MAX_PROBLEMS:
        messages.say(f"note: {len(problems) - _MAX_PROBLEMS:,} more such rows; --json lists them")


def _parse_pairs(texts: Sequence[str], scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        # Names may contain commas, so every comma is tried as the separator.
        commas = [at for at, letter in enumerate(text) if letter == ","]
        splits = [(text[:at].strip(), text[at + 1 :].strip()) for at in commas]
        matches = [(a, b) for a, b in splits if a in scores and b in scores]
        if not matches:
            raise UsageError(
                f"--compare {text}: write it as MODEL,MODEL; known are {', '.join(scores)}."
            )
        pairs.append(matches[0])
    return pairs
