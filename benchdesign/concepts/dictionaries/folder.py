"""Concept dictionaries as folders on disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.formats.text_content import read_head, reject_non_data
from benchdesign.concepts.dictionaries.columns import read_columns
from benchdesign.concepts.dictionaries.dictionary import ConceptTable, Dictionary, Level
from benchdesign.errors import DictionaryError, PackagingError
from benchdesign.foundation.atomic_files import whole_files, write_atomically
from benchdesign.foundation.paths import read_regular_text

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "CONCEPTS",
    "CONFIG",
    "POOLING_VERSION",
    "SCALER",
    "SUMMARY",
    "WEIGHTS",
    "WHITENING",
    "blank_table",
    "builtin_dictionary_folder",
    "describe_plain",
    "fingerprint",
    "level_files",
    "open_folder",
    "read_config",
    "read_dictionary_json",
    "save_dictionary",
]


POOLING_VERSION = "1"
"""Incremented when the same weights yield another map: windows, passages, pooling."""


CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"


SCALER, WHITENING = "activation_scaler.json", "activation_whitening.safetensors"
"""Files beside the weights of a training run if they are not folded into the weights."""


SUMMARY, CONCEPTS = "dictionary.json", "concepts.parquet"


_VERSION = 1


_TEXTS = ("label", "label_source", "area")


_HUB_OWNERS = {
    "gemma": "google",
    "pythia": "EleutherAI",
    "gpt-neox": "EleutherAI",
    "llama": "meta-llama",
    "mistral": "mistralai",
    "qwen": "Qwen",
}


def builtin_dictionary_folder() -> Path:
    """Return the folder of the dictionary that ships with the package."""
    folder = Path(__file__).resolve().parents[2] / "builtin"
    if not (folder / SUMMARY).is_file():
        raise PackagingError(
            f"{folder}: the built-in dictionary is missing; reinstall benchdesign."
        )
    return folder


def read_config(folder: Path) -> dict[str, Any]:
    """Read the cfg.json of a sae-lens folder."""
    if not (folder / WEIGHTS).is_file():
        others = [path.name for path in folder.glob("*.p[tk]*")] + [
            path.name for path in folder.glob("*.bin")
        ]
        if others:
            raise DictionaryError(
                f"{folder / others[0]}: loading pickled weights can run code. "
                f"Convert them to {WEIGHTS}."
            )
        raise DictionaryError(f"{folder}: no {WEIGHTS}; use a folder saved by sae-lens.")
    config = read_dictionary_json(folder / CONFIG)
    for key in ("d_in", "d_sae"):
        if not isinstance(config.get(key), int) or isinstance(config[key], bool) or config[key] < 1:
            raise DictionaryError(f"{folder / CONFIG}: {key} must be a positive whole number.")
    # A weight takes at least one byte. Without this check, a wrong width could exhaust memory.
    n_bytes = (folder / WEIGHTS).stat().st_size
    if config["d_in"] * config["d_sae"] > n_bytes:
        reject_non_data(folder / WEIGHTS, read_head(folder / WEIGHTS))
        raise DictionaryError(
            f"{folder / CONFIG}: d_in and d_sae do not fit the {n_bytes} bytes of {WEIGHTS}. "
            "Download both again."
        )
    return config


def fingerprint(model: str, levels: Sequence[Level]) -> str:
    """Return a digest of everything that determines a map: weights, hook points, pooling."""
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
    """Return the files of a sae-lens folder that determine its output, in a fixed order."""
    optional = (folder / name for name in (SCALER, WHITENING))
    return folder / CONFIG, folder / WEIGHTS, *(file for file in optional if file.is_file())


def save_dictionary(
    dictionary: Dictionary, folder: Path, *, recipe: Mapping[str, Any] | None = None
) -> None:
    """Write dictionary.json and concepts.parquet; level folders must be beside them."""
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
    write_atomically(folder / SUMMARY, json.dumps(summary, indent=2, sort_keys=True) + "\n")
    with whole_files(folder / CONCEPTS) as (fresh,):
        pq.write_table(_to_arrow(dictionary.table), fresh, compression="zstd")


def blank_table(levels: Sequence[Level], *, n_bins: int = 1) -> ConceptTable:
    """Return a table of unknown values: threshold 0, no labels, no base rates."""
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


def open_folder(folder: Path, name: str, known_fingerprint: str | None) -> Dictionary:
    """Open a dictionary folder of this tool or of sae-lens; its weights are hashed if need be."""
    if (folder / SUMMARY).is_file():
        return _open_own(folder, name, known_fingerprint)
    if (folder / CONFIG).is_file():
        return _open_plain(folder, name, known_fingerprint)
    raise DictionaryError(
        f"{folder}: no {SUMMARY} or {CONFIG}; use a dictionary or a sae-lens folder."
    )


def _open_own(folder: Path, name: str, known_fingerprint: str | None) -> Dictionary:
    """Open a dictionary of several levels with its statistics."""
    path = folder / SUMMARY
    summary = read_dictionary_json(path)
    _check_summary(summary, path)
    levels: list[Level] = []
    offset = 0
    try:
        for entry in summary["levels"]:
            level_folder = folder / str(entry.get("folder", entry["name"]))
            if folder.resolve() not in level_folder.resolve().parents:
                raise DictionaryError(
                    f"{path}: level folder {level_folder} is outside the dictionary."
                )
            config = read_config(level_folder)
            level = Level(
                name=str(entry["name"]),
                unit=str(entry["unit"]),
                hook_point=str(entry["hook_point"]),
                offset=offset,
                width=int(config["d_sae"]),
                folder=level_folder,
            )
            if level.unit not in {"token", "passage"}:
                raise DictionaryError(f"{path}: unit {level.unit!r} is not token or passage.")
            if int(entry.get("width", level.width)) != level.width:
                raise DictionaryError(f"{path}: width of {level.name} differs from its {CONFIG}.")
            levels.append(level)
            offset += level.width
        model = str(summary["model"])
        edges = tuple(int(edge) for edge in summary.get("length_edges", ()))
    except (KeyError, TypeError, ValueError, OverflowError) as problem:
        raise DictionaryError(f"{path}: damaged ({problem!r}); download it again.") from None
    if not levels or list(edges) != sorted(set(edges)):
        raise DictionaryError(f"{path}: must have at least one level and ascending length_edges.")
    return Dictionary(
        name=name,
        model=model,
        levels=tuple(levels),
        table=_read_table(folder / CONCEPTS, levels, n_bins=len(edges) + 1),
        length_edges=edges,
        fingerprint=known_fingerprint or fingerprint(model, levels),
    )


def _check_summary(summary: Mapping[str, Any], path: Path) -> None:
    """Raise if the schema is newer or a value has the wrong type."""
    version = summary.get("schema_version", _VERSION)
    if version != _VERSION or isinstance(version, bool):
        raise DictionaryError(
            f"{path}: schema_version {str(version)[:40]} is not supported. Upgrade benchdesign."
        )
    if not isinstance(summary.get("model", ""), str):
        raise DictionaryError(f"{path}: model must be a string; download it again.")
    levels = summary.get("levels", [])
    if not isinstance(levels, list) or not all(isinstance(level, dict) for level in levels):
        raise DictionaryError(f"{path}: levels must be a list of objects; download it again.")
    for key in ("name", "unit", "hook_point", "folder"):
        if not all(isinstance(level.get(key, ""), str) for level in levels):
            raise DictionaryError(f"{path}: {key} of a level must be a string; download it again.")


class PlainSae(NamedTuple):
    """Model and level in the config of a sae-lens folder."""

    model: str
    level: Level


def describe_plain(folder: Path) -> PlainSae:
    """Read the model and the level of a sae-lens folder; its weights are not read."""
    config = read_config(folder)
    metadata = config.get("metadata")
    source: dict[str, Any] = metadata if isinstance(metadata, dict) else config
    for key in ("model_name", "hook_name", "hf_hook_name"):
        if not isinstance(source.get(key) or "", str):
            raise DictionaryError(f"{folder / CONFIG}: {key} must be a string; download it again.")
    model = _hub_id(str(source.get("model_name") or ""))
    level = Level(
        name="terms",
        unit="token",
        hook_point=_hook_point(source),
        offset=0,
        width=int(config["d_sae"]),
        folder=folder,
    )
    return PlainSae(model, level)


def _open_plain(folder: Path, name: str, known_fingerprint: str | None) -> Dictionary:
    """Open a sae-lens folder as one level without concept statistics."""
    model, level = describe_plain(folder)
    return Dictionary(
        name=name,
        model=model,
        levels=(level,),
        table=blank_table([level]),
        length_edges=(),
        fingerprint=known_fingerprint or fingerprint(model, [level]),
    )


def _hook_point(config: Mapping[str, Any]) -> str:
    """Return the hook point in the config of a sae-lens folder."""
    name, path = str(config.get("hook_name") or ""), str(config.get("hf_hook_name") or "")
    # Such transcoders read the MLP input after its norm. In TransformerLens, the hook of this name
    # is before the norm, so only the path is right.
    if path and name.endswith(".hook_mlp_in"):
        return path
    return name or path


def _hub_id(model_name: str) -> str:
    """Convert a TransformerLens model name to a Hugging Face id."""
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
    for field in fields(ConceptTable):
        values = getattr(table, field.name)
        if field.name == "base_rates":
            columns[field.name] = pa.FixedSizeListArray.from_arrays(
                pa.array(np.ascontiguousarray(values, dtype=np.float32).reshape(-1)),
                values.shape[1],
            )
        elif field.name == "flags":
            columns[field.name] = pa.array(
                [sorted(flags) for flags in values], pa.list_(pa.string())
            )
        elif field.name in _TEXTS:
            columns[field.name] = pa.array(list(values), pa.string())
        else:
            columns[field.name] = pa.array(values)
    return pa.table(columns)


def _read_table(path: Path, levels: Sequence[Level], *, n_bins: int) -> ConceptTable:
    """Read concepts.parquet; missing columns are unknown, missing rows raise."""
    blank = blank_table(levels, n_bins=n_bins)
    # `lexists`, so that an unreadable path, such as a symlink loop, raises below.
    if not os.path.lexists(path):
        return blank
    columns = read_columns(path, n_concepts=len(blank.label), n_bins=n_bins)
    if not np.array_equal(columns.get("level", blank.level), blank.level):
        raise DictionaryError(f"{path}: rows are not in the order of the levels in {SUMMARY}.")
    columns.pop("level", None)
    values = {
        field.name: columns.get(field.name, getattr(blank, field.name))
        for field in fields(ConceptTable)
    }
    return ConceptTable(**values)


def read_dictionary_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; raise `DictionaryError` if it is missing or damaged."""
    try:
        content = json.loads(read_regular_text(path))
    except FileNotFoundError:
        raise DictionaryError(f"{path}: missing.") from None
    except (OSError, ValueError, RecursionError) as problem:
        raise DictionaryError(f"{path}: not readable JSON ({problem}).") from None
    if not isinstance(content, dict):
        raise DictionaryError(f"{path}: must be one JSON object.")
    return content
