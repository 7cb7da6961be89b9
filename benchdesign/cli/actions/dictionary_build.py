"""`dictionary train`, `measure` and `join`: make dictionaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchdesign.cli.dictionary_options import (
    CorpusOptions,
    DictionaryFolderOptions,
    MeasuredModelOptions,
    MeasureFolderOptions,
    TrainedModelOptions,
    TrainingOptions,
)
from benchdesign.cli.interrupt import stop_on_interrupt
from benchdesign.cli.options import OutputOptions
from benchdesign.cli.output import Messages, print_json, print_lines, print_table
from benchdesign.concepts.dictionaries.join_levels import LevelSource, join_levels
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.training.build_dictionary import build_dictionary
from benchdesign.concepts.training.corpus import CorpusSettings
from benchdesign.concepts.training.measure_dictionary import measure_dictionary
from benchdesign.concepts.training.recipe import LevelSpec, TrainSettings
from benchdesign.foundation.number_words import percent

if TYPE_CHECKING:
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.concepts.training.build_dictionary import BuildReport

__all__ = ["join_job", "measure_job", "train_job"]


def train_job(
    corpus: CorpusOptions,
    folder: DictionaryFolderOptions,
    training: TrainingOptions,
    model: TrainedModelOptions,
    output: OutputOptions,
) -> None:
    """Train a dictionary and print its report."""
    messages = Messages(quiet=output.quiet)
    with stop_on_interrupt(messages) as stop:
        report = build_dictionary(
            corpus.corpus,
            folder.out,
            _level_specs(training),
            model=model.model,
            name=folder.name,
            corpus_settings=replace(_corpus_settings(corpus), held_out_share=training.held_out),
            settings=TrainSettings(
                seed=training.seed,
                device=model.device.device,
                precision=training.precision,
                checkpoint_every=training.checkpoint_every,
                resume=training.resume,
            ),
            contexts_path=corpus.contexts,
            max_tokens=corpus.max_tokens,
            dtype=model.device.dtype,
            overwrite=folder.force,
            progress=messages.progress,
            stop=stop,
        )
    if output.as_json:
        print_json(asdict(report))
    elif not output.quiet:
        _print_report(report, folder.out)


def measure_job(
    spec: str,
    corpus: CorpusOptions,
    folder: MeasureFolderOptions,
    model: MeasuredModelOptions,
    output: OutputOptions,
) -> None:
    """Measure a dictionary on a corpus and print its figures."""
    messages = Messages(quiet=output.quiet)
    with stop_on_interrupt(messages) as stop:
        report = measure_dictionary(
            load_dictionary(spec),
            corpus.corpus,
            folder.out,
            model=model.model,
            corpus_settings=_corpus_settings(corpus),
            contexts_path=corpus.contexts,
            max_tokens=corpus.max_tokens,
            device=model.load.device,
            dtype=model.load.dtype,
            hook_module=model.load.hook_module,
            overwrite=folder.force,
            progress=messages.progress,
            stop=stop,
        )
    if output.as_json:
        print_json(asdict(report))
    elif not output.quiet:
        _print_measures(report.corpus, report.flags, folder.out)


def join_job(levels: Sequence[str], folder: DictionaryFolderOptions, *, as_json: bool) -> None:
    """Join levels of several dictionaries and print the result."""
    dictionary = join_levels(
        [LevelSource.parse(level) for level in levels],
        folder.out,
        name=folder.name,
        overwrite=folder.force,
    )
    if as_json:
        print_json(_joined_figures(dictionary, folder.out))
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
            for level, n_labelled in zip(dictionary.levels, _label_counts(dictionary), strict=True)
        ],
        right="  rrr",
    )
    _print_folder(folder.out)


def _level_specs(training: TrainingOptions) -> list[LevelSpec]:
    return [
        LevelSpec.parse(
            level, passes=training.passes, batch_size=training.batch_size, lr=training.lr
        )
        for level in training.level
    ]


def _corpus_settings(corpus: CorpusOptions) -> CorpusSettings:
    return CorpusSettings(
        per_source_cap=corpus.per_source_cap,
        same_opening_cap=corpus.same_opening_cap,
        text_field=corpus.text_field,
        source_field=corpus.source_field,
    )


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
    _print_folder(out)


def _print_measures(
    corpus: Mapping[str, int], flags: Mapping[str, Mapping[str, int]], out: Path
) -> None:
    print_lines(
        f"Measured on {corpus['n_tokens']:,} tokens of {corpus['n_texts']:,} texts from "
        f"{corpus['n_sources']:,} sources.",
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
            for level, counts in flags.items()
        ],
        right=" r ",
    )
    _print_folder(out)


def _print_folder(out: Path) -> None:
    print_lines("", f"Wrote {out}. Use it with --dictionary {out}.")


def _label_counts(dictionary: Dictionary) -> list[int]:
    labels = dictionary.table.label
    return [
        sum(label is not None for label in labels[level.offset : level.offset + level.width])
        for level in dictionary.levels
    ]


def _joined_figures(dictionary: Dictionary, out: Path) -> dict[str, object]:
    return {
        "dictionary": str(out),
        "model": dictionary.model,
        "fingerprint": dictionary.fingerprint,
        "levels": [
            {
                "level": level.name,
                "hook_point": level.hook_point,
                "first_id": level.offset,
                "width": level.width,
                "n_labelled": n_labelled,
            }
            for level, n_labelled in zip(dictionary.levels, _label_counts(dictionary), strict=True)
        ],
    }
