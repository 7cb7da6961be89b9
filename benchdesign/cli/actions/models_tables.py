"""How `models` shows what it found to people."""

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
    from benchdesign.model_gaps.weak_regions import HeldOut

    Sides = tuple[tuple[Example, ...], tuple[Example, ...]]

__all__ = ["print_across", "print_joined", "print_study"]

_NAME = 46
_TEXT = 76
_ANSWER = 24
_MOST_CONCEPTS = 3
_EXAMPLES = 1
"""On each side: the best and the worst item."""


def print_joined(joined: JoinedResults) -> None:
    """Print how many results found their item, and by what score."""
    counts = {
        "about no item": joined.n_unmatched,
        "fitting several items": joined.n_ambiguous,
        "without a score": joined.n_missing,
        "said twice": joined.n_repeated,
        "of another item than they name": joined.n_disagreeing,
        "unreadable": joined.n_unreadable,
    }
    told = [f"{count:,} {what}" for what, count in counts.items() if count]
    if joined.n_conflicting:
        told.append(f"{joined.n_conflicting:,} items with results that conflict")
    by = ", ".join(f"{count:,} by {how}" for how, count in joined.joined_by.items())
    print_lines(
        f"{joined.n_joined:,} of {joined.n_rows:,} results joined ({by})"
        + "".join(f"; {one}" for one in told)
    )
    metrics: dict[str, list[str]] = {}
    for model, metric in joined.metrics.items():
        metrics.setdefault(metric, []).append(display(model))
    print_lines(
        "Score: "
        + "; ".join(f"{display(metric)} ({', '.join(names)})" for metric, names in metrics.items())
    )


def print_study(study: ModelStudy, items: Sequence[Item], *, top: int) -> None:
    """Print every model, the pairs, the items and the power."""
    for one in study.models:
        _print_model(study, one, items, top=top)
    for pair in study.comparisons:
        _print_pair(pair, top=top)
    if study.items is not None:
        _print_items(study.items, items, top=top)
    _print_power(study, top=top)


def _print_model(study: ModelStudy, one: ModelGaps, items: Sequence[Item], *, top: int) -> None:
    print_lines(
        "",
        f"{display(one.model)}: {one.overall:.3f} over {one.n_items:,} items "
        f"(compared at like {' and '.join(one.controls)})",
    )
    profile = list(one.profile())
    if not profile:
        print_lines(f"  No area is significantly weak (at most {percent(one.settings.fdr)} false).")
    else:
        print_lines(f"  Weak areas, of which at most {percent(one.settings.fdr)} by chance:")
        rows: list[tuple[str, ScoreRow]] = []
        for area, concepts in profile[:top]:
            rows.append((display(area.name), area))
            rows += [(f"- {display(of.name)}", of) for of in concepts[:_MOST_CONCEPTS]]
        _print_scores("AREA, ITS CONCEPTS", rows, level=one.settings.level)
        for area, concepts in profile[:top]:
            found = study.area_examples(one.model, area.unit, n=_EXAMPLES)
            _print_examples(area.name, found, items)
            _print_concepts(study, one, concepts[:_MOST_CONCEPTS], items)
    _print_regions(study, one, items, top=top)
    _print_groups(study, one, items, top=top)
    _print_strong(study, one, items, top=top)
    _print_held_out(one.held_out, top=top)


