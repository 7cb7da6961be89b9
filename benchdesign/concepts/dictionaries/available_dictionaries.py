"""The available dictionaries: built-in, cached, and in the registry of sae-lens.

The registry is a YAML file inside sae-lens. It is read without importing sae-lens, which takes
seconds. This module never uses the network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.concepts.dictionaries.folder import CONFIG, SUMMARY, describe_plain
from benchdesign.concepts.dictionaries.open import converted_name, load_dictionary
from benchdesign.errors import BenchdesignError, DictionaryError, InputError, PackagingError

if TYPE_CHECKING:
    from benchdesign.concepts.dictionaries.dictionary import Level

__all__ = ["RegistryEntry", "local_entries", "read_registry"]

_HOOK = re.compile(
    r"blocks\.\d+\.(?:attn\.|mlp\.|ln\d\.)?"
    r"hook_(?:resid_pre|resid_mid|resid_post|attn_out|mlp_out|mlp_in|normalized|in|z)"
)
_WIDTH = re.compile(r"(?:width[_-]?(\d+(?:\.\d+)?[km])|[/_-]w?(\d+k))(?=$|[/_.-])", re.IGNORECASE)
_POWER = re.compile(r"2pow(\d+)")
_LAYER = re.compile(r"layers?[_.-]?(\d+)")


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """A dictionary that can be passed to --dictionary."""

    spec: str
    model: str
    hook_point: str
    """Parsed from the name for an SAE that is not on disk; empty if the name has none."""

    width: str
    """Parsed from the name (`16k`), or exact if the dictionary is on disk; may be empty."""

    on_disk: bool
    release: str = ""


def read_registry(
    *, store: Path | None = None, hub_cache: Path | None = None
) -> tuple[RegistryEntry, ...]:
    """Return the SAEs of all releases in the installed sae-lens.

    `store` is the folder of converted SAEs (see `load_dictionary`); `hub_cache` is the cache of
    Hugging Face.
    """
    cache = hub_cache or _hub_cache()
    entries: list[RegistryEntry] = []
    for release, entry in _releases().items():
        repository = str(entry.get("repo_id", ""))
        snapshots = _snapshots(cache, repository)
        for sae in entry.get("saes", ()):
            entries.append(_entry(str(release), entry, sae, snapshots, store))
    return tuple(entries)


@lru_cache(maxsize=1)
def _releases() -> dict[str, Any]:
    """Return the releases of sae-lens' registry by name."""
    import yaml

    package = find_spec("sae_lens")
    if package is None or package.origin is None:
        raise PackagingError("sae-lens is not installed; run: pip install sae-lens")
    file = Path(package.origin).with_name("pretrained_saes.yaml")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        releases: dict[str, Any] = yaml.load(file.read_bytes(), Loader=loader)
    except (OSError, yaml.YAMLError) as problem:
        raise InputError(f"{file}: cannot be read ({problem}); reinstall sae-lens.") from None
    return releases


def local_entries(
    *, store: Path | None = None, hub_cache: Path | None = None, registered: Sequence[str] = ()
) -> tuple[RegistryEntry, ...]:
    """Return the built-in dictionary and the dictionaries in Hugging Face's cache and in `store`.

    `registered` are the specs of registry entries, which `read_registry` returns.
    """
    folders: list[tuple[str, str | Path]] = [("builtin", "builtin")]
    folders += _hub_dictionaries(hub_cache or _hub_cache())
    registered_names = {converted_name(spec) for spec in registered}
    if store is not None and store.is_dir():
        folders += [
            (str(path), path)
            for path in sorted(store.iterdir())
            if path.is_dir() and path.name not in registered_names
        ]
    entries: list[RegistryEntry] = []
    for spec, source in folders:
        try:
            model, levels = _model_and_levels(source)
        except BenchdesignError:
            # Skip a partly converted folder: `list` must not fail on it.
            continue
        for level in levels:
            entries.append(
                RegistryEntry(spec, model, level.hook_point, f"{level.width:,}", True, level.name)
            )
    return tuple(entries)


def _model_and_levels(source: str | Path) -> tuple[str, tuple[Level, ...]]:
    """Return the model and the levels of a dictionary; the weights of plain SAEs are not read."""
    if isinstance(source, Path) and not (source / SUMMARY).is_file():
        model, level = describe_plain(source)
        return model, (level,)
    dictionary = load_dictionary(source)
    return dictionary.model, dictionary.levels


def _hub_dictionaries(cache: Path) -> list[tuple[str, str | Path]]:
    """Find dictionaries and SAEs in Hugging Face's cache, newest snapshot first.

    Repositories of the registry are skipped: their SAEs are listed under registry names.
    """
    registered = {str(entry.get("repo_id", "")) for entry in _releases().values()}
    folders: dict[str, Path] = {}
    files = sorted(
        (
            file
            for name in (SUMMARY, CONFIG)
            for file in cache.glob(f"models--*--*/snapshots/*/**/{name}")
        ),
        key=lambda file: -file.stat().st_mtime,
    )
    for file in files:
        cache_name, _, _, *inside = file.parent.relative_to(cache).parts
        repository = cache_name.removeprefix("models--").replace("--", "/", 1)
        is_level = (file.parent.parent / SUMMARY).is_file()
        if repository not in registered and not is_level:
            folders.setdefault("/".join([f"hf:{repository}", *inside]), file.parent)
    return sorted(folders.items())


def _entry(
    release: str,
    entry: Mapping[str, Any],
    sae: Mapping[str, Any],
    snapshots: Sequence[Path],
    store: Path | None,
) -> RegistryEntry:
    sae_id, path = str(sae.get("id", "")), str(sae.get("path", ""))
    spec = f"sae-lens:{release}/{sae_id}"
    converted = store / converted_name(spec) if store is not None else None
    if converted is not None and (converted / "cfg.json").is_file():
        try:
            model, level = describe_plain(converted)
        except DictionaryError:
            # Left by an interrupted conversion; it is converted again on use.
            pass
        else:
            return RegistryEntry(
                spec,
                model or str(entry.get("model", "")),
                level.hook_point,
                f"{level.width:,}",
                True,
                release,
            )
    return RegistryEntry(
        spec=spec,
        model=str(entry.get("model", "")),
        hook_point=_parse_hook(sae_id) or _parse_hook(path),
        width=_parse_width(sae_id) or _parse_width(path) or _parse_width(f"-{release}"),
        on_disk=bool(path) and any((snapshot / path).exists() for snapshot in snapshots),
        release=release,
    )


def _parse_hook(name: str) -> str:
    if match := _HOOK.search(name):
        return match.group()
    match = _LAYER.search(name)
    return f"layer {match.group(1)}" if match else ""


def _parse_width(name: str) -> str:
    if power := _POWER.search(name):
        return f"{2 ** int(power.group(1)):,}"
    match = _WIDTH.search(name)
    return (match.group(1) or match.group(2)).lower() if match else ""


def _hub_cache() -> Path:
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def _snapshots(cache: Path, repository: str) -> tuple[Path, ...]:
    folder = cache / f"models--{repository.replace('/', '--')}" / "snapshots"
    return tuple(folder.iterdir()) if repository and folder.is_dir() else ()
