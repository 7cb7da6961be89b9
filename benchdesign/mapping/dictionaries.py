"""Concept dictionaries from wherever they are: the package, a folder, a registry, the hub.

Only names and statistics are read here; weights are hashed, never loaded, so this needs no torch
(unless a registry entry has to be converted first).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchdesign.dictionary import ConceptTable, Dictionary, Level
from benchdesign.errors import DictionaryError, PackagingError
from benchdesign.mapping.concept_columns import read_columns
from benchdesign.regular import expanded, is_folder, read_regular_text
from benchdesign.whole_files import whole_files, write_whole

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "POOLING_VERSION",
    "blank_table",
    "builtin_dictionary_folder",
    "converted_name",
    "default_store",
    "describe_plain",
    "fingerprint",
    "level_files",
    "load_dictionary",
    "read_config",
    "save_dictionary",
]

POOLING_VERSION = "1"
"""Raised when the same weights would give another map: windows, passages, pooling."""

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
SCALER, WHITENING = "activation_scaler.json", "activation_whitening.safetensors"
"""Beside the weights of a training run that has not been folded into them."""

SUMMARY, CONCEPTS = "dictionary.json", "concepts.parquet"

_VERSION = 1
_TEXTS = ("label", "label_source", "area")

_MOST_TOLD = 8
"""Folders of a repository that an error names."""

_HUB_OWNERS = {
    "gemma": "google",
    "pythia": "EleutherAI",
    "gpt-neox": "EleutherAI",
    "llama": "meta-llama",
    "mistral": "mistralai",
    "qwen": "Qwen",
}


def load_dictionary(
    spec: str | Path = "builtin", *, store: Path | None = None, fingerprint: str | None = None
) -> Dictionary:
    """Open a dictionary: `builtin`, a folder, `sae-lens:<release>/<sae_id>`, or a hub repository.

    `store` is where converted registry entries are kept (default: `default_store`). With
    `fingerprint`, that is what it is taken for; else its weights are read, which takes a second or
    more where they are a gigabyte.
    """
    name = str(spec)
    if name == "builtin":
        return _open_folder(builtin_dictionary_folder(), name, fingerprint)
    if name.startswith("sae-lens:"):
        return _open_folder(_from_registry(name, store), name, fingerprint)
    if is_folder(spec):
        folder = expanded(spec)
        return _open_folder(folder, folder.resolve().name, fingerprint)
    parts = name.removeprefix("hf:").split("/")
    if name.startswith(("/", ".", "~")) or len(parts) < 2 or not all(parts):
        raise DictionaryError(
            f"{name}: no such dictionary. Give `builtin`, a folder, "
            "`sae-lens:<release>/<sae_id>` or a Hugging Face repository (owner/name)."
        )
    return _open_folder(_from_hub(parts), name, fingerprint)


def builtin_dictionary_folder() -> Path:
    """Return the folder of the dictionary that ships with the package."""
    folder = Path(__file__).resolve().parent.parent / "builtin"
    if not (folder / SUMMARY).is_file():
        raise PackagingError(
            f"{folder}: the built-in dictionary is missing; reinstall benchdesign."
        )
    return folder


def default_store() -> Path:
    """Return the folder in which this person keeps converted registry entries."""
    from benchdesign.config import cache_folder, load_preferences

    return cache_folder(load_preferences()[0]) / "dictionaries"


def converted_name(spec: str) -> str:
    """Return the name under which a converted registry entry is kept in a store."""
    return hashlib.sha256(spec.encode()).hexdigest()[:24]


def read_config(folder: Path) -> dict[str, Any]:
    """Read the cfg.json of a sae-lens folder."""
    if not (folder / WEIGHTS).is_file():
        others = [path.name for path in folder.glob("*.p[tk]*")] + [
            path.name for path in folder.glob("*.bin")
        ]
        if others:
            raise DictionaryError(
                f"{folder / others[0]}: pickled weights can run code when they are read. "
                f"Convert them to {WEIGHTS}."
            )
        raise DictionaryError(f"{folder}: no {WEIGHTS}; give a folder saved by sae-lens.")
    config = _read_json(folder / CONFIG)
    for key in ("d_in", "d_sae"):
        if not isinstance(config.get(key), int) or isinstance(config[key], bool) or config[key] < 1:
            raise DictionaryError(f"{folder / CONFIG}: {key} must be a positive whole number.")
    # No weight takes less than a byte; without this a wrong width asks for all memory.
    n_bytes = (folder / WEIGHTS).stat().st_size
    if config["d_in"] * config["d_sae"] > n_bytes:
        from benchdesign.formats.files import read_head, reject_other_things

        reject_other_things(folder / WEIGHTS, read_head(folder / WEIGHTS))
        raise DictionaryError(
            f"{folder / CONFIG}: d_in and d_sae do not fit the {n_bytes} bytes of {WEIGHTS}. "
            "Get both again."
        )
    return config


def fingerprint(model: str, levels: Sequence[Level]) -> str:
    """Return the identity of maps: weights, what they are applied to, and how they are pooled."""
    hasher = hashlib.sha256(f"{POOLING_VERSION}\n{model}\n".encode())
    for level in levels:
        hasher.update(f"{level.name}\n{level.unit}\n{level.hook_point}\n{level.width}\n".encode())
        if level.folder is None:
            continue
        for file in level_files(level.folder):
            with file.open("rb") as stream:
                hasher.update(hashlib.file_digest(stream, "sha256").digest())
    return hasher.hexdigest()


def level_files(folder: Path) -> tuple[Path, ...]:
    """Return the files of a sae-lens folder that say what it computes, in a fixed order."""
    optional = (folder / name for name in (SCALER, WHITENING))
    return folder / CONFIG, folder / WEIGHTS, *(file for file in optional if file.is_file())


def save_dictionary(
    dictionary: Dictionary, folder: Path, *, recipe: Mapping[str, Any] | None = None
) -> None:
    """Write dictionary.json and concepts.parquet; the levels' folders are expected beside them."""
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    summary = {
        "schema_version": _VERSION,
        "name": dictionary.name,
        "model": dictionary.model,
        "length_edges": list(dictionary.length_edges),
        "levels": [
            {
                "name": level.name,
                "unit": level.unit,
                "hook_point": level.hook_point,
                "width": level.width,
                "folder": level.folder.name if level.folder else level.name,
            }
            for level in dictionary.levels
        ],
        "recipe": dict(recipe or {}),
    }
    write_whole(folder / SUMMARY, json.dumps(summary, indent=2, sort_keys=True) + "\n")
    with whole_files(folder / CONCEPTS) as (fresh,):
        pq.write_table(_to_arrow(dictionary.table), fresh, compression="zstd")