def _print_regions(study: ModelStudy, one: ModelGaps, items: Sequence[Item], *, top: int) -> None:
    if not one.regions:
        return
    print_lines(
        "  Groups of alike items it is weak at, each by less than "
        f"{percent(one.settings.fdr)} chance however many were looked at:"
    )
    print_table(
        ("  THEY SHOW", "SCORE", "POINTS", "ITEMS", "P"),
        [
            [
                f"  {lead}{display(region.name, width=_NAME - len(lead))}",
                f"{region.n_passed} of {region.n_items}"
                if region.n_items < MIN_ITEMS_FOR_SHARES
                else f"{region.score:.2f}",
                points(region.gap),
                f"{region.n_items:,}",
                f"{region.p_value:.2g}",
            ]
            for whole in one.regions[:top]
            for lead, region in (("", whole), *(("- ", part) for part in whole.parts))
        ],
        right="lrrrr",
    )
    for whole in one.regions[:top]:
        for lead, region in (("", whole), *(("- ", part) for part in whole.parts)):
            found = study.region_examples(one.model, region, n=_EXAMPLES)
            _print_examples(f"{lead}{region.name}", found, items)


def _print_groups(study: ModelStudy, one: ModelGaps, items: Sequence[Item], *, top: int) -> None:
    groups = list(one.other_groups())[:top]
    if not groups:
        return
    print_lines("  Other weak concepts; what the same items show is together:")
    rows: list[tuple[str, ScoreRow]] = []
    for head, *others in groups:
        rows.append((display(head.name), head))
        rows += [(f"- {display(of.name)}", of) for of in others[:_MOST_CONCEPTS]]
    _print_scores("CONCEPT, ALONG WITH IT", rows, level=one.settings.level)
    for head, *others in groups:
        found = study.concept_examples(one.model, head.unit, n=_EXAMPLES)
        _print_examples(head.name, found, items)
        _print_concepts(study, one, others[:_MOST_CONCEPTS], items)


def _print_strong(study: ModelStudy, one: ModelGaps, items: Sequence[Item], *, top: int) -> None:
    for title, what, scores, find in (
        ("Strong areas:", "AREA", one.areas, study.area_examples),
        (
            "Strongest single concepts, which are more fragile than areas:",
            "CONCEPT",
            one.concepts,
            study.concept_examples,
        ),
    ):
        rows = [] if scores is None else list(scores.rows(scores.strong()[:top]))
        if rows:
            print_lines(f"  {title}")
            _print_scores(
                what, [(display(row.name), row) for row in rows], level=one.settings.level
            )
        for row in rows:
            found = find(one.model, row.unit, n=_EXAMPLES)
            _print_examples(row.name, found, items, is_strong=True)


