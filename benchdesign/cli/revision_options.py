"""The options of `run` and of the review, in groups."""
# Annotations are not postponed: the parser would compile hundreds of them at every start.

from pathlib import Path
from typing import Annotated

import typer

from benchdesign.cli.option_groups import OptionGroup
from benchdesign.cli.options import Force, Metric, OutputOptions, PoolPath, Seed, check_name

__all__ = [
    "ComparisonOptions",
    "ConstraintOptions",
    "DecisionOptions",
    "RevisionOptions",
    "RunOutputOptions",
    "ScopeOptions",
    "ScopeText",
    "SelectionOptions",
    "WeightOptions",
]


ScopeText = Annotated[
    str,
    typer.Option(
        "--scope",
        metavar="TEXT",
        help="What the benchmark is meant to test; `any` takes every pool item, however unlike "
        "the benchmark. [default: the benchmark's own domain, if the pool is much broader]",
    ),
]


class ScopeOptions(OptionGroup):
    """What the benchmark is meant to test."""

    scope: ScopeText = ""
    scope_examples: Annotated[
        str | None,
        typer.Option(
            "--scope-examples",
            metavar="FILE",
            help="Items that are clearly in scope (any format).",
            callback=check_name,
        ),
    ] = None
    scope_cutoff: Annotated[
        float | None,
        typer.Option(
            "--scope-cutoff",
            min=0,
            max=1,
            metavar="X",
            help="Relevance from which a concept is in scope, 0 to 1; a higher value is narrower. "
            "[default: 0.4]",
        ),
    ] = None
    pin_concept: Annotated[
        list[int] | None,
        typer.Option(
            "--pin-concept", metavar="ID", help="A concept that is always in scope. Repeatable."
        ),
    ] = None
    exclude_concept: Annotated[
        list[int] | None,
        typer.Option(
            "--exclude-concept", metavar="ID", help="A concept that is never in scope. Repeatable."
        ),
    ] = None


class ComparisonOptions(ScopeOptions):
    """What a benchmark is compared with."""

    pool: PoolPath = None


class ConstraintOptions(OptionGroup):
    """Which pool items may be added."""

    quota: Annotated[
        list[str] | None,
        typer.Option(
            "--quota",
            metavar="CATEGORY=N",
            help="Add at most N items of a category; * is every other category. Repeatable.",
        ),
    ] = None
    source_quota: Annotated[
        list[str] | None,
        typer.Option(
            "--source-quota", metavar="SOURCE=N", help="As --quota, by source. Repeatable."
        ),
    ] = None
    pin: Annotated[
        list[str] | None,
        typer.Option("--pin", metavar="ID", help="A pool item to add first. Repeatable."),
    ] = None
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="ID", help="A pool item never to add. Repeatable."),
    ] = None
    require: Annotated[
        list[str] | None,
        typer.Option(
            "--require",
            metavar="FIELD",
            help="Add only items that have this field (answer); `none` allows any item. "
            "Repeatable. [default: choices and answer, if the benchmark's items have them]",
        ),
    ] = None
    min_tokens: Annotated[
        int | None, typer.Option("--min-tokens", min=0, help="Shortest item to add.")
    ] = None
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, help="Longest item to add.")
    ] = None
    keep_out: Annotated[
        list[str] | None,
        typer.Option(
            "--keep-out",
            metavar="FILE",
            help="A known benchmark whose items are never added. Repeatable.",
            callback=check_name,
        ),
    ] = None


class WeightOptions(OptionGroup):
    """What proposals prefer."""

    weight: Annotated[
        str | None,
        typer.Option(
            "--weight",
            metavar="WHAT",
            help="gaps, or model-gaps: prefer items that probe the weaknesses of models by "
            "--results. [default: gaps]",
        ),
    ] = None
    results: Annotated[
        list[str] | None,
        typer.Option(
            "--results",
            metavar="[MODEL=]FILE",
            help="Results of models on the benchmark's items, for --weight model-gaps. Repeatable.",
            callback=check_name,
        ),
    ] = None
    metric: Metric = None


class SelectionOptions(OptionGroup):
    """Which items to add and to remove."""

    pool: PoolPath = None
    add: Annotated[int, typer.Option("--add", min=0, metavar="N", help="Items to add.")] = 50
    remove: Annotated[
        int, typer.Option("--remove", min=0, metavar="N", help="Redundant items to remove.")
    ] = 0
    min_items: Annotated[
        int,
        typer.Option(
            "--min-items", min=1, metavar="N", help="Keep at least N items of the benchmark."
        ),
    ] = 1
    fdr: Annotated[
        float | None, typer.Option("--fdr", help="Share of false gaps allowed. [default: 0.05]")
    ] = None
    seed: Seed = 0
    constraints: ConstraintOptions
    weighting: WeightOptions


class RevisionOptions(OptionGroup):
    """Where and in which format the revision is written."""

    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where to write. [default: BENCHMARK-revised]"),
    ] = None
    format: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="FMT", help="Write another format (jsonl, csv, parquet ...)."
        ),
    ] = None
    force: Force = False


class RunOutputOptions(OptionGroup):
    """What `run` writes and prints."""

    workspace: Annotated[
        Path | None,
        typer.Option(
            "--workspace",
            metavar="DIR",
            help="Where to keep maps and results for the next run. [default: BENCHMARK-workspace "
            "beside the output, or the next free number if decisions were made in it]",
        ),
    ] = None
    revision: RevisionOptions
    output: OutputOptions


class DecisionOptions(OptionGroup):
    """What to record beside a verdict, or which step to take."""

    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="A note.")] = None
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why (wrong key, unclear, ...).")
    ] = None
    edit: Annotated[
        list[str] | None,
        typer.Option(
            "--edit",
            metavar="FIELD=VALUE",
            help="Rewrite a field of a candidate; lists and numbers as JSON. Repeatable.",
        ),
    ] = None
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="GROUP",
            help="Judge a group of similar items, by its id or name, in place of an item: `meant` "
            "if it belongs to what the benchmark is about, else `not-meant`.",
        ),
    ] = None
    undo: Annotated[bool, typer.Option("--undo", help="Undo the last decision.")] = False
    redo: Annotated[bool, typer.Option("--redo", help="Redo the decision undone last.")] = False