def blank_table(levels: Sequence[Level], *, n_bins: int = 1) -> ConceptTable:
    """Return a table in which nothing is known: present wherever it fires, no labels, no rates."""
    widths = [level.width for level in levels]
    n = sum(widths)

    def unknown() -> NDArray[np.float32]:
        return np.full(n, np.nan, dtype=np.float32)

    return ConceptTable(
        level=np.repeat(np.arange(len(levels), dtype=np.int8), widths),
        threshold=np.zeros(n, dtype=np.float32),
        base_rates=np.full((n, n_bins), np.nan, dtype=np.float32),
        mean_activation=unknown(),
        max_activation=unknown(),
        q90=unknown(),
        density=unknown(),
        flags=(frozenset(),) * n,
        label=(None,) * n,
        label_source=(None,) * n,
        label_score=unknown(),
        area=(None,) * n,
    )


def _open_folder(folder: Path, name: str, known_fingerprint: str | None) -> Dictionary:
    if (folder / SUMMARY).is_file():
        return _open_own(folder, name, known_fingerprint)
    if (folder / CONFIG).is_file():
        return _open_plain(folder, name, known_fingerprint)
    raise DictionaryError(
        f"{folder}: neither {SUMMARY} nor {CONFIG}; give a dictionary or a sae-lens folder."
    )


def _open_own(folder: Path, name: str, known_fingerprint: str | None) -> Dictionary:
    """Open a dictionary of several levels with its statistics."""
    place = folder / SUMMARY
    summary = _read_json(place)
    _check_summary(summary, place)
    levels: list[Level] = []
    offset = 0
    try:
        for entry in summary["levels"]:
            inside = folder / str(entry.get("folder", entry["name"]))
            if folder.resolve() not in inside.resolve().parents:
                raise DictionaryError(f"{place}: level folder {inside} lies outside.")
            config = read_config(inside)
            level = Level(
                name=str(entry["name"]),
                unit=str(entry["unit"]),
                hook_point=str(entry["hook_point"]),
                offset=offset,
                width=int(config["d_sae"]),
                folder=inside,
            )
            if level.unit not in {"token", "passage"}:
                raise DictionaryError(f"{place}: unit {level.unit!r} is not token or passage.")
            if int(entry.get("width", level.width)) != level.width:
                raise DictionaryError(f"{place}: width of {level.name} differs from its {CONFIG}.")
            levels.append(level)
            offset += level.width
        model = str(summary["model"])
        edges = tuple(int(edge) for edge in summary.get("length_edges", ()))
    except (KeyError, TypeError, ValueError, OverflowError) as problem:
        raise DictionaryError(f"{place}: damaged ({problem!r}); get it again.") from None
    if not levels or list(edges) != sorted(set(edges)):
        raise DictionaryError(f"{place}: needs at least one level and ascending length_edges.")
    return Dictionary(
        name=name,
        model=model,
        levels=tuple(levels),
        table=_read_table(folder / CONCEPTS, levels, n_bins=len(edges) + 1),
        length_edges=edges,
        fingerprint=known_fingerprint or fingerprint(model, levels),
    )


