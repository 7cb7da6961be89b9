"""`run` and `demo`."""
# Annotations are not postponed: the parser would compile hundreds of them at every start.
# ruff: noqa: D301 - the parser needs a real backspace to keep lines as they are

from pathlib import Path
from typing import Annotated

import typer

from benchdesign.cli.option_groups import option_groups
from benchdesign.cli.options import BenchmarkPath, ModelOptions, OutputOptions, PoolReadingOptions
from benchdesign.cli.revision_options import RunOutputOptions, ScopeOptions, SelectionOptions

__all__ = ["demo", "run"]


@option_groups
def run(
    benchmark: BenchmarkPath,
    selection: SelectionOptions,
    scope: ScopeOptions,
    reading: PoolReadingOptions,
    model: ModelOptions,
    output: RunOutputOptions,
) -> None:
    """Run every stage: map, find gaps, choose items to add, write the revision and its report.

    \b
    Example:
      benchdesign run my.jsonl --pool candidates.jsonl --add 50 --scope "school physics"
    """
    from benchdesign.cli.actions.option_settings import run_settings
    from benchdesign.cli.actions.run import run_job
    from benchdesign.cli.actions.run_request import RunRequest

    settings = run_settings(selection, scope, reading, model)
    run_job(RunRequest(benchmark, selection.pool, settings, output))


@option_groups
def demo(
    output: OutputOptions,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the demonstration.")
    ] = Path("benchdesign-demo"),
) -> None:
    """Run every stage on the example that comes with benchdesign, and print what to open.

    \b
    Example:
      benchdesign demo --out /tmp/demo
    """
    from benchdesign.cli.actions.run import demo_job

    demo_job(out, output)
