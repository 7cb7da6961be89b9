"""The arguments and options of `benchdesign dictionary`, in groups."""
# Annotations are not postponed: the parser would compile hundreds of them at every start.

from pathlib import Path
from typing import Annotated

import typer

from benchdesign.cli.option_groups import OptionGroup
from benchdesign.cli.options import (
    DeviceOptions,
    Fields,
    ItemLimit,
    LoadOptions,
    ModelSpec,
    OutputOptions,
    Seed,
)

__all__ = [
    "ConceptItemsOptions",
    "CorpusOptions",
    "DictionaryFolderOptions",
    "DictionaryPath",
    "EndpointOptions",
    "ForceFolder",
    "LabelFilesOptions",
    "LabelScoreOptions",
    "LabelSourceOptions",
    "LabelSubsetOptions",
    "MeasureFolderOptions",
    "MeasuredModelOptions",
    "ShownModelOptions",
    "TrainedModelOptions",
    "TrainingOptions",
]

ForceFolder = Annotated[bool, typer.Option("--force", help="Replace an existing folder.")]


class CorpusOptions(OptionGroup):
    """The corpus and how it is read."""

    corpus: Annotated[
        Path,
        typer.Argument(
            metavar="CORPUS", help="JSON lines, Parquet or text; a file or a folder of them."
        ),
    ]
    contexts: Annotated[
        Path | None,
        typer.Option(
            "--contexts",
            metavar="FILE",
            help="Also write the passages that labels are made from (.jsonl or .jsonl.gz).",
        ),
    ] = None
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-tokens", min=1, metavar="N", help="Read only the first N tokens of the corpus."
        ),
    ] = None
    per_source_cap: Annotated[
        int | None,
        typer.Option("--per-source-cap", min=1, metavar="N", help="Most texts of one source."),
    ] = None
    same_opening_cap: Annotated[
        int,
        typer.Option(
            "--same-opening-cap",
            min=1,
            metavar="N",
            help="Most texts of one source that begin with the same eight words.",
        ),
    ] = 20
    text_field: Annotated[str, typer.Option("--text-field", help="Field with the text.")] = "text"
    source_field: Annotated[str, typer.Option("--source-field", help="Field with the source.")] = (
        "source"
    )


class TrainedModelOptions(OptionGroup):
    """The reference model whose activations are trained on."""

    model: ModelSpec = "builtin"
    device: DeviceOptions


class TrainingOptions(OptionGroup):
    """The levels of a dictionary and how they are trained."""

    level: Annotated[
        list[str],
        typer.Option(
            "--level",
            metavar="NAME:KEY=VALUE,...",
            help="A level to train: hook=, width=, k= and optionally unit=token|passage, "
            "architecture=batchtopk|matryoshka_batchtopk, widths=256/1024, passes=, lr=, batch=, "
            "window=, init=data|random. Repeatable.",
            show_default=False,
        ),
    ]
    passes: Annotated[
        float, typer.Option("--passes", min=0.001, help="Passes over the corpus.")
    ] = 1.0
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=2, help="Tokens or passages per step.")
    ] = 4096
    lr: Annotated[float, typer.Option("--lr", min=0, help="Learning rate.")] = 3e-3
    held_out: Annotated[
        float,
        typer.Option("--held-out", min=0.0, max=0.5, help="Share of the corpus not trained on."),
    ] = 0.02
    seed: Seed = 0
    precision: Annotated[
        str,
        typer.Option("--precision", help="Precision of the saved weights: float16 or float32."),
    ] = "float16"
    checkpoint_every: Annotated[
        int,
        typer.Option(
            "--checkpoint-every", min=0, metavar="N", help="Steps between checkpoints; 0: none."
        ),
    ] = 500
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the last checkpoint of the same run.")
    ] = False


class DictionaryFolderOptions(OptionGroup):
    """The folder of a new dictionary."""

    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder to write.", show_default=False)
    ]
    name: Annotated[
        str | None, typer.Option("--name", help="Name in reports. [default: the folder's]")
    ] = None
    force: ForceFolder = False


class MeasuredModelOptions(OptionGroup):
    """The reference model that a dictionary is measured with."""

    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="Reference model. [default: the SAE's own]"),
    ] = None
    load: LoadOptions