def _check_summary(summary: Mapping[str, Any], place: Path) -> None:
    """Refuse a version from the future and values that would be taken for something else."""
    version = summary.get("schema_version", _VERSION)
    if version != _VERSION or isinstance(version, bool):
        raise DictionaryError(
            f"{place}: schema_version {str(version)[:40]} is not known. Upgrade benchdesign."
        )
    if not isinstance(summary.get("model", ""), str):
        raise DictionaryError(f"{place}: model must be a text; get it again.")
    levels = summary.get("levels", [])
    if not isinstance(levels, list) or not all(isinstance(one, dict) for one in levels):
        raise DictionaryError(f"{place}: levels must be a list of objects; get it again.")
    for key in ("name", "unit", "hook_point", "folder"):
        if not all(isinstance(one.get(key, ""), str) for one in levels):
            raise DictionaryError(f"{place}: {key} of a level must be a text; get it again.")


class PlainSae(NamedTuple):
    """What the settings of a sae-lens folder say."""

    model: str
    level: Level


def describe_plain(folder: Path) -> PlainSae:
    """Read which states of which model a sae-lens folder is for; its weights are not read."""
    config = read_config(folder)
    metadata = config.get("metadata")
    known: dict[str, Any] = metadata if isinstance(metadata, dict) else config
    for key in ("model_name", "hook_name", "hf_hook_name"):
        if not isinstance(known.get(key) or "", str):
            raise DictionaryError(f"{folder / CONFIG}: {key} must be a text; get it again.")
    model = _hub_id(str(known.get("model_name") or ""))
    level = Level(
        name="terms",
        unit="token",
        hook_point=_hook_point(known),
        offset=0,
        width=int(config["d_sae"]),
        folder=folder,
    )
    return PlainSae(model, level)


def _open_plain(folder: Path, name: str, known_fingerprint: str | None) -> Dictionary:
    """Open a sae-lens folder: one level, nothing known about its concepts."""
    model, level = describe_plain(folder)
    return Dictionary(
        name=name,
        model=model,
        levels=(level,),
        table=blank_table([level]),
        length_edges=(),
        fingerprint=known_fingerprint or fingerprint(model, [level]),
    )


def _hook_point(known: Mapping[str, Any]) -> str:
    """Return what a sae-lens folder says it reads."""
    name, path = str(known.get("hook_name") or ""), str(known.get("hf_hook_name") or "")
    # Transcoders that read what enters the MLP after its norm; TransformerLens' hook of this name
    # is before the norm, so that only the path says which states are meant.
    if path and name.endswith(".hook_mlp_in"):
        return path
    return name or path


def _from_registry(spec: str, store: Path | None) -> Path:
    """Convert a registry entry with sae-lens' own loader, once, and return its folder."""
    release, _, sae_id = spec.removeprefix("sae-lens:").partition("/")
    if not release or not sae_id:
        raise DictionaryError(f"{spec}: write sae-lens:<release>/<sae_id>.")
    folder = (store or default_store()) / converted_name(spec)
    if (folder / WEIGHTS).is_file() and (folder / CONFIG).is_file():
        return folder
    from benchdesign.mapping.convert import convert_registry_entry

    convert_registry_entry(release, sae_id, folder, config=CONFIG, weights=WEIGHTS)
    return folder


def _from_hub(parts: Sequence[str]) -> Path:
    """Fetch, or find in the cache, the dictionary at a repository's root or in a folder of it.

    What it consists of is read first: a repository may hold hundreds of SAEs.
    """
    name, repository, inside = "/".join(parts), "/".join(parts[:2]), "/".join(parts[2:])
    front = f"{inside}/" if inside else ""
    marks = [front + SUMMARY, front + CONFIG]
    root = _fetch(name, repository, marks)
    folder = root / inside
    if (folder / SUMMARY).is_file():
        levels = [f"{front}{one}/" for one in _level_folders(folder / SUMMARY)]
        wanted = [front + CONCEPTS]
    elif (folder / CONFIG).is_file():
        levels, wanted = [front], []
    else:
        raise DictionaryError(_elsewhere(name, repository, front, root))
    wanted += [level + file for level in levels for file in (CONFIG, WEIGHTS, SCALER, WHITENING)]
    return _fetch(name, repository, marks + wanted) / inside


