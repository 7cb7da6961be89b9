"""The tables of a suite of benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.cli.actions.set_figures import area_row, set_identity
from benchdesign.cli.output import (
    TRUST_NOTE,
    Messages,
    print_json,
    print_lines,
    print_table,
    share,
    trust,
)
from benchdesign.coverage.figures import CoverageFigures
from benchdesign.coverage.suite import compare_areas, compare_suite
from benchdesign.foundation.serialization import to_json
from benchdesign.foundation.text import display
from benchdesign.pipeline.measure_sets import Measured, distinct_names
from benchdesign.report.suite_report import collect_suite, write_suite_report

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark, Item
    from benchdesign.coverage.area_gaps import AreaGaps
    from benchdesign.coverage.suite import NearDuplicate, Suite

__all__ = []


def report_suite(
    measured: Measured,
    *,
    top: int,
    as_json: bool,
    report: Path | None,
    force: bool,
    talk: Messages,
) -> None:

    suite = compare_suite(
        measured.maps,
        measured.dictionary,
        names=distinct_names(measured.benchmarks),
        reference=measured.reference,
    )
    area_gaps = compare_areas(
        suite, measured.maps, measured.areas(), reference_map=measured.pool_map
    )
    figures = _suite_figures(measured, suite, area_gaps) if as_json or report is not None else {}
    if report is not None:
        data = collect_suite(
            suite, area_gaps, measured.benchmarks, measured.dictionary, measured.reference
        )
        for path in write_suite_report(report, data, figures, force=force):
            talk.say(f"wrote {display(str(path))}")
    if as_json:
        print_json(figures)
        return
    _print_suite_tables(suite, measured.benchmarks, top=top)


def _suite_figures(
    measured: Measured, suite: Suite, area_gaps: Sequence[AreaGaps]
) -> dict[str, Any]:
    label = measured.dictionary.label
    added = zip(suite.only_here, suite.closed, strict=True)
    return {
        "benchmarks": [
            {
                **set_identity(benchmark),
                **to_json(row),
                "share_missing": row.share_missing,
                "only_here": [label(int(one)) for one in only_here.nonzero()[0]],
                "closed": [label(int(one)) for one in closed.nonzero()[0]],
                "areas": [area_row(one) for one in areas.rows()],
            }
            for benchmark, row, areas, (only_here, closed) in zip(
                measured.benchmarks, suite.rows(), area_gaps, added, strict=True
            )
        ],
        "dictionary": measured.dictionary.name,
        "reference": measured.reference.kind,
        "coverage": CoverageFigures.from_gaps(suite.joint).to_record(),
        "overlap": suite.overlap,
        "near_duplicates": suite.near_duplicates,
        "pairs": [
            {
                "benchmark_a": suite.names[pair.benchmark_a],
                "item_a": measured.benchmarks[pair.benchmark_a].items[pair.row_a].id,
                "benchmark_b": suite.names[pair.benchmark_b],
                "item_b": measured.benchmarks[pair.benchmark_b].items[pair.row_b].id,
                "similarity": pair.similarity,
            }
            for pair in suite.pairs
        ],
        "gaps": [to_json(row) for row in suite.joint.rows()],
    }


def _print_suite_tables(suite: Suite, benchmarks: Sequence[Benchmark], *, top: int) -> None:
    figures = CoverageFigures.from_gaps(suite.joint)
    print_lines(
        f"{len(suite)} benchmarks, {figures.n_items:,} items together",
        f"  covered {share(figures.covered_share)} of the concepts that can be judged; "
        f"{figures.n_missing} missing, {figures.n_under} under",
        "",
    )
    print_table(
        (
            "BENCHMARK",
            "ITEMS",
            "SHOWN",
            "MISSING",
            "UNDER",
            "LACKING",
            "ONLY HERE",
            "CLOSES",
            "REPEATS",
        ),
        [
            [
                display(row.name),
                f"{row.n_items:,}",
                str(row.n_present),
                str(row.n_missing),
                str(row.n_under),
                share(row.share_missing),
                str(row.n_only_here),
                str(row.n_closed),
                "-" if row.n_near_duplicates is None else str(row.n_near_duplicates),
            ]
            for row in suite.rows()
        ],
        right="lrrrrrrrr",
    )
    print_lines(
        "  Lacking: share of what could be tested at its lengths and size; closes: gaps of the rest"
    )
    print_lines("", "Overlap (share of the concepts that either shows)")
    print_table(
        ("", *(display(name) for name in suite.names)),
        [
            [display(name), *(f"{value:.2f}" for value in suite.overlap[place])]
            for place, name in enumerate(suite.names)
        ],
        right="l" + "r" * len(suite),
    )
    if suite.pairs:
        print_lines("", f"Almost the same item in two of them ({len(suite.pairs):,} pairs)")
        print_table(
            ("ALIKE", "ONE", "OTHER", "QUESTION"),
            [
                [
                    f"{pair.similarity:.2f}",
                    f"{display(suite.names[pair.benchmark_a])} {_item(benchmarks, pair, 0).id}",
                    f"{display(suite.names[pair.benchmark_b])} {_item(benchmarks, pair, 1).id}",
                    display(_item(benchmarks, pair, 0).prompt, width=60, newline=" "),
                ]
                for pair in suite.pairs[: max(top // 2, 1)]
            ],
            right="rlll",
        )
    rows = list(suite.joint.rows())[:top]
    if rows:
        print_lines("", "Concepts that all of them lack")
        print_table(
            ("ID", "STATUS", "HAS", "WANT", "TRUST", "CONCEPT"),
            [
                [
                    str(row.concept_id),
                    row.status.value,
                    str(row.count),
                    str(row.target),
                    trust(row.label_score),
                    display(row.label),
                ]
                for row in rows
            ],
            right="rlrrrl",
        )
        print_lines(TRUST_NOTE)


def _item(benchmarks: Sequence[Benchmark], pair: NearDuplicate, side: int) -> Item:
    places = ((pair.benchmark_a, pair.row_a), (pair.benchmark_b, pair.row_b))
    benchmark, row = places[side]
    return benchmarks[benchmark].items[row]
