"""Reading of a benchmark and its pool with the settings of a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.errors import TemplateError
from benchdesign.workspace.settings import Settings

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark

__all__ = ["SetRole", "read_set"]


SetRole = Literal["benchmark", "pool"]


def read_set(path: str | Path, settings: Settings, role: SetRole) -> Benchmark:
    """Read the items of the benchmark, or of the pool, whose items can be added."""
    if role == "benchmark":
        return load_benchmark(
            path,
            fields=dict(settings.fields) or None,
            template=settings.template,
            split=settings.split,
            limit=settings.limit,
            mask_wrappers=settings.mask_wrappers,
        )
    try:
        return load_benchmark(
            path,
            fields=dict(settings.pool_fields) or None,
            template=settings.template_of_pool,
            split=settings.pool_split,
            limit=settings.pool_limit,
            mask_wrappers=settings.mask_wrappers,
        )
    except TemplateError as problem:
        if settings.pool_template is not None:
            raise
        raise TemplateError(
            f"{problem} Set a separate template for the pool with --pool-template."
        ) from None
