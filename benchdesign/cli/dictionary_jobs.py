"""What the `dictionary` commands do: thin calls into `benchdesign.mapping`, and their output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchdesign.cli.options import stopping
from benchdesign.cli.output import Talk, print_json, print_lines, print_table

if TYPE_CHECKING:
    from benchdesign.mapping.build import BuildReport
    from benchdesign.mapping.corpus import CorpusSettings
    from benchdesign.mapping.train import LevelSpec, TrainSettings

__all__ = ["train_job"]


def train_job(
    corpus: Path,
    out: Path,
    specs: Sequence[LevelSpec],
    *,
    model: str,
    name: str | None,
    contexts: Path | None,
    corpus_settings: CorpusSettings,
    settings: TrainSettings,
    max_tokens: int | None,
    dtype: str | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train a dictionary and print its report."""
    from benchdesign.mapping.build import build_dictionary

    talk = Talk(quiet=quiet)
    with stopping(talk.say) as stop:
        report = build_dictionary(
            corpus,
            out,
            specs,
            model=model,
            name=name,
            corpus_settings=corpus_settings,
            settings=settings,
            contexts_path=contexts,
            max_tokens=max_tokens,
            dtype=dtype,
            overwrite=force,
            progress=talk.progress,
            stop=stop,
        )
    talk.done()
    if as_json:
        print_json(asdict(report))
    else:
        _print_report(report, out)


def _print_report(report: BuildReport, out: Path) -> None:
    corpus = report.corpus
    print_lines(
        f"Trained on {corpus['n_tokens']:,} tokens of {corpus['n_texts']:,} texts "
        f"({corpus['n_held_out']:,} held out) from {corpus['n_sources']:,} sources.",
        "",
    )
    print_table(
        ["level", "width", "explained", "L0", "dead", "dense", "usable", "seconds"],
        [
            [
                level.level,
                f"{level.width:,}",
                f"{level.explained_variance:.3f}",
                f"{level.l0:.1f}",
                f"{level.dead_share:.1%}",
                f"{level.dense_share:.1%}",
                f"{report.flags[level.level]['usable']:,}",
                f"{level.seconds:.0f}",
            ]
            for level in report.levels
        ],
        right=" rrrrrrr",
    )
    print_lines("", f"Wrote {out}. Give it as --dictionary {out}.")
