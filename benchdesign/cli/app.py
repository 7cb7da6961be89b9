"""Every command with its options and help; what they do is in the modules they call.

Commands import those modules when they run, so that `--help` costs no more than the parser.
"""
# Annotations are not postponed: the parser would compile hundreds of them at every start.
# ruff: noqa: D301 - the parser wants a real backspace where it must keep lines as they are

from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from benchdesign.cli.options import (
    AsJson,
    BenchmarkPath,
    Chat,
    Device,
    DictionarySpec,
    Dtype,
    Fields,
    HookModule,
    ModelSpec,
    PoolPath,
    PoolTemplateFile,
    Quiet,
    Split,
    TemplateFile,
    WorkspacePath,
    chosen_scope,
    named,
    pairs,
    read_pool_template,
    read_template,
    weighting,
    whole_numbers,
)
from benchdesign.version import __version__

__all__ = ["app"]

app = typer.Typer(
    name="benchdesign",
    help="Find what a benchmark for language models does not test, add it, and prove it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
config_app = typer.Typer(
    help="Settings, and where each came from.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(config_app, name="config")
if find_spec("benchdesign.cli.commands.dictionary") is not None:
    app.add_typer(
        import_module("benchdesign.cli.commands.dictionary").app,
        name="dictionary",
        short_help="Train, measure, label and look into concept dictionaries.",
    )

OutFolder = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Where to write. [default: BENCHMARK-revised]"),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are there already.")]
Metric = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="Which score to use where a log has several (acc; exact_match,strict). "
        "Repeatable where logs differ.",
    ),
]
Weight = Annotated[
    str | None,
    typer.Option(
        "--weight",
        metavar="WHAT",
        help="gaps, or model-gaps: prefer items that probe what models are weak at by --results. "
        "[default: gaps]",
    ),
]
WeightResults = Annotated[
    list[str] | None,
    typer.Option(
        "--results",
        metavar="[MODEL=]FILE",
        help="Results of models on the benchmark's items, for --weight model-gaps. Repeatable.",
        callback=named,
    ),
]
ReportFolder = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="DIR", help="Also write a page, Markdown and JSON into this folder."
    ),
]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="FMT", help="Write another format (jsonl, csv, parquet ...)."),
]


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.")
    ] = False,
) -> None:
    if version:
        from benchdesign.cli.output import print_lines

        print_lines(f"benchdesign {__version__}")
        raise typer.Exit


