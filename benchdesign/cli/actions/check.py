"""`check`: limits on a benchmark, for continuous integration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from benchdesign.cli.actions.group_summary import (
    print_group_head,
    print_groups,
    print_next_run,
)
from benchdesign.cli.actions.set_figures import find_set_groups, map_sets
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
_MAX_GROUPS = 12
_COULD_NOT_TELL = 3
"""Exit status if a limit could not be judged."""


def check_job(
    path: str,
    pool: str | None,
    settings: Settings,
    options: LimitOptions,
    output: OutputOptions,
) -> None:
    """Compare a benchmark with limits; exit with status 1 if a limit is exceeded.

    Exit with status 3 if no limit is exceeded, but one could not be judged.
    """
    limits = CheckLimits(
        options.baseline,
        options.fail_under,
        options.fail_missing_groups,
        options.max_missing,
        options.max_duplicates,
        options.max_findings,
    )
    baseline = None if limits.baseline is None else read_baseline(limits.baseline)
    messages = Messages(quiet=output.quiet)
    measured = map_sets([path], pool, settings, messages)
    groups, groups_figures = find_set_groups(measured, messages)
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
        groups=groups,
    )
    if output.as_json:
        print_json({**_record(measured, figures, checks), **groups_figures})
    else:
        print_group_head(groups)
        print_groups(groups, top=_MAX_GROUPS)
        print_next_run(groups, path, pool)
        print_lines("")
        for check in checks:
            print_lines(f"{_mark(check)}  {display(check.message)}")
        for finding in benchmark.findings[:_MAX_FINDINGS]:
            print_lines(f"note  {display(finding.message)}")
        if not checks:
            print_lines(
                f"note  covered {share(figures.covered_share)}, {figures.n_missing} missing, "
                f"{figures.n_under} under; no limit was set"
            )
    if not all(check.passed for check in checks):
        is_exceeded = any(check.could_tell and not check.passed for check in checks)
        raise typer.Exit(1 if is_exceeded else _COULD_NOT_TELL)


def _mark(check: LimitCheck) -> str:
    if not check.could_tell:
        return "?   "
    return "ok  " if check.passed else "FAIL"


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
                "could_tell": check.could_tell,
                "found": check.found,
                "limit": check.limit,
                "message": check.message,
            }
            for check in checks
        ],
        "findings": [finding.message for finding in benchmark.findings],
    }