def _print_scores(title: str, rows: Sequence[tuple[str, ScoreRow]], *, level: float) -> None:
    print_table(
        (f"  {title}", "SCORE", percent(level), "POINTS", "ITEMS", "Q", "STANDING"),
        [
            [
                f"  {ellipsis(name, _NAME)}",
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
    study: ModelStudy, one: ModelGaps, concepts: Sequence[ScoreRow], items: Sequence[Item]
) -> None:
    """Print the items of what is nested in a weak place."""
    for of in concepts:
        found = study.concept_examples(one.model, of.unit, n=_EXAMPLES)
        _print_examples(f"- {of.name}", found, items)


def _print_examples(
    name: str, found: Sides, items: Sequence[Item], *, is_strong: bool = False
) -> None:
    missed, solved = found
    sides = (("missed", missed), ("solved", solved))
    if missed or solved:
        print_lines(f"    {display(name)}")
    for what, examples in reversed(sides) if is_strong else sides:
        for one in examples:
            item = items[one.row]
            print_lines(
                f"      {what} {display(item.id)} (strength {one.strength:.2g}, "
                f"score {one.score:.2g}) {ellipsis(display(item.prompt, newline=' '), _TEXT)}"
            )


def _print_held_out(found: Sequence[HeldOut], *, top: int) -> None:
    if not found:
        print_lines("  Held-out check: nothing was weak enough on one half to look at the other.")
        return
    print_lines("  Held-out check: found weak on a random half, measured on the other half:")
    print_table(
        ("  WEAK IN", "WHAT", "FOUND", "MEASURED", "ITEMS THERE", "P"),
        [
            [
                f"  {display(one.name, width=_NAME)}",
                one.kind,
                points(one.gap_found),
                points(one.gap_held_out),
                f"{one.n_held_out:,}",
                "too few" if one.p_held_out != one.p_held_out else f"{one.p_held_out:.2g}",
            ]
            for one in found[:top]
        ],
        right="llrrrr",
    )


def _print_pair(pair: PairedComparison, *, top: int) -> None:
    a, b = display(pair.model_a), display(pair.model_b)
    print_lines(
        "",
        f"{a} against {b}: {points(pair.overall, 1)} points over the {pair.n_items:,} items both "
        "have",
    )
    tables = (("AREA", pair.areas), ("CONCEPT", pair.concepts))
    is_found = False
    for title, table in tables:
        if table is None:
            continue
        sides = [*table.rows(table.strong()[:top]), *table.rows(table.weak()[:top])]
        if sides:
            is_found = True
            print_table(
                (f"  {title}", "POINTS", "AGAINST OVERALL", "ITEMS", "Q", "BETTER THAN USUAL"),
                [
                    [
                        f"  {display(row.name, width=_NAME)}",
                        points(row.chi_model),
                        points(row.gap),
                        f"{row.n_items:,}",
                        f"{row.q_value:.2g}",
                        a if row.gap > 0 else b,
                    ]
                    for row in sides
                ],
                right="lrrrrl",
            )
    if not is_found:
        print_lines("  Nowhere is the difference significantly another than overall.")


def _print_items(analysis: ItemAnalysis, items: Sequence[Item], *, top: int) -> None:
    known = analysis.n_models > 0
    discrimination = analysis.discrimination[analysis.discrimination == analysis.discrimination]
    print_lines(
        "",
        f"Items: {int(known.sum()):,} with results of {len(analysis.models)} models",
        f"  all models miss {int(analysis.all_miss.sum()):,}, all solve "
        f"{int(analysis.all_pass.sum()):,}: these tell no two models apart "
        f"({share(float(analysis.uninformative.sum() / max(int(known.sum()), 1)))})",
    )
    if len(discrimination):
        low = int((discrimination < 0).sum())
        print_lines(
            f"  {low:,} of {len(discrimination):,} items are solved more by models that do worse "
            "on the rest"
        )
    suspects = list(analysis.suspects())
    if suspects:
        print_lines(
            f"  {len(suspects):,} keys worth checking: the better models all miss them "
            f"(about {analysis.expected_suspects:.0f} would be by chance)"
        )
        print_table(
            ("  ITEM", "SOLVED BY", "BETTER ONES SAY", "QUESTION"),
            [
                [
                    f"  {display(items[row.row].id)}",
                    f"{row.n_passed} of {row.n_models}",
                    display(row.agreed, width=_ANSWER) if row.agreed else "-",
                    display(items[row.row].prompt, width=_TEXT, newline=" "),
                ]
                for row in suspects[:top]
            ],
            right="lrll",
        )


def _print_power(study: ModelStudy, *, top: int) -> None:
    found = study.area_power() or study.concept_power()
    if not found:
        return
    rows = sorted(found, key=lambda row: row.detectable)
    what = "areas" if study.area_power() else "concepts"
    print_lines(
        "",
        f"Power: {sum(row.detectable <= 0.10 for row in rows):,} of {len(rows):,} {what} can show "
        "a gap of 10 points today (80 times in 100)",
    )
    print_table(
        (f"  {what[:-1].upper()}", "ITEMS", "SHOWS TODAY", "FOR 10 POINTS", "FOR 5 POINTS"),
        [
            [
                f"  {display(row.name, width=_NAME)}",
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
    """Print every model's mean over the benchmarks, and where that is lowest and highest."""
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
                            f"  {display(row['name'], width=_NAME)}",
                            f"{row['chi_model']:.2f}",
                            str(row["n_benchmarks"]),
                            f"{row['n_items']:,}",
                        ]
                        for row in rows
                    ],
                    right="lrrr",
                )
