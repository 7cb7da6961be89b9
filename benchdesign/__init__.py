"""A benchmark-authoring assistant: find what a benchmark does not test, add it, and prove it.

Public names are imported on first use, which keeps `import benchdesign` fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchdesign.version import __version__ as __version__

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark, Item
    from benchdesign.benchmarks.load import load_benchmark
    from benchdesign.benchmarks.write import write_benchmark
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.concepts.dictionaries.open import load_dictionary
    from benchdesign.concepts.mapping.map_items import map_items
    from benchdesign.concepts.mapping.open_mapper import open_mapper
    from benchdesign.concepts.maps.concept_map import ConceptMap
    from benchdesign.coverage.coverage import measure_coverage
    from benchdesign.coverage.find_gaps import find_gaps
    from benchdesign.coverage.suite import compare_suite
    from benchdesign.errors import (
        BenchdesignError,
        DictionaryError,
        FormatError,
        InputError,
        Interrupted,
        MissingExtraError,
        ModelError,
        OutputExistsError,
        PackagingError,
        TemplateError,
        UsageError,
        WorkspaceError,
        WorkspaceLockedError,
        WorkspaceMissingError,
    )
    from benchdesign.model_gaps.model_gaps import measure_models
    from benchdesign.pipeline.run import run_pipeline
    from benchdesign.pipeline.write_revision import write_revision
    from benchdesign.report.coverage_report import write_report
    from benchdesign.selection.additions import propose_additions
    from benchdesign.selection.duplicates import find_duplicates
    from benchdesign.selection.removals import propose_removals
    from benchdesign.workspace.analysis import Analysis
    from benchdesign.workspace.decision_log import DecisionLog
    from benchdesign.workspace.decisions import Decision
    from benchdesign.workspace.settings import Settings
    from benchdesign.workspace.workspace import Workspace

_HOMES = {
    "Analysis": "workspace.analysis",
    "BenchdesignError": "errors",
    "Benchmark": "benchmarks.items",
    "ConceptMap": "concepts.maps.concept_map",
    "Decision": "workspace.decisions",
    "DecisionLog": "workspace.decision_log",
    "Dictionary": "concepts.dictionaries.dictionary",
    "DictionaryError": "errors",
    "FormatError": "errors",
    "InputError": "errors",
    "Interrupted": "errors",
    "Item": "benchmarks.items",
    "MissingExtraError": "errors",
    "ModelError": "errors",
    "OutputExistsError": "errors",
    "PackagingError": "errors",
    "Settings": "workspace.settings",
    "TemplateError": "errors",
    "UsageError": "errors",
    "Workspace": "workspace.workspace",
    "WorkspaceError": "errors",
    "WorkspaceLockedError": "errors",
    "WorkspaceMissingError": "errors",
    "compare_suite": "coverage.suite",
    "find_duplicates": "selection.duplicates",
    "find_gaps": "coverage.find_gaps",
    "load_benchmark": "benchmarks.load",
    "load_dictionary": "concepts.dictionaries.open",
    "map_items": "concepts.mapping.map_items",
    "measure_coverage": "coverage.coverage",
    "measure_models": "model_gaps.model_gaps",
    "open_mapper": "concepts.mapping.open_mapper",
    "propose_additions": "selection.additions",
    "propose_removals": "selection.removals",
    "run_pipeline": "pipeline.run",
    "write_benchmark": "benchmarks.write",
    "write_report": "report.coverage_report",
    "write_revision": "pipeline.write_revision",
}

__all__ = [
    "Analysis",
    "BenchdesignError",
    "Benchmark",
    "ConceptMap",
    "Decision",
    "DecisionLog",
    "Dictionary",
    "DictionaryError",
    "FormatError",
    "InputError",
    "Interrupted",
    "Item",
    "MissingExtraError",
    "ModelError",
    "OutputExistsError",
    "PackagingError",
    "Settings",
    "TemplateError",
    "UsageError",
    "Workspace",
    "WorkspaceError",
    "WorkspaceLockedError",
    "WorkspaceMissingError",
    "compare_suite",
    "find_duplicates",
    "find_gaps",
    "load_benchmark",
    "load_dictionary",
    "map_items",
    "measure_coverage",
    "measure_models",
    "open_mapper",
    "propose_additions",
    "propose_removals",
    "run_pipeline",
    "write_benchmark",
    "write_report",
    "write_revision",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'benchdesign' has no attribute {name!r}")
    value = getattr(import_module(f"benchdesign.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
