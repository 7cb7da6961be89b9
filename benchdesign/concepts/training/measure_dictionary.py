"""Statistics for an existing dictionary: thresholds, base rates and flags from a corpus.

A public SAE has none, so its concepts count as present wherever they fire. Measured on text similar
to the benchmarks, it becomes as usable as a dictionary trained with this tool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from benchdesign.concepts.dictionaries.dictionary import Dictionary, Level
from benchdesign.concepts.dictionaries.output_folder import check_file
from benchdesign.concepts.dictionaries.save_changes import check_target, save_changed_dictionary
from benchdesign.concepts.mapping.mapper import SaeMapper
from benchdesign.concepts.mapping.sae_encoder import Encoder, LightEncoder, SequenceEncoder
from benchdesign.concepts.training.activation_bank import (
    ActivationBank,
    BankKey,
    CorpusActivations,
    collect_activations,
)
from benchdesign.concepts.training.build_dictionary import (
    count_flags,
    describe_corpus,
    join_statistics,
    write_measured_contexts,
)
from benchdesign.concepts.training.concept_activations import (
    ActiveConcepts,
    CachedActivations,
    ComputedActivations,
)
from benchdesign.concepts.training.concept_statistics import measure_level
from benchdesign.concepts.training.context_files import digest_of
from benchdesign.concepts.training.contexts import ConceptContexts, ContextSettings
from benchdesign.concepts.training.corpus import CorpusReader, CorpusSettings
from benchdesign.concepts.training.statistics_rules import LevelStatistics, StatisticsRules
from benchdesign.errors import DictionaryError
from benchdesign.foundation.progress import ProgressCallback, StopCheck

__all__ = ["MeasureReport", "measure_dictionary"]


@dataclass(frozen=True, slots=True)
class MeasureReport:
    """Result of measuring a dictionary."""

    dictionary: str
    model: str
    corpus: dict[str, Any]
    flags: dict[str, dict[str, int]]
    """Per level: number of concepts with each flag; `usable` counts those without flags."""


def measure_dictionary(
    dictionary: Dictionary,
    corpus_path: Path,
    out: Path,
    *,
    model: str | None = None,
    corpus_settings: CorpusSettings | None = None,
    rules: StatisticsRules | None = None,
    contexts_path: Path | None = None,
    max_tokens: int | None = None,
    device: str | None = None,
    dtype: str | None = None,
    hook_module: str | None = None,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> MeasureReport:
    """Measure every concept on a corpus and write the dictionary to `out`, with its labels.

    `out` is the dictionary's own folder or a new folder, to which the weights are copied.
    """
    check_target(dictionary, out, overwrite=overwrite)
    if contexts_path is not None:
        check_file(contexts_path, option="--contexts")
    corpus = CorpusReader.open(corpus_path, settings=corpus_settings)
    mapper = SaeMapper.from_specs(
        model, dictionary, device=device, dtype=dtype, hook_module=hook_module
    )
    _check_encoders(dictionary, mapper.encoders)
    collected = collect_activations(
        corpus,
        mapper.model,
        keys=tuple(dict.fromkeys(map(_bank_key, dictionary.levels))),
        max_tokens=max_tokens,
        progress=progress,
        stop=stop,
    )
    chosen = rules or StatisticsRules()
    measured = _measure_levels(
        mapper,
        collected,
        rules=chosen,
        contexts=None if contexts_path is None else ContextSettings(),
        progress=progress,
        stop=stop,
    )
    corpus_summary = describe_corpus(corpus, collected)
    note = {
        "corpus": corpus_summary,
        "settings": asdict(corpus_settings or CorpusSettings()),
        "rules": asdict(chosen),
        "max_tokens": max_tokens,
        "dtype": dtype,
        "hook_module": hook_module,
    }
    measured_dictionary = save_changed_dictionary(
        dictionary,
        out,
        table=replace(dictionary.table, **join_statistics(measured.statistics)),
        length_edges=chosen.length_edges,
        notes={"measured": note},
        overwrite=overwrite,
    )
    if contexts_path is not None:
        write_measured_contexts(measured.contexts, measured.statistics, contexts_path)
    return MeasureReport(
        dictionary=measured_dictionary.name,
        model=model or measured_dictionary.model,
        corpus=corpus_summary,
        flags=_flag_counts(dictionary, measured.statistics),
    )


class _Measured(NamedTuple):
    """What was measured of all levels."""

    statistics: list[LevelStatistics]
    """Per level."""

    contexts: list[ConceptContexts]


def _bank_key(level: Level) -> BankKey:
    return BankKey(level.hook_point, level.unit)


def _check_encoders(dictionary: Dictionary, encoders: Sequence[Encoder]) -> None:
    """Raise if an encoder cannot be measured."""
    for level, encoder in zip(dictionary.levels, encoders, strict=True):
        if isinstance(encoder, SequenceEncoder):
            raise DictionaryError(
                f"{level.name}: a temporal SAE reads whole sequences, which measuring does not "
                "support; it can map items without thresholds and base rates."
            )


def _measure_levels(
    mapper: SaeMapper,
    collected: CorpusActivations,
    *,
    rules: StatisticsRules,
    contexts: ContextSettings | None,
    progress: ProgressCallback | None,
    stop: StopCheck | None,
) -> _Measured:
    """Measure every level on the collected activations."""
    measured = _Measured([], [])
    for level, encoder in zip(mapper.dictionary.levels, mapper.encoders, strict=True):
        bank = collected.banks[_bank_key(level)]
        statistics, level_contexts = measure_level(
            collected,
            _find_active(encoder, bank, progress=progress, stop=stop),
            rules=rules,
            contexts=contexts,
            progress=progress,
            stop=stop,
        )
        measured.statistics.append(statistics)
        weights = digest_of(level)
        measured.contexts.extend(
            replace(
                concept,
                concept_id=concept.concept_id + level.offset,
                level=level.name,
                weights=weights,
            )
            for concept in level_contexts
        )
    return measured


def _flag_counts(
    dictionary: Dictionary, measured: Sequence[LevelStatistics]
) -> dict[str, dict[str, int]]:
    return {
        level.name: count_flags(statistics)
        for level, statistics in zip(dictionary.levels, measured, strict=True)
    }


def _find_active(
    encoder: Encoder,
    bank: ActivationBank,
    *,
    progress: ProgressCallback | None,
    stop: StopCheck | None,
) -> ActiveConcepts:
    """Return the activations of an encoder: computed per block if it is simple, else stored."""
    import torch

    if isinstance(encoder, LightEncoder) and encoder.architecture in {"standard", "jumprelu"}:
        threshold = encoder.threshold
        weights = {
            "W_enc": encoder.weight,
            "b_enc": encoder.bias,
            "threshold": torch.zeros_like(encoder.bias) if threshold is None else threshold,
        }
        needs_prepare = encoder.normalise != "none" or encoder.shift is not None
        return ComputedActivations(bank, weights, encoder.prepare if needs_prepare else None)
    return CachedActivations.by(encoder, bank, progress=progress, stop=stop)
