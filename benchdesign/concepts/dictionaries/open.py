"""Open and save concept dictionaries: built-in, a folder, the sae-lens registry or the hub.

Only names and statistics are read; weights are hashed, not loaded, so torch is not needed (unless
a registry entry must be converted first).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.dictionaries.folder import (
    CONFIG,
    WEIGHTS,
    builtin_dictionary_folder,
    open_folder,
)
from benchdesign.concepts.dictionaries.hub import fetch_from_hub
from benchdesign.concepts.dictionaries.sae_lens_conversion import convert_registry_entry
from benchdesign.errors import DictionaryError
from benchdesign.foundation.paths import expand_home, is_folder
from benchdesign.foundation.preferences import cache_folder, load_preferences

__all__ = ["converted_name", "default_store", "load_dictionary"]


def load_dictionary(
    spec: str | Path = "builtin", *, store: Path | None = None, fingerprint: str | None = None
) -> Dictionary:
    """Open a dictionary: `builtin`, a folder, `sae-lens:<release>/<sae_id>`, or a hub repository.

    `store` is the folder of converted registry entries (default: `default_store`). `fingerprint`,
    if it is known, is not computed again: that reads all weights, a second or more per gigabyte.
    """
    name = str(spec)
    if name == "builtin":
        return open_folder(builtin_dictionary_folder(), name, fingerprint)
    if name.startswith("sae-lens:"):
        return open_folder(_from_registry(name, store), name, fingerprint)
    if is_folder(spec):
        folder = expand_home(spec)
        return open_folder(folder, folder.resolve().name, fingerprint)
    parts = name.removeprefix("hf:").split("/")
    if name.startswith(("/", ".", "~")) or len(parts) < 2 or not all(parts):
        raise DictionaryError(
            f"{name}: no such dictionary. Use `builtin`, a folder, "
            "`sae-lens:<release>/<sae_id>` or a Hugging Face repository (owner/name)."
        )
    return open_folder(fetch_from_hub(parts), name, fingerprint)


def default_store() -> Path:
    """Return the user's folder of converted registry entries."""
    return cache_folder(load_preferences()[0]) / "dictionaries"


def converted_name(spec: str) -> str:
    """Return the folder name of a converted registry entry in a store."""
    return hashlib.sha256(spec.encode()).hexdigest()[:24]


def _from_registry(spec: str, store: Path | None) -> Path:
    """Convert a registry entry with the sae-lens loader unless it is cached; return its folder."""
    release, _, sae_id = spec.removeprefix("sae-lens:").partition("/")
    if not release or not sae_id:
        raise DictionaryError(f"{spec}: use the form sae-lens:<release>/<sae_id>.")
    folder = (store or default_store()) / converted_name(spec)
    if (folder / WEIGHTS).is_file() and (folder / CONFIG).is_file():
        return folder

    convert_registry_entry(release, sae_id, folder, config=CONFIG, weights=WEIGHTS)
    return folder
