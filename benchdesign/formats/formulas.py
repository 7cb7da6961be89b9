"""Keep text that a spreadsheet would run as text, and take it back exactly.

A table may be opened in a spreadsheet, and text of a pool is anybody's. A cell that begins like a
formula is written with an apostrophe before it; reading takes one away again, so nothing is lost.
Numbers, bullets and names such as `-5`, `- yes` or `@someone` are no formulas and stay as they are.
"""

from __future__ import annotations

import re

__all__ = ["guarded", "is_formula", "unguarded"]

# Every pattern is linear in the text: a cell may be long, and may be made to be slow.
_STARTS = re.compile(r"[\w.($\"@+\-{\[]|'[^']*'!")
_CALL = re.compile(r"[\w.]\(")
_OTHER_BOOK = re.compile(r"\][\w.]*!")


def is_formula(text: str) -> bool:
    """Say whether a spreadsheet would run a cell, or fetch something for it."""
    start = text.lstrip()[:1]
    if start not in "=+-@＝＋－＠" or not start:
        return False
    rest = text.lstrip()[1:].lstrip()
    if start in "=＝":
        return _STARTS.match(rest) is not None
    if _CALL.search(rest) or "'!" in rest or _OTHER_BOOK.search(rest):
        return True
    return "!" in rest.partition("|")[2]


def guarded(text: str) -> str:
    """Return a cell that no spreadsheet runs."""
    return f"'{text}" if is_formula(text.lstrip("'")) else text


def unguarded(cell: str) -> str:
    """Return what `guarded` was given."""
    return cell[1:] if cell.startswith("'") and is_formula(cell.lstrip("'")) else cell
