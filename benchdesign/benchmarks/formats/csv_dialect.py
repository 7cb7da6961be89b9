"""The dialect of a CSV file: delimiter, quoting, and whether its first row is a header."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchdesign.benchmarks.fields.field_statistics import plain_name

__all__ = [
    "Dialect",
    "default_columns",
    "find_dialect",
    "is_header",
    "parse_number",
    "unique_columns",
]


SAMPLE_ROWS = 100


_MMLU_COLUMNS = ("question", "A", "B", "C", "D", "answer")


Quoting = Literal[0, 1, 2, 3]


@dataclass(frozen=True)
class Dialect:
    """Delimiter, quoting and escapes of a file."""

    delimiter: str
    quoting: Quoting = csv.QUOTE_MINIMAL
    escapechar: str | None = None

    def reader(self, lines: Iterator[str], *, strict: bool = False) -> Any:
        """Return a reader of lines; a strict one raises on misplaced or unclosed quotes."""
        return csv.reader(
            lines,
            strict=strict,
            delimiter=self.delimiter,
            quoting=csv.QUOTE_NONE if self.quoting == csv.QUOTE_NONE else csv.QUOTE_MINIMAL,
            escapechar=self.escapechar,
            doublequote=self.escapechar is None,
        )

    def row(self, cells: Sequence[str], *, quoting: Quoting | None = None) -> str:
        """Format one row, without line end."""
        out = io.StringIO()
        writer = csv.writer(
            out,
            delimiter=self.delimiter,
            quoting=self.quoting if quoting is None else quoting,
            escapechar=self.escapechar,
            doublequote=self.escapechar is None,
            # The csv module quotes \r and \n in a cell only if they are part of its own line end.
            lineterminator="\r\n",
        )
        writer.writerow(cells)
        return out.getvalue().removesuffix("\r\n")


def find_dialect(sample: list[str], *, tabs_first: bool) -> Dialect:
    """Return the dialect that reads the sample as the most regular table."""
    order = "\t,;|" if tabs_first else ",\t;|"
    candidates = [Dialect(delimiter) for delimiter in order]
    candidates += [Dialect(delimiter, csv.QUOTE_NONE) for delimiter in order if delimiter in "\t|"]
    if any('\\"' in line for line in sample):
        candidates += [Dialect(delimiter, escapechar="\\") for delimiter in order]
    best, best_score = candidates[0], (-1.0, 0.0)
    for candidate in candidates:
        score = _evenness(candidate, sample)
        if score > best_score:
            best, best_score = candidate, score
    return best


def _evenness(dialect: Dialect, sample: list[str]) -> tuple[float, float]:
    widths: Counter[int] = Counter()
    try:
        for n_rows, row in enumerate(dialect.reader(iter(sample))):
            if n_rows >= SAMPLE_ROWS:
                break
            if row:
                widths[len(row)] += 1
    except csv.Error:
        return (0.0, 0.0)
    if not widths:
        return (0.0, 0.0)
    width, n_even = widths.most_common(1)[0]
    n_rows = sum(widths.values())
    if width < 2:
        return (0.25, 0.0)
    # Misread quotes merge many rows into few: score the number of rows as well as evenness.
    return (round(n_even / n_rows, 2), min(n_rows, SAMPLE_ROWS) / SAMPLE_ROWS)


def is_header(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether the first row holds names of columns."""
    names = [cell.strip() for cell in first]
    named = [name for name in names if name]
    if any(len(name) > 80 for name in names):
        return False
    if len(set(named)) != len(named):
        # A header may repeat a name; in a data row, repeated cells are repeated values.
        return all(plain_name(name) in _HEADER_WORDS for name in named)
    if any(_is_number(name) or name.endswith("?") for name in names):
        return False
    if any(plain_name(name) in _HEADER_WORDS for name in names):
        return True
    if len(names) == len(_MMLU_COLUMNS) and names[-1] in {"A", "B", "C", "D"}:
        return False
    return sum(" " in name for name in names) <= len(names) / 2 or not second


_HEADER_WORDS = frozenset(
    [
        "question",
        "prompt",
        "input",
        "text",
        "sentence",
        "answer",
        "target",
        "label",
        "id",
        "choices",
        "options",
        "category",
        "problem",
        "query",
        "instruction",
        "output",
        "correctanswer",
        "answerkey",
    ]
)


def default_columns(n_columns: int) -> list[str]:
    """Return names for the columns of a table without a header."""
    if n_columns == len(_MMLU_COLUMNS):
        return list(_MMLU_COLUMNS)
    return [f"column_{position + 1}" for position in range(n_columns)]


def unique_columns(names: Sequence[str]) -> list[str]:
    """Return names of columns, each with a suffix if it is repeated."""
    seen: Counter[str] = Counter()
    columns = []
    for name in names:
        seen[name] += 1
        columns.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return columns


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def parse_number(text: str) -> Any:
    """Return a number as a float that is written as it was read, another cell unchanged."""
    return _Literal(text) if _is_number(text) else text


class _Literal(float):
    """A number that is written exactly as it was read."""

    def __new__(cls, text: str) -> _Literal:
        literal = super().__new__(cls, text)
        literal.text = text
        return literal

    text: str

    def __repr__(self) -> str:
        return self.text

    __str__ = __repr__
