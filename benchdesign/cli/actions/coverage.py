"""`coverage`: what one benchmark covers, or how several overlap; mapped without a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchdesign.cli.actions.group_summary import (
    print_group_head,
    print_groups,
    print_next_run,
)
from benchdesign.cli.actions.set_figures import (
    area_figures,
    find_set_area_gaps,
    find_set_groups,
    map_sets,
    set_identity,
)
from benchdesign.cli.actions.suite_tables import report_suite
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
from benchdesign.errors import UsageError
from benchdesign.foundation.serialization import to_json
from benchdesign.foundation.text import display
from benchdesign.report.report_files import check_report_folder
from benchdesign.report.suite_report import SUITE_FILES
from benchdesign.workspace.settings import Settings

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.coverage.area_gaps import AreaGaps
    from benchdesign.coverage.gaps import Gaps

__all__ = ["coverage_job", "print_coverage"]

_REFERENCES = {"pool": "the pool", "dictionary": "the dictionary's corpus"}


def coverage_job(
    paths: Sequence[str],
    pool: str | None,
    settings: Settings,
    options: ReportOptions,
    *,
    top: int,
) -> None:
    """Print coverage and gaps of one benchmark, or the overlap of several."""
    if options.report is not None:
        if len(paths) < 2:
            raise UsageError("--report of coverage compares several benchmarks; give two or more.")
        check_report_folder(options.report, SUITE_FILES, force=options.force)
    if len(paths) > 1 and not settings.scope.is_empty:
        raise UsageError("--scope is about one benchmark; leave it out to compare several.")
    messages = Messages(quiet=options.output.quiet)
    measured = map_sets(paths, pool, settings, messages)
    for benchmark in measured.benchmarks:
        messages.say_findings(benchmark.findings, rest="listed with --json")
    if len(paths) > 1:
        report_suite(measured, options, messages, top=top)
        return
    benchmark, gaps = measured.benchmarks[0], measured.gaps()
    area_gaps = find_set_area_gaps(measured, gaps)
    groups, record = find_set_groups(measured, messages)
    if options.output.as_json:
        print_json(
            {
                **record,
                "benchmark": set_identity(benchmark),
                "dictionary": measured.dictionary.name,
                "reference": gaps.coverage.reference,
                "coverage": CoverageFigures.from_gaps(gaps).to_record(),
                "kept_out": gaps.kept_out_counts(),
                "areas": [area_figures(row) for row in area_gaps.rows()],
                "gaps": [to_json(row) for row in gaps.rows()],
            }
        )
        return
    print_group_head(groups)
    print_groups(groups, top=top)
    print_next_run(groups, paths[0], pool)
    print_lines("")
    print_coverage(benchmark, gaps, area_gaps, top=top)


def print_coverage(benchmark: Benchmark, gaps: Gaps, area_gaps: AreaGaps, *, top: int) -> None:
    """Print the figures of one benchmark, its areas with gaps and its largest gaps."""
    figures = CoverageFigures.from_gaps(gaps)
    reference = gaps.coverage.reference
    print_lines(
        f"{display(benchmark.name)}: {figures.n_items:,} items against "
        f"{_REFERENCES.get(reference, reference)}",
        f"  covered {share(figures.covered_share)} of the concepts that can be judged",
        f"  {figures.n_missing} missing, {figures.n_under} under, {figures.n_over} over, "
        f"{figures.n_in_scope:,} in scope of {figures.n_concepts:,}",
    )
    _print_areas(area_gaps, top=top)
    _print_gaps(gaps, top=top)


def _print_areas(area_gaps: AreaGaps, *, top: int) -> None:
    rows = [row for row in area_gaps.rows() if row.n_gaps][:top]
    if rows:
        print_lines("", "Areas with gaps")
        print_table(
            ("AREA", "STATUS", "GAPS", "CONCEPTS"),
            [
                [display(row.name), row.status.value, str(row.n_gaps), str(row.n_concepts)]
                for row in rows
            ],
            right="llrr",
        )


def _print_gaps(gaps: Gaps, *, top: int) -> None:
    rows = list(gaps.rows())[:top]
    if not rows:
        print_lines("", "No concept is significantly lacking.")
        return
    print_lines("", "Concepts with the largest gaps")
    print_table(
        ("ID", "STATUS", "HAS", "WANT", "Q", "TRUST", "CONCEPT"),
        [
            [
                str(row.concept_id),
                row.status.value,
                str(row.count),
                str(row.target),
                f"{row.q_value:.2g}",
                trust(row.label_score),
                display(row.label),
            ]
            for row in rows
        ],
        right="rlrrrrl",
    )
    print_lines(TRUST_NOTE)
