"""What `dictionary label` does: get labels from one place, score them, put them in."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from benchdesign.cli.options import stopping
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
from benchdesign.foundation.paths import expand_home, is_folder, read_regular_text, resolve_path
from benchdesign.foundation.preferences import cache_folder, endpoint_key, load_preferences

if TYPE_CHECKING:
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.concepts.labels.by_language_model import CostEstimate
    from benchdesign.concepts.training.contexts import ConceptContexts
    from benchdesign.foundation.progress import StopCheck

__all__ = ["LabelRequest", "label_job"]

_CHANCE = 0.6
"""Scores below are counted as near chance: of ten against ten contexts, noise reaches this far."""


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """The options of the command."""

    dictionary: str
    from_file: Path | None
    keywords: bool
    endpoint: str | None
    llm: str | None
    neuronpedia: str | None
    contexts: tuple[Path, ...]
    score: bool
    judge: bool
    drop_below: float | None
    only_missing: bool
    level: str | None
    limit: int | None
    template: Path | None
    per_request: int
    price_in: float | None
    price_out: float | None
    yes: bool
    out: Path | None
    save: Path | None
    device: str | None
    dtype: str | None
    force: bool

    @property
    def makes_labels(self) -> bool:
        """Are there new labels, or only scores for those that are there?"""
        asks = self.endpoint is not None and not self.judge
        return asks or bool(self.from_file or self.keywords or self.neuronpedia)

    def check(self) -> None:
        """Refuse options that do not go together."""
        asks = self.endpoint is not None and not self.judge
        n = sum((self.from_file is not None, self.keywords, asks, self.neuronpedia is not None))
        if n > 1:
            raise UsageError("Give one of --from, --keywords, --endpoint, --neuronpedia.")
        if not n and not self.score:
            raise UsageError(
                "Say where labels come from: --from, --keywords, --endpoint or --neuronpedia; or "
                "measure those there are with --score."
            )
        if (self.endpoint is None) != (self.llm is None):
            raise UsageError("--endpoint and --llm go together.")
        if self.judge and (not self.score or self.endpoint is None):
            raise UsageError("--judge needs --score and --endpoint.")
        if not self.contexts and (self.keywords or asks or self.score):
            raise UsageError("Give --contexts FILE, made by `dictionary train --contexts`.")
        if self.drop_below is not None and not self.score:
            raise UsageError("--drop-below needs --score.")


def label_job(request: LabelRequest, *, as_json: bool, quiet: bool) -> None:
    """Label a dictionary and print what was done."""
    request.check()
    talk = Messages(quiet=quiet)
    dictionary = load_dictionary(request.dictionary)
    target = _target(request)
    contexts = _contexts(request, dictionary)
    with stopping(talk.say) as stop:
        labels = _get_labels(request, dictionary, contexts, target, talk, stop)
        if request.score:
            labels = _score(request, labels, contexts, target, talk, stop)
    talk.done()
    n_dropped = 0
    if request.drop_below is not None:
        low = {
            one.concept_id
            for one in labels
            if one.score is not None and one.score < request.drop_below
        }
        n_dropped = len(low)
        labels = [
            replace(one, label=None, source=None, score=None) if one.concept_id in low else one
            for one in labels
        ]
    labelled = apply_labels(
        dictionary,
        labels,
        target,
        only_missing=request.only_missing and request.makes_labels,
        overwrite=request.force,
    )
    _journal(target).unlink(missing_ok=True)
    if request.save is not None:
        write_labels(labels, request.save)
    _print_summary(target, labelled, labels, n_dropped, as_json=as_json, quiet=quiet)


def _target(request: LabelRequest) -> Path:
    """Return the folder to write; what cannot be written is refused before labels are made."""
    if request.save is not None:
        check_file(request.save, option="--save")
    if request.out is not None:
        if resolve_path(request.out) != resolve_path(request.dictionary):
            check_folder(request.out, overwrite=request.force)
        return request.out
    folder = expand_home(request.dictionary)
    if not is_folder(folder):
        raise UsageError(
            f"{request.dictionary}: not a folder of yours; give --out DIR for a labelled copy."
        )
    return folder


def _contexts(request: LabelRequest, dictionary: Dictionary) -> list[ConceptContexts]:

    if not request.contexts:
        return []
    found: list[ConceptContexts] = []
    for path in request.contexts:
        found += assign_concept_ids(read_contexts(path), dictionary, path=path)
    if request.level is not None:
        found = [one for one in found if one.level == request.level]
        if not found:
            raise UsageError(f"--contexts: holds no contexts of level {request.level}.")
    return found[: request.limit]


def _get_labels(
    request: LabelRequest,
    dictionary: Dictionary,
    contexts: Sequence[ConceptContexts],
    target: Path,
    talk: Messages,
    stop: StopCheck,
) -> list[ConceptLabel]:
    """Return labels from the place asked for; those there are if none was."""
    import numpy as np

    if request.from_file is not None:
        return list(read_labels(request.from_file, dictionary, level=request.level))
    if request.neuronpedia is not None:
        given = request.neuronpedia
        identifier = neuronpedia_id(dictionary) if given == "auto" else given
        store = cache_folder(load_preferences()[0]) / "neuronpedia"
        return list(fetch_labels(identifier, dictionary, store=store))
    if request.keywords:
        return list(label_by_keywords(_lacking(request, dictionary, contexts)))
    if request.endpoint is not None and not request.judge:
        asked = _lacking(request, dictionary, contexts)
        template = LABEL_TEMPLATE
        if request.template is not None:
            try:
                template = read_regular_text(request.template)
            except (OSError, UnicodeDecodeError) as problem:
                reason = getattr(problem, "strerror", None) or "not UTF-8 text"
                raise UsageError(
                    f"--prompt {request.template}: cannot be read ({reason})."
                ) from None
        endpoint, journal = _open_endpoint(request), _journal(target)
        known = answered_concepts(journal, model=endpoint.model, template=template)
        missing = [one for one in asked if one.concept_id not in known]
        cost = estimate_cost(missing, per_request=request.per_request, template=template)
        _agree_to_cost(request, cost, talk)
        return list(
            label_by_model(
                asked,
                endpoint,
                journal=journal,
                template=template,
                per_request=request.per_request,
                progress=talk.progress,
                stop=stop,
            )
        )
    table = dictionary.table
    scored = np.isfinite(table.label_score)
    levels = [level.name for level in dictionary.levels]
    return [
        ConceptLabel(concept, label, table.label_source[concept])
        for concept, label in enumerate(table.label)
        if label
        and not (request.only_missing and scored[concept])
        and request.level in (None, levels[int(table.level[concept])])
    ]


def _lacking(
    request: LabelRequest, dictionary: Dictionary, contexts: Sequence[ConceptContexts]
) -> list[ConceptContexts]:
    """Leave out concepts nobody will see, and labelled ones where only the others are wanted."""
    table = dictionary.table
    return [
        one
        for one in contexts
        if (one.strong or one.middle)
        and not table.flags[one.concept_id]
        and not (request.only_missing and table.label[one.concept_id])
    ]


def _open_endpoint(request: LabelRequest) -> Endpoint:

    if request.endpoint is None or request.llm is None:
        raise UsageError("--endpoint and --llm go together.")
    return Endpoint(request.endpoint, request.llm, key=endpoint_key())


def _journal(target: Path) -> Path:
    """Return where answers are kept: beside the dictionary, so that they outlive a stopped run."""
    return target.with_name(f"{target.name}.labels.jsonl")


def _agree_to_cost(request: LabelRequest, cost: CostEstimate, talk: Messages) -> None:
    """Say what asking will take; a person agrees, or --yes did."""
    if not cost.n_requests:
        return
    line = (
        f"{cost.n_concepts:,} concepts in {cost.n_requests:,} requests: about "
        f"{cost.n_tokens_in:,} tokens to read and {cost.n_tokens_out:,} to write"
    )
    if request.price_in is not None and request.price_out is not None:
        line += f", {cost.price(request.price_in, request.price_out):.2f} at the prices given"
    talk.fail(f"{line}.")
    if request.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("Nothing was asked. Give --yes to go on.")
    typer.confirm("Go on?", abort=True, err=True)


def _score(
    request: LabelRequest,
    labels: Sequence[ConceptLabel],
    contexts: Sequence[ConceptContexts],
    target: Path,
    talk: Messages,
    stop: StopCheck,
) -> list[ConceptLabel]:

    if request.judge:
        endpoint, journal = _open_endpoint(request), _journal(target)
        known = judged_concepts(journal, labels, contexts, model=endpoint.model)
        missing = [one for one in labels if one.concept_id not in known]
        _agree_to_cost(request, estimate_judging(missing, contexts), talk)
        return list(
            judge_labels(
                labels, contexts, endpoint, journal=journal, progress=talk.progress, stop=stop
            )
        )
    embed = builtin_embedder(device=request.device, dtype=request.dtype)
    return list(score_labels(labels, contexts, embed=embed, progress=talk.progress, stop=stop))


def _print_summary(
    target: Path,
    labelled: Dictionary,
    labels: Sequence[ConceptLabel],
    n_dropped: int,
    *,
    as_json: bool,
    quiet: bool,
) -> None:

    scores = sorted(one.score for one in labels if one.score is not None)
    summary: dict[str, Any] = {
        "dictionary": str(target),
        "n_labelled": sum(one.label is not None for one in labels),
        "n_unlabelled": sum(one.label is None for one in labels),
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
    if as_json:
        print_json(summary)
    if as_json or quiet:
        return
    n = summary["n_labelled"]
    print_lines(f"{plural(n, 'concept')} labelled in {target}.")
    if n_dropped:
        print_lines(f"{n_dropped:,} labels scored too low and were taken away.")
    if summary["n_not_unique"]:
        print_lines(
            f"{summary['n_not_unique']:,} live concepts have a label that another of their level "
            "has too."
        )
    if scores:
        told = summary["scores"]
        print_lines(
            f"Label trust (AUC, 0.5 is chance) of {told['n']:,}: median {told['median']:.2f}, "
            f"mean {told['mean']:.2f}, a tenth below {told['tenth']:.2f}, "
            f"{told['n_near_chance']:,} under {_CHANCE}."
        )
