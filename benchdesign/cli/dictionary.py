"""`benchdesign dictionary`: train, label, show and list concept dictionaries."""
# ruff: noqa: D301 - the parser wants a real backspace where it must keep lines as they are

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchdesign.cli.options import AsJson, Device, Dtype, ModelSpec, Quiet

__all__ = ["app"]

app = typer.Typer(
    help="Concept dictionaries: train, label, inspect and list them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def train(
    corpus: Annotated[
        Path,
        typer.Argument(
            metavar="CORPUS", help="JSON lines, Parquet or text; a file or a folder of them."
        ),
    ],
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
    contexts: Annotated[
        Path | None,
        typer.Option(
            "--contexts",
            metavar="FILE",
            help="Also write the passages that labels are made from (.jsonl or .jsonl.gz).",
        ),
    ] = None,
    passes: Annotated[
        float, typer.Option("--passes", min=0.001, help="Times the corpus is seen.")
    ] = 1.0,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=2, help="Tokens or passages a step.")
    ] = 4096,
    lr: Annotated[float, typer.Option("--lr", min=0, help="Learning rate.")] = 3e-3,
    max_tokens: Annotated[
        int | None,
        typer.Option("--max-tokens", min=1, metavar="N", help="Read only this much of the corpus."),
    ] = None,
    per_source_cap: Annotated[
        int | None,
        typer.Option("--per-source-cap", min=1, metavar="N", help="Most texts of one source."),
    ] = None,
    same_opening_cap: Annotated[
        int,
        typer.Option(
            "--same-opening-cap",
            min=1,
            metavar="N",
            help="Most texts of one source that begin with the same eight words.",
        ),
    ] = 20,
    text_field: Annotated[str, typer.Option("--text-field", help="Field with the text.")] = "text",
    source_field: Annotated[
        str, typer.Option("--source-field", help="Field with the source.")
    ] = "source",
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
    from benchdesign.cli.dictionary_jobs import train_job
    from benchdesign.mapping.corpus import CorpusSettings
    from benchdesign.mapping.train import LevelSpec, TrainSettings

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


if __name__ == "__main__":
    app()
