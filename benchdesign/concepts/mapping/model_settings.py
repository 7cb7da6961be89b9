"""The settings of a reference model and its dictionary."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ModelSettings"]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What to map items with; equal settings give equal maps."""

    model: str = "builtin"
    """`builtin` (or the one the dictionary was built for), a folder, a hub id."""

    dictionary: str = "builtin"
    """`builtin`, a folder, `sae-lens:<release>/<sae_id>` or `hf:<repo>`."""

    device: str | None = None
    dtype: str | None = None
    hook_module: str | None = None
    """Module to read activations from instead of the dictionary's hook point."""

    chat: bool = False
    """Format every item as a user turn in the model's chat template."""