def _fetch(name: str, repository: str, files: Sequence[str]) -> Path:
    """Bring those of the files that the repository has into the hub's cache; return its folder."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, allow_patterns=[escape(one) for one in files]))
    except _hub_errors() as problem:
        message = " ".join(str(problem).split())[:200]
        raise DictionaryError(f"{name}: cannot be fetched ({message}).") from None


def _hub_errors() -> tuple[type[Exception], ...]:
    """Return what asking the hub may raise, by whichever HTTP library its client is built on."""
    from huggingface_hub import errors

    return getattr(errors, "HTTPError", OSError), errors.HFValidationError, OSError


def _elsewhere(name: str, repository: str, front: str, cached: Path) -> str:
    """Say that there is no dictionary at a place, and where else in the repository there is one."""
    from huggingface_hub import HfApi

    try:
        files = HfApi().list_repo_files(repository)
    except _hub_errors():
        # Without a network, what was fetched before.
        files = [path.relative_to(cached).as_posix() for path in cached.rglob("*.json")]
    places = [
        Path(file).parent.as_posix() for file in files if Path(file).name in (CONFIG, SUMMARY)
    ]
    places = sorted({one for one in places if f"{one}/".startswith(front)})
    told = f"{name}: holds neither {SUMMARY} nor {CONFIG}"
    if not places:
        return f"{told}; give a dictionary or a sae-lens folder."
    more = f" and {len(places) - _MOST_TOLD:,} more" if len(places) > _MOST_TOLD else ""
    return (
        f"{told}, but folders in it do: {', '.join(places[:_MOST_TOLD])}{more}. "
        f"Give one, such as hf:{repository}/{places[0]}."
    )


def _level_folders(summary: Path) -> list[str]:
    """Return where the levels lie beside a dictionary.json; a damaged one names none."""
    try:
        return [str(one.get("folder", one["name"])) for one in _read_json(summary)["levels"]]
    except (KeyError, TypeError, AttributeError):
        return []


def _hub_id(model_name: str) -> str:
    """Turn a TransformerLens model name into a Hugging Face id."""
    if "/" in model_name or not model_name:
        return model_name
    if model_name == "gpt2-small":
        return "gpt2"
    if model_name.lower() == "mistral-7b":
        return "mistralai/Mistral-7B-v0.1"
    owner = next(
        (owner for start, owner in _HUB_OWNERS.items() if model_name.lower().startswith(start)),
        None,
    )
    return f"{owner}/{model_name}" if owner else model_name


def _to_arrow(table: ConceptTable) -> pa.Table:
    import pyarrow as pa

    columns: dict[str, Any] = {}
    for one in fields(ConceptTable):
        values = getattr(table, one.name)
        if one.name == "base_rates":
            columns[one.name] = pa.FixedSizeListArray.from_arrays(
                pa.array(np.ascontiguousarray(values, dtype=np.float32).reshape(-1)),
                values.shape[1],
            )
        elif one.name == "flags":
            columns[one.name] = pa.array([sorted(flags) for flags in values], pa.list_(pa.string()))
        elif one.name in _TEXTS:
            columns[one.name] = pa.array(list(values), pa.string())
        else:
            columns[one.name] = pa.array(values)
    return pa.table(columns)


def _read_table(path: Path, levels: Sequence[Level], *, n_bins: int) -> ConceptTable:
    """Read concepts.parquet; columns it lacks are unknown, rows it lacks are an error."""
    blank = blank_table(levels, n_bins=n_bins)
    # What is there and cannot be read, such as a link to itself, is not taken for absent.
    if not os.path.lexists(path):
        return blank
    found = read_columns(path, n_concepts=len(blank.label), n_bins=n_bins)
    if not np.array_equal(found.get("level", blank.level), blank.level):
        raise DictionaryError(f"{path}: rows are not in the order of the levels in {SUMMARY}.")
    found.pop("level", None)
    kept = {one.name: found.get(one.name, getattr(blank, one.name)) for one in fields(ConceptTable)}
    return ConceptTable(**kept)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_regular_text(path))
    except FileNotFoundError:
        raise DictionaryError(f"{path}: missing.") from None
    except (OSError, ValueError, RecursionError) as problem:
        raise DictionaryError(f"{path}: not readable JSON ({problem}).") from None
    if not isinstance(content, dict):
        raise DictionaryError(f"{path}: must hold one JSON object.")
    return content
