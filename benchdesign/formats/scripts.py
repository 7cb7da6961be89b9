"""Notice a set whose text is in another script than the built-in reference model reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from benchdesign.items import Finding, Item

__all__ = ["find_other_script"]

_MOST_ITEMS = 200
_MOST_CHARACTERS = 2_000
"""Enough to tell a script, and no time on load: items looked at, and characters of each."""

_LETTER = re.compile(r"[^\W\d_]")
_LATIN = re.compile(
    "[A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u1d00-\u1dbf\u1e00-\u1eff"
    "\u2c60-\u2c7f\ua722-\ua7ff\uab30-\uab6f\ufb00-\ufb06\uff21-\uff3a\uff41-\uff5a]"
)
_GREEK = "\u0370-\u03ff\u1f00-\u1fff"
_SIGNS = re.compile(
    f"[\u2100-\u214f\U0001d400-\U0001d7ff]|(?<![{_GREEK}])[{_GREEK}]{{1,2}}(?![{_GREEK}])"
)
"""Letters that stand for quantities: those made for formulas, and Greek ones outside a word."""


def find_other_script(items: Sequence[Item], path: Path) -> list[Finding]:
    """Tell that most letters of a set are not Latin; looks at items from all over the set."""
    n_letters = n_latin = 0
    for item in items[:: max(len(items) // _MOST_ITEMS, 1)]:
        content = " ".join(item.text[first:last] for first, last in item.content)
        text = _SIGNS.sub(" ", content[:_MOST_CHARACTERS])
        n_letters += len(_LETTER.findall(text))
        n_latin += len(_LATIN.findall(text))
    if 2 * (n_letters - n_latin) <= n_letters:
        return []
    return [
        Finding(
            "other-script",
            f"{path}: {1 - n_latin / n_letters:.0%} of the letters are not Latin. The built-in "
            "reference model reads English, so what it calls missing here means little; give a "
            "model that reads this script, and its dictionary, with --model and --dictionary.",
        )
    ]