class MeasureFolderOptions(OptionGroup):
    """The folder of a measured dictionary."""

    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder to write; may be the dictionary's own if benchdesign made it.",
            show_default=False,
        ),
    ]
    force: ForceFolder = False


DictionaryPath = Annotated[
    str,
    typer.Argument(metavar="DICTIONARY", help="A dictionary folder, or any dictionary with --out."),
]


class LabelSourceOptions(OptionGroup):
    """Where labels come from, apart from a language model."""

    from_file: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Labels in CSV, TSV, JSON or JSON lines (concept_id or level and index; label; "
            "area; flag unclear if a concept has no name), or a Neuronpedia export.",
        ),
    ] = None
    keywords: Annotated[
        bool, typer.Option("--keywords", help="Key words from --contexts; needs no network.")
    ] = False
    neuronpedia: Annotated[
        str | None,
        typer.Option(
            "--neuronpedia",
            metavar="MODEL/SAE",
            help="Fetch from Neuronpedia; `auto` uses the id in the SAE's metadata.",
        ),
    ] = None
    contexts: Annotated[
        list[Path] | None,
        typer.Option(
            "--contexts",
            metavar="FILE",
            help="Written by `dictionary train --contexts`; repeatable for joined levels.",
        ),
    ] = None


class EndpointOptions(OptionGroup):
    """The language model that labels or judges, and how it is asked."""

    endpoint: Annotated[
        str | None,
        typer.Option(
            "--endpoint",
            metavar="URL",
            help="Ask a language model at an OpenAI-compatible address (ending in /v1); the "
            "key comes from BENCHDESIGN_API_KEY or OPENAI_API_KEY.",
        ),
    ] = None
    llm: Annotated[
        str | None, typer.Option("--llm", metavar="NAME", help="Model to ask at --endpoint.")
    ] = None
    template: Annotated[
        Path | None,
        typer.Option("--prompt", metavar="FILE", help="Instructions that replace the default."),
    ] = None
    per_request: Annotated[
        int, typer.Option("--per-request", min=1, help="Concepts per request.")
    ] = 4
    price_in: Annotated[
        float | None, typer.Option("--price-in", min=0, help="Price of a million input tokens.")
    ] = None
    price_out: Annotated[
        float | None, typer.Option("--price-out", min=0, help="Price of a million output tokens.")
    ] = None
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Accept the cost without confirmation.")
    ] = False


class LabelScoreOptions(OptionGroup):
    """How labels are scored."""

    score: Annotated[
        bool,
        typer.Option(
            "--score", help="Measure how well each label picks out held-out contexts (AUC)."
        ),
    ] = False
    judge: Annotated[
        bool,
        typer.Option("--judge", help="Score with the model at --endpoint, not with embeddings."),
    ] = False
    drop_below: Annotated[
        float | None,
        typer.Option(
            "--drop-below", min=0.0, max=1.0, metavar="AUC", help="Drop labels with a lower score."
        ),
    ] = None
    device: DeviceOptions


class LabelSubsetOptions(OptionGroup):
    """Which concepts are labelled or scored."""

    only_missing: Annotated[
        bool,
        typer.Option(
            "--only-missing",
            help="Skip concepts that have a label; with --score alone, those that have a score.",
        ),
    ] = False
    level: Annotated[
        str | None, typer.Option("--level", help="Only this level; the level of a file's indices.")
    ] = None
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="Only the first N concepts.")
    ] = None


class LabelFilesOptions(OptionGroup):
    """What `label` writes and prints."""

    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Write a labelled copy there; the original stays as it is."
        ),
    ] = None
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", help="Also write the labels as CSV."),
    ] = None
    force: ForceFolder = False
    output: OutputOptions


class ConceptItemsOptions(OptionGroup):
    """The items that show a concept."""

    items: Annotated[
        str | None,
        typer.Option("--items", metavar="FILE", help="Show the strongest items of this set."),
    ] = None
    top: Annotated[int, typer.Option("--top", min=1, help="Items to show.")] = 5
    field: Fields = None
    limit: ItemLimit = None


class ShownModelOptions(OptionGroup):
    """The reference model that shows a concept in items."""

    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="Reference model, if not the dictionary's."),
    ] = None
    load: LoadOptions
