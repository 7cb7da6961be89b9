"""Convert entries of the sae-lens registry to folders, once, with its own loaders.

A converted folder opens in milliseconds, without sae-lens, the network or the hub cache.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchdesign.errors import DictionaryError

__all__ = ["convert_registry_entry"]


def convert_registry_entry(
    release: str, sae_id: str, folder: Path, *, config: str, weights: str
) -> None:
    """Load an entry from the hub or its cache, and write `config` and `weights` to `folder`."""
    spec = f"sae-lens:{release}/{sae_id}"
    sae = _load(spec, release, sae_id)
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True, exist_ok=True)
        _write(sae, temporary / config, temporary / weights)
        folder.mkdir(exist_ok=True)
        # The config is moved last: a folder without it counts as incomplete.
        for name in (weights, config):
            (temporary / name).replace(folder / name)
    except OSError as problem:
        raise DictionaryError(
            f"{spec}: cannot be saved in {folder.parent} ({problem.strerror or problem}). "
            "Free space, or make that folder writable."
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _load(spec: str, release: str, sae_id: str) -> Any:
    from sae_lens import SAE

    with _shapes_from_files(), warnings.catch_warnings():
        # sae-lens warns how to load the model, which we do, and of changes in Python.
        warnings.simplefilter("ignore")
        try:
            return SAE.from_pretrained(release, sae_id, device="cpu")
        except (
            *(ValueError, OSError, KeyError, RuntimeError, TypeError, AssertionError),
            pickle.UnpicklingError,
        ) as problem:
            message = " ".join(str(problem).split())[:300]
            raise DictionaryError(f"{spec}: cannot be loaded ({message}).") from None


def _write(sae: Any, config: Path, weights: Path) -> None:
    """Save as sae-lens does, including non-contiguous tensors, on which its own save fails."""
    from safetensors.torch import save_file

    tensors = sae.state_dict()
    sae.process_state_dict_for_saving(tensors)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, weights)
    config.write_text(json.dumps(sae.cfg.to_dict()), "utf-8")


@contextlib.contextmanager
def _shapes_from_files() -> Iterator[None]:
    """Patch sae-lens to read tensor shapes from the cached file.

    Otherwise it requests them from the hub even if the file is in the hub cache.
    """
    from sae_lens.loading import pretrained_sae_loaders as loaders

    def shapes(repo_id: str, filename: str) -> dict[str, list[int]]:
        from huggingface_hub import hf_hub_download
        from safetensors import safe_open

        with safe_open(hf_hub_download(repo_id, filename), framework="pt") as file:
            names = file.keys()
            return {name: list(file.get_slice(name).get_shape()) for name in names}

    original = loaders.get_safetensors_tensor_shapes
    loaders.get_safetensors_tensor_shapes = shapes
    try:
        yield
    finally:
        loaders.get_safetensors_tensor_shapes = original
