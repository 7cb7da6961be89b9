"""Check that a dictionary fits a reference model, and find its hook points."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchdesign.concepts.dictionaries.dictionary import Dictionary, Level
from benchdesign.concepts.mapping.sae_encoder import SequenceEncoder
from benchdesign.errors import DictionaryError
from benchdesign.foundation.paths import is_folder

if TYPE_CHECKING:
    from benchdesign.concepts.mapping.sae_encoder import Encoder
    from benchdesign.concepts.reference_model.model import ReferenceModel

__all__ = [
    "check_model",
    "check_names",
    "hook_point",
    "model_hook_point",
    "module_paths",
    "needs_whole_windows",
]

_TUNING_SUFFIX = re.compile(r"-(base|pt|it|instruct|chat|hf)$")
"""Suffixes for fine-tuned or repackaged versions of a model.

Any other suffix is another model: pythia-70m-deduped has other training data than pythia-70m.
"""


def hook_point(level: Level, hook_module: str | None) -> str:
    """Return the hook point of a level; `hook_module` is the fallback."""
    if level.hook_point or hook_module:
        return level.hook_point or str(hook_module)
    raise DictionaryError(
        f"{level.folder}: does not name the activations it reads. Add --hook-module."
    )


def model_hook_point(model: ReferenceModel, level: Level) -> str:
    """Return the hook point of a reference model that a level reads."""
    return level.hook_point if level.hook_point in model.width else model.hook_points[0]


def module_paths(dictionary: Dictionary, encoders: Sequence[Encoder]) -> dict[str, str]:
    """Return the module paths in the SAE configs (`hf_hook_name`), by hook point."""
    paths = [
        (level.hook_point, encoder.settings.get("hf_hook_name"))
        for level, encoder in zip(dictionary.levels, encoders, strict=True)
    ]
    return {point: str(path) for point, path in paths if path}


def check_names(spec: str, dictionary: Dictionary) -> None:
    """Raise if the name of the model is not that of the dictionary's model."""
    if not dictionary.model or is_folder(spec) or is_folder(dictionary.model):
        return
    if _base_name(spec) != _base_name(dictionary.model):
        raise DictionaryError(
            f"{dictionary.name}: made for {dictionary.model}, not for {spec}. "
            f"Use --model {dictionary.model}."
        )


def _base_name(model: str) -> str:
    """Return the name of a model without its owner and its fine-tuning suffixes."""
    # Llama 3 was renamed on the hub: the prefix `Meta-` was dropped.
    name = model.split("/")[-1].lower().removeprefix("meta-")
    while (shorter := _TUNING_SUFFIX.sub("", name)) != name:
        name = shorter
    return name


def check_model(
    model: ReferenceModel, dictionary: Dictionary, encoders: Sequence[Encoder], spec: str
) -> None:
    """Raise if the weights of the model do not fit the dictionary."""
    if dictionary.model == "builtin" and not model.is_builtin:
        raise DictionaryError(
            f"{dictionary.name}: made for the built-in model, not for {spec}. Remove --model."
        )
    for level, encoder in zip(dictionary.levels, encoders, strict=True):
        point = model_hook_point(model, level)
        if model.width[point] != encoder.d_in:
            raise DictionaryError(
                f"{dictionary.name}: expects states of width {encoder.d_in}, but {spec} has "
                f"{model.width[point]} at {point}. It was made for another model."
            )


def needs_whole_windows(dictionary: Dictionary, encoders: Sequence[Encoder]) -> bool:
    """Return whether an encoder depends on preceding tokens."""
    is_sequential = [isinstance(encoder, SequenceEncoder) for encoder in encoders]
    for level, needs_sequence in zip(dictionary.levels, is_sequential, strict=True):
        if needs_sequence and level.unit != "token":
            raise DictionaryError(
                f"{dictionary.name}: {level.name} is a temporal SAE, which reads tokens in order, "
                "not passages. Set its unit to `token`."
            )
    return any(is_sequential)
