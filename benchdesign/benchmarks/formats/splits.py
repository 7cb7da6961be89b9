"""Choice of the split to read."""

from __future__ import annotations

from collections.abc import Sequence

from benchdesign.benchmarks.items import Finding
from benchdesign.errors import FormatError

__all__ = ["SPLIT_NAMES", "choose_split"]

SPLIT_NAMES = ("test", "validation", "valid", "val", "dev", "eval", "train", "training")
"""In order of preference: the splits that benchmarks are run on come first."""


def choose_split(names: Sequence[str], split: str | None, place: str) -> tuple[str, list[Finding]]:
    """Return the split: the requested one, the only one, or the first of `SPLIT_NAMES`.

    A split that was not the only choice gets a finding.
    """
    listed = ", ".join(names)
    if split is not None:
        if split not in names:
            raise FormatError(f"{place}: no split {split!r}. Use one of {listed} with --split.")
        return split, []
    if len(names) == 1:
        return names[0], []
    for name in SPLIT_NAMES:
        if name in names:
            message = f"{place}: read split {name} of {listed}. Use --split for another."
            return name, [Finding("split", message)]
    raise FormatError(f"{place}: several splits ({listed}). Choose one with --split.")