@app.command(short_help="Map, find gaps, choose items to add, write revision and report.")
def run(
    benchmark: BenchmarkPath,
    pool: PoolPath = None,
    add: Annotated[int, typer.Option("--add", min=0, metavar="N", help="Items to add.")] = 50,
    remove: Annotated[
        int, typer.Option("--remove", min=0, metavar="N", help="Redundant items to remove.")
    ] = 0,
    min_items: Annotated[
        int,
        typer.Option(
            "--min-items", min=1, metavar="N", help="Keep at least N items of the benchmark."
        ),
    ] = 1,
    out: OutFolder = None,
    model: ModelSpec = "builtin",
    dictionary: DictionarySpec = "builtin",
    chat: Chat = False,
    scope: Annotated[
        str, typer.Option("--scope", metavar="TEXT", help="What the benchmark is meant to test.")
    ] = "",
    scope_examples: Annotated[
        str | None,
        typer.Option(
            "--scope-examples",
            metavar="FILE",
            help="Items that are certainly meant, any format.",
            callback=named,
        ),
    ] = None,
    scope_cutoff: Annotated[
        float | None,
        typer.Option(
            "--scope-cutoff",
            min=0,
            max=1,
            metavar="X",
            help="Relevance to the scope from which a concept is in it, 0 to 1: more is narrower. "
            "[default: 0.4]",
        ),
    ] = None,
    pin_concept: Annotated[
        list[int] | None,
        typer.Option(
            "--pin-concept", metavar="ID", help="A concept that is meant in any case. Repeatable."
        ),
    ] = None,
    exclude_concept: Annotated[
        list[int] | None,
        typer.Option(
            "--exclude-concept", metavar="ID", help="A concept that is not meant. Repeatable."
        ),
    ] = None,
    template: TemplateFile = None,
    pool_template: PoolTemplateFile = None,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Random seed.")] = 0,
    field: Fields = None,
    pool_field: Annotated[
        list[str] | None,
        typer.Option("--pool-field", metavar="NAME=FIELD", help="As --field, for the pool."),
    ] = None,
    split: Split = None,
    pool_split: Annotated[
        str | None, typer.Option("--pool-split", help="Split of the pool.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="Read only the first N items.")
    ] = None,
    pool_limit: Annotated[
        int | None,
        typer.Option("--pool-limit", min=1, metavar="N", help="Read only N items of the pool."),
    ] = None,
    quota: Annotated[
        list[str] | None,
        typer.Option(
            "--quota",
            metavar="CATEGORY=N",
            help="Add at most N items of a category; * is every other one. Repeatable.",
        ),
    ] = None,
    source_quota: Annotated[
        list[str] | None,
        typer.Option(
            "--source-quota", metavar="SOURCE=N", help="As --quota, by source. Repeatable."
        ),
    ] = None,
    pin: Annotated[
        list[str] | None,
        typer.Option("--pin", metavar="ID", help="A pool item to add first. Repeatable."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="ID", help="A pool item never to add. Repeatable."),
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option(
            "--require",
            metavar="FIELD",
            help="Add only items that have it (answer); `none` takes any. Repeatable. "
            "[default: choices and answer, where the benchmark's items have them]",
        ),
    ] = None,
    min_tokens: Annotated[
        int | None, typer.Option("--min-tokens", min=0, help="Shortest item to add.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, help="Longest item to add.")
    ] = None,
    keep_out: Annotated[
        list[str] | None,
        typer.Option(
            "--keep-out",
            metavar="FILE",
            help="A known benchmark whose items are never added. Repeatable.",
            callback=named,
        ),
    ] = None,
    fdr: Annotated[
        float | None, typer.Option("--fdr", help="Share of false gaps allowed. [default: 0.05]")
    ] = None,
    workspace: Annotated[
        Path | None,
        typer.Option(
            "--workspace",
            metavar="DIR",
            help="Where to keep maps and results for next time. [default: BENCHMARK-workspace "
            "beside the output, or the next free number where something was decided in it]",
        ),
    ] = None,
    format: Format = None,
    device: Device = None,
    dtype: Dtype = None,
    hook_module: HookModule = None,
    weight: Weight = None,
    results: WeightResults = None,
    metric: Metric = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Do the whole job: map, find gaps, choose items to add, write the revision and its report.

    \b
    Example:
      benchdesign run my.jsonl --pool candidates.jsonl --add 50 --scope "school physics"
    """
    from benchdesign.cli.actions.run import run_job
    from benchdesign.cli.actions.run_request import RunRequest
    from benchdesign.coverage.gap_settings import GapSettings
    from benchdesign.selection.constraints import Constraints
    from benchdesign.workspace.settings import Settings

    constraints = Constraints(
        quotas_by_category=whole_numbers(quota, "--quota"),
        quotas_by_source=whole_numbers(source_quota, "--source-quota"),
        min_tokens=min_tokens or None,
        max_tokens=max_tokens or None,
        required_fields=tuple(name for name in require if name != "none") if require else None,
        pinned=frozenset(pin or ()),
        excluded=frozenset(exclude or ()),
    )
    chosen = (("gaps.fdr", fdr), ("scope.cutoff", scope_cutoff))
    settings = Settings(
        n_add=add,
        n_remove=remove,
        min_items=min_items,
        seed=seed,
        model=model,
        dictionary=dictionary,
        chat=chat,
        device=device,
        dtype=dtype,
        hook_module=hook_module,
        fields=pairs(field, "--field"),
        pool_fields=pairs(pool_field, "--pool-field"),
        template=read_template(template),
        pool_template=read_pool_template(pool_template),
        split=split,
        pool_split=pool_split,
        limit=limit,
        pool_limit=pool_limit,
        scope=chosen_scope(scope, scope_examples, pin_concept, exclude_concept, scope_cutoff),
        gaps=GapSettings() if fdr is None else GapSettings(fdr=fdr),
        constraints=constraints,
        explicit=frozenset(name for name, value in chosen if value is not None),
        keep_out=tuple(keep_out or ()),
        **weighting(weight, results, metric),
    )
    run_job(
        RunRequest(benchmark, pool, settings, out=out, workspace=workspace, format=format),
        force=force,
        as_json=as_json,
        quiet=quiet,
    )


@app.command("open", short_help="Open the terminal interface.")
def open_interface(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[WORKSPACE | BENCHMARK]",
            help="Nothing shows the recent workspaces.",
            callback=named,
        ),
    ] = None,
    pool: PoolPath = None,
    chat: Chat = False,
) -> None:
    """Open the terminal interface on a workspace, or on a benchmark to make one.

    \b
    Example:
      benchdesign open my.jsonl --pool candidates.jsonl
    """
    from benchdesign.cli.actions.interface import open_job

    open_job(path, pool=pool, chat=chat)


@app.command(short_help="Show the terminal interface in a browser, on this machine only.")
def serve(
    workspace: WorkspacePath,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on.")
    ] = 8000,
) -> None:
    """Show the terminal interface in a browser, on this machine only.

    \b
    Example:
      benchdesign serve my-workspace --port 8000
    """
    from benchdesign.cli.actions.interface import serve_job

    serve_job(workspace, port=port)


@app.command(short_help="Show what one benchmark covers and lacks, or how several overlap.")
def coverage(
    benchmarks: Annotated[
        list[str],
        typer.Argument(
            metavar="BENCHMARK...",
            help="One, or several to compare.",
            show_default=False,
            callback=named,
        ),
    ],
    pool: PoolPath = None,
    model: ModelSpec = "builtin",
    dictionary: DictionarySpec = "builtin",
    chat: Chat = False,
    field: Fields = None,
    template: TemplateFile = None,
    pool_template: PoolTemplateFile = None,
    split: Split = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="Read only the first N items.")
    ] = None,
    report: ReportFolder = None,
    force: Force = False,
    top: Annotated[int, typer.Option("--top", min=0, help="Concepts to list.")] = 20,
    device: Device = None,
    dtype: Dtype = None,
    hook_module: HookModule = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show what one benchmark covers and what it lacks, or how several overlap.

    Without a pool, coverage is compared with the dictionary's corpus.

    \b
    Example:
      benchdesign coverage first.jsonl second.csv --json
    """
    from benchdesign.cli.actions.coverage import coverage_job
    from benchdesign.workspace.settings import Settings

    settings = Settings(
        model=model,
        dictionary=dictionary,
        chat=chat,
        device=device,
        dtype=dtype,
        hook_module=hook_module,
        fields=pairs(field, "--field"),
        template=read_template(template),
        pool_template=read_pool_template(pool_template),
        split=split,
        limit=limit,
    )
    coverage_job(
        benchmarks,
        pool,
        settings,
        top=top,
        report=report,
        force=force,
        as_json=as_json,
        quiet=quiet,
    )


@app.command(short_help="Show where models are weak, from their results on each item.")
def models(
    benchmarks: Annotated[
        list[str],
        typer.Argument(
            metavar="BENCHMARK...",
            help="What the models answered; several also give means across them.",
            show_default=False,
            callback=named,
        ),
    ],
    results: Annotated[
        list[str],
        typer.Option(
            "--results",
            metavar="[MODEL=]FILE",
            help="Results on each item: an lm-eval, Inspect or HELM log, a folder of them, or a "
            "table with item, model and score. Repeatable.",
            show_default=False,
            callback=named,
        ),
    ],
    metric: Metric = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            "--compare",
            metavar="A,B",
            help="Two models to compare item by item. Repeatable. [default: each with the best]",
        ),
    ] = None,
    model: ModelSpec = "builtin",
    dictionary: DictionarySpec = "builtin",
    chat: Chat = False,
    field: Fields = None,
    template: TemplateFile = None,
    split: Split = None,
    report: ReportFolder = None,
    force: Force = False,
    top: Annotated[int, typer.Option("--top", min=0, help="Rows to list of each kind.")] = 10,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Random seed.")] = 0,
    device: Device = None,
    dtype: Dtype = None,
    hook_module: HookModule = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show where models are weak, from their results on each item, and whether that is real.

    \b
    Example:
      benchdesign models my.jsonl --results lm_eval_output/ --results other=log.eval --metric acc
    """
    from benchdesign.cli.actions.models import ModelsRequest, models_job
    from benchdesign.workspace.settings import Settings

    settings = Settings(
        model=model,
        dictionary=dictionary,
        chat=chat,
        device=device,
        dtype=dtype,
        hook_module=hook_module,
        seed=seed,
        fields=pairs(field, "--field"),
        template=read_template(template),
        split=split,
    )
    request = ModelsRequest(
        benchmarks, results, settings, metrics=metric or (), compare=compare or (), top=top
    )
    if report is not None:
        request = replace(request, report=report, force=force)
    models_job(request, as_json=as_json, quiet=quiet)


@app.command(short_help="List the review queue: what, why, and what was decided.")
def proposals(
    workspace: WorkspacePath,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="STATE", help="open, accepted, rejected or deferred."),
    ] = None,
    weight: Weight = None,
    results: WeightResults = None,
    metric: Metric = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """List the review queue: what is proposed, why, and what was decided.

    With --weight proposals are made anew first; decisions stay.

    \b
    Example:
      benchdesign proposals my-workspace --only open
    """
    from benchdesign.cli.actions.review import proposals_job

    if weight or results:
        from benchdesign.cli.actions.run import weigh_job

        weigh_job(workspace, weighting(weight, results, metric), quiet=quiet)
    proposals_job(workspace, only=only, as_json=as_json)


@app.command(short_help="Decide about a proposal without the interface.")
def decide(
    workspace: WorkspacePath,
    item_id: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="Id of the proposed item.", show_default=False),
    ] = None,
    verdict: Annotated[
        str | None,
        typer.Argument(metavar="accept|reject|defer", help="Your verdict.", show_default=False),
    ] = None,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="A note.")] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why (wrong key, unclear, ...).")
    ] = None,
    edit: Annotated[
        list[str] | None,
        typer.Option(
            "--edit",
            metavar="FIELD=VALUE",
            help="Rewrite a field of a candidate; lists and numbers as JSON. Repeatable.",
        ),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last decision back.")] = False,
    redo: Annotated[
        bool, typer.Option("--redo", help="Bring the decision undone last back.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Decide about a proposal without the interface; it is on disk when this returns.

    The verdict may be left out where there is a note, a reason or an edit.

    \b
    Example:
      benchdesign decide my-workspace pool-17 accept --edit "answer=B" --note "checked the key"
    """
    from benchdesign.cli.actions.decide import DecisionInput, decide_job, redo_job, undo_job

    if undo or redo:
        (undo_job if undo else redo_job)(workspace, item_id=item_id, as_json=as_json)
    else:
        said = DecisionInput(verdict, note=note, reason=reason, edits=edit or ())
        decide_job(workspace, item_id, said, as_json=as_json)


@app.command(short_help="Write the revision from the decisions.")
def export(
    workspace: WorkspacePath,
    out: OutFolder = None,
    format: Format = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write the revision from the decisions: benchmark, manifest, concepts, report.

    \b
    Example:
      benchdesign export my-workspace --out my-revised
    """
    from benchdesign.cli.actions.export import export_job

    export_job(workspace, out=out, format=format, force=force, as_json=as_json, quiet=quiet)


@app.command(short_help="Hold a benchmark to limits, for continuous integration.")
def check(
    benchmark: BenchmarkPath,
    pool: PoolPath = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline",
            metavar="FILE",
            help="A revision.json, or what `check --json` printed before; coverage may not fall.",
        ),
    ] = None,
    fail_under: Annotated[
        float | None,
        typer.Option(
            "--fail-under",
            min=0,
            max=100,
            metavar="PERCENT",
            help="Least covered share: 80 or 0.8.",
        ),
    ] = None,
    max_missing: Annotated[
        int | None, typer.Option("--max-missing", min=0, metavar="N", help="Most missing concepts.")
    ] = None,
    max_duplicates: Annotated[
        int | None,
        typer.Option("--max-duplicates", min=0, metavar="N", help="Most pairs of duplicates."),
    ] = None,
    max_findings: Annotated[
        int | None,
        typer.Option("--max-findings", min=0, metavar="N", help="Most rows with findings."),
    ] = None,
    model: ModelSpec = "builtin",
    dictionary: DictionarySpec = "builtin",
    chat: Chat = False,
    field: Fields = None,
    template: TemplateFile = None,
    pool_template: PoolTemplateFile = None,
    split: Split = None,
    device: Device = None,
    dtype: Dtype = None,
    hook_module: HookModule = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Gate for continuous integration: leaves with 1 if a limit is broken.

    \b
    Example:
      benchdesign check my.jsonl --baseline revision.json --fail-under 80
    """
    from benchdesign.cli.actions.check import check_job
    from benchdesign.coverage.limits import CheckLimits
    from benchdesign.workspace.settings import Settings

    settings = Settings(
        model=model,
        dictionary=dictionary,
        chat=chat,
        device=device,
        dtype=dtype,
        hook_module=hook_module,
        fields=pairs(field, "--field"),
        template=read_template(template),
        pool_template=read_pool_template(pool_template),
        split=split,
    )
    limits = CheckLimits(baseline, fail_under, max_missing, max_duplicates, max_findings)
    check_job(benchmark, pool, settings, limits, as_json=as_json, quiet=quiet)


@app.command(short_help="Run the whole job on the shipped example.")
def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the demonstration.")
    ] = Path("benchdesign-demo"),
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run the whole job on the shipped example, and say what to open.

    \b
    Example:
      benchdesign demo --out /tmp/demo
    """
    from benchdesign.cli.actions.run import demo_job

    demo_job(out, as_json=as_json, quiet=quiet)


@config_app.command("show")
def config_show(as_json: AsJson = False) -> None:
    """Print every preference and where its value came from.

    \b
    Example:
      benchdesign config show --json
    """
    from benchdesign.cli.actions.preferences import config_job

    config_job(as_json=as_json)
