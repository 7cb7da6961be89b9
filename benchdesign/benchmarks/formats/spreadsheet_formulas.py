"""Protection against formula injection in CSV and TSV files.

Pools are untrusted, and a spreadsheet runs cells that begin like a formula. Such a cell is written
with an apostrophe before it; reading removes it, so that the round trip is exact. Numbers, bullets
and names such as `-5`, `- yes` or `@someone` are not formulas and stay unchanged.
"""

from __future__ import annotations

import re

__all__ = ["guard_formula", "is_formula", "unguard_formula"]

# Every pattern runs in linear time: cells are untrusted and can be long.
_STARTS = re.compile(r"[\w.($\"@+\-{\[]|'[^']*'!")
_CALL = re.compile(r"[\w.]\(")
_OTHER_BOOK = re.compile(r"\][\w.]*!")


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would run a cell as a formula, or fetch data for it."""
    start = text.lstrip()[:1]
    if start not in "=+-@＝＋－＠" or not start:
        return False
    rest = text.lstrip()[1:].lstrip()
    if start in "=＝":
        return _STARTS.match(rest) is not None
    if _CALL.search(rest) or "'!" in rest or _OTHER_BOOK.search(rest):
        return True
    return "!" in rest.partition("|")[2]


def guard_formula(text: str) -> str:
    """Return a text as a cell that no spreadsheet runs."""
    return f"'{text}" if is_formula(text.lstrip("'")) else text


def unguard_formula(cell: str) -> str:
    """Return the text of a cell that `guarded` wrote."""
    return cell[1:] if cell.startswith("'") and is_formula(cell.lstrip("'")) else cell
