"""Whether a reference model and a dictionary belong together, and where they meet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchdesign.dictionary import Dictionary, Level
from benchdesign.errors import DictionaryError
from benchdesign.regular import is_folder

if TYPE_CHECKING:
    from benchdesign.mapping.reference import ReferenceModel
    from benchdesign.mapping.sae import Encoder

__all__ = ["check_model", "check_names", "hook_point", "module_paths", "need_whole_windows"]

_TUNED = re.compile(r"-(base|pt|it|instruct|chat|hf)$")
"""Ends of names that only say how one model was tuned or packed.

Any other end names another model: pythia-70m-deduped read other texts than pythia-70m.
"""


def hook_point(level: Level, hook_module: str | None) -> str:
    """Return what a level reads, by name or by hand."""
    if level.hook_point or hook_module:
        return level.hook_point or str(hook_module)
    raise DictionaryError(
        f"{level.folder}: does not say which activations it reads. Give --hook-module."
    )


def module_paths(dictionary: Dictionary, encoders: Sequence[Encoder]) -> dict[str, str]:
    """Return the modules that SAEs name beside their hook points, by hook point."""
    named = [
        (level.hook_point, encoder.settings.get("hf_hook_name"))
        for level, encoder in zip(dictionary.levels, encoders, strict=True)
    ]
    return {point: str(path) for point, path in named if path}


def check_names(spec: str, dictionary: Dictionary) -> None:
    """Refuse a model that is plainly not the one the dictionary was made for."""
    if not dictionary.model or is_folder(spec) or is_folder(dictionary.model):
        return
    if _base_name(spec) != _base_name(dictionary.model):
        raise DictionaryError(
            f"{dictionary.name}: made for {dictionary.model}, not for {spec}. "
            f"Give --model {dictionary.model}."
        )


def _base_name(model: str) -> str:
    """Return a model's name without its owner and without what tells that it was tuned."""
    # Llama 3 was renamed on the hub.
    name = model.split("/")[-1].lower().removeprefix("meta-")
    while (shorter := _TUNED.sub("", name)) != name:
        name = shorter
    return name


def check_model(
    model: ReferenceModel, dictionary: Dictionary, encoders: Sequence[Encoder], spec: str
) -> None:
    """Refuse weights that cannot belong to the dictionary."""
    if dictionary.model == "builtin" and not model.is_builtin:
        raise DictionaryError(
            f"{dictionary.name}: made for the built-in model, and {spec} is not it. "
            "Leave --model out."
        )
    for level, encoder in zip(dictionary.levels, encoders, strict=True):
        point = level.hook_point if level.hook_point in model.width else model.hook_points[0]
        if model.width[point] != encoder.d_in:
            raise DictionaryError(
                f"{dictionary.name}: reads states {encoder.d_in} wide, and {spec} gives "
                f"{model.width[point]} at {point}. It was made for another model."
            )


def need_whole_windows(dictionary: Dictionary, encoders: Sequence[Encoder]) -> bool:
    """Say whether an encoder looks at the tokens before a token."""
    from benchdesign.mapping.sae import SequenceEncoder

    whole = [isinstance(encoder, SequenceEncoder) for encoder in encoders]
    for level, is_whole in zip(dictionary.levels, whole, strict=True):
        if is_whole and level.unit != "token":
            raise DictionaryError(
                f"{dictionary.name}: {level.name} is a temporal SAE, which reads tokens in order, "
                "never passages. Make its unit `token`."
            )
    return any(whole)
