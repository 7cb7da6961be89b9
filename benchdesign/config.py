"""Settings, and where each came from.

Two kinds: `Settings` belong to a workspace and decide its results; `Preferences` belong to the
person and decide how the program behaves. Preferences come from, in this order, a flag, the
environment (`BENCHDESIGN_...`), the user's file, the default. This is the only module that reads
the environment.
"""

from __future__ import annotations

import difflib
import getpass
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from benchdesign.errors import InputError
from benchdesign.regular import read_regular_text

__all__ = [
    "Preference",
    "Preferences",
    "Settings",
    "cache_folder",
    "endpoint_key",
    "load_preferences",
    "user_config_path",
]


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the results of a workspace; kept in `workspace.json`."""

    n_add: int = 50
    """Proposals to add."""

    n_remove: int = 0
    """Proposals to remove."""

    min_items: int = 1
    """Benchmark items that stay whatever is proposed for removal."""

    seed: int = 0
    model: str = "builtin"
    """Reference model: `builtin` (or the one the dictionary was made for), a folder, a hub id."""

    dictionary: str = "builtin"
    """Concept dictionary: `builtin`, a folder, `sae-lens:<release>/<sae_id>` or `hf:<repo>`."""

    device: str | None = None
    dtype: str | None = None
    hook_module: str | None = None
    """Module to read instead of the one the hook point names."""

    chat: bool = False
    """Read every item as the user's turn in the model's chat template."""

    fields: Mapping[str, str] = field(default_factory=dict)
    """Fields of the benchmark set by hand (`prompt`: `question`)."""

    pool_fields: Mapping[str, str] = field(default_factory=dict)
    template: str | None = None
    """Source of the item template; None for the default rendering."""

    pool_template: str | None = None
    """Source of the pool's; None for the benchmark's, empty for the default rendering."""

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
    """Files with known benchmarks whose items are never proposed."""

    weight: str = "gaps"
    """What proposals prefer: `gaps`, or `model-gaps`: what models are weak at by `results`."""

    results: tuple[str, ...] = ()
    """Files with results of models on each item, as `models` reads them."""

    metrics: tuple[str, ...] = ()
    """Which score to use where results have several."""

    @property
    def template_of_pool(self) -> str | None:
        """Source of the template that renders the pool's items; None for the default rendering."""
        chosen = self.template if self.pool_template is None else self.pool_template
        return chosen or None


@dataclass(frozen=True, slots=True)
class Preferences:
    """How the program behaves for one person."""

    who: str = ""
    """Name written beside decisions; empty for the login name."""

    theme: str = "textual-dark"
    marks: str = "unicode"
    """`unicode` or `ascii`."""

    device: str | None = None
    """Where reference models run: `cpu`, `cuda`, `mps`, `auto`; None for CUDA if there is one."""

    cache: str | None = None
    """Folder for downloaded and derived files; None for the platform's place."""

    keys: Mapping[str, str] = field(default_factory=dict)
    """Keys by binding id."""


@dataclass(frozen=True, slots=True)
class Preference:
    """One preference with its origin."""

    name: str
    value: Any
    origin: str
    """`flag`, `environment BENCHDESIGN_WHO`, `user <file>` or `default`."""


def user_config_path(environ: Mapping[str, str] | None = None) -> Path:
    """Return where the user's file is looked for (it may not exist)."""
    environ = os.environ if environ is None else environ
    if given := environ.get("BENCHDESIGN_CONFIG"):
        return Path(given)
    home = environ.get("XDG_CONFIG_HOME") or str(
        Path(environ.get("HOME", "~")).expanduser() / ".config"
    )
    return Path(home) / "benchdesign" / "config.toml"


def load_preferences(
    flags: Mapping[str, Any] | None = None, *, environ: Mapping[str, str] | None = None
) -> tuple[Preferences, tuple[Preference, ...]]:
    """Return the preferences and, for each, where its value came from."""
    environ = os.environ if environ is None else environ
    path = user_config_path(environ)
    from_file = _read_user_file(path)
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    found = []
    for one in fields(Preferences):
        variable = f"BENCHDESIGN_{one.name.upper()}"
        if one.name in given:
            found.append(Preference(one.name, given[one.name], "flag"))
        elif environ.get(variable) and one.name != "keys":
            found.append(Preference(one.name, environ[variable], f"environment {variable}"))
        elif one.name in from_file:
            found.append(Preference(one.name, from_file[one.name], f"user {path}"))
        elif one.name == "who":
            found.append(Preference(one.name, _login_name(), "default (login name)"))
        else:
            found.append(Preference(one.name, getattr(Preferences(), one.name), "default"))
    return Preferences(**{one.name: one.value for one in found}), tuple(found)


def cache_folder(
    preferences: Preferences | None = None, *, environ: Mapping[str, str] | None = None
) -> Path:
    """Return the folder for files that can be made again (it may not exist)."""
    environ = os.environ if environ is None else environ
    if preferences is not None and preferences.cache:
        return Path(preferences.cache).expanduser()
    home = environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "benchdesign"


def endpoint_key(*, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the key for a language-model endpoint; never kept in a file or a workspace."""
    environ = os.environ if environ is None else environ
    given = environ.get("BENCHDESIGN_API_KEY") or environ.get("OPENAI_API_KEY") or ""
    return given.strip() or None


def editor_command(environ: Mapping[str, str] | None = None) -> str:
    """Return the command of the person's editor."""
    environ = os.environ if environ is None else environ
    return environ.get("VISUAL") or environ.get("EDITOR") or "vi"


def _read_user_file(path: Path) -> dict[str, Any]:
    if str(path) == os.devnull:
        # A common way to say that there are no settings.
        return {}
    try:
        content = tomllib.loads(read_regular_text(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as problem:
        raise InputError(
            f"{path}: not a readable settings file ({problem}). Fix or move it."
        ) from None
    known = [one.name for one in fields(Preferences)]
    for name, value in content.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(known)}."
            raise InputError(f"{path}: unknown setting {name!r}.{hint}")
        wanted = dict if name == "keys" else str
        if not isinstance(value, wanted):
            raise InputError(f"{path}: {name} must be {'a table' if wanted is dict else 'text'}.")
    return content


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
