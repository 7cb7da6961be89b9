"""`check`: limits on a benchmark, for continuous integration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from benchdesign.cli.actions.set_figures import map_sets
from benchdesign.cli.options import LimitOptions, OutputOptions
from benchdesign.cli.output import Messages, print_json, print_lines, share
from benchdesign.coverage.figures import CoverageFigures
from benchdesign.coverage.limits import CheckLimits, LimitCheck, check_limits, read_baseline
from benchdesign.foundation.text import display
from benchdesign.selection.duplicates import find_duplicates
from benchdesign.workspace.settings import Settings

if TYPE_CHECKING:
    from benchdesign.pipeline.measure_sets import Measured

__all__ = ["check_job"]

_MAX_FINDINGS = 20


def check_job(
    path: str,
    pool: str | None,
    settings: Settings,
    options: LimitOptions,
    output: OutputOptions,
) -> None:
    """Compare a benchmark with limits; exit with status 1 if a limit is exceeded."""
    limits = CheckLimits(
        options.baseline,
        options.fail_under,
        options.max_missing,
        options.max_duplicates,
        options.max_findings,
    )
    baseline = None if limits.baseline is None else read_baseline(limits.baseline)
    measured = map_sets([path], pool, settings, Messages(quiet=output.quiet))
    benchmark = measured.benchmarks[0]
    figures = CoverageFigures.from_gaps(measured.gaps())
    n_duplicates = None
    if limits.max_duplicates is not None:
        embeddings = measured.maps[0].embeddings
        n_duplicates = len(find_duplicates(benchmark.items, embeddings_a=embeddings))
    checks = check_limits(
        figures,
        limits,
        baseline=baseline,
        n_duplicates=n_duplicates,
        n_findings=sum(finding.n_rows for finding in benchmark.findings),
    )
    if output.as_json:
        print_json(_record(measured, figures, checks))
    else:
        for check in checks:
            print_lines(f"{'ok  ' if check.passed else 'FAIL'}  {check.message}")
        for finding in benchmark.findings[:_MAX_FINDINGS]:
            print_lines(f"note  {display(finding.message)}")
        if not checks:
            print_lines(
                f"ok    covered {share(figures.covered_share)}, {figures.n_missing} missing, "
                f"{figures.n_under} under; no limit was set"
            )
    if not all(check.passed for check in checks):
        raise typer.Exit(1)


def _record(
    measured: Measured, figures: CoverageFigures, checks: Sequence[LimitCheck]
) -> dict[str, Any]:
    benchmark = measured.benchmarks[0]
    return {
        "passed": all(check.passed for check in checks),
        "benchmark": {
            "path": str(benchmark.path),
            "sha256": benchmark.sha256,
            "n_items": len(benchmark),
        },
        "dictionary": measured.dictionary.name,
        "reference": measured.reference.kind,
        "coverage": figures.to_record(),
        "checks": [
            {
                "name": check.name,
                "passed": check.passed,
                "found": check.found,
                "limit": check.limit,
                "message": check.message,
            }
            for check in checks
        ],
        "findings": [finding.message for finding in benchmark.findings],
    }
