"""`dictionary label`: get labels from one source, score them, and write them."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from benchdesign.cli.actions.option_settings import read_option_file
from benchdesign.cli.dictionary_options import (
    EndpointOptions,
    LabelFilesOptions,
    LabelScoreOptions,
    LabelSourceOptions,
    LabelSubsetOptions,
)
from benchdesign.cli.interrupt import stop_on_interrupt
from benchdesign.cli.options import OutputOptions
from benchdesign.cli.output import Messages, print_json, print_lines
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.dictionaries.output_folder import check_file, check_folder
from benchdesign.concepts.labels.by_keywords import label_by_keywords
from benchdesign.concepts.labels.by_language_model import (
    LABEL_TEMPLATE,
    answered_concepts,
    estimate_cost,
    estimate_judging,
    judge_labels,
    judged_concepts,
    label_by_model,
)
from benchdesign.concepts.labels.chat_endpoint import Endpoint
from benchdesign.concepts.labels.from_neuronpedia import fetch_labels, neuronpedia_id
from benchdesign.concepts.labels.label_files import read_labels, write_labels
from benchdesign.concepts.labels.labels import ConceptLabel, apply_labels, shared_labels
from benchdesign.concepts.labels.score import builtin_embedder, score_labels
from benchdesign.concepts.training.context_files import assign_concept_ids, read_contexts
from benchdesign.errors import UsageError
from benchdesign.foundation.number_words import plural
from benchdesign.foundation.paths import expand_home, is_folder, resolve_path
from benchdesign.foundation.preferences import cache_folder, endpoint_key, load_preferences

if TYPE_CHECKING:
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.concepts.labels.by_language_model import CostEstimate
    from benchdesign.concepts.training.contexts import ConceptContexts
    from benchdesign.foundation.progress import StopCheck

__all__ = ["LabelRequest", "label_job"]

_CHANCE = 0.6
"""Scores below this count as near chance: with ten against ten contexts, noise reaches it."""


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """The options of `dictionary label`."""

    dictionary: str
    source: LabelSourceOptions
    endpoint: EndpointOptions
    scoring: LabelScoreOptions
    subset: LabelSubsetOptions
    files: LabelFilesOptions

    @property
    def asks_for_labels(self) -> bool:
        """Whether a language model writes the labels."""
        return self.endpoint.endpoint is not None and not self.scoring.judge

    @property
    def makes_labels(self) -> bool:
        """Whether there are new labels, and not only scores of existing ones."""
        source = self.source
        return self.asks_for_labels or bool(
            source.from_file or source.keywords or source.neuronpedia
        )

    @property
    def target(self) -> Path:
        """Folder of the labelled dictionary."""
        return self.files.out or expand_home(self.dictionary)

    @property
    def journal(self) -> Path:
        """File with the answers of the model; it is kept if a run is stopped."""
        return self.target.with_name(f"{self.target.name}.labels.jsonl")

    def check(self) -> None:
        """Raise UsageError for options that exclude or require each other."""
        source, endpoint, scoring = self.source, self.endpoint, self.scoring
        n_sources = sum(
            (
                source.from_file is not None,
                source.keywords,
                self.asks_for_labels,
                source.neuronpedia is not None,
            )
        )
        if n_sources > 1:
            raise UsageError("Give one of --from, --keywords, --endpoint, --neuronpedia.")
        if not n_sources and not scoring.score:
            raise UsageError(
                "Give a source of labels: --from, --keywords, --endpoint or --neuronpedia; or "
                "measure the existing labels with --score."
            )
        if (endpoint.endpoint is None) != (endpoint.llm is None):
            raise UsageError("--endpoint and --llm go together.")
        if scoring.judge and (not scoring.score or endpoint.endpoint is None):
            raise UsageError("--judge needs --score and --endpoint.")
        if not source.contexts and (source.keywords or self.asks_for_labels or scoring.score):
            raise UsageError("Give --contexts FILE, written by `dictionary train --contexts`.")
        if scoring.drop_below is not None and not scoring.score:
            raise UsageError("--drop-below needs --score.")


def label_job(request: LabelRequest) -> None:
    """Label a dictionary and print a summary."""
    request.check()
    output = request.files.output
    messages = Messages(quiet=output.quiet)
    dictionary = load_dictionary(request.dictionary)
    _check_target(request)
    contexts = _read_contexts(request, dictionary)
    with stop_on_interrupt(messages) as stop:
        labels = _get_labels(request, dictionary, contexts, messages, stop)
        if request.scoring.score:
            labels = _score(request, labels, contexts, messages, stop)
    labels, n_dropped = _drop_low(labels, request.scoring.drop_below)
    labelled = apply_labels(
        dictionary,
        labels,
        request.target,
        only_missing=request.subset.only_missing and request.makes_labels,
        overwrite=request.files.force,
    )
    request.journal.unlink(missing_ok=True)
    if request.files.save is not None:
        write_labels(labels, request.files.save)
    _print_summary(_summary(request.target, labelled, labels, n_dropped), output)


def _check_target(request: LabelRequest) -> None:
    """Raise before labels are made if the dictionary or the file cannot be written."""
    files = request.files
    if files.save is not None:
        check_file(files.save, option="--save")
    if files.out is not None:
        if resolve_path(files.out) != resolve_path(request.dictionary):
            check_folder(files.out, overwrite=files.force)
    elif not is_folder(request.target):
        raise UsageError(
            f"{request.dictionary}: not a folder of yours; give --out DIR for a labelled copy."
        )


def _read_contexts(request: LabelRequest, dictionary: Dictionary) -> list[ConceptContexts]:
    contexts: list[ConceptContexts] = []
    for path in request.source.contexts or ():
        contexts += assign_concept_ids(read_contexts(path), dictionary, path=path)
    level = request.subset.level
    if request.source.contexts and level is not None:
        contexts = [context for context in contexts if context.level == level]
        if not contexts:
            raise UsageError(f"--contexts: holds no contexts of level {level}.")
    return contexts[: request.subset.limit]


def _get_labels(
    request: LabelRequest,
    dictionary: Dictionary,
    contexts: Sequence[ConceptContexts],
    messages: Messages,
    stop: StopCheck,
) -> list[ConceptLabel]:
    """Return labels from the source of the request; the existing ones if it has none."""
    source = request.source
    if source.from_file is not None:
        return list(read_labels(source.from_file, dictionary, level=request.subset.level))
    if source.neuronpedia is not None:
        is_auto = source.neuronpedia == "auto"
        identifier = neuronpedia_id(dictionary) if is_auto else source.neuronpedia
        store = cache_folder(load_preferences()[0]) / "neuronpedia"
        return list(fetch_labels(identifier, dictionary, store=store))
    if source.keywords:
        return list(label_by_keywords(_contexts_to_label(request, dictionary, contexts)))
    if request.asks_for_labels:
        return _ask_for_labels(
            request, _contexts_to_label(request, dictionary, contexts), messages, stop
        )
    return _existing_labels(request, dictionary)


def _contexts_to_label(
    request: LabelRequest, dictionary: Dictionary, contexts: Sequence[ConceptContexts]
) -> list[ConceptContexts]:
    """Return the contexts without those of hidden concepts and, if asked for, of labelled ones."""
    table = dictionary.table
    return [
        context
        for context in contexts
        if (context.strong or context.middle)
        and not table.flags[context.concept_id]
        and not (request.subset.only_missing and table.label[context.concept_id])
    ]


def _ask_for_labels(
    request: LabelRequest,
    contexts: Sequence[ConceptContexts],
    messages: Messages,
    stop: StopCheck,
) -> list[ConceptLabel]:
    options = request.endpoint
    template = LABEL_TEMPLATE
    if options.template is not None:
        template = read_option_file(options.template, "--prompt")
    endpoint = _open_endpoint(options)
    answered = answered_concepts(request.journal, model=endpoint.model, template=template)
    missing = [context for context in contexts if context.concept_id not in answered]
    cost = estimate_cost(missing, per_request=options.per_request, template=template)
    _confirm_cost(options, cost, messages)
    return list(
        label_by_model(
            contexts,
            endpoint,
            journal=request.journal,
            template=template,
            per_request=options.per_request,
            progress=messages.progress,
            stop=stop,
        )
    )


def _existing_labels(request: LabelRequest, dictionary: Dictionary) -> list[ConceptLabel]:
    table, subset = dictionary.table, request.subset
    is_scored = np.isfinite(table.label_score)
    levels = [level.name for level in dictionary.levels]
    return [
        ConceptLabel(concept, label, table.label_source[concept])
        for concept, label in enumerate(table.label)
        if label
        and not (subset.only_missing and is_scored[concept])
        and subset.level in (None, levels[int(table.level[concept])])
    ]


def _open_endpoint(options: EndpointOptions) -> Endpoint:
    if options.endpoint is None or options.llm is None:
        raise UsageError("--endpoint and --llm go together.")
    return Endpoint(options.endpoint, options.llm, key=endpoint_key())


def _confirm_cost(options: EndpointOptions, cost: CostEstimate, messages: Messages) -> None:
    """Print the expected cost; ask for confirmation unless --yes gave it."""
    if not cost.n_requests:
        return
    line = (
        f"{cost.n_concepts:,} concepts in {cost.n_requests:,} requests: about "
        f"{cost.n_tokens_in:,} input tokens and {cost.n_tokens_out:,} output tokens"
    )
    if options.price_in is not None and options.price_out is not None:
        line += f", {cost.price(options.price_in, options.price_out):.2f} at these prices"
    messages.say_always(f"{line}.")
    if options.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("No request was sent. Give --yes to continue.")
    typer.confirm("Continue?", abort=True, err=True)


def _score(
    request: LabelRequest,
    labels: Sequence[ConceptLabel],
    contexts: Sequence[ConceptContexts],
    messages: Messages,
    stop: StopCheck,
) -> list[ConceptLabel]:
    """Return the labels with their scores."""
    if not request.scoring.judge:
        device = request.scoring.device
        embed = builtin_embedder(device=device.device, dtype=device.dtype)
        return list(
            score_labels(labels, contexts, embed=embed, progress=messages.progress, stop=stop)
        )
    endpoint = _open_endpoint(request.endpoint)
    judged = judged_concepts(request.journal, labels, contexts, model=endpoint.model)
    missing = [label for label in labels if label.concept_id not in judged]
    _confirm_cost(request.endpoint, estimate_judging(missing, contexts), messages)
    return list(
        judge_labels(
            labels,
            contexts,
            endpoint,
            journal=request.journal,
            progress=messages.progress,
            stop=stop,
        )
    )


def _drop_low(
    labels: list[ConceptLabel], threshold: float | None
) -> tuple[list[ConceptLabel], int]:
    """Return the labels without those below a score, and how many these are."""
    if threshold is None:
        return labels, 0
    low = {
        label.concept_id for label in labels if label.score is not None and label.score < threshold
    }
    return [
        replace(label, label=None, source=None, score=None) if label.concept_id in low else label
        for label in labels
    ], len(low)


def _summary(
    target: Path, labelled: Dictionary, labels: Sequence[ConceptLabel], n_dropped: int
) -> dict[str, Any]:
    scores = sorted(label.score for label in labels if label.score is not None)
    summary: dict[str, Any] = {
        "dictionary": str(target),
        "n_labelled": sum(label.label is not None for label in labels),
        "n_unlabelled": sum(label.label is None for label in labels),
        "n_dropped": n_dropped,
        "n_not_unique": len(shared_labels(labelled)),
    }
    if scores:
        summary["scores"] = {
            "n": len(scores),
            "mean": round(statistics.fmean(scores), 4),
            "median": round(statistics.median(scores), 4),
            "tenth": round(scores[len(scores) // 10], 4),
            "n_near_chance": sum(score < _CHANCE for score in scores),
        }
    return summary


def _print_summary(summary: dict[str, Any], output: OutputOptions) -> None:
    if output.as_json:
        print_json(summary)
    if output.as_json or output.quiet:
        return
    print_lines(f"{plural(summary['n_labelled'], 'concept')} labelled in {summary['dictionary']}.")
    if summary["n_dropped"]:
        print_lines(f"{plural(summary['n_dropped'], 'label')} dropped for a low score.")
    if summary["n_not_unique"]:
        print_lines(
            f"{summary['n_not_unique']:,} live concepts share their label with another concept of "
            "their level."
        )
    if "scores" in summary:
        scores = summary["scores"]
        print_lines(
            f"Label trust (AUC, 0.5 is chance) of {scores['n']:,}: median {scores['median']:.2f}, "
            f"mean {scores['mean']:.2f}, a tenth below {scores['tenth']:.2f}, "
            f"{scores['n_near_chance']:,} under {_CHANCE}."
        )
