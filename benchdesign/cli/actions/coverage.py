"""`coverage`: what one benchmark covers, or how several overlap; mapping without a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchdesign.cli.actions.set_figures import area_gap_rows, area_row, set_identity
from benchdesign.cli.actions.suite_tables import report_suite
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
from benchdesign.pipeline.measure_sets import measure
from benchdesign.report.report_files import check_report_folder
from benchdesign.report.suite_report import SUITE_FILES
from benchdesign.workspace.settings import Settings

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.coverage.area_gaps import AreaGaps
    from benchdesign.coverage.gaps import Gaps

__all__ = ["coverage_job", "print_gaps"]


def coverage_job(
    paths: Sequence[str],
    pool: str | None,
    settings: Settings,
    *,
    top: int,
    as_json: bool,
    quiet: bool,
    report: Path | None = None,
    force: bool = False,
) -> None:
    """Print coverage and gaps of one benchmark, or the overlap of several."""
    if report is not None:
        if len(paths) < 2:
            raise UsageError("--report of coverage compares several benchmarks; give two or more.")

        check_report_folder(report, SUITE_FILES, force=force)
    talk = Messages(quiet=quiet)
    measured = measure(paths, pool, settings, talk=talk)
    for one in measured.benchmarks:
        talk.say_findings(one.findings, rest="listed with --json")
    if len(paths) > 1:
        report_suite(measured, top=top, as_json=as_json, report=report, force=force, talk=talk)
        return
    benchmark, gaps = measured.benchmarks[0], measured.gaps()
    area_gaps = area_gap_rows(measured, gaps)
    if as_json:
        print_json(
            {
                "benchmark": set_identity(benchmark),
                "dictionary": measured.dictionary.name,
                "reference": gaps.coverage.reference,
                "coverage": CoverageFigures.from_gaps(gaps).to_record(),
                "kept_out": gaps.kept_out_counts(),
                "areas": [area_row(one) for one in area_gaps.rows()],
                "gaps": [to_json(row) for row in gaps.rows()],
            }
        )
        return
    print_gaps(benchmark, gaps, area_gaps, top=top)


def print_gaps(benchmark: Benchmark, gaps: Gaps, area_gaps: AreaGaps, *, top: int) -> None:
    """Print one benchmark's coverage for people."""
    figures = CoverageFigures.from_gaps(gaps)
    against = {"pool": "the pool", "dictionary": "the dictionary's corpus"}
    print_lines(
        f"{display(benchmark.name)}: {figures.n_items:,} items against "
        f"{against.get(gaps.coverage.reference, gaps.coverage.reference)}",
        f"  covered {share(figures.covered_share)} of the concepts that can be judged",
        f"  {figures.n_missing} missing, {figures.n_under} under, {figures.n_over} over, "
        f"{figures.n_in_scope:,} in scope of {figures.n_concepts:,}",
    )
    lacking = [one for one in area_gaps.rows() if one.n_gaps][:top]
    if lacking:
        print_lines("", "Areas with gaps")
        print_table(
            ("AREA", "STATUS", "GAPS", "CONCEPTS"),
            [
                [display(one.name), one.status.value, str(one.n_gaps), str(one.n_concepts)]
                for one in lacking
            ],
            right="llrr",
        )
    rows = list(gaps.rows())[:top]
    if rows:
        print_lines("", "Concepts most lacking")
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
    if not rows:
        print_lines("", "No concept is significantly lacking.")
