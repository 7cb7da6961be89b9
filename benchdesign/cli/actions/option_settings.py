"""The settings that options set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchdesign.benchmarks.fields.detect import ROLES
from benchdesign.benchmarks.load import load_benchmark
from benchdesign.cli.options import (
    ComparedReadingOptions,
    LimitedReadingOptions,
    ModelOptions,
    PoolReadingOptions,
    ReadingOptions,
    ResultsOptions,
)
from benchdesign.cli.revision_options import (
    ConstraintOptions,
    ScopeOptions,
    SelectionOptions,
    WeightOptions,
)
from benchdesign.coverage.gap_settings import GapSettings
from benchdesign.coverage.scope import Scope
from benchdesign.errors import UsageError
from benchdesign.foundation.paths import path_exists, read_regular_text, resolve_path
from benchdesign.foundation.text import MAX_DIGITS, is_whole_number
from benchdesign.selection.constraints import Constraints
from benchdesign.workspace.settings import Settings

__all__ = [
    "compared_settings",
    "field_mapping",
    "models_settings",
    "read_option_file",
    "run_settings",
    "weigh",
]

_MAX_EXAMPLES = 200
"""Example items of a scope; every concept is compared with each."""


def run_settings(
    selection: SelectionOptions,
    scope: ScopeOptions,
    reading: PoolReadingOptions,
    model: ModelOptions,
) -> Settings:
    """Return the settings of a run."""
    thresholds = (("gaps.fdr", selection.fdr), ("scope.cutoff", scope.scope_cutoff))
    settings = replace(
        compared_settings(reading, model, scope),
        n_add=selection.add,
        n_remove=selection.remove,
        min_items=selection.min_items,
        seed=selection.seed,
        pool_fields=field_mapping(reading.pool_field, "--pool-field"),
        pool_split=reading.pool_split,
        pool_limit=reading.pool_limit,
        gaps=GapSettings() if selection.fdr is None else GapSettings(fdr=selection.fdr),
        constraints=_constraints(selection.constraints),
        explicit=frozenset(name for name, value in thresholds if value is not None),
        keep_out=tuple(selection.constraints.keep_out or ()),
    )
    return weigh(settings, selection.weighting)


def compared_settings(
    reading: ComparedReadingOptions, model: ModelOptions, scope: ScopeOptions
) -> Settings:
    """Return settings that read a benchmark and a pool, map them and judge them in a scope."""
    return replace(
        _read_settings(reading, model),
        scope=_scope(scope),
        pool_template=_pool_template(reading.pool_template),
        limit=reading.limit if isinstance(reading, LimitedReadingOptions) else None,
        mask_wrappers=True,
    )


def models_settings(
    results: ResultsOptions, reading: ReadingOptions, model: ModelOptions
) -> Settings:
    """Return settings that read and map the benchmarks that models answered."""
    return replace(_read_settings(reading, model), seed=results.seed)


def weigh(settings: Settings, options: WeightOptions) -> Settings:
    """Return settings with what proposals prefer; results are stored with their full paths."""
    weight, results = options.weight, options.results
    if weight not in (None, "gaps", "model-gaps"):
        raise UsageError(f"--weight {weight}: unknown; it is gaps or model-gaps.")
    if (weight == "model-gaps") != bool(results):
        raise UsageError("--weight model-gaps and --results FILE belong together; give both.")
    if not results:
        return replace(settings, weight="gaps", results=(), metrics=())
    return replace(
        settings,
        weight="model-gaps",
        results=tuple(_full_path(value) for value in results),
        metrics=tuple(options.metric or ()),
    )


def field_mapping(values: Sequence[str] | None, option: str) -> dict[str, str]:
    """Return NAME=FIELD options as a dictionary."""
    mapping = _pairs(values, option)
    for name, field in mapping.items():
        if name not in ROLES:
            raise UsageError(f"{option} {name}={field}: unknown name; known: {', '.join(ROLES)}.")
    return mapping


def read_option_file(path: Path, option: str) -> str:
    """Return the text of a file that an option names."""
    try:
        return read_regular_text(path)
    except OSError as problem:
        raise UsageError(
            f"{option} {path}: cannot be read ({problem.strerror or problem}). Check the path."
        ) from None
    except UnicodeDecodeError:
        raise UsageError(
            f"{option} {path}: cannot be read (not UTF-8 text). Check the path."
        ) from None


def _read_settings(reading: ReadingOptions, model: ModelOptions) -> Settings:
    return Settings(
        model=model.model,
        dictionary=model.dictionary,
        chat=model.chat,
        device=model.load.device,
        dtype=model.load.dtype,
        hook_module=model.load.hook_module,
        fields=field_mapping(reading.field, "--field"),
        template=None
        if reading.template is None
        else read_option_file(reading.template, "--template"),
        split=reading.split,
    )


def _pool_template(value: str | None) -> str | None:
    """Return the source of the pool's template: empty for none, None for the benchmark's."""
    if value == "none":
        return ""
    return None if value is None else read_option_file(Path(value), "--pool-template")


def _scope(options: ScopeOptions) -> Scope:
    if Scope(options.scope).takes_all and options.scope_examples is not None:
        raise UsageError("--scope any takes every item; leave --scope-examples out.")
    examples: tuple[str, ...] = ()
    if options.scope_examples is not None:
        items = load_benchmark(options.scope_examples, limit=_MAX_EXAMPLES + 1).items
        if len(items) > _MAX_EXAMPLES:
            raise UsageError(
                f"--scope-examples {options.scope_examples}: more than {_MAX_EXAMPLES} items. "
                "Give a few that are clearly in scope."
            )
        examples = tuple(item.text for item in items)
    return Scope(
        sentence=options.scope if options.scope.strip() else "",
        examples=examples,
        pins=tuple(options.pin_concept or ()),
        exclusions=tuple(options.exclude_concept or ()),
        cutoff=Scope().cutoff if options.scope_cutoff is None else options.scope_cutoff,
    )


def _constraints(options: ConstraintOptions) -> Constraints:
    required = options.require
    return Constraints(
        quotas_by_category=_whole_numbers(options.quota, "--quota"),
        quotas_by_source=_whole_numbers(options.source_quota, "--source-quota"),
        min_tokens=options.min_tokens or None,
        max_tokens=options.max_tokens or None,
        required_fields=tuple(name for name in required if name != "none") if required else None,
        pinned=frozenset(options.pin or ()),
        excluded=frozenset(options.exclude or ()),
    )


def _full_path(value: str) -> str:
    """Return [MODEL=]FILE with the file's full path, as a workspace may be opened from anywhere."""
    name, sign, rest = value.partition("=")
    has_name = bool(sign and name and rest) and not path_exists(value)
    path = Path(rest if has_name else value)
    if not path_exists(path):
        raise UsageError(f"--results {value}: no such file or folder.")
    return f"{name}={resolve_path(path)}" if has_name else str(resolve_path(path))


def _whole_numbers(values: Sequence[str] | None, option: str) -> dict[str, int]:
    """Return NAME=NUMBER options as a dictionary."""
    numbers = {}
    for name, value in _pairs(values, option).items():
        if not is_whole_number(value):
            raise UsageError(
                f"{option} {name}={value[:40]}: not a whole number of up to {MAX_DIGITS} digits."
            )
        numbers[name] = int(value)
    return numbers


def _pairs(values: Sequence[str] | None, option: str) -> dict[str, str]:
    """Return NAME=VALUE options as a dictionary."""
    pairs = {}
    for text in values or ():
        name, sign, value = text.partition("=")
        if not sign or not name or not value:
            raise UsageError(f"{option} {text}: write it as NAME=VALUE.")
        pairs[name] = value
    return pairs
