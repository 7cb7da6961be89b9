"""Build a dictionary folder of several levels from a corpus.

The write is atomic: the folder gets its name only when it is complete. Checkpoints of an unfinished
run are beside it in `<name>.training`.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchdesign.concepts.dictionaries.dictionary import ConceptTable, Dictionary, Level
from benchdesign.concepts.dictionaries.folder import fingerprint, save_dictionary
from benchdesign.concepts.dictionaries.output_folder import check_file, check_folder, replace_folder
from benchdesign.concepts.reference_model.loading import choose_device
from benchdesign.concepts.reference_model.model import ReferenceModel, portable_spec
from benchdesign.concepts.training.activation_bank import CorpusActivations, collect_activations
from benchdesign.concepts.training.concept_activations import ComputedActivations
from benchdesign.concepts.training.concept_statistics import measure_level
from benchdesign.concepts.training.context_files import digest_of, write_contexts
from benchdesign.concepts.training.contexts import ConceptContexts, ContextSettings
from benchdesign.concepts.training.corpus import CorpusReader, CorpusSettings
from benchdesign.concepts.training.recipe import LevelReport, LevelSpec, TrainSettings
from benchdesign.concepts.training.statistics_rules import LevelStatistics, StatisticsRules
from benchdesign.concepts.training.train_sae import train_sae
from benchdesign.errors import ModelError, UsageError
from benchdesign.foundation.progress import ProgressCallback, StopCheck

__all__ = [
    "BuildReport",
    "assemble_dictionary",
    "build_dictionary",
    "complete_dictionary",
    "count_flags",
    "describe_corpus",
    "join_statistics",
    "write_measured_contexts",
]


@dataclass(frozen=True, slots=True)
class BuildReport:
    """Summary of a build: corpus, quality of each level, flags."""

    dictionary: str
    model: str
    corpus: dict[str, Any]
    """Number of texts, held-out texts and tokens; texts left out, by reason; sha256."""

    levels: tuple[LevelReport, ...]
    flags: dict[str, dict[str, int]]
    """Per level: number of concepts with each flag; `usable` counts those without a flag."""


def build_dictionary(
    corpus_path: Path,
    out: Path,
    specs: Sequence[LevelSpec],
    *,
    model: str = "builtin",
    name: str | None = None,
    corpus_settings: CorpusSettings | None = None,
    settings: TrainSettings | None = None,
    rules: StatisticsRules | None = None,
    contexts_path: Path | None = None,
    max_tokens: int | None = None,
    dtype: str | None = None,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> BuildReport:
    """Train and measure every level on a corpus, and write the folder `out`."""
    _check(out, specs, contexts_path=contexts_path, overwrite=overwrite)
    chosen = settings or TrainSettings()
    corpus = CorpusReader.open(corpus_path, settings=corpus_settings)
    model = portable_spec(model)
    reference = _open_reference(model, specs, device=chosen.device, dtype=dtype)
    collected = collect_activations(
        corpus,
        reference,
        keys=tuple(dict.fromkeys(spec.key for spec in specs)),
        max_tokens=max_tokens,
        progress=progress,
        stop=stop,
    )
    # Checkpoints are outside `out`, so that an unfinished run is never mistaken for a dictionary.
    training = out.with_name(f"{out.name}.training")
    fresh = training / "folder"
    shutil.rmtree(fresh, ignore_errors=True)
    identity = json.dumps([corpus.sha256, model, max_tokens, dtype])
    reports = [
        train_sae(
            collected.banks[spec.key],
            spec,
            held_out=collected.held_out,
            folder=fresh / spec.name,
            model=model,
            settings=chosen,
            checkpoints=training / f"{spec.name}.checkpoint",
            identity=identity,
            progress=progress,
            stop=stop,
        )
        for spec in specs
    ]
    report = complete_dictionary(
        fresh,
        collected,
        specs,
        reports,
        name=name or out.name,
        model=model,
        corpus=describe_corpus(corpus, collected),
        recipe={
            "corpus": asdict(corpus_settings or CorpusSettings()),
            "seed": chosen.seed,
            "precision": chosen.precision,
            "max_tokens": max_tokens,
            "dtype": dtype,
        },
        rules=rules,
        contexts_path=contexts_path,
        device=chosen.device,
        progress=progress,
        stop=stop,
    )
    replace_folder(fresh, out)
    shutil.rmtree(training)
    return report


def _open_reference(
    model: str, specs: Sequence[LevelSpec], *, device: str | None, dtype: str | None
) -> ReferenceModel:
    points = tuple(dict.fromkeys(spec.hook_point for spec in specs))
    try:
        return ReferenceModel.from_spec(model, hook_points=points, device=device, dtype=dtype)
    except ModelError as problem:
        # When training, the module is part of --level; --hook-module is for existing dictionaries.
        message = re.sub(r"--hook-module (?=\S+\.\d)", "hook=", str(problem))
        raise ModelError(message.replace("--hook-module", "--level with hook=")) from None


def complete_dictionary(
    folder: Path,
    collected: CorpusActivations,
    specs: Sequence[LevelSpec],
    reports: Sequence[LevelReport],
    *,
    name: str,
    model: str,
    corpus: dict[str, Any],
    recipe: dict[str, Any] | None = None,
    rules: StatisticsRules | None = None,
    contexts_path: Path | None = None,
    device: str | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> BuildReport:
    """Measure the trained levels in `folder` and write dictionary.json and concepts.parquet."""
    measured: list[LevelStatistics] = []
    contexts: list[ConceptContexts] = []
    offset = 0
    chosen = rules or StatisticsRules()
    for spec in specs:
        statistics, level_contexts = measure_level(
            collected,
            ComputedActivations(
                collected.banks[spec.key], _read_weights(folder / spec.name, device)
            ),
            rules=chosen,
            contexts=ContextSettings() if contexts_path is not None else None,
            progress=progress,
            stop=stop,
        )
        measured.append(statistics)
        level = Level(spec.name, spec.unit, spec.hook_point, offset, spec.width, folder / spec.name)
        digest = digest_of(level)
        contexts += [
            replace(entry, concept_id=entry.concept_id + offset, level=spec.name, weights=digest)
            for entry in level_contexts
        ]
        offset += spec.width
    report = BuildReport(
        dictionary=name,
        model=model,
        corpus=corpus,
        levels=tuple(reports),
        flags={
            spec.name: count_flags(statistics)
            for spec, statistics in zip(specs, measured, strict=True)
        },
    )
    assemble_dictionary(
        folder,
        specs,
        measured,
        name=name,
        model=model,
        rules=chosen,
        recipe=(recipe or {})
        | {
            "levels": [asdict(spec) for spec in specs],
            "rules": asdict(chosen),
            "report": {
                "corpus": corpus,
                "levels": [asdict(level) for level in reports],
            },
        },
    )
    if contexts_path is not None:
        write_measured_contexts(contexts, measured, contexts_path)
    return report


def assemble_dictionary(
    folder: Path,
    specs: Sequence[LevelSpec],
    measured: Sequence[LevelStatistics],
    *,
    name: str,
    model: str,
    rules: StatisticsRules,
    recipe: dict[str, Any],
) -> Dictionary:
    """Write dictionary.json and concepts.parquet beside existing level folders."""
    import numpy as np

    levels: list[Level] = []
    offset = 0
    for spec in specs:
        levels.append(
            Level(spec.name, spec.unit, spec.hook_point, offset, spec.width, folder / spec.name)
        )
        offset += spec.width
    no_text = (None,) * offset
    table = ConceptTable(
        level=np.repeat(np.arange(len(levels), dtype=np.int8), [level.width for level in levels]),
        label=no_text,
        label_source=no_text,
        label_score=np.full(offset, np.nan, dtype=np.float32),
        area=no_text,
        **join_statistics(measured),
    )
    dictionary = Dictionary(
        name=name,
        model=model,
        levels=tuple(levels),
        table=table,
        length_edges=rules.length_edges,
        fingerprint=fingerprint(model, levels),
    )
    save_dictionary(dictionary, folder, recipe=recipe)
    return dictionary


def write_measured_contexts(
    contexts: Sequence[ConceptContexts], measured: Sequence[LevelStatistics], path: Path
) -> None:
    """Write the contexts of all levels with the corpus statistics of each concept."""
    write_contexts(
        contexts,
        path,
        n_present=[int(n) for level in measured for n in level.n_present],
        source_entropy=[round(float(x), 3) for level in measured for x in level.source_entropy],
        top_source_share=[round(float(x), 3) for level in measured for x in level.top_source_share],
        flags=[sorted(flags) for level in measured for flags in level.flags],
    )


def join_statistics(measured: Sequence[LevelStatistics]) -> dict[str, Any]:
    """Return the concept table columns that are measured on a corpus, for all levels."""
    import numpy as np

    return {
        column: np.concatenate([getattr(level, column) for level in measured])
        for column in (
            "threshold",
            "base_rates",
            "mean_activation",
            "max_activation",
            "q90",
            "density",
        )
    } | {"flags": tuple(flags for level in measured for flags in level.flags)}


def _check(
    out: Path, specs: Sequence[LevelSpec], *, contexts_path: Path | None, overwrite: bool
) -> None:
    if not specs:
        raise UsageError("Pass at least one --level.")
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        raise UsageError("Two levels have the same name; level names must be unique.")
    for spec in specs:
        spec.check()
    check_folder(out, overwrite=overwrite)
    if contexts_path is not None:
        check_file(contexts_path, option="--contexts")


def describe_corpus(corpus: CorpusReader, collected: CorpusActivations) -> dict[str, Any]:
    """Return the record of a corpus: counts and a digest, no text."""
    counts = corpus.counts
    return {
        "n_read": counts.n_read,
        "n_texts": len(collected.texts),
        "n_held_out": int(collected.held_out.sum()),
        "n_tokens": int(collected.n_tokens.sum()),
        "n_sources": len({text.source for text in collected.texts}),
        "left_out": {
            "empty": counts.n_empty,
            "duplicate": counts.n_duplicate,
            "same_opening": counts.n_same_opening,
            "over_source_cap": counts.n_over_source_cap,
        },
        "sha256": corpus.sha256,
    }


def count_flags(statistics: LevelStatistics) -> dict[str, int]:
    """Count the concepts with each flag, and those without a flag as `usable`."""
    counts = Counter(flag for flags in statistics.flags for flag in flags)
    counts["usable"] = sum(not flags for flags in statistics.flags)
    return dict(sorted(counts.items()))


def _read_weights(folder: Path, device: str | None) -> dict[str, Any]:
    from safetensors.torch import load_file

    tensors = load_file(folder / "sae_weights.safetensors", device=str(choose_device(device)))
    return {name: tensor.float() for name, tensor in tensors.items()}
