"""`check`."""
# Annotations are not postponed: the parser would compile hundreds of them at every start.
# ruff: noqa: D301 - the parser needs a real backspace to keep lines as they are

from benchdesign.cli.option_groups import option_groups
from benchdesign.cli.options import (
    BenchmarkPath,
    ComparedReadingOptions,
    LimitOptions,
    ModelOptions,
    OutputOptions,
)
from benchdesign.cli.revision_options import ComparisonOptions

__all__ = ["check"]


@option_groups
def check(
    benchmark: BenchmarkPath,
    limits: LimitOptions,
    reading: ComparedReadingOptions,
    reference: ComparisonOptions,
    model: ModelOptions,
    output: OutputOptions,
) -> None:
    """Check a benchmark against limits (for CI); exits with status 1 if a limit is exceeded.

    With --fail-missing-groups it exits with status 3 if groups cannot be judged.

    \b
    Example:
      benchdesign check my.jsonl --baseline revision.json --fail-under 80
    """
    from benchdesign.cli.actions.check import check_job
    from benchdesign.cli.actions.option_settings import compared_settings

    check_job(
        benchmark, reference.pool, compared_settings(reading, model, reference), limits, output
    )
