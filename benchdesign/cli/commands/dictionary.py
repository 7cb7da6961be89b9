"""`benchdesign dictionary`: train, join, measure, label, show and list concept dictionaries."""
# Annotations are not postponed: the parser would compile hundreds of them at every start.
# ruff: noqa: D301 - the parser wants a real backspace where it must keep lines as they are

from pathlib import Path
from typing import Annotated

import typer

from benchdesign.cli.options import (
    AsJson,
    Device,
    DictionarySpec,
    Dtype,
    Fields,
    HookModule,
    ModelSpec,
    Quiet,
    pairs,
)

__all__ = ["app"]

CorpusArgument = Annotated[
    Path,
    typer.Argument(
        metavar="CORPUS", help="JSON lines, Parquet or text; a file or a folder of them."
    ),
]
ContextsFile = Annotated[
    Path | None,
    typer.Option(
        "--contexts",
        metavar="FILE",
        help="Also write the passages that labels are made from (.jsonl or .jsonl.gz).",
    ),
]
MaxTokens = Annotated[
    int | None,
    typer.Option("--max-tokens", min=1, metavar="N", help="Read only this much of the corpus."),
]
PerSourceCap = Annotated[
    int | None,
    typer.Option("--per-source-cap", min=1, metavar="N", help="Most texts of one source."),
]
SameOpeningCap = Annotated[
    int,
    typer.Option(
        "--same-opening-cap",
        min=1,
        metavar="N",
        help="Most texts of one source that begin with the same eight words.",
    ),
]
TextField = Annotated[str, typer.Option("--text-field", help="Field with the text.")]
SourceField = Annotated[str, typer.Option("--source-field", help="Field with the source.")]

app = typer.Typer(
    help="Concept dictionaries: train, join, measure, label, inspect and list them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def train(
    corpus: CorpusArgument,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder to write.", show_default=False)
    ],
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
    ],
    model: ModelSpec = "builtin",
    name: Annotated[
        str | None, typer.Option("--name", help="Name in reports. [default: the folder's]")
    ] = None,
    contexts: ContextsFile = None,
    passes: Annotated[
        float, typer.Option("--passes", min=0.001, help="Times the corpus is seen.")
    ] = 1.0,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=2, help="Tokens or passages a step.")
    ] = 4096,
    lr: Annotated[float, typer.Option("--lr", min=0, help="Learning rate.")] = 3e-3,
    max_tokens: MaxTokens = None,
    per_source_cap: PerSourceCap = None,
    same_opening_cap: SameOpeningCap = 20,
    text_field: TextField = "text",
    source_field: SourceField = "source",
    held_out: Annotated[
        float, typer.Option("--held-out", min=0.0, max=0.5, help="Share never trained on.")
    ] = 0.02,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Random seed.")] = 0,
    precision: Annotated[
        str, typer.Option("--precision", help="Of the saved weights: float16 or float32.")
    ] = "float16",
    checkpoint_every: Annotated[
        int,
        typer.Option(
            "--checkpoint-every", min=0, metavar="N", help="Steps between checkpoints; 0: none."
        ),
    ] = 500,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint of the same run.")
    ] = False,
    device: Device = None,
    dtype: Dtype = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a folder that is there already.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a dictionary on a corpus: every level, its statistics, its report, in one folder.

    \b
    Example:
      benchdesign dictionary train corpus.jsonl.gz --out my-dictionary --contexts contexts.jsonl.gz
        --level terms:hook=blocks.4.hook_resid_post,width=4096,k=32
        --level themes:hook=blocks.5.hook_resid_post,unit=passage,width=512,k=8,passes=20
    """
    from benchdesign.cli.actions.dictionary_build import train_job
    from benchdesign.concepts.training.corpus import CorpusSettings
    from benchdesign.concepts.training.recipe import LevelSpec, TrainSettings

    train_job(
        corpus,
        out,
        [LevelSpec.parse(one, passes=passes, batch_size=batch_size, lr=lr) for one in level],
        model=model,
        name=name,
        contexts=contexts,
        corpus_settings=CorpusSettings(
            per_source_cap=per_source_cap,
            same_opening_cap=same_opening_cap,
            held_out_share=held_out,
            text_field=text_field,
            source_field=source_field,
        ),
        settings=TrainSettings(
            seed=seed,
            device=device,
            precision=precision,
            checkpoint_every=checkpoint_every,
            resume=resume,
        ),
        max_tokens=max_tokens,
        dtype=dtype,
        force=force,
        as_json=as_json,
        quiet=quiet,
    )


@app.command()
def join(
    level: Annotated[
        list[str],
        typer.Option(
            "--level",
            metavar="NAME=DICTIONARY",
            help="A level and the dictionary it comes from; the only level of a dictionary may be "
            "given another name. Two or more, in the order of the concept ids.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder to write.", show_default=False)
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="Name in reports. [default: the folder's]")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a folder that is there already.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make one dictionary of levels trained in separate runs; statistics and labels come along.

    \b
    Example:
      benchdesign dictionary join --level terms=builtin --level themes=my-themes --out joined
    """
    from benchdesign.cli.actions.dictionary_build import join_job

    join_job(level, out, name=name, force=force, as_json=as_json)


