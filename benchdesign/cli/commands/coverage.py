"""`coverage`."""
# Annotations are not postponed: the parser would compile hundreds of them at every start.
# ruff: noqa: D301 - the parser needs a real backspace to keep lines as they are

from typing import Annotated

import typer

from benchdesign.cli.option_groups import option_groups
from benchdesign.cli.options import (
    LimitedReadingOptions,
    ModelOptions,
    ReportOptions,
    check_name,
)
from benchdesign.cli.revision_options import ComparisonOptions

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
    reference: ComparisonOptions,
    model: ModelOptions,
    report: ReportOptions,
    top: Annotated[int, typer.Option("--top", min=0, help="Groups and concepts to list.")] = 20,
) -> None:
    """Show what one benchmark covers and what it lacks, or how several overlap.

    With a pool, it leads with the groups of similar items that are lacking. Without one,
    coverage is compared with the dictionary's corpus.

    \b
    Example:
      benchdesign coverage first.jsonl second.csv --json
    """
    from benchdesign.cli.actions.coverage import coverage_job
    from benchdesign.cli.actions.option_settings import compared_settings

    coverage_job(
        benchmarks, reference.pool, compared_settings(reading, model, reference), report, top=top
    )
