"""Detail pages of the lists on the Models screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len
from textual.content import Content

from benchdesign.foundation.number_words import points
from benchdesign.foundation.text import display, fit
from benchdesign.model_gaps.scores import MIN_ITEMS_FOR_SHARES, ScoreRow, Scores
from benchdesign.model_gaps.study import Example, ModelStudy
from benchdesign.tui.marks import Marks
from benchdesign.tui.rows.model_rows import PairRows, region_score, score_text
from benchdesign.tui.rows.weak_spot_rows import SpotRow
from benchdesign.tui.widgets.bars import interval
from benchdesign.tui.widgets.detail import heading
from benchdesign.tui.widgets.evidence import literal

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Item

__all__ = ["item_page", "pair_page", "score_page", "spot_page"]

_MAX_NESTED = 8
_MODEL_NAME_WIDTH = 18
_WIDTH_BESIDE_BAR = 53


def score_page(
    study: ModelStudy,
    tables: Sequence[Scores],
    unit: int,
    *,
    is_area: bool,
    items: Sequence[Item],
    marks: Marks,
    width: int,
) -> Content:
    """Return every model's score on a row, with interval, statistical power and examples."""
    lines: list[Content | str] = [literal(tables[0].names[unit], "bold"), ""]
    longest = max(
        cell_len(display(result.model, width=_MODEL_NAME_WIDTH)) for result in study.models
    )
    # Width left for the bar if the rest of the line has its maximum length.
    bar_width = max(min(width - _WIDTH_BESIDE_BAR - longest, 30), 0)
    for result, scores in zip(study.models, tables, strict=True):
        row = scores.row(unit)
        name = f"{fit(result.model, longest)} "
        if row.n_items < MIN_ITEMS_FOR_SHARES:
            lines.append(
                Content(f"  {name}  {score_text(row)} solved: too few items for a percentage")
            )
            continue
        bar = (
            interval(row.low, row.chi_model, row.high, marks=marks, width=bar_width)
            if bar_width
            else ""
        )
        lines.append(
            Content.assemble(
                f"  {name}",
                (f"{100 * row.chi_model:>4.0f} %  ", "bold"),
                (bar, "$text-primary"),
                f"  {100 * row.low:.0f} to {100 * row.high:.0f} %  "
                f"{row.standing.value}, {points(row.gap)} pt, q {row.q_value:.2g}",
            )
        )
    lines += ["", *_power_lines([scores.row(unit) for scores in tables])]
    for result in study.models:
        find_examples = study.area_examples if is_area else study.concept_examples
        missed, _ = find_examples(result.model, unit, n=2)
        if missed:
            lines += ["", heading(f"{display(result.model, width=_MODEL_NAME_WIDTH)} misses")]
            lines += list(_examples(missed, items, width=width))
    return _join_page_lines(lines)


def spot_page(study: ModelStudy, spot: SpotRow, *, items: Sequence[Item], width: int) -> Content:
    """Return the page of a weak spot: what it contains, and example items."""
    if spot.region is not None or spot.row is None:
        return _region_page(study, spot, items=items, width=width)
    row, kind = spot.row, spot.kind
    lines: list[Content | str] = [
        literal(row.name, "bold"),
        Content(
            f"  {kind} · {display(spot.model, width=30)} · {score_text(row)} over {row.n_items:,} "
            f"items · {points(row.gap)} points at similar length and difficulty · "
            f"q {row.q_value:.2g}"
        ),
    ]
    if spot.nested:
        title = (
            "Within it, from broad to narrow"
            if kind == "area"
            else "Concepts that the same items show"
        )
        lines += ["", heading(title)]
        lines += [
            Content(
                f"  {fit(nested.name, 44)}  {nested.n_items:>6,} items  "
                f"{score_text(nested):>9}  {points(nested.gap)}"
            )
            for nested in spot.nested[:_MAX_NESTED]
        ]
        if len(spot.nested) > _MAX_NESTED:
            lines.append(Content(f"  and {len(spot.nested) - _MAX_NESTED:,} more"))
    find_examples = study.area_examples if kind == "area" else study.concept_examples
    for title, side in zip(
        ("Missed", "Solved"), find_examples(spot.model, row.unit, n=4), strict=True
    ):
        if side:
            lines += ["", heading(title), *_examples(side, items, width=width)]
    held_out = next(
        (
            weakness
            for result in study.models
            if result.model == spot.model
            for weakness in result.held_out
            if weakness.unit == row.unit and weakness.kind == kind
        ),
        None,
    )
    lines.append("")
    if held_out is None:
        text = "Not weak enough on a random half of the items to be measured on the other."
    else:
        text = (
            f"Held-out check: {points(held_out.gap_found)} points on a random half, "
            f"{points(held_out.gap_held_out)} on the other ({held_out.n_held_out:,} items)."
        )
    lines.append(literal(text, "$foreground-muted"))
    return _join_page_lines(lines)


