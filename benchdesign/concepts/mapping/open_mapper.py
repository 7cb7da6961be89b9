"""Open the mapper of a reference model and a dictionary."""

from __future__ import annotations

from pathlib import Path

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.mapping.mapper import SaeMapper
from benchdesign.concepts.mapping.mapper_protocols import Mapper

__all__ = ["open_mapper"]


def open_mapper(
    model: str | Path | None = None,
    dictionary: str | Path | Dictionary = "builtin",
    *,
    device: str | None = None,
    dtype: str | None = None,
    hook_module: str | None = None,
    device_map: str | None = None,
    chat: bool = False,
) -> Mapper:
    """Load a reference model and a dictionary; `model` defaults to the dictionary's model.

    `dtype` is float32, bfloat16 or float16. `hook_module` overrides the module that is read. With
    `chat`, every item is read as the user turn of the model's chat template.
    """
    return SaeMapper.from_specs(
        model,
        dictionary,
        device=device,
        dtype=dtype,
        hook_module=hook_module,
        device_map=device_map,
        chat=chat,
    )
