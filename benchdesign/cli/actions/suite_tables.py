"""`coverage` of several benchmarks: their tables, figures and report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchdesign.cli.actions.set_figures import area_figures, set_identity
from benchdesign.cli.options import ReportOptions
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

__all__ = ["report_suite"]


def report_suite(
    measured: Measured, options: ReportOptions, messages: Messages, *, top: int
) -> None:
    """Compare several benchmarks; print tables or JSON and write the report."""
    suite = compare_suite(
        measured.maps,
        measured.dictionary,
        names=distinct_names(measured.benchmarks),
        reference=measured.reference,
    )
    area_gaps = compare_areas(
        suite, measured.maps, measured.areas(), reference_map=measured.pool_map
    )
    as_json, report = options.output.as_json, options.report
    figures = _suite_figures(measured, suite, area_gaps) if as_json or report is not None else {}
    if report is not None:
        data = collect_suite(
            suite, area_gaps, measured.benchmarks, measured.dictionary, measured.reference
        )
        for path in write_suite_report(report, data, figures, force=options.force):
            messages.say(f"wrote {display(str(path))}")
    if as_json:
        print_json(figures)
        return
    _print_members(suite)
    _print_overlap(suite)
    _print_pairs(suite, measured.benchmarks, top=max(top // 2, 1))
    _print_shared_gaps(suite, top=top)


def _suite_figures(
    measured: Measured, suite: Suite, area_gaps: Sequence[AreaGaps]
) -> dict[str, Any]:
    label = measured.dictionary.label
    additions = zip(suite.only_here, suite.closed, strict=True)
    return {
        "benchmarks": [
            {
                **set_identity(benchmark),
                **to_json(row),
                "share_missing": row.share_missing,
                "only_here": [label(int(concept)) for concept in only_here.nonzero()[0]],
                "closed": [label(int(concept)) for concept in closed.nonzero()[0]],
                "areas": [area_figures(area) for area in areas.rows()],
            }
            for benchmark, row, areas, (only_here, closed) in zip(
                measured.benchmarks, suite.rows(), area_gaps, additions, strict=True
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


def _print_members(suite: Suite) -> None:
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
        "  LACKING: share of the concepts testable at its size and lengths that it lacks; "
        "CLOSES: gaps of the others that it closes"
    )


def _print_overlap(suite: Suite) -> None:
    print_lines("", "Overlap (share of the concepts that either shows)")
    print_table(
        ("", *(display(name) for name in suite.names)),
        [
            [display(name), *(f"{value:.2f}" for value in suite.overlap[row])]
            for row, name in enumerate(suite.names)
        ],
        right="l" + "r" * len(suite),
    )


def _print_pairs(suite: Suite, benchmarks: Sequence[Benchmark], *, top: int) -> None:
    if not suite.pairs:
        return
    print_lines("", f"Near-duplicates across benchmarks ({len(suite.pairs):,} pairs)")
    print_table(
        ("SIMILARITY", "ITEM", "NEAR-DUPLICATE", "QUESTION"),
        [
            [
                f"{pair.similarity:.2f}",
                f"{display(suite.names[pair.benchmark_a])} {_item(benchmarks, pair, 0).id}",
                f"{display(suite.names[pair.benchmark_b])} {_item(benchmarks, pair, 1).id}",
                display(_item(benchmarks, pair, 0).prompt, width=60, newline=" "),
            ]
            for pair in suite.pairs[:top]
        ],
        right="rlll",
    )


def _print_shared_gaps(suite: Suite, *, top: int) -> None:
    rows = list(suite.joint.rows())[:top]
    if not rows:
        return
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