def _region_page(study: ModelStudy, spot: SpotRow, *, items: Sequence[Item], width: int) -> Content:
    region = spot.region
    assert region is not None
    scores = study.scores[spot.model]
    lines: list[Content | str] = [
        literal(region.name, "bold"),
        Content(
            f"  {region.n_items:,} similar items · {display(spot.model, width=30)} · "
            f"{spot.score} · {points(region.gap)} points against the others · "
            f"p {region.p_value:.2g}"
        ),
        "",
        heading("Concepts that these items show more often"),
    ]
    lines += [literal(f"  {study.dictionary.label(concept)}") for concept in region.concept_ids[:6]]
    if region.parts:
        lines += ["", heading("Narrower groups within it, each weak on its own")]
        lines += [
            Content(
                f"  {fit(part.name, 44)}  {part.n_items:>6,} items  "
                f"{region_score(part):>9}  {points(part.gap)}"
            )
            for part in region.parts[:_MAX_NESTED]
        ]
    missed = [row for row in region.rows if scores[row] < 0.5]
    solved = [row for row in region.rows if scores[row] >= 0.5]
    for title, rows in ((f"Missed: {len(missed):,}", missed), (f"Solved: {len(solved):,}", solved)):
        if rows:
            lines += ["", heading(title)]
            for row in rows[:6]:
                text = display(items[row].prompt, width=max(width - 4, 20), newline=" ")
                lines.append(literal(f"  {text}"))
    lines += [
        "",
        literal(
            "Every group of similar items was tested; p is the chance that any would stand out "
            "this far.",
            "$foreground-muted",
        ),
    ]
    return _join_page_lines(lines)


def pair_page(rows: PairRows, row_id: str, *, items: Sequence[Item], width: int) -> Content:
    """Return two models' scores on a row, and items that only one of them solves."""
    kind_and_row = rows.row_of(row_id)
    if kind_and_row is None:
        return Content("")
    kind, row = kind_and_row
    pair, study = rows.pair, rows.study
    a, b = display(pair.model_a, width=24), display(pair.model_b, width=24)
    lines: list[Content | str] = [
        literal(row.name, "bold"),
        Content(
            f"  {a} against {b}: {points(row.chi_model)} points here, "
            f"{points(pair.overall, 1)} overall, over {row.n_items:,} items · q {row.q_value:.2g}"
        ),
    ]
    find_examples = study.area_examples if kind == "area" else study.concept_examples
    for name, other in ((pair.model_a, pair.model_b), (pair.model_b, pair.model_a)):
        # Items that this model solves and the other misses, strongest first.
        solved = find_examples(name, row.unit, n=len(items))[1]
        apart = [example for example in solved if study.scores[other][example.row] < 0.5][:3]
        if apart:
            title = f"Only {display(name, width=24)} solves"
            lines += ["", heading(title), *_examples(apart, items, width=width)]
    return _join_page_lines(lines)


def item_page(
    study: ModelStudy,
    item_row: int,
    item: Item,
    *,
    answers: Mapping[str, Mapping[int, str]],
) -> Content:
    """Return the page of an item: its key, and the score and answer of each model."""
    assert study.items is not None
    row = study.items.row(item_row)
    lines: list[Content | str] = [literal(item.prompt, "bold")]
    for number, choice in enumerate(item.choices):
        is_key = number == item.answer_index
        lines.append(
            Content.assemble(
                f"  {chr(ord('A') + number) if number < 26 else number + 1}  ",
                literal(choice),
                ("   key", "$text-primary") if is_key else "",
            )
        )
    if not item.choices and item.answer:
        lines.append(Content.assemble("  key  ", literal(item.answer, "$text-primary")))
    lines.append("")
    for model in study.items.models:
        score = float(study.scores[model][item_row])
        answer = answers.get(model, {}).get(item_row, "")
        score_label = "no result" if np.isnan(score) else f"{score:.2g}"
        lines.append(
            Content.assemble(
                f"  {fit(model, _MODEL_NAME_WIDTH + 6)} {score_label:>9}  ",
                literal(display(answer, width=60) if answer else "", "$foreground-muted"),
            )
        )
    lines.append("")
    if "check-key" in row.notes:
        text = "The better models all miss it. Check the key."
        if row.agreed:
            text += f" They answer: {row.agreed}"
        lines.append(literal(text, "$text-warning"))
    elif row.notes:
        lines.append(
            literal("It does not distinguish any two of these models.", "$foreground-muted")
        )
    return _join_page_lines(lines)


def _power_lines(rows: Sequence[ScoreRow]) -> list[Content | str]:
    testable = [row for row in rows if row.detectable > 0]
    if not testable:
        return []
    hardest = max(testable, key=lambda row: row.detectable)
    needed_10 = max(row.needed_10 or 0 for row in testable)
    needed_5 = max(row.needed_5 or 0 for row in testable)
    return [
        literal(
            f"These items can reveal a gap of {100 * hardest.detectable:.0f} points; "
            f"10 points need {needed_10:,} items, 5 points {needed_5:,} (80 % power).",
            "$foreground-muted",
        )
    ]


def _examples(
    examples: Sequence[Example], items: Sequence[Item], *, width: int
) -> Iterator[Content | str]:
    for example in examples:
        item = items[example.row]
        label = f"  {example.strength:>5.2f}  score {example.score:.2g}  "
        text_width = max(width - cell_len(label) - 2, 20)
        text = literal(display(item.prompt, width=text_width, newline=" "))
        yield Content.assemble((label, "$foreground-muted"), text)


def _join_page_lines(lines: Sequence[Content | str]) -> Content:
    return Content("\n").join([Content(line) if isinstance(line, str) else line for line in lines])