@app.command()
def measure(
    dictionary: Annotated[
        str,
        typer.Argument(
            metavar="DICTIONARY", help="A folder, sae-lens:RELEASE/SAE_ID or a hub repository."
        ),
    ],
    corpus: CorpusArgument,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder to write; the dictionary's own where it is one of ours.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="Reference model. [default: the SAE's own]"),
    ] = None,
    contexts: ContextsFile = None,
    max_tokens: MaxTokens = None,
    per_source_cap: PerSourceCap = None,
    same_opening_cap: SameOpeningCap = 20,
    text_field: TextField = "text",
    source_field: SourceField = "source",
    device: Device = None,
    dtype: Dtype = None,
    hook_module: HookModule = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a folder that is there already.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure a dictionary on a corpus: thresholds, base rates and flags; labels stay.

    A public SAE comes without them; until they are measured, its concepts count as present
    wherever they fire.

    \b
    Example:
      benchdesign dictionary measure sae-lens:gpt2-small-res-jb/blocks.8.hook_resid_pre
        corpus.jsonl.gz --out gpt2-layer-8 --contexts contexts.jsonl.gz
    """
    from benchdesign.cli.actions.dictionary_build import measure_job
    from benchdesign.concepts.training.corpus import CorpusSettings

    measure_job(
        dictionary,
        corpus,
        out,
        model=model,
        contexts=contexts,
        corpus_settings=CorpusSettings(
            per_source_cap=per_source_cap,
            same_opening_cap=same_opening_cap,
            text_field=text_field,
            source_field=source_field,
        ),
        max_tokens=max_tokens,
        device=device,
        dtype=dtype,
        hook_module=hook_module,
        force=force,
        as_json=as_json,
        quiet=quiet,
    )


@app.command()
def label(
    dictionary: Annotated[
        str,
        typer.Argument(
            metavar="DICTIONARY", help="A dictionary folder, or any dictionary with --out."
        ),
    ],
    from_file: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Labels in CSV, TSV, JSON or JSON lines (concept_id or level and index; label; "
            "area; flag unclear where nothing can be named), or a Neuronpedia export.",
        ),
    ] = None,
    keywords: Annotated[
        bool, typer.Option("--keywords", help="Key words from --contexts; needs no network.")
    ] = False,
    endpoint: Annotated[
        str | None,
        typer.Option(
            "--endpoint",
            metavar="URL",
            help="Ask a language model behind an OpenAI-compatible address (ending in /v1); the "
            "key comes from BENCHDESIGN_API_KEY or OPENAI_API_KEY.",
        ),
    ] = None,
    llm: Annotated[
        str | None, typer.Option("--llm", metavar="NAME", help="Model to ask at --endpoint.")
    ] = None,
    neuronpedia: Annotated[
        str | None,
        typer.Option(
            "--neuronpedia",
            metavar="MODEL/SAE",
            help="Fetch from Neuronpedia; `auto` takes the id in the SAE's metadata.",
        ),
    ] = None,
    contexts: Annotated[
        list[Path] | None,
        typer.Option(
            "--contexts",
            metavar="FILE",
            help="Made by `dictionary train --contexts`; repeatable where levels were joined.",
        ),
    ] = None,
    score: Annotated[
        bool,
        typer.Option(
            "--score", help="Measure how well each label picks out held-out contexts (AUC)."
        ),
    ] = False,
    judge: Annotated[
        bool, typer.Option("--judge", help="Let the model at --endpoint score, not embeddings.")
    ] = False,
    drop_below: Annotated[
        float | None,
        typer.Option(
            "--drop-below", min=0.0, max=1.0, metavar="AUC", help="Unlabel what scores lower."
        ),
    ] = None,
    only_missing: Annotated[
        bool,
        typer.Option(
            "--only-missing",
            help="Leave concepts alone that have a label; where labels are only scored, those that "
            "have a score.",
        ),
    ] = False,
    level: Annotated[
        str | None, typer.Option("--level", help="Only this level; the level of a file's indices.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="Only the first N concepts.")
    ] = None,
    template: Annotated[
        Path | None,
        typer.Option("--prompt", metavar="FILE", help="Instructions to use in place of ours."),
    ] = None,
    per_request: Annotated[
        int, typer.Option("--per-request", min=1, help="Concepts in one question.")
    ] = 4,
    price_in: Annotated[
        float | None, typer.Option("--price-in", min=0, help="Price of a million tokens read.")
    ] = None,
    price_out: Annotated[
        float | None, typer.Option("--price-out", min=0, help="... and of a million written.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask about the cost.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write a labelled copy there, not in place."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", help="Also write the labels as CSV."),
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a folder that is there already.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Label concepts from a file, by key words, by a language model or from Neuronpedia.

    \b
    Examples:
      benchdesign dictionary label my-dictionary --keywords --contexts contexts.jsonl.gz --score
      benchdesign dictionary label my-dictionary --from labels.csv
    """
    from benchdesign.cli.actions.dictionary_label import LabelRequest, label_job

    label_job(
        LabelRequest(
            dictionary=dictionary,
            from_file=from_file,
            keywords=keywords,
            endpoint=endpoint,
            llm=llm,
            neuronpedia=neuronpedia,
            contexts=tuple(contexts or ()),
            score=score,
            judge=judge,
            drop_below=drop_below,
            only_missing=only_missing,
            level=level,
            limit=limit,
            template=template,
            per_request=per_request,
            price_in=price_in,
            price_out=price_out,
            yes=yes,
            out=out,
            save=save,
            device=device,
            dtype=dtype,
            force=force,
        ),
        as_json=as_json,
        quiet=quiet,
    )


@app.command()
def info(
    concept: Annotated[
        str,
        typer.Argument(metavar="CONCEPT", help="Id of a concept, or words to look for in labels."),
    ],
    dictionary: DictionarySpec = "builtin",
    items: Annotated[
        str | None,
        typer.Option("--items", metavar="FILE", help="Show its strongest items in this set."),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Items to show.")] = 5,
    field: Fields = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="Read only the first N items.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="Reference model, if not the dictionary's."),
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
    hook_module: HookModule = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show a concept: its label, how common it is, what to doubt, and where items show it.

    \b
    Examples:
      benchdesign dictionary info 4100 --items my.jsonl
      benchdesign dictionary info "probability"
    """
    from benchdesign.cli.actions.dictionary_show import info_job

    info_job(
        concept,
        dictionary,
        items,
        top=top,
        fields=pairs(field, "--field"),
        limit=limit,
        model=model,
        device=device,
        dtype=dtype,
        hook_module=hook_module,
        as_json=as_json,
        quiet=quiet,
    )


@app.command("list")
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
        bool, typer.Option("--on-disk", help="Only what can be used without a network.")
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


if __name__ == "__main__":
    app()
