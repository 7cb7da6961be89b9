"""`dictionary info` and `list`."""
# Annotations are not postponed: the parser would compile hundreds of them at every start.
# ruff: noqa: D301 - the parser needs a real backspace to keep lines as they are

from typing import Annotated

import typer

from benchdesign.cli.dictionary_options import ConceptItemsOptions, ShownModelOptions
from benchdesign.cli.option_groups import option_groups
from benchdesign.cli.options import AsJson, DictionarySpec, OutputOptions

__all__ = ["info", "list_dictionaries"]


@option_groups
def info(
    concept: Annotated[
        str,
        typer.Argument(metavar="CONCEPT", help="Id of a concept, or words to find in labels."),
    ],
    items: ConceptItemsOptions,
    model: ShownModelOptions,
    output: OutputOptions,
    dictionary: DictionarySpec = "builtin",
) -> None:
    """Show a concept: its label, how common it is, what to doubt, and which items show it.

    \b
    Examples:
      benchdesign dictionary info 4100 --items my.jsonl
      benchdesign dictionary info "probability"
    """
    from benchdesign.cli.actions.dictionary_show import info_job

    info_job(concept, dictionary, items, model, output)


def list_dictionaries(
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="TEXT", help="Only models with this in the name."),
    ] = None,
    release: Annotated[
        str | None,
        typer.Option("--release", metavar="NAME", help="Every SAE of one registry release."),
    ] = None,
    on_disk: Annotated[
        bool, typer.Option("--on-disk", help="Only those that can be used without a network.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List dictionaries: built in, in the cache, and the releases in sae-lens' registry.

    \b
    Examples:
      benchdesign dictionary list
      benchdesign dictionary list --model gemma --release gemma-scope-2b-pt-res-canonical
    """
    from benchdesign.cli.actions.dictionary_show import list_job

    list_job(model=model, release=release, on_disk=on_disk, as_json=as_json)
