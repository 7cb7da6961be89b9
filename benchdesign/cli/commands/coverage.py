"""`coverage`."""
# Annotations are not postponed: the parser would compile hundreds of them at every start.
# ruff: noqa: D301 - the parser needs a real backspace to keep lines as they are

from typing import Annotated

import typer

from benchdesign.cli.option_groups import option_groups
from benchdesign.cli.options import (
    LimitedReadingOptions,
    ModelOptions,
    PoolPath,
    ReportOptions,
    check_name,
)

__all__ = ["coverage"]


@option_groups
def coverage(
    benchmarks: Annotated[
        list[str],
        typer.Argument(
            metavar="BENCHMARK...",
            help="One, or several to compare.",
            show_default=False,
            callback=check_name,
        ),
    ],
    reading: LimitedReadingOptions,
    model: ModelOptions,
    report: ReportOptions,
    pool: PoolPath = None,
    top: Annotated[int, typer.Option("--top", min=0, help="Concepts to list.")] = 20,
) -> None:
    """Show what one benchmark covers and what it lacks, or how several overlap.

    Without a pool, coverage is compared with the dictionary's corpus.

    \b
    Example:
      benchdesign coverage first.jsonl second.csv --json
    """
    from benchdesign.cli.actions.coverage import coverage_job
    from benchdesign.cli.actions.option_settings import compared_settings

    coverage_job(benchmarks, pool, compared_settings(reading, model), report, top=top)
