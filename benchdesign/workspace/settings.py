"""The settings of a workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from benchdesign.coverage.gap_settings import GapSettings
from benchdesign.coverage.scope import Scope
from benchdesign.foundation.serialization import from_json, to_json
from benchdesign.selection.constraints import Constraints

__all__ = ["Settings", "SettingsGroup", "settings_from_json", "settings_to_json"]


SettingsGroup = Literal["scope", "gaps", "constraints"]


_DEFAULTS: Mapping[SettingsGroup, Scope | GapSettings | Constraints] = {
    "scope": Scope(),
    "gaps": GapSettings(),
    "constraints": Constraints(),
}


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
    mask_wrappers: bool = False
    """Leave text that most items of a set share, such as a chat wrapper, out of what is mapped."""

    scope: Scope = field(default_factory=Scope)
    gaps: GapSettings = field(default_factory=GapSettings)
    constraints: Constraints = field(default_factory=Constraints)
    explicit: frozenset[str] = frozenset()
    """Defaults of scope, gaps and constraints that the user chose (`gaps.fdr`); stored with the
    values that differ from the defaults."""

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

    def chosen(self, group: SettingsGroup) -> dict[str, Any]:
        """Return the values of a group that were chosen or differ from the defaults, as JSON."""
        values = {"scope": self.scope, "gaps": self.gaps, "constraints": self.constraints}
        defaults = to_json(_DEFAULTS[group])
        return {
            name: value
            for name, value in to_json(values[group]).items()
            if value != defaults[name] or f"{group}.{name}" in self.explicit
        }


def settings_to_json(settings: Settings) -> dict[str, Any]:
    """Return the settings as JSON; groups hold only what `Settings.chosen` returns."""
    values: dict[str, Any] = to_json(settings)
    del values["explicit"]
    return values | {group: settings.chosen(group) for group in _DEFAULTS}


def settings_from_json(data: Any) -> Settings:
    """Read the output of `settings_to_json`.

    Raises ValueError with the name of the setting.
    """
    if not isinstance(data, dict):
        raise ValueError("settings: expected an object")
    explicit = set()
    groups: dict[str, Any] = {}
    for group, default in _DEFAULTS.items():
        defaults = to_json(default)
        stored = data.get(group, {})
        groups[group] = _read_group(group, stored)
        values = to_json(groups[group])
        explicit |= {f"{group}.{name}" for name in stored if values[name] == defaults[name]}
    others = {name: value for name, value in data.items() if name not in (*groups, "explicit")}
    return replace(
        from_json(Settings, others, path="settings"),
        scope=groups["scope"],
        gaps=groups["gaps"],
        constraints=groups["constraints"],
        explicit=frozenset(explicit),
    )


def _read_group(group: SettingsGroup, stored: Any) -> Any:
    if not isinstance(stored, dict):
        raise ValueError(f"settings.{group}: expected an object")
    kind = type(_DEFAULTS[group])
    names = sorted(field.name for field in fields(kind))
    unknown = sorted(set(stored) - set(names))
    if unknown:
        raise ValueError(
            f"unknown setting {group}.{unknown[0]}; the settings are {', '.join(names)}"
        )
    return from_json(kind, stored, path=f"settings.{group}")
