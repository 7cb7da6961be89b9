"""The tables of `models`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchdesign.cli.output import print_lines, print_table, share
from benchdesign.foundation.number_words import percent, points
from benchdesign.foundation.text import display, ellipsis
from benchdesign.model_gaps.scores import MIN_ITEMS_FOR_SHARES

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Item
    from benchdesign.benchmarks.results.join import JoinedResults
    from benchdesign.model_gaps.compare_models import PairedComparison
    from benchdesign.model_gaps.item_analysis import ItemAnalysis
    from benchdesign.model_gaps.model_gaps import ModelGaps
    from benchdesign.model_gaps.scores import ScoreRow
    from benchdesign.model_gaps.study import Example, ModelStudy
    from benchdesign.model_gaps.weak_regions import HeldOut, WeakRegion

    Sides = tuple[tuple[Example, ...], tuple[Example, ...]]

__all__ = ["print_across", "print_joined", "print_study"]

_NAME_CELLS = 46
_TEXT_CELLS = 76
_ANSWER_CELLS = 24
_MAX_CONCEPTS = 3
_EXAMPLES = 1
"""Example items on each side: the most telling of those missed and of those solved."""


def print_joined(joined: JoinedResults) -> None:
    """Print how many results were joined to an item, and the scores that were used."""
    counts = {
        "about no item": joined.n_unmatched,
        "fitting several items": joined.n_ambiguous,
        "without a score": joined.n_missing,
        "repeated": joined.n_repeated,
        "with the text of another item": joined.n_disagreeing,
        "unreadable": joined.n_unreadable,
    }
    problems = [f"{count:,} {problem}" for problem, count in counts.items() if count]
    if joined.n_conflicting:
        problems.append(f"{joined.n_conflicting:,} items with conflicting results")
    keys = ", ".join(f"{count:,} by {key}" for key, count in joined.joined_by.items())
    print_lines(
        "; ".join((f"{joined.n_joined:,} of {joined.n_rows:,} results joined ({keys})", *problems))
    )
    models: dict[str, list[str]] = {}
    for model, metric in joined.metrics.items():
        models.setdefault(metric, []).append(display(model))
    scores = (f"{display(metric)} ({', '.join(names)})" for metric, names in models.items())
    print_lines(f"Score: {'; '.join(scores)}")


def print_study(study: ModelStudy, items: Sequence[Item], *, top: int) -> None:
    """Print every model, the pairs, the items and the power."""
    for gaps in study.models:
        _print_model(study, gaps, items, top=top)
    for pair in study.comparisons:
        _print_pair(pair, top=top)
    if study.items is not None:
        _print_items(study.items, items, top=top)
    _print_power(study, top=top)


def _print_model(study: ModelStudy, gaps: ModelGaps, items: Sequence[Item], *, top: int) -> None:
    print_lines(
        "",
        f"{display(gaps.model)}: {gaps.overall:.3f} over {gaps.n_items:,} items "
        f"(compared at equal {' and '.join(gaps.controls)})",
    )
    _print_areas(study, gaps, items, top=top)
    _print_regions(study, gaps, items, top=top)
    _print_groups(study, gaps, items, top=top)
    _print_strong(study, gaps, items, top=top)
    _print_held_out(gaps.held_out, top=top)


def _print_areas(study: ModelStudy, gaps: ModelGaps, items: Sequence[Item], *, top: int) -> None:
    profile = list(gaps.profile())
    fdr = percent(gaps.settings.fdr)
    if not profile:
        print_lines(f"  No area is significantly weak (at most {fdr} false).")
        return
    print_lines(f"  Weak areas, at most {fdr} of them by chance:")
    rows: list[tuple[str, ScoreRow]] = []
    for area, concepts in profile[:top]:
        rows.append((display(area.name), area))
        rows += [(f"- {display(concept.name)}", concept) for concept in concepts[:_MAX_CONCEPTS]]
    _print_scores("AREA, ITS CONCEPTS", rows, level=gaps.settings.level)
    for area, concepts in profile[:top]:
        examples = study.area_examples(gaps.model, area.unit, n=_EXAMPLES)
        _print_examples(area.name, examples, items)
        _print_concepts(study, gaps, concepts[:_MAX_CONCEPTS], items)


def _print_regions(study: ModelStudy, gaps: ModelGaps, items: Sequence[Item], *, top: int) -> None:
    if not gaps.regions:
        return
    regions: list[tuple[str, WeakRegion]] = []
    for region in gaps.regions[:top]:
        regions += [("", region), *(("- ", part) for part in region.parts)]
    print_lines(
        "  Weak groups of similar items, each with a chance below "
        f"{percent(gaps.settings.fdr)} over all groups searched:"
    )
    print_table(
        ("  THEY SHOW", "SCORE", "POINTS", "ITEMS", "P"),
        [
            [
                f"  {indent}{display(region.name, width=_NAME_CELLS - len(indent))}",
                f"{region.n_passed} of {region.n_items}"
                if region.n_items < MIN_ITEMS_FOR_SHARES
                else f"{region.score:.2f}",
                points(region.gap),
                f"{region.n_items:,}",
                f"{region.p_value:.2g}",
            ]
            for indent, region in regions
        ],
        right="lrrrr",
    )
    for indent, region in regions:
        examples = study.region_examples(gaps.model, region, n=_EXAMPLES)
        _print_examples(f"{indent}{region.name}", examples, items)


def _print_groups(study: ModelStudy, gaps: ModelGaps, items: Sequence[Item], *, top: int) -> None:
    groups = list(gaps.other_groups())[:top]
    if not groups:
        return
    print_lines("  Other weak concepts, grouped by the items that show them:")
    rows: list[tuple[str, ScoreRow]] = []
    for head, *others in groups:
        rows.append((display(head.name), head))
        rows += [(f"- {display(concept.name)}", concept) for concept in others[:_MAX_CONCEPTS]]
    _print_scores("CONCEPT, ALONG WITH IT", rows, level=gaps.settings.level)
    for head, *others in groups:
        examples = study.concept_examples(gaps.model, head.unit, n=_EXAMPLES)
        _print_examples(head.name, examples, items)
        _print_concepts(study, gaps, others[:_MAX_CONCEPTS], items)


def _print_strong(study: ModelStudy, gaps: ModelGaps, items: Sequence[Item], *, top: int) -> None:
    for title, unit, scores, find_examples in (
        ("Strong areas:", "AREA", gaps.areas, study.area_examples),
        (
            "Strongest single concepts, which are more fragile than areas:",
            "CONCEPT",
            gaps.concepts,
            study.concept_examples,
        ),
    ):
        rows = [] if scores is None else list(scores.rows(scores.strong()[:top]))
        if rows:
            print_lines(f"  {title}")
            _print_scores(
                unit, [(display(row.name), row) for row in rows], level=gaps.settings.level
            )
        for row in rows:
            examples = find_examples(gaps.model, row.unit, n=_EXAMPLES)
            _print_examples(row.name, examples, items, is_strong=True)


def _print_scores(title: str, rows: Sequence[tuple[str, ScoreRow]], *, level: float) -> None:
    print_table(
        (f"  {title}", "SCORE", percent(level), "POINTS", "ITEMS", "Q", "STANDING"),
        [
            [
                f"  {ellipsis(name, _NAME_CELLS)}",
                _score(row),
                f"{row.low:.2f}-{row.high:.2f}",
                points(row.gap),
                f"{row.n_items:,}",
                f"{row.q_value:.2g}",
                row.standing.value,
            ]
            for name, row in rows
        ],
        right="lrrrrrl",
    )


def _score(row: ScoreRow) -> str:
    if row.n_items < MIN_ITEMS_FOR_SHARES:
        return f"{row.n_passed} of {row.n_items}"
    return f"{row.chi_model:.2f}"


def _print_concepts(
    study: ModelStudy, gaps: ModelGaps, concepts: Sequence[ScoreRow], items: Sequence[Item]
) -> None:
    """Print examples of the concepts inside a weak area or group."""
    for concept in concepts:
        examples = study.concept_examples(gaps.model, concept.unit, n=_EXAMPLES)
        _print_examples(f"- {concept.name}", examples, items)


def _print_examples(
    name: str, examples: Sides, items: Sequence[Item], *, is_strong: bool = False
) -> None:
    missed, solved = examples
    sides = (("missed", missed), ("solved", solved))
    if missed or solved:
        print_lines(f"    {display(name)}")
    for outcome, side in reversed(sides) if is_strong else sides:
        for example in side:
            item = items[example.row]
            prompt = ellipsis(display(item.prompt, newline=" "), _TEXT_CELLS)
            print_lines(
                f"      {outcome} {display(item.id)} (strength {example.strength:.2g}, "
                f"score {example.score:.2g}) {prompt}"
            )


def _print_held_out(rows: Sequence[HeldOut], *, top: int) -> None:
    if not rows:
        print_lines("  Held-out check: nothing was weak enough on one half to test on the other.")
        return
    print_lines("  Held-out check: found weak on a random half, measured on the other half:")
    print_table(
        ("  WEAK IN", "KIND", "FOUND", "MEASURED", "ITEMS THERE", "P"),
        [
            [
                f"  {display(row.name, width=_NAME_CELLS)}",
                row.kind,
                points(row.gap_found),
                points(row.gap_held_out),
                f"{row.n_held_out:,}",
                "too few" if row.p_held_out != row.p_held_out else f"{row.p_held_out:.2g}",
            ]
            for row in rows[:top]
        ],
        right="llrrrr",
    )


def _print_pair(pair: PairedComparison, *, top: int) -> None:
    a, b = display(pair.model_a), display(pair.model_b)
    print_lines(
        "",
        f"{a} against {b}: {points(pair.overall, 1)} points over the {pair.n_items:,} items that "
        "both have",
    )
    has_difference = False
    for title, table in (("AREA", pair.areas), ("CONCEPT", pair.concepts)):
        if table is None:
            continue
        rows = [*table.rows(table.strong()[:top]), *table.rows(table.weak()[:top])]
        if rows:
            has_difference = True
            print_table(
                (f"  {title}", "POINTS", "AGAINST OVERALL", "ITEMS", "Q", "BETTER THAN USUAL"),
                [
                    [
                        f"  {display(row.name, width=_NAME_CELLS)}",
                        points(row.chi_model),
                        points(row.gap),
                        f"{row.n_items:,}",
                        f"{row.q_value:.2g}",
                        a if row.gap > 0 else b,
                    ]
                    for row in rows
                ],
                right="lrrrrl",
            )
    if not has_difference:
        print_lines("  No area or concept differs significantly from the overall difference.")


def _print_items(analysis: ItemAnalysis, items: Sequence[Item], *, top: int) -> None:
    n_known = int((analysis.n_models > 0).sum())
    discrimination = analysis.discrimination[analysis.discrimination == analysis.discrimination]
    print_lines(
        "",
        f"Items: {n_known:,} with results of {len(analysis.models)} models",
        f"  all models miss {int(analysis.all_miss.sum()):,}, all solve "
        f"{int(analysis.all_pass.sum()):,}: these distinguish no two models "
        f"({share(float(analysis.uninformative.sum() / max(n_known, 1)))})",
    )
    if len(discrimination):
        n_negative = int((discrimination < 0).sum())
        print_lines(
            f"  {n_negative:,} of {len(discrimination):,} items are solved more often by models "
            "that do worse on the rest"
        )
    suspects = list(analysis.suspects())
    if not suspects:
        return
    print_lines(
        f"  {len(suspects):,} keys worth checking: the better models all miss them "
        f"(about {analysis.expected_suspects:.0f} expected by chance)"
    )
    print_table(
        ("  ITEM", "SOLVED BY", "BETTER MODELS ANSWER", "QUESTION"),
        [
            [
                f"  {display(items[row.row].id)}",
                f"{row.n_passed} of {row.n_models}",
                display(row.agreed, width=_ANSWER_CELLS) if row.agreed else "-",
                display(items[row.row].prompt, width=_TEXT_CELLS, newline=" "),
            ]
            for row in suspects[:top]
        ],
        right="lrll",
    )


def _print_power(study: ModelStudy, *, top: int) -> None:
    area_rows = study.area_power()
    unit = "area" if area_rows else "concept"
    rows = sorted(area_rows or study.concept_power(), key=lambda row: row.detectable)
    if not rows:
        return
    print_lines(
        "",
        f"Power: {sum(row.detectable <= 0.10 for row in rows):,} of {len(rows):,} {unit}s can show "
        "a gap of 10 points today (80 times in 100)",
    )
    print_table(
        (f"  {unit.upper()}", "ITEMS", "SHOWS TODAY", "FOR 10 POINTS", "FOR 5 POINTS"),
        [
            [
                f"  {display(row.name, width=_NAME_CELLS)}",
                f"{row.n_items:,}",
                f"{100 * row.detectable:.0f} points",
                "-" if row.needed_10 is None else f"{row.needed_10:,} items",
                "-" if row.needed_5 is None else f"{row.needed_5:,} items",
            ]
            for row in rows[:top]
        ],
        right="lrrrr",
    )
    if len(rows) > top:
        print_lines(f"  and {len(rows) - top:,} more, with less power; --json lists all")


def print_across(across: Mapping[str, Any], names: Sequence[str], *, top: int) -> None:
    """Print every model's mean over the benchmarks, and its lowest and highest concepts."""
    print_lines("== Across the benchmarks ==")
    print_table(
        ("MODEL", *(display(name, width=20) for name in names), "MEAN"),
        [
            [
                display(model),
                *(
                    f"{figures['overall'][name]:.3f}" if name in figures["overall"] else "-"
                    for name in names
                ),
                f"{figures['mean']:.3f}",
            ]
            for model, figures in across.items()
        ],
        right="l" + "r" * (len(names) + 1),
    )
    for model, figures in across.items():
        for title, rows in (
            ("lowest", figures["concepts"][:top]),
            ("highest", figures["concepts"][::-1][:top]),
        ):
            if rows:
                print_lines("", f"{display(model)}: concepts with the {title} mean score")
                print_table(
                    ("  CONCEPT", "SCORE", "BENCHMARKS", "ITEMS"),
                    [
                        [
                            f"  {display(row['name'], width=_NAME_CELLS)}",
                            f"{row['chi_model']:.2f}",
                            str(row["n_benchmarks"]),
                            f"{row['n_items']:,}",
                        ]
                        for row in rows
                    ],
                    right="lrrr",
                )
