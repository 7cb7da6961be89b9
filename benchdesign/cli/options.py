"""The arguments and options of the commands, in groups.

Importing this loads only the parser, so that `--help` stays fast.
"""
# Annotations are not postponed: the parser would compile hundreds of them at every start.

from pathlib import Path
from typing import Annotated, Any

import typer

from benchdesign.cli.option_groups import OptionGroup

__all__ = [
    "AsJson",
    "BenchmarkPath",
    "Chat",
    "ComparedReadingOptions",
    "DeviceOptions",
    "DictionarySpec",
    "Fields",
    "Force",
    "ItemLimit",
    "LimitOptions",
    "LimitedReadingOptions",
    "LoadOptions",
    "Metric",
    "ModelOptions",
    "ModelSpec",
    "OutputOptions",
    "PoolPath",
    "PoolReadingOptions",
    "Quiet",
    "ReadingOptions",
    "ReportOptions",
    "ResultsOptions",
    "Seed",
    "WorkspacePath",
    "check_name",
]


def check_name(value: Any) -> Any:
    """Raise BadParameter for an empty name, which would mean the current folder."""
    names = [value] if isinstance(value, str) else value or ()
    if not all(name.strip() for name in names):
        raise typer.BadParameter("a name is empty; give a file, a folder or hf:owner/name")
    return value


BenchmarkPath = Annotated[
    str,
    typer.Argument(
        metavar="BENCHMARK",
        help="File, folder, or `hf:owner/name`.",
        show_default=False,
        callback=check_name,
    ),
]
WorkspacePath = Annotated[
    Path, typer.Argument(metavar="WORKSPACE", help="Workspace folder.", show_default=False)
]
PoolPath = Annotated[
    str | None,
    typer.Option(
        "--pool",
        metavar="POOL",
        help="Candidate items: file, folder or `hf:owner/name`.",
        callback=check_name,
    ),
]
ModelSpec = Annotated[
    str,
    typer.Option("--model", metavar="NAME", help="Reference model: builtin, a folder or a hub id."),
]
DictionarySpec = Annotated[
    str,
    typer.Option(
        "--dictionary",
        metavar="SPEC",
        help="Concept dictionary: builtin, a folder, sae-lens:RELEASE/SAE_ID, "
        "hf:OWNER/REPO[/FOLDER].",
    ),
]
Chat = Annotated[
    bool,
    typer.Option("--chat", help="Format each item as a user turn in the model's chat template."),
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="NAME=FIELD",
        help="Which field holds what (prompt=question). Repeatable.",
    ),
]
ItemLimit = Annotated[
    int | None, typer.Option("--limit", min=1, metavar="N", help="Read only the first N items.")
]
Metric = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="Which score to use if a log has several (acc; exact_match,strict). "
        "Repeatable for logs that differ.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Random seed.")]
Force = Annotated[bool, typer.Option("--force", help="Replace existing files.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print only errors: no progress, notes or summary."),
]


class OutputOptions(OptionGroup):
    """What a command prints."""

    as_json: AsJson = False
    quiet: Quiet = False


class DeviceOptions(OptionGroup):
    """Where and how precisely the reference model runs."""

    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            help="cpu, cuda or mps; auto spreads the model's layers over devices. "
            "[default: cuda if available, else cpu]",
        ),
    ] = None
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            help="Precision of the model: float32, bfloat16 or float16. "
            "[default: float32 on the CPU, else the model's own]",
        ),
    ] = None


class LoadOptions(DeviceOptions):
    """How the reference model is loaded and where its activations are read."""

    hook_module: Annotated[
        str | None,
        typer.Option(
            "--hook-module", help="Module to read activations from if the architecture is unknown."
        ),
    ] = None


class ModelOptions(OptionGroup):
    """The reference model and the dictionary of its concepts."""

    model: ModelSpec = "builtin"
    dictionary: DictionarySpec = "builtin"
    chat: Chat = False
    load: LoadOptions


class ReadingOptions(OptionGroup):
    """How the benchmark's file is read."""

    field: Fields = None
    template: Annotated[
        Path | None,
        typer.Option("--template", metavar="FILE", help="Jinja2 template that renders an item."),
    ] = None
    split: Annotated[str | None, typer.Option("--split", help="Split or shard group to read.")] = (
        None
    )


class ComparedReadingOptions(ReadingOptions):
    """How a benchmark and the pool it is compared with are read."""

    pool_template: Annotated[
        str | None,
        typer.Option(
            "--pool-template",
            metavar="FILE",
            help="As --template, for the pool; `none` for no template. [default: the --template]",
        ),
    ] = None


class LimitedReadingOptions(ComparedReadingOptions):
    """How a benchmark is read, and how many of its items."""

    limit: ItemLimit = None


class PoolReadingOptions(LimitedReadingOptions):
    """How the benchmark and a pool in another format are read."""

    pool_field: Annotated[
        list[str] | None,
        typer.Option("--pool-field", metavar="NAME=FIELD", help="As --field, for the pool."),
    ] = None
    pool_split: Annotated[str | None, typer.Option("--pool-split", help="Split of the pool.")] = (
        None
    )
    pool_limit: Annotated[
        int | None,
        typer.Option(
            "--pool-limit", min=1, metavar="N", help="Read only the first N items of the pool."
        ),
    ] = None


class ReportOptions(OptionGroup):
    """Where a report is written, and what the command prints."""

    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="DIR",
            help="Also write a report (HTML, Markdown and JSON) into this folder.",
        ),
    ] = None
    force: Force = False
    output: OutputOptions


class ResultsOptions(OptionGroup):
    """Results of models, and how they are compared."""

    results: Annotated[
        list[str],
        typer.Option(
            "--results",
            metavar="[MODEL=]FILE",
            help="Results on each item: an lm-eval, Inspect or HELM log, a folder of them, or a "
            "table with item, model and score. Repeatable.",
            show_default=False,
            callback=check_name,
        ),
    ]
    metric: Metric = None
    compare: Annotated[
        list[str] | None,
        typer.Option(
            "--compare",
            metavar="A,B",
            help="Two models to compare item by item. Repeatable. [default: each with the best]",
        ),
    ] = None
    seed: Seed = 0


class LimitOptions(OptionGroup):
    """The limits that a benchmark must keep."""

    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline",
            metavar="FILE",
            help="A revision.json, or the earlier output of `check --json`; coverage may not fall.",
        ),
    ] = None
    fail_under: Annotated[
        float | None,
        typer.Option(
            "--fail-under",
            min=0,
            max=100,
            metavar="PERCENT",
            help="Smallest covered share: 80 or 0.8.",
        ),
    ] = None
    fail_missing_groups: Annotated[
        int | None,
        typer.Option(
            "--fail-missing-groups",
            min=0,
            metavar="N",
            help="Fail if more than N groups of similar items are lacking for certain; needs "
            "--pool.",
        ),
    ] = None
    max_missing: Annotated[
        int | None,
        typer.Option("--max-missing", min=0, metavar="N", help="Most missing concepts."),
    ] = None
    max_duplicates: Annotated[
        int | None,
        typer.Option("--max-duplicates", min=0, metavar="N", help="Most pairs of duplicates."),
    ] = None
    max_findings: Annotated[
        int | None,
        typer.Option("--max-findings", min=0, metavar="N", help="Most rows with findings."),
    ] = None
