"""`models`: where models are weak, from their results on each item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchdesign.benchmarks.results.join import join_results
from benchdesign.benchmarks.results.read import read_results
from benchdesign.cli.actions.models_tables import print_across, print_joined, print_study
from benchdesign.cli.output import Messages, print_json, print_lines
from benchdesign.errors import FormatError, UsageError
from benchdesign.foundation.serialization import to_json
from benchdesign.foundation.text import display
from benchdesign.model_gaps.model_gaps import mean_chi_model
from benchdesign.model_gaps.scores import MIN_ITEMS_FOR_SHARES
from benchdesign.model_gaps.study import study_models
from benchdesign.pipeline.measure_sets import Measured, distinct_names, measure
from benchdesign.report.collect_models import (
    MODEL_FILES,
    collect_study,
    join_facts,
    write_models_report,
)
from benchdesign.report.models_data import ModelsReport
from benchdesign.report.report_files import check_report_folder
from benchdesign.version import __version__
from benchdesign.workspace.settings import Settings

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark, Item
    from benchdesign.benchmarks.results.join import JoinedResults
    from benchdesign.benchmarks.results.rows import ResultSet
    from benchdesign.model_gaps.compare_models import PairedComparison
    from benchdesign.model_gaps.model_gaps import ModelGaps
    from benchdesign.model_gaps.study import Example, ModelStudy
    from benchdesign.model_gaps.weak_regions import WeakRegion

__all__ = ["ModelsRequest", "models_job"]

_MOST_TOLD = 5
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class ModelsRequest:
    """What `models` was asked for."""

    benchmarks: Sequence[str]
    results: Sequence[str]
    settings: Settings
    metrics: Sequence[str] = ()
    compare: Sequence[str] = ()
    """Pairs as `A,B`."""

    top: int = 10
    report: Path | None = None
    """Folder for the report."""

    force: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Studied:
    name: str
    benchmark: Benchmark
    joined: JoinedResults
    study: ModelStudy


def models_job(request: ModelsRequest, *, as_json: bool, quiet: bool) -> None:
    """Join results to the benchmarks, measure every model, print what is weak and what is known."""
    talk = Messages(quiet=quiet)
    # Before anything is mapped: a wrong path is told at once.
    if request.report is not None:
        check_report_folder(request.report, MODEL_FILES, force=request.force)
    results = read_results(*request.results, metrics=request.metrics)
    measured = measure(request.benchmarks, None, request.settings, talk=talk)
    for read in measured.benchmarks:
        talk.say_findings(read.findings, rest="told by `benchdesign check`")
    studied = list(_study_all(measured, results, request, talk))
    across = _across(studied) if len(studied) > 1 else {}
    figures: dict[str, Any] = {}
    if as_json or request.report is not None:
        each = [_figures(one) for one in studied]
        figures = {"benchmarks": each, "across": across} if across else each[0]
        figures |= {"dictionary": measured.dictionary.name, "seed": request.settings.seed}
    if request.report is not None:
        for path in _write_report(request, studied, across, figures):
            talk.say(f"wrote {display(str(path))}")
    if as_json:
        print_json(figures)
        return
    for one in studied:
        if across:
            print_lines(f"== {display(one.name)} ==")
        print_joined(one.joined)
        print_study(one.study, one.benchmark.items, top=request.top)
        if across:
            print_lines("")
    if across:
        print_across(across, [one.name for one in studied], top=request.top)


def _write_report(
    request: ModelsRequest,
    studied: Sequence[_Studied],
    across: Mapping[str, Any],
    figures: Mapping[str, Any],
) -> tuple[Path, ...]:

    assert request.report is not None
    settings = studied[0].study.settings
    report = ModelsReport(
        title=" and ".join(one.name for one in studied),
        parts=tuple(
            collect_study(one.name, one.benchmark, one.joined, one.study, place=place)
            for place, one in enumerate(studied, 1)
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
    return write_models_report(request.report, report, figures, force=request.force)


def _study_all(
    measured: Measured, results: ResultSet, request: ModelsRequest, talk: Messages
) -> Iterator[_Studied]:

    areas = measured.areas()
    about = np.zeros(len(results.rows), dtype=np.int64)
    names = distinct_names(measured.benchmarks)
    for name, benchmark, concept_map in zip(names, measured.benchmarks, measured.maps, strict=True):
        joined = join_results(results, benchmark, metrics=request.metrics)
        about += joined.is_matched
        _tell(joined, talk, is_only=len(names) == 1)
        talk.say(f"measuring models on {display(name)}")
        study = study_models(
            concept_map,
            joined.scores,
            measured.dictionary,
            rng=np.random.default_rng(request.settings.seed),
            areas=areas,
            metrics=joined.metrics,
            answers=joined.answers,
            pairs=_pairs(request.compare, joined.scores) or None,
        )
        yield _Studied(name, benchmark, joined, study)
    if len(names) > 1:
        lost, doubled = int((about == 0).sum()), int((about > 1).sum())
        if lost:
            talk.say(f"note: {lost:,} results are about none of the benchmarks")
        if doubled:
            talk.say(f"note: {doubled:,} results fit items of several benchmarks and count in each")


def _tell(joined: JoinedResults, talk: Messages, *, is_only: bool) -> None:
    """Say what was odd; with several benchmarks a row is expected to fit only one of them."""
    for note in joined.notes:
        talk.say(f"note: {display(note)}")
    problems = [one for one in joined.problems if is_only or one.kind != "unmatched"]
    for problem in problems[:_MOST_TOLD]:
        talk.say(f"note: {display(problem.message)}")
    if len(problems) > _MOST_TOLD:
        talk.say(f"note: {len(problems) - _MOST_TOLD:,} more such rows; --json lists them")


def _pairs(given: Sequence[str], scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs = []
    for one in given:
        # Names may hold commas themselves, so every place to cut is tried.
        cuts = [at for at, letter in enumerate(one) if letter == ","]
        named = [(one[:at].strip(), one[at + 1 :].strip()) for at in cuts]
        known = [pair for pair in named if pair[0] in scores and pair[1] in scores]
        if not known:
            raise UsageError(
                f"--compare {one}: write it as MODEL,MODEL; known are {', '.join(scores)}."
            )
        pairs.append(known[0])
    return pairs


def _figures(one: _Studied) -> dict[str, Any]:

    study, items = one.study, one.benchmark.items
    analysis = study.items
    return {
        "benchmark": {
            "path": str(one.benchmark.path),
            "sha256": one.benchmark.sha256,
            "n_items": len(one.benchmark),
        },
        "results": join_facts(one.joined),
        "models": [_model_figures(study, model, items) for model in study.models],
        "comparisons": [_comparison_figures(pair) for pair in study.comparisons],
        "items": None
        if analysis is None
        else [{**to_json(analysis.row(row)), "item_id": item.id} for row, item in enumerate(items)],
        "suspects_by_chance": None if analysis is None else analysis.expected_suspects,
        "power": {
            "areas": [to_json(row) for row in study.area_power()],
            "concepts": [to_json(row) for row in study.concept_power()],
        },
    }


def _model_figures(study: ModelStudy, one: ModelGaps, items: Sequence[Any]) -> dict[str, Any]:
    def shown(found: tuple[tuple[Example, ...], tuple[Example, ...]]) -> dict[str, Any]:
        return {
            side: [{**to_json(example), "item_id": items[example.row].id} for example in examples]
            for side, examples in zip(("missed", "solved"), found, strict=True)
        }

    def area(unit: int) -> dict[str, Any]:
        return shown(study.area_examples(one.model, unit, n=_EXAMPLES))

    def concept(unit: int) -> dict[str, Any]:
        return shown(study.concept_examples(one.model, unit, n=_EXAMPLES))

    strong = () if one.areas is None else one.areas.rows(one.areas.strong())
    tables = one.concepts
    return {
        "model": one.model,
        "metric": study.metrics.get(one.model, ""),
        "n_items": one.n_items,
        "overall": one.overall,
        "controls": list(one.controls),
        "fdr": one.settings.fdr,
        "weak_areas": [
            {
                **to_json(row),
                "examples": area(row.unit),
                "concepts": [{**to_json(of), "examples": concept(of.unit)} for of in concepts],
            }
            for row, concepts in one.profile()
        ],
        "weak_regions": [_region_figures(region, items) for region in one.regions],
        "weak_groups": [[to_json(row) for row in group] for group in one.other_groups()],
        "strong_areas": [{**to_json(row), "examples": area(row.unit)} for row in strong],
        "weak_concepts": [
            {**to_json(row), "examples": concept(row.unit)} for row in tables.rows(tables.weak())
        ],
        "strong_concepts": [
            {**to_json(row), "examples": concept(row.unit)} for row in tables.rows(tables.strong())
        ],
        "areas": [] if one.areas is None else [to_json(row) for row in one.areas.rows()],
        "concepts": [to_json(row) for row in tables.rows()],
        "held_out": [to_json(row) for row in one.held_out],
    }


def _region_figures(region: WeakRegion, items: Sequence[Item]) -> dict[str, Any]:
    return {
        **to_json(region),
        "n_items": region.n_items,
        "item_ids": [items[row].id for row in region.rows],
        "parts": [_region_figures(part, items) for part in region.parts],
    }


def _comparison_figures(pair: PairedComparison) -> dict[str, Any]:
    areas = pair.areas
    return {
        "model_a": pair.model_a,
        "model_b": pair.model_b,
        "n_items": pair.n_items,
        "overall": pair.overall,
        "areas": [] if areas is None else [to_json(row) for row in areas.rows()],
        "concepts": [to_json(row) for row in pair.concepts.rows()],
    }


def _across(studied: Sequence[_Studied]) -> dict[str, Any]:
    """Return each model's score over the benchmarks it has results for, concept by concept."""
    models: dict[str, list[tuple[str, ModelGaps]]] = {}
    for one in studied:
        for found in one.study.models:
            models.setdefault(found.model, []).append((one.name, found))
    if not models:
        raise FormatError("No model has results for any of the benchmarks.")
    across = {}
    for model, parts in models.items():
        tables = [found.concepts for _, found in parts]
        joint = mean_chi_model([found for _, found in parts])
        n_items = np.sum([table.n_items for table in tables], axis=0)
        shown = np.sum([~np.isnan(table.chi_model) for table in tables], axis=0)
        enough = n_items >= parts[0][1].settings.min_items
        units = np.flatnonzero(~np.isnan(joint) & enough)
        across[model] = {
            "overall": {name: found.overall for name, found in parts},
            "mean": float(np.mean([found.overall for _, found in parts])),
            "concepts": [
                {
                    "concept_id": int(unit),
                    "name": tables[0].names[unit],
                    "chi_model": float(joint[unit]),
                    "n_benchmarks": int(shown[unit]),
                    "n_items": int(n_items[unit]),
                }
                for unit in units[np.argsort(joint[units], kind="stable")]
            ],
        }
    return across
