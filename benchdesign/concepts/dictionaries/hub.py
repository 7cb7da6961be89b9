"""Concept dictionaries from the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from glob import escape
from pathlib import Path

from benchdesign.concepts.dictionaries.folder import (
    CONCEPTS,
    CONFIG,
    SCALER,
    SUMMARY,
    WEIGHTS,
    WHITENING,
    read_dictionary_json,
)
from benchdesign.errors import DictionaryError

__all__ = [
    "fetch_from_hub",
]


_MAX_LISTED_FOLDERS = 8
"""Maximum number of repository folders in an error message."""


def fetch_from_hub(parts: Sequence[str]) -> Path:
    """Fetch the dictionary in a repository or in a folder of it, from the hub or its cache.

    Fetch its config first, to find its files: a repository may contain hundreds of SAEs.
    """
    name, repository, subfolder = "/".join(parts), "/".join(parts[:2]), "/".join(parts[2:])
    prefix = f"{subfolder}/" if subfolder else ""
    configs = [prefix + SUMMARY, prefix + CONFIG]
    root = _fetch(name, repository, configs)
    folder = root / subfolder
    if (folder / SUMMARY).is_file():
        levels = [f"{prefix}{level}/" for level in _level_folders(folder / SUMMARY)]
        files = [prefix + CONCEPTS]
    elif (folder / CONFIG).is_file():
        levels, files = [prefix], []
    else:
        raise DictionaryError(_not_found_message(name, repository, prefix, root))
    files += [level + file for level in levels for file in (CONFIG, WEIGHTS, SCALER, WHITENING)]
    return _fetch(name, repository, configs + files) / subfolder


def _fetch(name: str, repository: str, files: Sequence[str]) -> Path:
    """Download the files that exist in the repository to the hub cache; return their folder."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, allow_patterns=[escape(file) for file in files]))
    except _hub_errors() as problem:
        message = " ".join(str(problem).split())[:200]
        raise DictionaryError(f"{name}: cannot be downloaded ({message}).") from None


def _hub_errors() -> tuple[type[Exception], ...]:
    """Return the errors of hub requests; the HTTP error depends on the huggingface_hub version."""
    from huggingface_hub import errors

    return getattr(errors, "HTTPError", OSError), errors.HFValidationError, OSError


def _not_found_message(name: str, repository: str, prefix: str, cached: Path) -> str:
    """Return the error for a missing dictionary, with folders of the repository that have one."""
    from huggingface_hub import HfApi

    try:
        files = HfApi().list_repo_files(repository)
    except _hub_errors():
        # Offline: use the files in the cache.
        files = [path.relative_to(cached).as_posix() for path in cached.rglob("*.json")]
    folders = [
        Path(file).parent.as_posix() for file in files if Path(file).name in (CONFIG, SUMMARY)
    ]
    folders = sorted({folder for folder in folders if f"{folder}/".startswith(prefix)})
    message = f"{name}: no {SUMMARY} or {CONFIG}"
    if not folders:
        return f"{message}; use a dictionary or a sae-lens folder."
    more = (
        f" and {len(folders) - _MAX_LISTED_FOLDERS:,} more"
        if len(folders) > _MAX_LISTED_FOLDERS
        else ""
    )
    return (
        f"{message}, but these folders have one: {', '.join(folders[:_MAX_LISTED_FOLDERS])}{more}. "
        f"Use one of them, such as hf:{repository}/{folders[0]}."
    )


def _level_folders(summary: Path) -> list[str]:
    """Return the level folders in a dictionary.json; none if it is damaged."""
    try:
        return [
            str(level.get("folder", level["name"]))
            for level in read_dictionary_json(summary)["levels"]
        ]
    except (KeyError, TypeError, AttributeError):
        return []
