"""A request to `run`, checked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass

from benchdesign.benchmarks.formats.export_formats import EXPORTS
from benchdesign.cli.revision_options import RunOutputOptions
from benchdesign.errors import InputError, UsageError
from benchdesign.foundation.paths import path_exists, resolve_path
from benchdesign.workspace.load_sets import read_set
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.settings_checks import check_settings

__all__ = ["RunRequest", "benchmark_stem", "check_format", "check_request", "read_sets"]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The input, the settings and the output of a run."""

    benchmark: str
    pool: str | None
    settings: Settings
    output: RunOutputOptions


def check_request(request: RunRequest) -> None:
    """Raise UsageError or InputError for mistakes that would otherwise show only after mapping."""
    check_format(request.output.revision.format)
    check_settings(request.settings)
    for path in request.settings.keep_out:
        if not path.startswith("hf:") and not path_exists(path):
            raise InputError(f"--keep-out {path}: no such file or folder. Check the path.")
    if request.pool is not None and _is_same_source(request.benchmark, request.pool):
        raise UsageError(
            f"--pool {request.pool}: is the benchmark itself. Give a file with other items."
        )


def read_sets(request: RunRequest) -> None:
    """Read benchmark and pool, only to raise their errors."""
    read_set(request.benchmark, request.settings, "benchmark")
    if request.pool is not None:
        read_set(request.pool, request.settings, "pool")


def check_format(format: str | None) -> None:
    """Raise UsageError for a format that benchmarks cannot be written in."""
    if format is not None and format not in EXPORTS:
        raise UsageError(
            f"--format {format}: not one of {', '.join(EXPORTS)}. "
            "Leave it out to keep the benchmark's own format."
        )


def _is_same_source(first: str, second: str) -> bool:
    if first.startswith("hf:") or second.startswith("hf:"):
        return first == second
    return resolve_path(first) == resolve_path(second)


def benchmark_stem(path: str) -> str:
    """Return the name of a benchmark for the names of its output folders."""
    name = path.rstrip("/").rpartition("/")[2] or "benchmark"
    if path.startswith("hf:"):
        return name
    stem = name.split(".")[0] if not name.startswith(".") else name.lstrip(".").split(".")[0]
    return stem or "benchmark"
