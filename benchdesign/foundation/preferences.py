"""Workspace settings and user preferences.

`Settings` belong to a workspace and determine its results. `Preferences` belong to the user and
determine how the program behaves. A preference is read from the first of: a flag, the environment
(`BENCHDESIGN_...`), the user's configuration file, the default. No other module reads the
environment.
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
from benchdesign.foundation.paths import read_regular_text

__all__ = [
    "Preference",
    "Preferences",
    "cache_folder",
    "endpoint_key",
    "load_preferences",
    "user_config_path",
]


@dataclass(frozen=True, slots=True)
class Preferences:
    """How the program behaves for one user."""

    who: str = ""
    """Name recorded with decisions; empty for the login name."""

    theme: str = "textual-dark"
    marks: str = "unicode"
    """`unicode` or `ascii`."""

    device: str | None = None
    """Device of reference models: `cpu`, `cuda`, `mps`, `auto`; None for CUDA if available."""

    cache: str | None = None
    """Folder for downloaded and derived files; None for the platform's default."""

    keys: Mapping[str, str] = field(default_factory=dict)
    """Key bindings, by binding id."""


@dataclass(frozen=True, slots=True)
class Preference:
    """One preference with its origin."""

    name: str
    value: Any
    origin: str
    """`flag`, `environment BENCHDESIGN_WHO`, `user <file>` or `default`."""


def user_config_path(environ: Mapping[str, str] | None = None) -> Path:
    """Return the path of the user's configuration file (it may not exist)."""
    environ = os.environ if environ is None else environ
    if path := environ.get("BENCHDESIGN_CONFIG"):
        return Path(path)
    home = environ.get("XDG_CONFIG_HOME") or str(
        Path(environ.get("HOME", "~")).expanduser() / ".config"
    )
    return Path(home) / "benchdesign" / "config.toml"


def load_preferences(
    flags: Mapping[str, Any] | None = None, *, environ: Mapping[str, str] | None = None
) -> tuple[Preferences, tuple[Preference, ...]]:
    """Return the preferences, and each one with its origin."""
    environ = os.environ if environ is None else environ
    path = user_config_path(environ)
    from_file = _read_user_file(path)
    from_flags = {name: value for name, value in (flags or {}).items() if value is not None}
    preferences = []
    for name in (setting.name for setting in fields(Preferences)):
        variable = f"BENCHDESIGN_{name.upper()}"
        if name in from_flags:
            preference = Preference(name, from_flags[name], "flag")
        elif environ.get(variable) and name != "keys":
            preference = Preference(name, environ[variable], f"environment {variable}")
        elif name in from_file:
            preference = Preference(name, from_file[name], f"user {path}")
        elif name == "who":
            preference = Preference(name, _login_name(), "default (login name)")
        else:
            preference = Preference(name, getattr(Preferences(), name), "default")
        preferences.append(preference)
    values = {preference.name: preference.value for preference in preferences}
    return Preferences(**values), tuple(preferences)


def cache_folder(
    preferences: Preferences | None = None, *, environ: Mapping[str, str] | None = None
) -> Path:
    """Return the cache folder (it may not exist)."""
    environ = os.environ if environ is None else environ
    if preferences is not None and preferences.cache:
        return Path(preferences.cache).expanduser()
    home = environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "benchdesign"


def endpoint_key(*, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the API key of the language-model endpoint; it is never stored."""
    environ = os.environ if environ is None else environ
    key = environ.get("BENCHDESIGN_API_KEY") or environ.get("OPENAI_API_KEY") or ""
    return key.strip() or None


def editor_command(environ: Mapping[str, str] | None = None) -> str:
    """Return the command that starts the user's editor."""
    environ = os.environ if environ is None else environ
    return environ.get("VISUAL") or environ.get("EDITOR") or "vi"


def _read_user_file(path: Path) -> dict[str, Any]:
    if str(path) == os.devnull:
        # `BENCHDESIGN_CONFIG=/dev/null` is a common way to disable the file.
        return {}
    try:
        content = tomllib.loads(read_regular_text(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as problem:
        raise InputError(
            f"{path}: not a readable configuration file ({problem}). Fix or move it."
        ) from None
    names = [setting.name for setting in fields(Preferences)]
    for name, value in content.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Settings: {', '.join(names)}."
            raise InputError(f"{path}: unknown setting {name!r}.{hint}")
        kind = dict if name == "keys" else str
        if not isinstance(value, kind):
            raise InputError(f"{path}: {name} must be {'a table' if kind is dict else 'text'}.")
    return content


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
