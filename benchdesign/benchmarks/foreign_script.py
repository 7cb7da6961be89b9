"""Finding on sets in another script than Latin, which the built-in reference model reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from benchdesign.benchmarks.items import Finding, Item
from benchdesign.foundation.number_words import percent

__all__ = ["find_other_script"]

_MAX_ITEMS = 200
_MAX_CHARACTERS = 2_000
"""Limits of the sample: enough to recognise a script, and fast on load."""

_LETTER = re.compile(r"[^\W\d_]")
_LATIN = re.compile(
    "[A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u1d00-\u1dbf\u1e00-\u1eff"
    "\u2c60-\u2c7f\ua722-\ua7ff\uab30-\uab6f\ufb00-\ufb06\uff21-\uff3a\uff41-\uff5a]"
)
_GREEK = "\u0370-\u03ff\u1f00-\u1fff"
_SYMBOLS = re.compile(
    f"[\u2100-\u214f\U0001d400-\U0001d7ff]|(?<![{_GREEK}])[{_GREEK}]{{1,2}}(?![{_GREEK}])"
)
"""Letters used as symbols: mathematical ones, and Greek ones outside words."""


def find_other_script(items: Sequence[Item], path: Path) -> list[Finding]:
    """Return a finding if most letters in a sample of items are not Latin."""
    n_letters = n_latin = 0
    for item in items[:: max(len(items) // _MAX_ITEMS, 1)]:
        content = " ".join(item.text[first:last] for first, last in item.content)
        text = _SYMBOLS.sub(" ", content[:_MAX_CHARACTERS])
        n_letters += len(_LETTER.findall(text))
        n_latin += len(_LATIN.findall(text))
    if 2 * (n_letters - n_latin) <= n_letters:
        return []
    return [
        Finding(
            "other-script",
            f"{path}: {percent(1 - n_latin / n_letters)} of the letters are not Latin. "
            "The built-in reference model reads English, so its gaps mean little here. "
            "Use --model and --dictionary to choose a model that reads this script, and its "
            "dictionary.",
        )
    ]
