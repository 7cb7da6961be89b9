"""The JSON output of `models`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchdesign.errors import FormatError
from benchdesign.foundation.serialization import to_json
from benchdesign.model_gaps.model_gaps import mean_chi_model
from benchdesign.report.collect_models import join_facts

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark, Item
    from benchdesign.benchmarks.results.join import JoinedResults
    from benchdesign.model_gaps.compare_models import PairedComparison
    from benchdesign.model_gaps.model_gaps import ModelGaps
    from benchdesign.model_gaps.study import Example, ModelStudy
    from benchdesign.model_gaps.weak_regions import WeakRegion

__all__ = ["mean_figures", "study_figures"]

_EXAMPLES = 3


def study_figures(benchmark: Benchmark, joined: JoinedResults, study: ModelStudy) -> dict[str, Any]:
    """Return the figures of the models on one benchmark."""
    items, analysis = benchmark.items, study.items
    return {
        "benchmark": {
            "path": str(benchmark.path),
            "sha256": benchmark.sha256,
            "n_items": len(benchmark),
        },
        "results": join_facts(joined),
        "models": [_model_figures(study, gaps, items) for gaps in study.models],
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


def mean_figures(studies: Sequence[tuple[str, ModelStudy]]) -> dict[str, Any]:
    """Return each model's mean scores over the benchmarks it has results for."""
    models: dict[str, list[tuple[str, ModelGaps]]] = {}
    for name, study in studies:
        for gaps in study.models:
            models.setdefault(gaps.model, []).append((name, gaps))
    if not models:
        raise FormatError("No model has results for any of the benchmarks.")
    return {
        model: {
            "overall": {name: gaps.overall for name, gaps in parts},
            "mean": float(np.mean([gaps.overall for _, gaps in parts])),
            "concepts": _mean_concepts([gaps for _, gaps in parts]),
        }
        for model, parts in models.items()
    }


def _mean_concepts(parts: Sequence[ModelGaps]) -> list[dict[str, Any]]:
    """Return the concepts with enough items, lowest mean score first."""
    tables = [gaps.concepts for gaps in parts]
    means = mean_chi_model(parts)
    n_items = np.sum([table.n_items for table in tables], axis=0)
    n_benchmarks = np.sum([~np.isnan(table.chi_model) for table in tables], axis=0)
    has_enough = n_items >= parts[0].settings.min_items
    units = np.flatnonzero(~np.isnan(means) & has_enough)
    return [
        {
            "concept_id": int(unit),
            "name": tables[0].names[unit],
            "chi_model": float(means[unit]),
            "n_benchmarks": int(n_benchmarks[unit]),
            "n_items": int(n_items[unit]),
        }
        for unit in units[np.argsort(means[units], kind="stable")]
    ]


def _model_figures(study: ModelStudy, gaps: ModelGaps, items: Sequence[Item]) -> dict[str, Any]:
    def area_examples(unit: int) -> dict[str, Any]:
        return _example_figures(study.area_examples(gaps.model, unit, n=_EXAMPLES), items)

    def concept_examples(unit: int) -> dict[str, Any]:
        return _example_figures(study.concept_examples(gaps.model, unit, n=_EXAMPLES), items)

    areas, concepts = gaps.areas, gaps.concepts
    strong_areas = () if areas is None else areas.rows(areas.strong())
    return {
        "model": gaps.model,
        "metric": study.metrics.get(gaps.model, ""),
        "n_items": gaps.n_items,
        "overall": gaps.overall,
        "controls": list(gaps.controls),
        "fdr": gaps.settings.fdr,
        "weak_areas": [
            {
                **to_json(area),
                "examples": area_examples(area.unit),
                "concepts": [
                    {**to_json(concept), "examples": concept_examples(concept.unit)}
                    for concept in inner
                ],
            }
            for area, inner in gaps.profile()
        ],
        "weak_regions": [_region_figures(region, items) for region in gaps.regions],
        "weak_groups": [[to_json(row) for row in group] for group in gaps.other_groups()],
        "strong_areas": [
            {**to_json(row), "examples": area_examples(row.unit)} for row in strong_areas
        ],
        "weak_concepts": [
            {**to_json(row), "examples": concept_examples(row.unit)}
            for row in concepts.rows(concepts.weak())
        ],
        "strong_concepts": [
            {**to_json(row), "examples": concept_examples(row.unit)}
            for row in concepts.rows(concepts.strong())
        ],
        "areas": [] if areas is None else [to_json(row) for row in areas.rows()],
        "concepts": [to_json(row) for row in concepts.rows()],
        "held_out": [to_json(row) for row in gaps.held_out],
    }


def _example_figures(
    sides: tuple[tuple[Example, ...], tuple[Example, ...]], items: Sequence[Item]
) -> dict[str, Any]:
    return {
        side: [{**to_json(example), "item_id": items[example.row].id} for example in examples]
        for side, examples in zip(("missed", "solved"), sides, strict=True)
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
