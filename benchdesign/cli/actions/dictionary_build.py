"""What `dictionary train`, `measure` and `join` do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchdesign.cli.options import stopping
from benchdesign.cli.output import Messages, print_json, print_lines, print_table
from benchdesign.concepts.dictionaries.join_levels import LevelSource, join_levels
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.training.build_dictionary import build_dictionary
from benchdesign.concepts.training.measure_dictionary import measure_dictionary
from benchdesign.foundation.number_words import percent

if TYPE_CHECKING:
    from benchdesign.concepts.training.build_dictionary import BuildReport
    from benchdesign.concepts.training.corpus import CorpusSettings
    from benchdesign.concepts.training.recipe import LevelSpec, TrainSettings

__all__ = ["join_job", "measure_job", "train_job"]


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
    talk = Messages(quiet=quiet)
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
    elif not quiet:
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
                percent(level.dead_share, 1),
                percent(level.dense_share, 1),
                f"{report.flags[level.level]['usable']:,}",
                f"{level.seconds:.0f}",
            ]
            for level in report.levels
        ],
        right=" rrrrrrr",
    )
    print_lines("", f"Wrote {out}. Give it as --dictionary {out}.")


def measure_job(
    spec: str,
    corpus: Path,
    out: Path,
    *,
    model: str | None,
    contexts: Path | None,
    corpus_settings: CorpusSettings,
    max_tokens: int | None,
    device: str | None,
    dtype: str | None,
    hook_module: str | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure a dictionary on a corpus and print what it knows now."""
    talk = Messages(quiet=quiet)
    with stopping(talk.say) as stop:
        report = measure_dictionary(
            load_dictionary(spec),
            corpus,
            out,
            model=model,
            corpus_settings=corpus_settings,
            contexts_path=contexts,
            max_tokens=max_tokens,
            device=device,
            dtype=dtype,
            hook_module=hook_module,
            overwrite=force,
            progress=talk.progress,
            stop=stop,
        )
    talk.done()
    if as_json:
        print_json(asdict(report))
    if as_json or quiet:
        return
    read = report.corpus
    print_lines(
        f"Measured on {read['n_tokens']:,} tokens of {read['n_texts']:,} texts from "
        f"{read['n_sources']:,} sources.",
        "",
    )
    print_table(
        ["level", "usable", "kept out, and why"],
        [
            [
                level,
                f"{counts['usable']:,}",
                ", ".join(f"{n:,} {flag}" for flag, n in counts.items() if flag != "usable"),
            ]
            for level, counts in report.flags.items()
        ],
        right=" r ",
    )
    print_lines("", f"Wrote {out}. Give it as --dictionary {out}.")


def join_job(
    levels: Sequence[str], out: Path, *, name: str | None, force: bool, as_json: bool
) -> None:
    """Join levels of several dictionaries and print what came of it."""
    made = join_levels([LevelSource.parse(one) for one in levels], out, name=name, overwrite=force)
    labels = made.table.label
    counts = [
        sum(one is not None for one in labels[level.offset : level.offset + level.width])
        for level in made.levels
    ]
    if as_json:
        rows = [
            {
                "level": level.name,
                "hook_point": level.hook_point,
                "first_id": level.offset,
                "width": level.width,
                "n_labelled": n_labelled,
            }
            for level, n_labelled in zip(made.levels, counts, strict=True)
        ]
        print_json(
            {
                "dictionary": str(out),
                "model": made.model,
                "fingerprint": made.fingerprint,
                "levels": rows,
            }
        )
        return
    print_table(
        ["level", "reads", "first id", "width", "labelled"],
        [
            [
                level.name,
                level.hook_point,
                f"{level.offset:,}",
                f"{level.width:,}",
                f"{n_labelled:,}",
            ]
            for level, n_labelled in zip(made.levels, counts, strict=True)
        ],
        right="  rrr",
    )
    print_lines("", f"Wrote {out}. Give it as --dictionary {out}.")
