"""The report on models: where each is weak, with evidence, as HTML, Markdown and JSON.

This module collects data from studies; the templates decide how it looks. Small groups of items
are reported by counts, because a share would suggest more precision than there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchdesign.concepts.maps.highlights import TextMark, cut, find_marks
from benchdesign.foundation.serialization import json_text, to_json
from benchdesign.model_gaps.compare_models import PairedComparison
from benchdesign.model_gaps.model_gaps import ModelGaps
from benchdesign.model_gaps.scores import MIN_ITEMS_FOR_SHARES, Rating, ScoreRow
from benchdesign.model_gaps.study import Example, ModelStudy
from benchdesign.model_gaps.weak_regions import WeakRegion
from benchdesign.report.models_data import (
    Dot,
    ItemLine,
    ItemsPart,
    ModelAreaLine,
    ModelPairLine,
    ModelPart,
    ModelsReport,
    NestedRow,
    PairPart,
    RegionPart,
    StudyPart,
    SuspectLine,
    WeakSpot,
)
from benchdesign.report.render import render_page, render_text
from benchdesign.report.report_files import check_report_folder, write_report_files

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark, Item
    from benchdesign.benchmarks.results.join import JoinedResults
    from benchdesign.model_gaps.item_analysis import ItemAnalysis

__all__ = [
    "MODEL_FILES",
    "ModelsReport",
    "StudyPart",
    "collect_study",
    "join_facts",
    "write_models_report",
]

_MIN_LISTED_ITEMS = 30
"""Fewest items for listing an area without findings."""

_MAX_LISTED_AREAS = 20
_MAX_DRAWN_MODELS = 6
_AXIS_WIDTH = 400
"""Width of the axis on which scores are drawn."""

_MAX_SPOTS = 12
_MAX_NESTED_CONCEPTS = 6
_MAX_SUSPECTS = 15
_MAX_POWER_ROWS = 60
_N_EXAMPLES = 3
_N_NESTED_EXAMPLES = 1
"""Examples of each kind: a nested concept shows its best and its worst item."""

_FINDING_STANDINGS = (Rating.VERY_POOR, Rating.POOR, Rating.GOOD, Rating.VERY_GOOD)
MODEL_FILES = ("models.html", "models.md", "models.json")


def write_models_report(
    folder: Path, report: ModelsReport, figures: Mapping[str, Any], *, force: bool = False
) -> tuple[Path, ...]:
    """Write the HTML, Markdown and JSON files into a folder and return their paths."""
    check_report_folder(folder, MODEL_FILES, force=force)
    styles = ("report.css", "models.css")
    texts = (
        render_page("models.html.j2", styles=styles, report=report),
        render_text("models.md.j2", report=report),
        json_text(dict(figures)),
    )
    return write_report_files(folder, dict(zip(MODEL_FILES, texts, strict=True)))


def collect_study(
    name: str, benchmark: Benchmark, joined: JoinedResults, study: ModelStudy, *, place: int = 1
) -> StudyPart:
    """Collect the part of the report on one benchmark."""
    areas = list(_area_lines(study))
    telling = [area for area in areas if area.is_telling]
    power = study.area_power() or study.concept_power()
    return StudyPart(
        key=f"b{place}",
        name=name,
        path=str(benchmark.path),
        n_items=len(benchmark),
        facts=join_facts(joined),
        models=tuple(
            _model_part(study, model_gaps, benchmark.items, number)
            for number, model_gaps in enumerate(study.models, 1)
        ),
        areas=tuple(telling[:_MAX_LISTED_AREAS]),
        small_areas=(
            *telling[_MAX_LISTED_AREAS:],
            *(area for area in areas if not area.is_telling),
        ),
        pairs=tuple(_pair_part(pair) for pair in study.comparisons),
        items=None if study.items is None else _items_part(study.items, benchmark),
        power=tuple(sorted(power, key=lambda row: row.detectable)[:_MAX_POWER_ROWS]),
        power_unit="area" if study.area_power() else "concept",
        n_see_10=sum(row.detectable <= 0.10 for row in power),
        n_power=len(power),
    )


def join_facts(joined: JoinedResults) -> dict[str, Any]:
    """Return how results were joined to items, as JSON types."""
    names = ("rows", "joined", "unmatched", "ambiguous", "missing", "repeated", "conflicting")
    return {
        **{f"n_{name}": getattr(joined, f"n_{name}") for name in names},
        "n_disagreeing": joined.n_disagreeing,
        "n_unreadable": joined.n_unreadable,
        "joined_by": dict(joined.joined_by),
        "metrics": dict(joined.metrics),
        "problems": [to_json(problem) for problem in joined.problems],
        "notes": list(joined.notes),
    }


def _model_part(
    study: ModelStudy, model_gaps: ModelGaps, items: Sequence[Item], place: int
) -> ModelPart:
    scores = study.scores[model_gaps.model]
    known_scores = scores[~np.isnan(scores)]
    # The mean of a few hundred scores in [0, 1] is close to normal.
    half_width = (
        1.645 * float(known_scores.std()) / max(len(known_scores), 1) ** 0.5
        if len(known_scores)
        else float("nan")
    )
    held_out = [row for row in model_gaps.held_out if row.p_held_out == row.p_held_out]
    strong_areas = (
        [] if model_gaps.areas is None else list(model_gaps.areas.rows(model_gaps.areas.strong()))
    )
    weak = [
        _area_spot(study, model_gaps, items, row, nested) for row, nested in model_gaps.profile()
    ]
    weak += [_group_spot(study, model_gaps, items, group) for group in model_gaps.other_groups()]
    strong = [_area_spot(study, model_gaps, items, row, ()) for row in strong_areas][:_MAX_SPOTS]
    strong_concepts = model_gaps.concepts.rows(model_gaps.concepts.strong()[:_MAX_SPOTS])
    strong += [_group_spot(study, model_gaps, items, (row,)) for row in strong_concepts]
    return ModelPart(
        name=model_gaps.model,
        place=place,
        metric=study.metrics.get(model_gaps.model, ""),
        overall=model_gaps.overall,
        low=max(model_gaps.overall - half_width, 0.0),
        high=min(model_gaps.overall + half_width, 1.0),
        n_items=model_gaps.n_items,
        controls=model_gaps.controls,
        n_weak_areas=0 if model_gaps.areas is None else len(model_gaps.areas.weak()),
        n_strong_areas=len(strong_areas),
        regions=tuple(
            _region_part(study, model_gaps, items, region, n=_N_EXAMPLES)
            for region in model_gaps.regions[:_MAX_SPOTS]
        ),
        weak=tuple(weak[:_MAX_SPOTS]),
        strong=tuple(strong),
        held_out=tuple(held_out[:_MAX_SPOTS]),
        found=float(np.mean([row.gap_found for row in held_out])) if held_out else float("nan"),
        held=float(np.mean([row.gap_held_out for row in held_out])) if held_out else float("nan"),
    )


def _area_spot(
    study: ModelStudy,
    model_gaps: ModelGaps,
    items: Sequence[Item],
    row: ScoreRow,
    nested: Sequence[ScoreRow],
) -> WeakSpot:
    examples = study.area_examples(model_gaps.model, row.unit, n=_N_EXAMPLES)
    members = (
        ()
        if model_gaps.area_of is None
        else np.flatnonzero(model_gaps.area_of == row.unit).tolist()
    )
    missed, solved = (tuple(_lines(study, items, group, members)) for group in examples)
    n_more = max(len(nested) - _MAX_NESTED_CONCEPTS, 0)
    return WeakSpot(row, True, _nested(study, model_gaps, items, nested), n_more, missed, solved)


def _group_spot(
    study: ModelStudy, model_gaps: ModelGaps, items: Sequence[Item], group: Sequence[ScoreRow]
) -> WeakSpot:
    head, *others = group
    missed, solved = _concept_lines(study, model_gaps, items, head.unit, n=_N_EXAMPLES)
    n_more = max(len(others) - _MAX_NESTED_CONCEPTS, 0)
    return WeakSpot(head, False, _nested(study, model_gaps, items, others), n_more, missed, solved)


def _nested(
    study: ModelStudy, model_gaps: ModelGaps, items: Sequence[Item], rows: Sequence[ScoreRow]
) -> tuple[NestedRow, ...]:
    return tuple(
        NestedRow(row, *_concept_lines(study, model_gaps, items, row.unit, n=_N_NESTED_EXAMPLES))
        for row in rows[:_MAX_NESTED_CONCEPTS]
    )


def _concept_lines(
    study: ModelStudy, model_gaps: ModelGaps, items: Sequence[Item], concept_id: int, *, n: int
) -> tuple[tuple[ItemLine, ...], tuple[ItemLine, ...]]:
    missed, solved = study.concept_examples(model_gaps.model, concept_id, n=n)
    return (
        tuple(_lines(study, items, missed, [concept_id])),
        tuple(_lines(study, items, solved, [concept_id])),
    )


def _region_part(
    study: ModelStudy, model_gaps: ModelGaps, items: Sequence[Item], region: WeakRegion, *, n: int
) -> RegionPart:
    examples = study.region_examples(model_gaps.model, region, n=n)
    missed, solved = (tuple(_lines(study, items, group, region.concept_ids)) for group in examples)
    return RegionPart(
        region.name,
        region.score,
        region.n_passed,
        region.n_items,
        region.gap,
        region.p_value,
        tuple(study.dictionary.label(concept) for concept in region.concept_ids),
        tuple(
            _region_part(study, model_gaps, items, part, n=_N_NESTED_EXAMPLES)
            for part in region.parts
        ),
        missed,
        solved,
    )


def _lines(
    study: ModelStudy, items: Sequence[Item], examples: Sequence[Example], members: Sequence[int]
) -> Iterator[ItemLine]:
    """Yield items, marked where the strongest of the concepts `members` peaks."""
    concept_map = study.concept_map
    for example in examples:
        entries = slice(
            int(concept_map.indptr[example.row]), int(concept_map.indptr[example.row + 1])
        )
        present = np.flatnonzero(np.isin(concept_map.indices[entries], members))
        marks: tuple[TextMark, ...] = ()
        if len(present):
            strongest = present[
                np.argsort(-concept_map.saliency[entries][present], kind="stable")[:3]
            ]
            marks = tuple(
                mark
                for place in strongest
                for mark in find_marks(
                    (),
                    concept_map,
                    row=example.row,
                    concept_id=int(concept_map.indices[entries][place]),
                )
                # A theme peaks over a whole passage; marking most of the text points at nothing.
                if 2 * (mark.end - mark.start) < len(items[example.row].text)
            )
        item = items[example.row]
        yield ItemLine(item.id, cut(item.text, marks, limit=300), example.strength, example.score)


def _area_lines(study: ModelStudy) -> Iterator[ModelAreaLine]:
    """Yield the areas with results, those with the lowest gap of any model first."""
    tables = [model_gaps.areas for model_gaps in study.models if model_gaps.areas is not None]
    if len(tables) < len(study.models) or not tables:
        return
    # An area that covers most items does not tell them apart.
    most = 0.5 * max(model_gaps.n_items for model_gaps in study.models)
    lines = []
    for unit in range(len(tables[0])):
        rows = tuple(table.row(unit) if table.n_items[unit] else None for table in tables)
        n_items = max((row.n_items for row in rows if row is not None), default=0)
        if not n_items:
            continue
        drawn = [
            (place, row) for place, row in enumerate(rows[:_MAX_DRAWN_MODELS], 1) if row is not None
        ]
        dots = tuple(
            Dot(
                place,
                round(_AXIS_WIDTH * row.chi_model, 1),
                round(_AXIS_WIDTH * row.low, 1),
                round(_AXIS_WIDTH * row.high, 1),
                9.0 + 13.0 * number,
            )
            for number, (place, row) in enumerate(drawn)
            if row.n_items >= MIN_ITEMS_FOR_SHARES
        )
        gaps = [row.gap for row in rows if row is not None and row.standing != Rating.TOO_FEW]
        height = 18 + 13 * (max(len(drawn), 1) - 1)
        worst = min(gaps, default=float("nan"))
        has_finding = any(row is not None and row.standing in _FINDING_STANDINGS for row in rows)
        is_telling = has_finding or (_MIN_LISTED_ITEMS <= n_items <= most)
        name = tables[0].names[unit]
        lines.append(ModelAreaLine(name, n_items, rows, dots, height, worst, is_telling))
    lines.sort(key=lambda line: np.nan_to_num(line.worst, nan=9.0))
    yield from lines


def _pair_part(pair: PairedComparison) -> PairPart:
    lines: list[ModelPairLine] = []
    for kind, table in (("area", pair.areas), ("concept", pair.concepts)):
        if table is None:
            continue
        units = [*table.strong()[:_MAX_NESTED_CONCEPTS], *table.weak()[:_MAX_NESTED_CONCEPTS]]
        for row in table.rows(np.asarray(units, dtype=np.int64)):
            better = pair.model_a if row.gap > 0 else pair.model_b
            size = round(500 * min(abs(row.gap), 1.0), 1)
            bar = (500.0 if row.gap > 0 else 500.0 - size, size)
            lines.append(ModelPairLine(row, kind, better, bar))
    return PairPart(pair.model_a, pair.model_b, pair.n_items, pair.overall, tuple(lines))


def _items_part(analysis: ItemAnalysis, benchmark: Benchmark) -> ItemsPart:
    has_results = analysis.n_models > 0
    complete = analysis.n_models == len(analysis.models)
    counts = np.bincount(analysis.n_passed[complete], minlength=len(analysis.models) + 1)
    top = max(int(counts.max(initial=0)), 1)
    measured = analysis.discrimination[~np.isnan(analysis.discrimination)]
    suspects = list(analysis.suspects())
    n_known = int(has_results.sum())
    return ItemsPart(
        n_models=len(analysis.models),
        n_items=n_known,
        n_all_miss=int(analysis.all_miss.sum()),
        n_all_pass=int(analysis.all_pass.sum()),
        share_uninformative=float(analysis.uninformative.sum()) / max(n_known, 1),
        solved_by=tuple(
            (models, int(n), round(100 * int(n) / top, 1)) for models, n in enumerate(counts)
        ),
        n_negative=int((measured < 0).sum()) if len(measured) else -1,
        n_suspects=len(suspects),
        n_expected=analysis.expected_suspects,
        suspects=tuple(
            SuspectLine(
                (item := benchmark.items[row.row]).id,
                item.prompt,
                item.answer or "",
                row.n_passed,
                row.n_models,
                row.surprise,
                row.agreed,
            )
            for row in suspects[:_MAX_SUSPECTS]
        ),
        knows_answers=bool(analysis.agreed),
    )
