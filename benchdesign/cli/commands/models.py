"""`models`."""
# Annotations are not postponed: the parser would compile hundreds of them at every start.
# ruff: noqa: D301 - the parser needs a real backspace to keep lines as they are

from typing import Annotated

import typer

from benchdesign.cli.option_groups import option_groups
from benchdesign.cli.options import (
    ModelOptions,
    ReadingOptions,
    ReportOptions,
    ResultsOptions,
    check_name,
)

__all__ = ["models"]


@option_groups
def models(
    benchmarks: Annotated[
        list[str],
        typer.Argument(
            metavar="BENCHMARK...",
            help="What the models answered; with several, means across them are shown as well.",
            show_default=False,
            callback=check_name,
        ),
    ],
    results: ResultsOptions,
    reading: ReadingOptions,
    model: ModelOptions,
    report: ReportOptions,
    top: Annotated[int, typer.Option("--top", min=0, help="Rows to list of each kind.")] = 10,
) -> None:
    """Show where models are weak, from their results on each item, and whether that is real.

    \b
    Example:
      benchdesign models my.jsonl --results lm_eval_output/ --results other=log.eval --metric acc
    """
    from benchdesign.cli.actions.models import ModelsRequest, models_job
    from benchdesign.cli.actions.option_settings import models_settings

    settings = models_settings(results, reading, model)
    models_job(ModelsRequest(benchmarks, results, settings, report, top))
