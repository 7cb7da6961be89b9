"""The parser: every command by its name.

A command imports its action when it runs, so that `--help` loads only the parser.
"""

from typing import Annotated

import typer

from benchdesign.cli.commands.check import check
from benchdesign.cli.commands.coverage import coverage
from benchdesign.cli.commands.dictionary import info, list_dictionaries
from benchdesign.cli.commands.dictionary_build import join, measure, train
from benchdesign.cli.commands.dictionary_label import label
from benchdesign.cli.commands.export import export
from benchdesign.cli.commands.interface import open_interface, serve
from benchdesign.cli.commands.models import models
from benchdesign.cli.commands.preferences import config_show
from benchdesign.cli.commands.review import decide, proposals
from benchdesign.cli.commands.run import demo, run
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
    help="Show the preferences and where each comes from.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
dictionary_app = typer.Typer(
    help="Concept dictionaries: train, join, measure, label, inspect and list them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _print_version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from benchdesign.cli.output import print_lines

        print_lines(f"benchdesign {__version__}")
        raise typer.Exit


app.command("run", short_help="Map, find gaps, choose items to add, write revision and report.")(
    run
)
app.command("open", short_help="Open the terminal interface.")(open_interface)
app.command("serve", short_help="Show the terminal interface in a browser, on this machine only.")(
    serve
)
app.command(
    "coverage", short_help="Show what one benchmark covers and lacks, or how several overlap."
)(coverage)
app.command("models", short_help="Show where models are weak, from their results on each item.")(
    models
)
app.command("proposals", short_help="List the review queue: what, why, and what was decided.")(
    proposals
)
app.command("decide", short_help="Decide about a proposal without the interface.")(decide)
app.command("export", short_help="Write the revision from the decisions.")(export)
app.command("check", short_help="Check a benchmark against limits, for continuous integration.")(
    check
)
app.command("demo", short_help="Run every stage on the example that comes with benchdesign.")(demo)

app.add_typer(config_app, name="config")
config_app.command("show")(config_show)

app.add_typer(
    dictionary_app,
    name="dictionary",
    short_help="Train, measure, label and inspect concept dictionaries.",
)
dictionary_app.command("train")(train)
dictionary_app.command("join")(join)
dictionary_app.command("measure")(measure)
dictionary_app.command("label")(label)
dictionary_app.command("info")(info)
dictionary_app.command("list")(list_dictionaries)
