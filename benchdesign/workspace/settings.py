"""The settings of a workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings that determine the results of a workspace; stored in `workspace.json`."""

    n_add: int = 50
    """Number of additions to propose."""

    n_remove: int = 0
    """Number of removals to propose."""

    min_items: int = 1
    """Benchmark items that must remain after all proposed removals."""

    seed: int = 0
    model: str = "builtin"
    """Reference model: `builtin` (or the one the dictionary was built for), a folder, a hub id."""

    dictionary: str = "builtin"
    """Concept dictionary: `builtin`, a folder, `sae-lens:<release>/<sae_id>` or `hf:<repo>`."""

    device: str | None = None
    dtype: str | None = None
    hook_module: str | None = None
    """Module to read activations from instead of the dictionary's hook point."""

    chat: bool = False
    """Format every item as a user turn in the model's chat template."""

    fields: Mapping[str, str] = field(default_factory=dict)
    """Field mapping of the benchmark set by hand (`prompt`: `question`)."""

    pool_fields: Mapping[str, str] = field(default_factory=dict)
    template: str | None = None
    """Source of the item template; None for the default rendering."""

    pool_template: str | None = None
    """Source of the pool's template; None for `template`, empty for the default rendering."""

    split: str | None = None
    pool_split: str | None = None
    limit: int | None = None
    """Read at most this many benchmark items."""

    pool_limit: int | None = None
    scope: Mapping[str, Any] = field(default_factory=dict)
    """`Scope` as JSON: sentence, examples, pins, exclusions."""

    gaps: Mapping[str, Any] = field(default_factory=dict)
    """`GapSettings` that differ from the defaults."""

    constraints: Mapping[str, Any] = field(default_factory=dict)
    """`Constraints` that differ from the defaults."""

    keep_out: tuple[str, ...] = ()
    """Files of known benchmarks whose items must not be proposed."""

    weight: str = "gaps"
    """What proposals favour: `gaps`, or `model-gaps` (weaknesses of models in `results`)."""

    results: tuple[str, ...] = ()
    """Files with per-item results of models, as for the `models` command."""

    metrics: tuple[str, ...] = ()
    """Scores to use if results have several."""

    @property
    def template_of_pool(self) -> str | None:
        """Source of the template that renders the pool's items; None for the default rendering."""
        source = self.template if self.pool_template is None else self.pool_template
        return source or None
