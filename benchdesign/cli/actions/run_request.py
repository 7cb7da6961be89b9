"""What `run` was asked to do, checked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchdesign.benchmarks.formats.export_formats import EXPORTS
from benchdesign.errors import InputError, UsageError
from benchdesign.foundation.paths import path_exists, resolve_path
from benchdesign.workspace.load_sets import read_benchmark, read_pool
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.settings_checks import check_settings

__all__ = ["RunRequest"]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What `run` was asked for."""

    benchmark: str
    pool: str | None
    settings: Settings
    out: Path | None = None
    workspace: Path | None = None
    format: str | None = None


def check_request(request: RunRequest) -> None:
    """Refuse what would only be noticed after everything was mapped."""
    check_format(request.format)
    check_settings(request.settings)
    for path in request.settings.keep_out:
        if not path.startswith("hf:") and not path_exists(path):
            raise InputError(f"--keep-out {path}: no such file or folder. Check the path.")
    if request.pool is not None and _is_same(request.benchmark, request.pool):
        raise UsageError(
            f"--pool {request.pool}: is the benchmark itself. Give a file with other items."
        )


def read_sets(request: RunRequest) -> None:
    """Read benchmark and pool only to raise what is wrong with them."""
    read_benchmark(request.benchmark, request.settings)
    if request.pool is not None:
        read_pool(request.pool, request.settings)


def check_format(format: str | None) -> None:
    """Refuse a format that no benchmark is written in."""
    if format is not None and format not in EXPORTS:
        raise UsageError(
            f"--format {format}: not one of {', '.join(EXPORTS)}. "
            "Leave it out to keep the benchmark's own form."
        )


def _is_same(one: str, other: str) -> bool:
    if one.startswith("hf:") or other.startswith("hf:"):
        return one == other
    return resolve_path(one) == resolve_path(other)


def benchmark_stem(path: str) -> str:
    name = path.rstrip("/").rpartition("/")[2] or "benchmark"
    if path.startswith("hf:"):
        return name
    stem = name.split(".")[0] if not name.startswith(".") else name.lstrip(".").split(".")[0]
    return stem or "benchmark"
