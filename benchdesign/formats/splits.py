"""Which part of a set with several splits is read."""

from __future__ import annotations

from collections.abc import Sequence

from benchdesign.errors import FormatError
from benchdesign.items import Finding

__all__ = ["SPLIT_NAMES", "choose_split"]

SPLIT_NAMES = ("test", "validation", "valid", "val", "dev", "eval", "train", "training")
"""First the ones that benchmarks are run on."""


def choose_split(names: Sequence[str], split: str | None, place: str) -> tuple[str, list[Finding]]:
    """Return the split asked for, the only one, or the most test-like with a finding."""
    listed = ", ".join(names)
    if split is not None:
        if split not in names:
            raise FormatError(f"{place}: no split {split!r}. Use one of {listed} with --split.")
        return split, []
    if len(names) == 1:
        return names[0], []
    for name in SPLIT_NAMES:
        if name in names:
            message = f"{place}: read the split {name} of {listed}; --split reads another."
            return name, [Finding("split", message)]
    raise FormatError(f"{place}: several splits ({listed}). Name one with --split.")
