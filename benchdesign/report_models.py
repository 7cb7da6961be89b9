"""The report on models: where each is weak and what showed it, as a page, Markdown and JSON.

Collects plain values from studies; how they look is the templates' business. Groups of few items
are told by counts, because a share would say more than is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchdesign.highlights import Mark, cut, marks_of
from benchdesign.modelgaps import ModelGaps, PairedComparison, WeakRegion
from benchdesign.modelstudy import Example, ModelStudy
from benchdesign.records import json_text
from benchdesign.report import render_page, render_text
from benchdesign.report_files import refuse_existing, write_together
from benchdesign.report_models_data import (
    AreaLine,
    Dot,
    ItemLine,
    ItemsPart,
    ModelPart,
    ModelsReport,
    NestedRow,
    PairLine,
    PairPart,
    RegionPart,
    Spot,
    StudyPart,
    SuspectLine,
)
from benchdesign.scoring import FEW, ScoreRow, Standing

if TYPE_CHECKING:
    from benchdesign.formats.results import JoinedResults
    from benchdesign.itemanalysis import ItemAnalysis
    from benchdesign.items import Benchmark, Item

__all__ = [
    "MODEL_FILES",
    "ModelsReport",
    "StudyPart",
    "collect_study",
    "joined_facts",
    "write_models_report",
]

_ENOUGH = 30
"""Items from which an area is listed where nothing was found in it."""

_MOST_AREAS = 20
_MOST_DRAWN = 6
_LINE = 400
"""Length of the line on which scores are drawn."""

_MOST_SPOTS = 12
_MOST_NESTED = 6
_MOST_SUSPECTS = 15
_MOST_POWER = 60
_EXAMPLES = 3
_NESTED_EXAMPLES = 1
"""On each side: a narrower place shows its best and its worst item."""

_FOUND = (Standing.VERY_POOR, Standing.POOR, Standing.GOOD, Standing.VERY_GOOD)
MODEL_FILES = ("models.html", "models.md", "models.json")


def write_models_report(
    folder: Path, report: ModelsReport, figures: Mapping[str, Any], *, force: bool = False
) -> tuple[Path, ...]:
    """Write the page, the Markdown and the JSON into a folder; returns their paths."""
    refuse_existing(folder, MODEL_FILES, force=force)
    styles = ("report.css", "models.css")
    texts = (
        render_page("models.html.j2", styles=styles, report=report),
        render_text("models.md.j2", report=report),
        json_text(dict(figures)),
    )
    return write_together(folder, dict(zip(MODEL_FILES, texts, strict=True)))


def collect_study(
    name: str, benchmark: Benchmark, joined: JoinedResults, study: ModelStudy, *, place: int = 1
) -> StudyPart:
    """Collect what the report says of one benchmark."""
    areas = list(_area_lines(study))
    telling = [one for one in areas if one.is_telling]
    power = study.area_power() or study.concept_power()
    return StudyPart(
        key=f"b{place}",
        name=name,
        path=str(benchmark.path),
        n_items=len(benchmark),
        facts=joined_facts(joined),
        models=tuple(
            _model_part(study, one, benchmark.items, number)
            for number, one in enumerate(study.models, 1)
        ),
        areas=tuple(telling[:_MOST_AREAS]),
        small_areas=(
            *telling[_MOST_AREAS:],
            *(one for one in areas if not one.is_telling),
        ),
        pairs=tuple(_pair_part(pair) for pair in study.comparisons),
        items=None if study.items is None else _items_part(study.items, benchmark),
        power=tuple(sorted(power, key=lambda row: row.detectable)[:_MOST_POWER]),
        power_unit="area" if study.area_power() else "concept",
        n_see_10=sum(row.detectable <= 0.10 for row in power),
        n_power=len(power),
    )


def joined_facts(joined: JoinedResults) -> dict[str, Any]:
    """Return how results were lined up with items, as JSON types."""
    from benchdesign.records import plain

    names = ("rows", "joined", "unmatched", "ambiguous", "missing", "repeated", "conflicting")
    return {
        **{f"n_{name}": getattr(joined, f"n_{name}") for name in names},
        "n_disagreeing": joined.n_disagreeing,
        "n_unreadable": joined.n_unreadable,
        "joined_by": dict(joined.joined_by),
        "metrics": dict(joined.metrics),
        "problems": [plain(one) for one in joined.problems],
        "notes": list(joined.notes),
    }


def _model_part(study: ModelStudy, one: ModelGaps, items: Sequence[Item], place: int) -> ModelPart:
    scores = study.scores[one.model]
    known = scores[~np.isnan(scores)]
    # The mean of some hundred scores in [0, 1] is close to normal.
    reach = 1.645 * float(known.std()) / max(len(known), 1) ** 0.5 if len(known) else float("nan")
    held = [row for row in one.held_out if row.p_held_out == row.p_held_out]
    strong_areas = [] if one.areas is None else list(one.areas.rows(one.areas.strong()))
    weak = [_area_spot(study, one, items, row, nested) for row, nested in one.profile()]
    weak += [_group_spot(study, one, items, group) for group in one.other_groups()]
    strong = [_area_spot(study, one, items, row, ()) for row in strong_areas][:_MOST_SPOTS]
    strong_concepts = one.concepts.rows(one.concepts.strong()[:_MOST_SPOTS])
    strong += [_group_spot(study, one, items, (row,)) for row in strong_concepts]
    return ModelPart(
        name=one.model,
        place=place,
        metric=study.metrics.get(one.model, ""),
        overall=one.overall,
        low=max(one.overall - reach, 0.0),
        high=min(one.overall + reach, 1.0),
        n_items=one.n_items,
        controls=one.controls,
        n_weak_areas=0 if one.areas is None else len(one.areas.weak()),
        n_strong_areas=len(strong_areas),
        regions=tuple(
            _region_part(study, one, items, region, n=_EXAMPLES)
            for region in one.regions[:_MOST_SPOTS]
        ),
        weak=tuple(weak[:_MOST_SPOTS]),
        strong=tuple(strong),
        held_out=tuple(held[:_MOST_SPOTS]),
        found=float(np.mean([row.gap_found for row in held])) if held else float("nan"),
        held=float(np.mean([row.gap_held_out for row in held])) if held else float("nan"),
    )


def _area_spot(
    study: ModelStudy,
    one: ModelGaps,
    items: Sequence[Item],
    row: ScoreRow,
    nested: Sequence[ScoreRow],
) -> Spot:
    sides = study.area_examples(one.model, row.unit, n=_EXAMPLES)
    members = () if one.area_of is None else np.flatnonzero(one.area_of == row.unit).tolist()
    missed, solved = (tuple(_lines(study, items, side, members)) for side in sides)
    more = max(len(nested) - _MOST_NESTED, 0)
    return Spot(row, True, _nested(study, one, items, nested), more, missed, solved)


def _group_spot(
    study: ModelStudy, one: ModelGaps, items: Sequence[Item], group: Sequence[ScoreRow]
) -> Spot:
    head, *others = group
    missed, solved = _concept_lines(study, one, items, head.unit, n=_EXAMPLES)
    more = max(len(others) - _MOST_NESTED, 0)
    return Spot(head, False, _nested(study, one, items, others), more, missed, solved)


def _nested(
    study: ModelStudy, one: ModelGaps, items: Sequence[Item], rows: Sequence[ScoreRow]
) -> tuple[NestedRow, ...]:
    return tuple(
        NestedRow(row, *_concept_lines(study, one, items, row.unit, n=_NESTED_EXAMPLES))
        for row in rows[:_MOST_NESTED]
    )


def _concept_lines(
    study: ModelStudy, one: ModelGaps, items: Sequence[Item], concept_id: int, *, n: int
) -> tuple[tuple[ItemLine, ...], tuple[ItemLine, ...]]:
    missed, solved = study.concept_examples(one.model, concept_id, n=n)
    return (
        tuple(_lines(study, items, missed, [concept_id])),
        tuple(_lines(study, items, solved, [concept_id])),
    )


def _region_part(
    study: ModelStudy, one: ModelGaps, items: Sequence[Item], region: WeakRegion, *, n: int
) -> RegionPart:
    sides = study.region_examples(one.model, region, n=n)
    missed, solved = (tuple(_lines(study, items, side, region.concept_ids)) for side in sides)
    return RegionPart(
        region.name,
        region.score,
        region.n_passed,
        region.n_items,
        region.gap,
        region.p_value,
        tuple(study.dictionary.label(concept) for concept in region.concept_ids),
        tuple(_region_part(study, one, items, part, n=_NESTED_EXAMPLES) for part in region.parts),
        missed,
        solved,
    )


def _lines(
    study: ModelStudy, items: Sequence[Item], examples: Sequence[Example], members: Sequence[int]
) -> Iterator[ItemLine]:
    """Show items with the place where the strongest of some concepts peaks."""
    shown = study.concept_map
    for one in examples:
        part = slice(int(shown.indptr[one.row]), int(shown.indptr[one.row + 1]))
        here = np.flatnonzero(np.isin(shown.indices[part], members))
        marks: tuple[Mark, ...] = ()
        if len(here):
            strongest = here[np.argsort(-shown.saliency[part][here], kind="stable")[:3]]
            marks = tuple(
                mark
                for place in strongest
                for mark in marks_of(
                    (), shown, row=one.row, concept_id=int(shown.indices[part][place])
                )
                # A theme peaks in a whole passage, which points at nothing.
                if 2 * (mark.end - mark.start) < len(items[one.row].text)
            )
        item = items[one.row]
        yield ItemLine(item.id, cut(item.text, marks, limit=300), one.strength, one.score)


def _area_lines(study: ModelStudy) -> Iterator[AreaLine]:
    """Return the areas with results, that in which some model is weakest first."""
    tables = [one.areas for one in study.models if one.areas is not None]
    if len(tables) < len(study.models) or not tables:
        return
    # An area that most items are about is no topic of theirs.
    most = 0.5 * max(one.n_items for one in study.models)
    lines = []
    for unit in range(len(tables[0])):
        rows = tuple(table.row(unit) if table.n_items[unit] else None for table in tables)
        n_items = max((row.n_items for row in rows if row is not None), default=0)
        if not n_items:
            continue
        drawn = [(place, row) for place, row in enumerate(rows[:_MOST_DRAWN], 1) if row is not None]
        dots = tuple(
            Dot(
                place,
                round(_LINE * row.chi_model, 1),
                round(_LINE * row.low, 1),
                round(_LINE * row.high, 1),
                9.0 + 13.0 * number,
            )
            for number, (place, row) in enumerate(drawn)
            if row.n_items >= FEW
        )
        gaps = [row.gap for row in rows if row is not None and row.standing != Standing.TOO_FEW]
        height = 18 + 13 * (max(len(drawn), 1) - 1)
        worst = min(gaps, default=float("nan"))
        is_found = any(row is not None and row.standing in _FOUND for row in rows)
        is_telling = is_found or (_ENOUGH <= n_items <= most)
        name = tables[0].names[unit]
        lines.append(AreaLine(name, n_items, rows, dots, height, worst, is_telling))
    lines.sort(key=lambda one: np.nan_to_num(one.worst, nan=9.0))
    yield from lines


def _pair_part(pair: PairedComparison) -> PairPart:
    found: list[PairLine] = []
    for kind, table in (("area", pair.areas), ("concept", pair.concepts)):
        if table is None:
            continue
        units = [*table.strong()[:_MOST_NESTED], *table.weak()[:_MOST_NESTED]]
        for row in table.rows(np.asarray(units, dtype=np.int64)):
            better = pair.model_a if row.gap > 0 else pair.model_b
            size = round(500 * min(abs(row.gap), 1.0), 1)
            bar = (500.0 if row.gap > 0 else 500.0 - size, size)
            found.append(PairLine(row, kind, better, bar))
    return PairPart(pair.model_a, pair.model_b, pair.n_items, pair.overall, tuple(found))


def _items_part(analysis: ItemAnalysis, benchmark: Benchmark) -> ItemsPart:
    known = analysis.n_models > 0
    full = analysis.n_models == len(analysis.models)
    counts = np.bincount(analysis.n_passed[full], minlength=len(analysis.models) + 1)
    top = max(int(counts.max(initial=0)), 1)
    measured = analysis.discrimination[~np.isnan(analysis.discrimination)]
    suspects = list(analysis.suspects())
    n_known = int(known.sum())
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
            for row in suspects[:_MOST_SUSPECTS]
        ),
        knows_answers=bool(analysis.agreed),
    )
