"""`dictionary train`, `join` and `measure`."""
# Annotations are not postponed: the parser would compile hundreds of them at every start.
# ruff: noqa: D301 - the parser needs a real backspace to keep lines as they are

from typing import Annotated

import typer

from benchdesign.cli.dictionary_options import (
    CorpusOptions,
    DictionaryFolderOptions,
    MeasuredModelOptions,
    MeasureFolderOptions,
    TrainedModelOptions,
    TrainingOptions,
)
from benchdesign.cli.option_groups import option_groups
from benchdesign.cli.options import AsJson, OutputOptions

__all__ = ["join", "measure", "train"]


@option_groups
def train(
    corpus: CorpusOptions,
    folder: DictionaryFolderOptions,
    training: TrainingOptions,
    model: TrainedModelOptions,
    output: OutputOptions,
) -> None:
    """Train a dictionary on a corpus: every level, its statistics, its report, in one folder.

    \b
    Example:
      benchdesign dictionary train corpus.jsonl.gz --out my-dictionary --contexts contexts.jsonl.gz
        --level terms:hook=blocks.4.hook_resid_post,width=4096,k=32
        --level themes:hook=blocks.5.hook_resid_post,unit=passage,width=512,k=8,passes=20
    """
    from benchdesign.cli.actions.dictionary_build import train_job

    train_job(corpus, folder, training, model, output)


@option_groups
def join(
    level: Annotated[
        list[str],
        typer.Option(
            "--level",
            metavar="NAME=DICTIONARY",
            help="A level and its dictionary; the only level of a dictionary may get another "
            "name. Two or more, in the order of the concept ids.",
            show_default=False,
        ),
    ],
    folder: DictionaryFolderOptions,
    as_json: AsJson = False,
) -> None:
    """Join levels trained in separate runs into one dictionary, with their statistics and labels.

    \b
    Example:
      benchdesign dictionary join --level terms=builtin --level themes=my-themes --out joined
    """
    from benchdesign.cli.actions.dictionary_build import join_job

    join_job(level, folder, as_json=as_json)


@option_groups
def measure(
    dictionary: Annotated[
        str,
        typer.Argument(
            metavar="DICTIONARY", help="A folder, sae-lens:RELEASE/SAE_ID or a hub repository."
        ),
    ],
    corpus: CorpusOptions,
    folder: MeasureFolderOptions,
    model: MeasuredModelOptions,
    output: OutputOptions,
) -> None:
    """Measure a dictionary on a corpus: thresholds, base rates and flags; labels are kept.

    A public SAE has none of these; until they are measured, its concepts count as present
    wherever they fire.

    \b
    Example:
      benchdesign dictionary measure sae-lens:gpt2-small-res-jb/blocks.8.hook_resid_pre
        corpus.jsonl.gz --out gpt2-layer-8 --contexts contexts.jsonl.gz
    """
    from benchdesign.cli.actions.dictionary_build import measure_job

    measure_job(dictionary, corpus, folder, model, output)
